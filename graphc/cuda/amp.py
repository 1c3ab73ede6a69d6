"""``torch.cuda.amp``: autocast and gradient scaling for CUDA devices, by their older names."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from graphc import amp
from graphc.ir.dtype import DType, float16

__all__ = ["GradScaler", "autocast", "custom_bwd", "custom_fwd"]


class autocast(amp.autocast):
    """``torch.amp.autocast("cuda", ...)``."""

    def __init__(
        self, enabled: bool = True, dtype: DType = float16, cache_enabled: bool = True
    ) -> None:
        super().__init__("cuda", dtype, enabled, cache_enabled)


class GradScaler(amp.GradScaler):
    """``torch.amp.GradScaler("cuda", ...)``."""

    def __init__(
        self,
        init_scale: float = 2.0**16,
        growth_factor: float = 2.0,
        backoff_factor: float = 0.5,
        growth_interval: int = 2000,
        enabled: bool = True,
    ) -> None:
        super().__init__(
            "cuda", init_scale, growth_factor, backoff_factor, growth_interval, enabled
        )


custom_fwd: Callable[..., Any] = partial(amp.custom_fwd, device_type="cuda")
custom_bwd: Callable[..., Any] = partial(amp.custom_bwd, device_type="cuda")
