"""Parameter and Buffer: tensors that a module takes as its own when they become its attributes."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from graphc.device import usable
from graphc.errors import GraphcRuntimeError, GraphcTypeError, GraphcValueError
from graphc.ir.dtype import DType, get_default_dtype
from graphc.recording import Detach
from graphc.size import Size
from graphc.storage import Storage
from graphc.tensor import Tensor, from_storage


def _share(tensor: Tensor, data: Tensor | None) -> None:
    """Let ``tensor`` hold the memory of ``data``, which becomes a view of it."""
    if data is None:
        tensor._storage = Storage(np.empty((0,), get_default_dtype().numpy))
        return
    if not isinstance(data, Tensor):
        raise GraphcTypeError(
            f"{type(tensor).__name__} data must be a Tensor, not {type(data).__name__}"
        )
    data._memory()
    tensor._storage = data._storage
    if data._base is not None:
        tensor._base, tensor._chain = data._base, (*data._chain, Detach())
        tensor._seen = data._base._version
    elif data._is_leaf and not data._requires_grad:
        data._base, data._chain, data._seen = tensor, (Detach(),), tensor._version


class Parameter(Tensor):
    """A leaf of differentiation that a module lists among its parameters."""

    def __init__(self, data: Tensor | None = None, requires_grad: bool = True) -> None:
        _share(self, data)
        if requires_grad:
            self.requires_grad = True

    def __repr__(self) -> str:
        return "Parameter containing:\n" + super().__repr__()

    def __deepcopy__(self, memo: dict[int, Any]) -> Parameter:
        if id(self) not in memo:
            copy = self.__class__.__new__(self.__class__)
            copy._storage = Storage(self._memory().copy())
            copy._requires_grad, copy._name = self._requires_grad, self._name
            memo[id(self)] = copy
        return memo[id(self)]  # type: ignore[no-any-return]

    def __reduce_ex__(self, protocol: Any) -> Any:
        numbers = np.ascontiguousarray(self._value()).reshape(self._type.shape)
        return rebuild_parameter, (numbers, self._requires_grad, type(self), self._place)


def rebuild_parameter(
    array: Any, requires_grad: bool, kind: type[Parameter] = Parameter, device: str = ""
) -> Parameter:
    """A parameter from its numbers, as unpickling makes it."""
    parameter = kind.__new__(kind)
    parameter._storage = Storage(array, device=device)
    parameter._requires_grad = requires_grad
    return parameter


class Buffer(Tensor):
    """A tensor that a module lists among its buffers; saved with it if ``persistent``."""

    persistent: bool

    def __init__(
        self, data: Tensor | None = None, requires_grad: bool = False, *, persistent: bool = True
    ) -> None:
        _share(self, data)
        self.persistent = persistent
        if requires_grad:
            self.requires_grad = True


class UninitializedTensorMixin(Tensor):
    """A tensor of which the element type and the device are known, but neither shape nor numbers.

    Whatever needs these raises.
    """

    cls_to_become: ClassVar[type[Tensor]]
    persistent: bool

    def __init__(self, requires_grad: bool, device: Any, dtype: DType | None) -> None:
        self.take_after(new_tensor((0,), None, device, dtype))
        name = type(self).__name__
        self._error = GraphcValueError(
            f"Attempted to use an uninitialized parameter. This error happens when you are using a "
            f"`LazyModule` or explicitly manipulating `torch.nn.parameter.{name}` objects. When "
            "using LazyModules Call `forward` with a dummy batch to initialize the parameters "
            "before calling torch functions"
        )
        self._requires_grad = requires_grad

    def take_after(self, tensor: Tensor) -> None:
        """Be on the device and of the element type of ``tensor``."""
        self._own_dtype, self._own_place = tensor.dtype, tensor._place

    def example(self) -> Tensor:
        """A tensor without elements on this device and of this element type."""
        return new_tensor((0,), None, self._place, self.dtype)

    def materialize(self, shape: Any, device: Any = None, dtype: DType | None = None) -> None:
        """Become a tensor of ``shape``, with whatever numbers are in its memory."""
        place = self._place if device is None else device
        made = new_tensor(tuple(shape), None, place, dtype or self.dtype)
        self._storage, self._error = made._storage, None
        self.__class__ = self.cls_to_become  # type: ignore[assignment]
        self._changed()

    @property
    def shape(self) -> Size:
        raise GraphcRuntimeError(
            "Can't access the shape of an uninitialized parameter or buffer. This error usually "
            "happens in `load_state_dict` when trying to load an uninitialized parameter into an "
            "initialized one. Call `forward` to initialize the parameters before accessing their "
            "attributes."
        )

    @property
    def dtype(self) -> DType:
        return self._own_dtype

    @property
    def _place(self) -> str:
        return self._own_place

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        if id(self) not in memo:
            memo[id(self)] = type(self)(self._requires_grad, self._place, self.dtype)
        return memo[id(self)]

    def __reduce_ex__(self, protocol: Any) -> Any:
        return type(self), (self._requires_grad, self._place, self.dtype)


class UninitializedParameter(UninitializedTensorMixin, Parameter):
    """A parameter whose shape is not known yet."""

    cls_to_become = Parameter

    def __init__(
        self, requires_grad: bool = True, device: Any = None, dtype: DType | None = None
    ) -> None:
        super().__init__(requires_grad, device, dtype)


class UninitializedBuffer(UninitializedTensorMixin, Buffer):
    """A buffer whose shape is not known yet."""

    cls_to_become = Tensor

    def __init__(
        self,
        requires_grad: bool = False,
        device: Any = None,
        dtype: DType | None = None,
        persistent: bool = True,
    ) -> None:
        super().__init__(requires_grad, device, dtype)
        self.persistent = persistent


def is_lazy(param: Any) -> bool:
    """Whether this is a parameter or buffer whose shape is not known yet."""
    return isinstance(param, UninitializedTensorMixin)


def new_parameter(
    shape: tuple[int, ...], device: Any = None, dtype: DType | None = None
) -> Parameter:
    """A parameter of ``shape`` whose numbers are still to be set."""
    return Parameter(new_tensor(shape, None, device, dtype))


def new_tensor(
    shape: tuple[int, ...], value: float | None, device: Any = None, dtype: DType | None = None
) -> Tensor:
    """A tensor of one value, or of whatever the memory holds where it is None."""
    found = (dtype or get_default_dtype()).numpy
    array = np.empty(shape, found) if value is None else np.full(shape, value, found)
    return from_storage(Storage(array, device=usable(device)))
