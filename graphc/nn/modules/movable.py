"""The casting and moving of a module's parameters and buffers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Self

from graphc.device import Device, usable
from graphc.errors import GraphcTypeError
from graphc.ir.dtype import DType, bfloat16, float16, float32, float64
from graphc.memory import converted, detached, on_device, replace
from graphc.nn.parameter import Parameter
from graphc.tensor import Tensor

if TYPE_CHECKING:
    from graphc.nn.modules.module import Module


class Movable:
    """The part of Module that changes where its tensors live and of which type they are."""

    _parameters: dict[str, Parameter | None]
    _buffers: dict[str, Tensor | None]
    children: Callable[[], Iterator[Module]]
    _changed: Callable[[], None]

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        """Let every parameter, its gradient and every buffer hold what ``fn`` makes of it."""
        if recurse:
            for module in self.children():
                module._apply(fn)
        for parameter in self._parameters.values():
            for tensor in (parameter, None if parameter is None else parameter._grad):
                if tensor is None:
                    continue
                changed = fn(tensor)
                if changed is not tensor:
                    replace(tensor, changed)
        for name, buffer in self._buffers.items():
            if buffer is not None:
                self._buffers[name] = fn(buffer)
        self._changed()
        return self

    def to_empty(self, *, device: Any, recurse: bool = True) -> Self:
        """Parameters and buffers in new memory on ``device``, whatever is in it."""
        return self._apply(lambda t: t.detach().new_empty(t.shape, device=device), recurse)

    def _cast(self, dtype: DType) -> Self:
        return self._apply(lambda t: converted(t, dtype) if t.dtype.is_floating_point else t)

    def float(self) -> Self:
        """Floating-point parameters and buffers as float32."""
        return self._cast(float32)

    def double(self) -> Self:
        """Floating-point parameters and buffers as float64."""
        return self._cast(float64)

    def half(self) -> Self:
        """Floating-point parameters and buffers as float16."""
        return self._cast(float16)

    def bfloat16(self) -> Self:
        """Floating-point parameters and buffers as bfloat16."""
        return self._cast(bfloat16)

    def type(self, dst_type: DType) -> Self:
        """All parameters and buffers in one element type."""
        return self._apply(lambda t: converted(t, dst_type))

    def cpu(self) -> Self:
        """Parameters and buffers on the CPU."""
        return self.to("cpu")

    def cuda(self, device: int | Device | None = None) -> Self:
        """Parameters and buffers on a CUDA device."""
        return self.to("cuda" if device is None else device)

    def to(self, *args: Any, **kwargs: Any) -> Self:
        """Parameters and buffers on another device or, the floating-point ones, in another type.

        Takes a device, a dtype, both, or a tensor that has both.
        """
        device, dtype = _destination(*args, **kwargs)
        if device is not None:
            device = usable(device)
        if dtype is not None and not dtype.is_inexact:
            raise GraphcTypeError(
                "nn.Module.to only accepts floating point or complex dtypes, "
                f"but got desired dtype={dtype}"
            )

        def move(tensor: Tensor) -> Tensor:
            if dtype is not None and tensor.dtype.is_inexact:
                tensor = converted(tensor, dtype)
            if device is not None and tensor._place != device:
                tensor = on_device(detached(tensor), device)
            return tensor

        return self._apply(move)


def _destination(
    *args: Any,
    device: Any = None,
    dtype: DType | None = None,
    tensor: Tensor | None = None,
    non_blocking: bool = False,
    memory_format: Any = None,
) -> tuple[Any, DType | None]:
    """The device and the element type that the arguments of ``to`` ask for."""
    for given in args:
        if isinstance(given, Tensor):
            tensor = given
        elif isinstance(given, DType):
            dtype = given
        elif not isinstance(given, bool) and given is not None:
            device = given
    if tensor is not None:
        return tensor.device, tensor.dtype
    return device, dtype
