"""How functions over real numbers treat 16-bit floats and refuse integers."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from graphc.functions.operands import not_implemented
from graphc.ir.dtype import bfloat16, float16, float32
from graphc.ir.node import Node, cast

LOW = (float16, bfloat16)

F = TypeVar("F", bound=Callable[..., Any])


def require_floating(name: str, x: Node) -> None:
    """Raise, in PyTorch's words, where ``x`` holds no floating-point numbers."""
    if not x.dtype.is_floating_point:
        raise not_implemented(name, x.dtype)


def real(kernel: str) -> Callable[[F], F]:
    """For a function whose first operand is floating-point; where that is of 16 bits, in float32.

    The result is rounded once, to the type of the first operand; further results stay wide.
    ``kernel`` is what PyTorch's message calls the function where there is none for a type.
    """

    def of_floats(call: F) -> F:
        return _of_floats(call, kernel)

    return of_floats


def _of_floats(call: F, kernel: str) -> F:
    @wraps(call)
    def wrapped(input: Node, *args: Any, **kwargs: Any) -> Any:
        require_floating(kernel, input)
        if input.dtype not in LOW:
            return call(input, *args, **kwargs)
        named = {name: widened(x) for name, x in kwargs.items()}
        result = call(widened(input), *map(widened, args), **named)
        if isinstance(result, tuple):
            return cast(result[0], input.dtype), *result[1:]
        return cast(result, input.dtype)

    return wrapped  # type: ignore[return-value]


def widened(x: Any) -> Any:
    """A node of 16-bit floats as float32; anything else as it is."""
    return cast(x, float32) if isinstance(x, Node) and x.dtype in LOW else x
