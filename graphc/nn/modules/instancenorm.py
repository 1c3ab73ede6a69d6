"""Normalizations of each sample by itself, as modules."""

from __future__ import annotations

import warnings
from typing import Any

import graphc.nn.functional as F
from graphc.errors import GraphcValueError
from graphc.ir.dtype import DType
from graphc.nn.modules.batchnorm import _NormBase
from graphc.tensor import Tensor


class _InstanceNorm(_NormBase):
    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = False,
        track_running_stats: bool = False,
        device: Any = None,
        dtype: DType | None = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__(
            num_features, eps, momentum, affine, track_running_stats, device, dtype, bias=bias
        )

    def forward(self, input: Tensor) -> Tensor:
        self._check_input_dim(input)
        batched = input.ndim == self.ranks[1]
        channels = input.shape[1 if batched else 0]
        if channels != self.num_features:
            self._report_channels(channels, 1 if batched else 0)
        result = F.instance_norm(
            input if batched else input.unsqueeze(0),
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            self.training or not self.track_running_stats,
            0.0 if self.momentum is None else self.momentum,
            self.eps,
        )
        return result if batched else result.squeeze(0)

    def _report_channels(self, channels: int, dim: int) -> None:
        if self.affine:
            raise GraphcValueError(
                f"expected input's size at dim={dim} to match num_features ({self.num_features}), "
                f"but got: {channels}."
            )
        warnings.warn(
            f"input's size at dim={dim} does not match num_features. You can silence this warning "
            "by not passing in num_features, which is not used because affine=False",
            stacklevel=3,
        )


class InstanceNorm1d(_InstanceNorm):
    """Each channel of each sequence brought to mean 0 and variance 1."""

    ranks = (2, 3)


class InstanceNorm2d(_InstanceNorm):
    """Each channel of each image brought to mean 0 and variance 1."""

    ranks = (3, 4)


class InstanceNorm3d(_InstanceNorm):
    """Each channel of each volume brought to mean 0 and variance 1."""

    ranks = (4, 5)
