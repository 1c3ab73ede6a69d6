"""Where functions compute in a lower precision."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from typing import Any

from graphc.casting import CASTING
from graphc.device import device_named
from graphc.errors import GraphcValueError
from graphc.ir.dtype import DType, bfloat16, float16, float32
from graphc.nest import mapped
from graphc.tensor import Tensor

TYPES = {"cpu": (bfloat16, float16), "cuda": (float16, bfloat16, float32)}
"""The types that can be cast to, by the kind of device."""


def _kind(device_type: Any) -> str:
    if not isinstance(device_type, str):
        raise GraphcValueError(f"Expected `device_type` of type `str`, got: `{type(device_type)}`")
    return device_named(device_type).type


class autocast:
    """Within ``with``, or in a function that it decorates, functions choose their precision.

    Matrix products, convolutions and attention compute in ``dtype``, which is float16 on CUDA
    devices and bfloat16 on the CPU unless another is given; losses, norms and what loses much by
    rounding compute in float32. ``cache_enabled`` means nothing: one cast is recorded once.
    """

    def __init__(
        self,
        device_type: str,
        dtype: DType | None = None,
        enabled: bool = True,
        cache_enabled: bool | None = None,
    ) -> None:
        self.device = _kind(device_type)
        self.fast_dtype = CASTING.dtype[self.device] if dtype is None else dtype
        self._enabled = enabled
        if enabled and self.fast_dtype not in TYPES[self.device]:
            names = " and ".join(f"torch.{x.name}" for x in TYPES[self.device][:2])
            warnings.warn(
                f"In {self.device.upper()} autocast, but the target dtype is not supported. "
                f"Disabling autocast.\n{self.device.upper()} Autocast only supports dtype of "
                f"{names} currently.",
                UserWarning,
                stacklevel=2,
            )
            self._enabled = False
        self._outer: list[tuple[bool, DType]] = []

    def __enter__(self) -> autocast:
        self._outer.append((CASTING.enabled[self.device], CASTING.dtype[self.device]))
        _set(self.device, self._enabled, self.fast_dtype)
        return self

    def __exit__(self, *exception: object) -> None:
        _set(self.device, *self._outer.pop())

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def within(*args: Any, **kwargs: Any) -> Any:
            with autocast(self.device, self.fast_dtype, self._enabled):
                return function(*args, **kwargs)

        return within


def _set(kind: str, enabled: bool, dtype: DType) -> None:
    CASTING.enabled[kind], CASTING.dtype[kind] = enabled, dtype
    CASTING.refresh()


def is_autocast_enabled(device_type: str = "cuda") -> bool:
    """Whether functions on such devices choose their precision."""
    return CASTING.enabled[_kind(device_type)]


def set_autocast_enabled(device_type: Any, enabled: bool | None = None) -> None:
    """Let functions on such devices choose their precision, or no longer."""
    if enabled is None:
        device_type, enabled = "cuda", device_type
    kind = _kind(device_type)
    _set(kind, bool(enabled), CASTING.dtype[kind])


def get_autocast_dtype(device_type: str) -> DType:
    """The type that products on such devices compute in."""
    return CASTING.dtype[_kind(device_type)]


def set_autocast_dtype(device_type: str, dtype: DType) -> None:
    """Set the type that products on such devices compute in."""
    kind = _kind(device_type)
    _set(kind, CASTING.enabled[kind], dtype)


def is_autocast_available(device_type: str) -> bool:
    """Whether functions on such devices can choose their precision."""
    return device_type in TYPES


def custom_fwd(
    fwd: Callable[..., Any] | None = None,
    *,
    device_type: str,
    cast_inputs: DType | None = None,
) -> Callable[..., Any]:
    """Decorates ``forward`` of an ``autograd.Function``; ``cast_inputs`` runs it outside autocast
    on inputs of that type."""
    if fwd is None:
        return functools.partial(custom_fwd, device_type=device_type, cast_inputs=cast_inputs)
    kind = _kind(device_type)

    def changed(x: Any, _: str) -> Any:
        floating = isinstance(x, Tensor) and x.dtype.is_floating_point and x.device.type == kind
        return x.to(cast_inputs) if floating else x

    @functools.wraps(fwd)
    def forward(*args: Any, **kwargs: Any) -> Any:
        args[0]._dtype = get_autocast_dtype(kind)
        args[0]._fwd_used_autocast = is_autocast_enabled(kind)
        if cast_inputs is None or not is_autocast_enabled(kind):
            return fwd(*args, **kwargs)
        args[0]._fwd_used_autocast = False
        with autocast(kind, enabled=False):
            return fwd(*mapped(changed, args), **mapped(changed, kwargs))

    return forward


def custom_bwd(bwd: Callable[..., Any] | None = None, *, device_type: str) -> Callable[..., Any]:
    """Decorates ``backward`` of an ``autograd.Function``, which runs as its ``forward`` did."""
    if bwd is None:
        return functools.partial(custom_bwd, device_type=device_type)

    @functools.wraps(bwd)
    def backward(*args: Any, **kwargs: Any) -> Any:
        with autocast(device_type, args[0]._dtype, args[0]._fwd_used_autocast):
            return bwd(*args, **kwargs)

    return backward
