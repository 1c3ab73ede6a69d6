"""Settings of the package: what is made where nothing else is asked for, and threads."""

from __future__ import annotations

from typing import Any

from graphc.device import PLACES, Device, device_named, usable
from graphc.errors import GraphcRuntimeError, GraphcTypeError
from graphc.from_data import TypedTensor
from graphc.functions.operands import C_NAMES
from graphc.ir.dtype import dtype_named, set_default_dtype


def get_default_device() -> Device:
    """Where tensors are made unless another device is asked for."""
    return device_named(PLACES.default)


def set_default_device(device: Any) -> None:
    """Make tensors on ``device`` unless another one is asked for."""
    PLACES.default = "cpu" if device is None else usable(device)


def set_default_tensor_type(t: Any) -> None:
    """Make the elements of this type of tensors the default floating-point type."""
    if isinstance(t, str):
        name = t.removeprefix("torch.").removesuffix("Tensor")
        found = {label: dtype_named(dtype) for dtype, label in C_NAMES.items()}.get(name)
    else:
        found = t.dtype if isinstance(t, TypedTensor) else None
    if found is None:
        raise GraphcTypeError("invalid type object")
    if not found.is_floating_point:
        raise GraphcTypeError("only floating-point types are supported as the default type")
    set_default_dtype(found)


class _Threads:
    """The threads that PyTorch has for work on several calls at once; there is no such work."""

    count = 1


def get_num_interop_threads() -> int:
    """The number of threads that was set for work on several calls at once."""
    return _Threads.count


def set_num_interop_threads(int: int) -> None:
    """Set the number of threads for work on several calls at once, of which there is none."""
    if int < 1:
        raise GraphcRuntimeError("set_num_interop_threads expects a positive integer")
    _Threads.count = int


NAMESPACE: dict[str, Any] = {
    f.__name__: f
    for f in (
        get_default_device,
        set_default_device,
        set_default_tensor_type,
        get_num_interop_threads,
        set_num_interop_threads,
    )
}
"""What the package offers by name."""
