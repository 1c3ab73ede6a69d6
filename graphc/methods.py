"""What tensors offer besides the functions: types, places, layout, history, copies."""

from __future__ import annotations

import weakref
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Any

from graphc import (
    copies,
    data_dependent,
    factories,
    filling,
    from_data,
    interchange,
    queries,
    real_numbers,
    sampling,
    shape_changes,
    strided_views,
)
from graphc.device import Device, usable
from graphc.errors import (
    GraphcIndexError,
    GraphcRuntimeError,
    GraphcTypeError,
    GraphcValueError,
)
from graphc.functions.operands import C_NAMES, dtype_given
from graphc.handles import RemovableHandle, register
from graphc.history import GradFunction, grad_fn
from graphc.indexing import getitem, index_put, index_put_, setitem
from graphc.ir import dtype as types
from graphc.ir.dtype import DType
from graphc.layout import strided
from graphc.memory import detached, replace
from graphc.recording import Detach, root_of, session
from graphc.strides import is_contiguous, offset_of, strides_of
from graphc.surface import LIFTED
from graphc.tensor import Tensor
from graphc.typename import typename

_LEGACY = {f"{name}Tensor": name_of_dtype for name_of_dtype, name in C_NAMES.items()}
"""``torch.FloatTensor`` and its kin by the element type they mean."""


# -- types and places --------------------------------------------------------------------------


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
        elif isinstance(given, DType) or given in (float, int, bool):
            dtype = given
        elif isinstance(given, str | Device | int) and not isinstance(given, bool):
            device = given
        elif given is not None and not isinstance(given, bool):
            raise GraphcTypeError(
                f"to() received an invalid combination of arguments - got {typename(given)}"
            )
    if device is not None:
        usable(device)
    return _converted(self, self.dtype if dtype is None else dtype_given(dtype), copy)


def _caster(name: str, dtype: DType) -> Callable[..., Tensor]:
    def cast(self: Tensor, memory_format: Any = None) -> Tensor:
        return _converted(self, dtype)

    cast.__name__ = cast.__qualname__ = name
    cast.__doc__ = f"In the type ``{dtype.name}``."
    return cast


def cpu(self: Tensor, memory_format: Any = None) -> Tensor:
    """On the CPU."""
    return self


def cuda(
    self: Tensor, device: Any = None, non_blocking: bool = False, memory_format: Any = None
) -> Tensor:
    """On a CUDA device."""
    usable("cuda" if device is None else device)
    return self


def type_(self: Tensor, dtype: Any = None, non_blocking: bool = False) -> Any:
    """The name of the tensor's type; with ``dtype``, the tensor in that type."""
    if dtype is None:
        return typename(self)
    if isinstance(dtype, str):
        name = _LEGACY.get(dtype.removeprefix("torch."))
        if name is None:
            raise GraphcValueError(f"invalid type: '{dtype}'")
        dtype = types.dtype_named(name)
    if isinstance(dtype, from_data.TypedTensor):
        dtype = dtype.dtype
    return _converted(self, dtype_given(dtype))


def type_as(self: Tensor, other: Tensor) -> Tensor:
    """In the type of ``other``."""
    return _converted(self, other.dtype)


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
    return int(self._value().ctypes.data)


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
    if not isinstance(element, Tensor | bool | int | float):
        raise GraphcRuntimeError(
            "Tensor.__contains__ only supports Tensor or scalar, "
            f"but you passed in a {type(element)}."
        )
    return bool((self == element).any())


# -- history -----------------------------------------------------------------------------------


def _grad_fn(self: Tensor) -> GradFunction | None:
    """The backward step of a result, None for a leaf."""
    base = root_of(self)
    if base is not None and base._pending:
        session.trace.node_of(self)
    return grad_fn(self)


def retain_grad(self: Tensor) -> None:
    """Keep the gradient of this tensor although it is no leaf."""
    if not self.requires_grad:
        raise GraphcRuntimeError("can't retain_grad on Tensor that has requires_grad=False")
    if self._is_leaf or self._retains_grad:
        return
    self._retains_grad = True
    trace = session.trace
    trace.retained[trace.node_of(self)] = weakref.ref(self)


def retains_grad(self: Tensor) -> bool:
    """Whether the gradient of this tensor is kept although it is no leaf."""
    return self._retains_grad and not self._is_leaf


def register_hook(self: Tensor, hook: Callable[[Tensor], Tensor | None]) -> RemovableHandle:
    """Call ``hook`` with the gradient of this tensor, which it may replace."""
    if not self.requires_grad:
        raise GraphcRuntimeError("cannot register a hook on a tensor that doesn't require gradient")
    if self._hooks is None:
        self._hooks = OrderedDict()
    if not self._is_leaf:
        trace = session.trace
        trace.retained[trace.node_of(self)] = weakref.ref(self)
    return register(self, self._hooks, hook)


def register_post_accumulate_grad_hook(
    self: Tensor, hook: Callable[[Tensor], None]
) -> RemovableHandle:
    """Call ``hook`` with this leaf whenever something was added to its ``grad``."""
    if not self.requires_grad:
        raise GraphcRuntimeError("cannot register a hook on a tensor that doesn't require gradient")
    if not self._is_leaf:
        raise GraphcRuntimeError(
            "post accumulate grad hooks cannot be registered on non-leaf tensors"
        )
    if self._grad_hooks is None:
        self._grad_hooks = OrderedDict()
    return register(self, self._grad_hooks, hook)


def _data(self: Tensor) -> Tensor:
    """The same memory, without history."""
    return detached(self)


def _set_data(self: Tensor, source: Tensor) -> None:
    if not isinstance(source, Tensor):
        raise GraphcTypeError(f"Variable data has to be a tensor, but got {type(source).__name__}")
    replace(self, source)


def detach_(self: Tensor) -> Tensor:
    """Cut this tensor off from its history."""
    if self._is_leaf:
        self.requires_grad = False
        return self
    if self._base is not None:
        raise GraphcRuntimeError(
            "Can't detach views in-place. Use detach() instead. If you are using "
            "DistributedDataParallel (DDP) for training, and gradient_as_bucket_view is set as "
            "True, gradients are views of DDP buckets, and hence detach_() cannot be called on "
            "these gradients. To fix this error, please refer to the Optimizer.zero_grad() "
            "function in torch/optim/optimizer.py as a solution."
        )
    trace = session.trace
    node = Detach()(trace.node_of(self)) if self._pending else None
    self._is_leaf, self._spent, self._grad_name = True, False, ""
    if node is not None:
        self._record(trace, node)
    else:
        self._trace, self._node, self._serial = None, None, 0
    return self


# -- text -------------------------------------------------------------------------------------


def formatted(self: Tensor, spec: str) -> str:
    """One number is formatted as Python formats it; more of them only without a specification."""
    return format(self.item(), spec) if not self.ndim else object.__format__(self, spec)


# -- new tensors of the same kind --------------------------------------------------------------


def _new(name: str) -> Callable[..., Tensor]:
    make = {**factories.NAMESPACE, **from_data.NAMESPACE}[name]

    def method(self: Tensor, *args: Any, dtype: Any = None, **settings: Any) -> Tensor:
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
}
METHODS: dict[str, Any] = {
    "to": to,
    "cpu": cpu,
    "cuda": cuda,
    "type": type_,
    "type_as": type_as,
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
    "is_complex": lambda self: False,
    "get_device": lambda self: -1,
    "retain_grad": retain_grad,
    "register_hook": register_hook,
    "register_post_accumulate_grad_hook": register_post_accumulate_grad_hook,
    "detach_": detach_,
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
    "data": property(_data, _set_data, doc=_data.__doc__),
    "grad_fn": property(_grad_fn),
    "retains_grad": property(retains_grad),
    "T": property(lambda self: LIFTED["permute"](self, tuple(reversed(range(self.ndim))))),
    "H": property(lambda self: LIFTED["transpose"](self, 0, 1)),
    "mT": property(lambda self: LIFTED["transpose"](self, -2, -1)),
    "mH": property(lambda self: LIFTED["transpose"](self, -2, -1)),
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
    "real": property(lambda self: self),
}


PARTS: tuple[Any, ...] = (
    copies,
    data_dependent,
    filling,
    from_data,
    interchange,
    queries,
    real_numbers,
    sampling,
    shape_changes,
    strided_views,
)
"""The modules that offer further methods."""


def install() -> None:
    """Give Tensor its methods and properties."""
    for part in PARTS:
        for name, method in part.METHODS.items():
            setattr(Tensor, name, method)
    for name, method in METHODS.items():
        setattr(Tensor, name, method)
    for name, dtype in CASTS.items():
        setattr(Tensor, name, _caster(name, dtype))
    for name, prop in PROPERTIES.items():
        setattr(Tensor, name, prop)


NAMESPACE: dict[str, Any] = {
    "positive": positive,
    "detach_": detach_,
    "index_put": index_put,
    "index_put_": index_put_,
    **CASTS,
}
"""What the package offers by name: the types by C's names, and the constructors of old."""
