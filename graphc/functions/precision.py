"""How functions over real numbers treat 16-bit floats and refuse integers."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from graphc.errors import GraphcRuntimeError
from graphc.ir.dtype import DType, bfloat16, float16, float32, promote
from graphc.ir.node import Node, cast

LOW = (float16, bfloat16)
_C_NAMES = {
    "bool": "Bool",
    "uint8": "Byte",
    "int8": "Char",
    "int16": "Short",
    "int32": "Int",
    "int64": "Long",
}

F = TypeVar("F", bound=Callable[..., Any])


def require_floating(name: str, x: Node) -> None:
    """Raise, in PyTorch's words, where ``x`` holds no floating-point numbers."""
    if not x.dtype.is_floating_point:
        raise GraphcRuntimeError(f"\"{name}\" not implemented for '{_C_NAMES[x.dtype.name]}'")


def real(call: F) -> F:
    """A function whose first operand is floating-point; 16-bit operands are computed in float32.

    The result is rounded once, to the type that the floating-point operands promote to.
    """

    @wraps(call)
    def wrapped(input: Node, *args: Any, **kwargs: Any) -> Any:
        require_floating(call.__name__, input)
        low = _low_result([input, *args, *kwargs.values()])
        if low is None:
            return call(input, *args, **kwargs)
        named = {name: _widened(x) for name, x in kwargs.items()}
        result = call(_widened(input), *map(_widened, args), **named)
        if isinstance(result, tuple):
            return tuple(_narrowed(x, low) for x in result)
        return _narrowed(result, low)

    return wrapped  # type: ignore[return-value]


def _low_result(operands: list[Any]) -> DType | None:
    """The 16-bit type of the result, or None where some operand is wider or none is of 16 bits."""
    found: DType | None = None
    for x in operands:
        if isinstance(x, Node) and x.dtype.is_floating_point:
            found = x.dtype if found is None else promote(found, x.dtype)
    return found if found in LOW else None


def _widened(x: Any) -> Any:
    return cast(x, float32) if isinstance(x, Node) and x.dtype in LOW else x


def _narrowed(x: Node, dtype: DType) -> Node:
    return cast(x, dtype) if x.dtype is float32 else x
