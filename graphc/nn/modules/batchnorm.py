"""Normalizations by the statistics of a batch, which keep running ones, as modules."""

from __future__ import annotations

from typing import Any, ClassVar

import graphc.nn.functional as F
from graphc.errors import GraphcValueError
from graphc.ir.dtype import DType, int64
from graphc.memory import zeros_like
from graphc.nn import init
from graphc.nn.modules.module import Module
from graphc.nn.modules.normalization import _Scaled
from graphc.nn.modules.settings import shown
from graphc.nn.parameter import new_tensor
from graphc.tensor import Tensor


class _NormBase(_Scaled):
    """A normalization that may keep running statistics."""

    _version = 2
    ranks: ClassVar[tuple[int, ...]]
    """The ranks of input that it takes."""

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        device: Any = None,
        dtype: DType | None = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.num_features, self.eps, self.momentum = num_features, eps, momentum
        self.affine, self.track_running_stats = affine, track_running_stats
        self._register((num_features,), affine, bias, device, dtype)
        shape = (num_features,)
        made = (
            ("running_mean", new_tensor(shape, 0.0, device, dtype)),
            ("running_var", new_tensor(shape, 1.0, device, dtype)),
            ("num_batches_tracked", new_tensor((), 0, device, int64)),
        )
        for name, tensor in made:
            self.register_buffer(name, tensor if track_running_stats else None)
        self.reset_parameters()

    def reset_running_stats(self) -> None:
        """Forget the running statistics."""
        if self.track_running_stats:
            init.zeros_(self.running_mean)
            init.ones_(self.running_var)
            init.zeros_(self.num_batches_tracked)

    def reset_parameters(self) -> None:
        """Scale by 1, shift by 0 and forget the running statistics."""
        self.reset_running_stats()
        super().reset_parameters()

    def _check_input_dim(self, input: Tensor) -> None:
        if input.ndim not in self.ranks:
            expected = " or ".join(f"{rank}D" for rank in self.ranks)
            raise GraphcValueError(f"expected {expected} input (got {input.ndim}D input)")

    def extra_repr(self) -> str:
        settings = shown(self, "eps", "momentum", "affine")
        tracked = shown(self, "track_running_stats")
        return f"{self.num_features}, {settings}, bias={self.bias is not None}, {tracked}"

    def _load_from_state_dict(
        self, state_dict: Any, prefix: str, local_metadata: Any, *rest: Any
    ) -> None:
        key = f"{prefix}num_batches_tracked"
        # Version 1 did not count batches.
        if (local_metadata.get("version") or 1) < 2 and self.track_running_stats:
            state_dict.setdefault(key, self.num_batches_tracked)
        super()._load_from_state_dict(state_dict, prefix, local_metadata, *rest)


class _BatchNorm(_NormBase):
    def forward(self, input: Tensor) -> Tensor:
        self._check_input_dim(input)
        mean, variance = self.running_mean, self.running_var
        if self.training and self.num_batches_tracked is not None and self.track_running_stats:
            self.num_batches_tracked.add_(1)
            if self.momentum is None:
                return self._normalize_averaging(input)
        if self.training and not self.track_running_stats:
            mean = variance = None
        by_batch = self.training or (mean is None and variance is None)
        factor = 0.0 if self.momentum is None else self.momentum
        return F.batch_norm(
            input, mean, variance, self.weight, self.bias, by_batch, factor, self.eps
        )

    def _normalize_averaging(self, input: Tensor) -> Tensor:
        """With running statistics that are the mean over all batches so far."""
        running = (self.running_mean, self.running_var)
        mean, variance = (zeros_like(tensor) for tensor in running)
        result = F.batch_norm(input, mean, variance, self.weight, self.bias, True, 1.0, self.eps)
        for tensor, seen in zip(running, (mean, variance), strict=True):
            tensor.add_((seen - tensor) / self.num_batches_tracked)
        return result


class BatchNorm1d(_BatchNorm):
    """Each feature of a batch brought to mean 0 and variance 1."""

    ranks = (2, 3)


class BatchNorm2d(_BatchNorm):
    """Each channel of a batch of images brought to mean 0 and variance 1."""

    ranks = (4,)


class BatchNorm3d(_BatchNorm):
    """Each channel of a batch of volumes brought to mean 0 and variance 1."""

    ranks = (5,)


class SyncBatchNorm(_BatchNorm):
    """A batch norm over the batches of all processes, of which there is one: over its own."""

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        process_group: Any = None,
        device: Any = None,
        dtype: DType | None = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__(
            num_features, eps, momentum, affine, track_running_stats, device, dtype, bias=bias
        )
        self.process_group = process_group

    def _check_input_dim(self, input: Tensor) -> None:
        if input.ndim < 2:
            raise GraphcValueError(f"expected at least 2D input (got {input.ndim}D input)")

    @classmethod
    def convert_sync_batchnorm(cls, module: Module, process_group: Any = None) -> Module:
        """The module with every batch norm in it replaced by one of this class that shares all."""
        made = module
        if isinstance(module, _BatchNorm):
            kept = (module.num_features, module.eps, module.momentum, module.affine)
            biased = module.bias is not None
            made = SyncBatchNorm(*kept, module.track_running_stats, process_group, bias=biased)
            made._parameters.update(module._parameters)
            made._buffers.update(module._buffers)
            made.training = module.training
        for name, child in module.named_children():
            made.add_module(name, cls.convert_sync_batchnorm(child, process_group))
        return made
