"""What tensors offer besides the functions: shape, layout, elements, new tensors of the kind."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from graphc import (
    conversions,
    copies,
    data_dependent,
    factories,
    filling,
    from_data,
    histograms,
    interchange,
    queries,
    sampling,
    segments,
    shape_changes,
    short_time,
    strided_views,
    tracking,
)
from graphc.device_memory import address_of
from graphc.errors import (
    GraphcIndexError,
    GraphcRuntimeError,
    GraphcTypeError,
)
from graphc.indexing import getitem, index_put, index_put_, setitem
from graphc.ir import dtype as types
from graphc.layout import strided
from graphc.strides import is_contiguous, offset_of, strides_of
from graphc.surface import LIFTED, assign
from graphc.tensor import Tensor

# -- shape and layout --------------------------------------------------------------------------


def size(self: Tensor, dim: int | None = None) -> Any:
    """The shape, or the extent of one dimension."""
    return self.shape if dim is None else self._type.shape[_axis(self, dim)]


def _axis(x: Tensor, dim: int) -> int:
    limit = max(x.ndim, 1)
    if not -limit <= dim < limit or not x.ndim:
        raise GraphcIndexError(
            f"Dimension out of range (expected to be in range of [{-limit}, {limit - 1}], "
            f"but got {dim})"
            if x.ndim
            else "Dimension specified as 0 but tensor has no dimensions"
        )
    return dim % limit


def dim(self: Tensor) -> int:
    """How many dimensions there are."""
    return self.ndim


def numel(self: Tensor) -> int:
    """How many elements there are."""
    return self._type.size


def element_size(self: Tensor) -> int:
    """Bytes of one element."""
    return self.dtype.itemsize


def stride(self: Tensor, dim: int | None = None) -> Any:
    """The elements in memory between neighbours along each dimension, or along one."""
    strides = strides_of(self)
    return strides if dim is None else strides[_axis(self, dim)]


def contiguous(self: Tensor, memory_format: Any = None) -> Tensor:
    """The tensor itself if its elements lie in order and without gaps, otherwise a copy."""
    return self if is_contiguous(self) else self.clone()


def _is_contiguous(self: Tensor, memory_format: Any = None) -> bool:
    """Whether the elements lie in memory in order and without gaps."""
    return is_contiguous(self)


def storage_offset(self: Tensor) -> int:
    """Where the first element lies in memory, in elements."""
    return offset_of(self)


def data_ptr(self: Tensor) -> int:
    """The address of the first element."""
    return address_of(self._memory())


def is_set_to(self: Tensor, tensor: Tensor) -> bool:
    """Whether both look in the same way into the same memory."""
    layouts = [(data_ptr(x), x.shape, strides_of(x)) for x in (self, tensor)]
    return layouts[0] == layouts[1]


def iterate(self: Tensor) -> Iterator[Tensor]:
    """The elements along the first dimension."""
    if not self.ndim:
        raise GraphcTypeError("iteration over a 0-d tensor")
    return iter(LIFTED["unbind"](self, 0))


def contains(self: Tensor, element: Any) -> bool:
    """Whether any element equals ``element``."""
    if not isinstance(element, Tensor | bool | int | float | complex):
        raise GraphcRuntimeError(
            "Tensor.__contains__ only supports Tensor or scalar, "
            f"but you passed in a {type(element)}."
        )
    return bool((self == element).any())


# -- text -------------------------------------------------------------------------------------


def formatted(self: Tensor, spec: str) -> str:
    """One number is formatted as Python formats it; more of them only without a specification."""
    return format(self.item(), spec) if not self.ndim else object.__format__(self, spec)


# -- new tensors of the same kind --------------------------------------------------------------


def _new(name: str) -> Callable[..., Tensor]:
    make = {**factories.NAMESPACE, **from_data.NAMESPACE}[name]

    def method(self: Tensor, *args: Any, dtype: Any = None, **settings: Any) -> Tensor:
        settings["device"] = settings.get("device") or self.device
        return make(*args, dtype=dtype or self.dtype, **settings)  # type: ignore[no-any-return]

    method.__name__ = method.__qualname__ = f"new_{name}"
    method.__doc__ = f"``{name}`` in the type of this tensor."
    return method


def positive(input: Tensor) -> Tensor:
    """The tensor itself."""
    if input.dtype is types.bool_:
        raise GraphcRuntimeError("The `+` operator, on a bool tensor is not supported.")
    return input


def _where(self: Tensor, condition: Tensor, other: Any) -> Tensor:
    """The elements where the condition holds, else those of ``other``."""
    return LIFTED["where"](condition, self, other)  # type: ignore[no-any-return]


def _same(self: Tensor, *args: Any, **settings: Any) -> Tensor:
    """The tensor itself: all memory of the CPU is alike."""
    return self


def polygamma(self: Tensor, n: int) -> Tensor:
    """The derivative of order n + 1 of ln Γ(x)"""
    return LIFTED["polygamma"](n, self)  # type: ignore[no-any-return]


def polygamma_(self: Tensor, n: int) -> Tensor:
    """``polygamma``, in place."""
    return assign(self, polygamma(self, n), "polygamma_")


METHODS: dict[str, Any] = {
    "polygamma": polygamma,
    "polygamma_": polygamma_,
    "size": size,
    "dim": dim,
    "ndimension": dim,
    "numel": numel,
    "nelement": numel,
    "element_size": element_size,
    "stride": stride,
    "storage_offset": storage_offset,
    "data_ptr": data_ptr,
    "is_set_to": is_set_to,
    "is_same_size": lambda self, other: self.shape == other.shape,
    "is_signed": lambda self: self.dtype.is_signed,
    "is_conj": lambda self: False,
    "is_neg": lambda self: False,
    "is_pinned": lambda self, device=None: False,
    "is_shared": lambda self: False,
    "contiguous": contiguous,
    "is_contiguous": _is_contiguous,
    "positive": positive,
    "where": _where,
    "__pos__": positive,
    "pin_memory": _same,
    "share_memory_": _same,
    "is_floating_point": lambda self: self.dtype.is_floating_point,
    "is_complex": lambda self: self.dtype.is_complex,
    "get_device": lambda self: -1 if self.device.index is None else self.device.index,
    "new_tensor": _new("tensor"),
    "new_zeros": _new("zeros"),
    "new_ones": _new("ones"),
    "new_empty": _new("empty"),
    "new_full": _new("full"),
    "__getitem__": getitem,
    "__setitem__": setitem,
    "index_put": index_put,
    "index_put_": index_put_,
    "__iter__": iterate,
    "__contains__": contains,
    "__reversed__": lambda self: LIFTED["flip"](self, (0,)) if self.ndim else self,
    "__format__": formatted,
}
PROPERTIES: dict[str, Any] = {
    **interchange.PROPERTIES,
    **tracking.PROPERTIES,
    "T": property(lambda self: LIFTED["permute"](self, tuple(reversed(range(self.ndim))))),
    "H": property(lambda self: LIFTED["adjoint"](self)),
    "mT": property(lambda self: LIFTED["transpose"](self, -2, -1)),
    "mH": property(lambda self: LIFTED["adjoint"](self)),
    "itemsize": property(element_size),
    "nbytes": property(lambda self: self._type.size * self.dtype.itemsize),
    "is_cuda": property(lambda self: self.device.type == "cuda"),
    "is_cpu": property(lambda self: self.device.type == "cpu"),
    "is_mps": property(lambda self: False),
    "is_meta": property(lambda self: False),
    "is_sparse": property(lambda self: False),
    "is_quantized": property(lambda self: False),
    "is_nested": property(lambda self: False),
    "name": property(lambda self: None),
    "layout": property(lambda self: strided),
    "output_nr": property(lambda self: self._output or 0),
    "real": property(lambda self: LIFTED["real"](self)),
    "imag": property(lambda self: LIFTED["imag"](self)),
}


PARTS: tuple[Any, ...] = (
    conversions,
    copies,
    data_dependent,
    filling,
    from_data,
    histograms,
    interchange,
    queries,
    sampling,
    segments,
    shape_changes,
    short_time,
    strided_views,
    tracking,
)
"""The modules that offer further methods."""


def install() -> None:
    """Give Tensor its methods and properties."""
    for part in PARTS:
        for name, method in part.METHODS.items():
            setattr(Tensor, name, method)
    for name, method in METHODS.items():
        setattr(Tensor, name, method)
    for name, prop in PROPERTIES.items():
        setattr(Tensor, name, prop)


NAMESPACE: dict[str, Any] = {
    "is_conj": lambda input: False,
    "is_neg": lambda input: False,
    "positive": positive,
    "detach_": tracking.detach_,
    "index_put": index_put,
    "index_put_": index_put_,
    **conversions.CASTS,
}
"""What the package offers by name: the types by C's names, and the constructors of old."""
