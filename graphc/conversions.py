"""Tensors in other element types and on other devices."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphc.device import Device, usable
from graphc.errors import GraphcTypeError, GraphcValueError
from graphc.from_data import TypedTensor
from graphc.functions.operands import C_NAMES, dtype_given
from graphc.ir import dtype as types
from graphc.ir.dtype import DType
from graphc.memory import on_device
from graphc.surface import LIFTED
from graphc.tensor import Tensor
from graphc.typename import typename

CASTS = {
    "float": types.float32,
    "double": types.float64,
    "half": types.float16,
    "bfloat16": types.bfloat16,
    "long": types.int64,
    "int": types.int32,
    "short": types.int16,
    "char": types.int8,
    "byte": types.uint8,
    "bool": types.bool_,
    "cfloat": types.complex64,
    "cdouble": types.complex128,
}
"""The types by the names of the methods that convert to them."""
_LEGACY = {f"{name}Tensor": name_of_dtype for name_of_dtype, name in C_NAMES.items()}
"""``torch.FloatTensor`` and its kin by the element type they mean."""


def _converted(x: Tensor, dtype: DType, copy: bool = False) -> Tensor:
    if dtype is not x.dtype:
        return LIFTED["converted"](x, dtype)  # type: ignore[no-any-return]
    return x.clone() if copy else x


def to(
    self: Tensor,
    *args: Any,
    device: Any = None,
    dtype: Any = None,
    non_blocking: bool = False,
    copy: bool = False,
    memory_format: Any = None,
) -> Tensor:
    """In another element type or on another device; takes ``dtype``, ``device``, both or a tensor.

    The tensor itself where nothing changes, unless ``copy`` asks for another.
    """
    for given in args:
        if isinstance(given, Tensor):
            device, dtype = given.device, given.dtype
        elif isinstance(given, DType) or given in (float, int, bool, complex):
            dtype = given
        elif isinstance(given, str | Device | int) and not isinstance(given, bool):
            device = given
        elif given is not None and not isinstance(given, bool):
            raise GraphcTypeError(
                f"to() received an invalid combination of arguments - got {typename(given)}"
            )
    made = self if device is None else on_device(self, usable(device))
    found = self.dtype if dtype is None else dtype_given(dtype)
    return _converted(made, found, copy and made is self)


def _caster(name: str, dtype: DType) -> Callable[..., Tensor]:
    def cast(self: Tensor, memory_format: Any = None) -> Tensor:
        return _converted(self, dtype)

    cast.__name__ = cast.__qualname__ = name
    cast.__doc__ = f"In the type ``{dtype.name}``."
    return cast


def cpu(self: Tensor, memory_format: Any = None) -> Tensor:
    """On the CPU."""
    return on_device(self, "cpu")


def cuda(
    self: Tensor, device: Any = None, non_blocking: bool = False, memory_format: Any = None
) -> Tensor:
    """On a CUDA device."""
    return on_device(self, usable("cuda" if device is None else device))


def type_(self: Tensor, dtype: Any = None, non_blocking: bool = False) -> Any:
    """The name of the tensor's type; with ``dtype``, the tensor in that type."""
    if dtype is None:
        return typename(self)
    if isinstance(dtype, str):
        name = _LEGACY.get(dtype.removeprefix("torch."))
        if name is None:
            raise GraphcValueError(f"invalid type: '{dtype}'")
        dtype = types.dtype_named(name)
    if isinstance(dtype, TypedTensor):
        dtype = dtype.dtype
    return _converted(self, dtype_given(dtype))


def type_as(self: Tensor, other: Tensor) -> Tensor:
    """In the type of ``other``, and where it is."""
    return _converted(on_device(self, other._place), other.dtype)


METHODS: dict[str, Any] = {
    "to": to,
    "cpu": cpu,
    "cuda": cuda,
    "type": type_,
    "type_as": type_as,
    **{name: _caster(name, dtype) for name, dtype in CASTS.items()},
}
"""What tensors offer."""
