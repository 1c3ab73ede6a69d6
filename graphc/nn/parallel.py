"""Models for several devices, of which graphc uses the first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphc import cuda
from graphc.device import Device
from graphc.nest import mapped
from graphc.nn.modules.module import Module
from graphc.tensor import Tensor


class DataParallel(Module):
    """``module`` on the first of the devices, which does the whole batch; as it is without any."""

    def __init__(
        self,
        module: Module,
        device_ids: Sequence[Any] | None = None,
        output_device: Any = None,
        dim: int = 0,
    ) -> None:
        super().__init__()
        self.module = module
        self.device_ids: list[int] = []
        if not cuda.is_available():
            return
        given = range(cuda.device_count()) if device_ids is None else device_ids
        self.device_ids = [x if isinstance(x, int) else Device(x).index or 0 for x in given]
        self.dim = dim
        self.output_device = self.device_ids[0] if output_device is None else output_device
        self.module.to(f"cuda:{self.device_ids[0]}")

    def forward(self, *inputs: Any, **kwargs: Any) -> Any:
        """What the module says of inputs that are brought to its device."""
        if self.device_ids:
            place = f"cuda:{self.device_ids[0]}"

            def moved(x: Any, _: str) -> Any:
                return x.to(place) if isinstance(x, Tensor) else x

            inputs, kwargs = mapped(moved, inputs), mapped(moved, kwargs)
        return self.module(*inputs, **kwargs)
