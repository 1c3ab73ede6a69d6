"""Normalizations as modules."""

from __future__ import annotations

import warnings
from typing import Any, ClassVar

import graphc.nn.functional as F
from graphc.errors import GraphcValueError
from graphc.ir.dtype import DType, int64
from graphc.memory import zeros_like
from graphc.nn import init
from graphc.nn.modules.module import Module
from graphc.nn.modules.settings import repeated, shown
from graphc.nn.parameter import new_parameter, new_tensor
from graphc.tensor import Tensor


class _Scaled(Module):
    """A normalization whose result is scaled and shifted by learnt numbers, unless told not to."""

    def _register(
        self, shape: tuple[int, ...], affine: bool, bias: bool, device: Any, dtype: DType | None
    ) -> None:
        for name, wanted in (("weight", affine), ("bias", affine and bias)):
            self.register_parameter(name, new_parameter(shape, device, dtype) if wanted else None)

    def reset_parameters(self) -> None:
        """Scale by 1 and shift by 0."""
        if self.weight is not None:
            init.ones_(self.weight)
        if self.bias is not None:
            init.zeros_(self.bias)


class LayerNorm(_Scaled):
    """The last dimensions brought to mean 0 and variance 1."""

    def __init__(
        self,
        normalized_shape: Any,
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
        device: Any = None,
        dtype: DType | None = None,
    ) -> None:
        super().__init__()
        self.normalized_shape = repeated(normalized_shape, 1)
        self.eps, self.elementwise_affine = eps, elementwise_affine
        self._register(self.normalized_shape, elementwise_affine, bias, device, dtype)
        self.reset_parameters()

    def forward(self, input: Tensor) -> Tensor:
        return F.layer_norm(input, self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        settings = shown(self, "eps", "elementwise_affine")
        return f"{self.normalized_shape}, {settings}, bias={self.bias is not None}"


class RMSNorm(Module):
    """The last dimensions brought to root mean square 1."""

    def __init__(
        self,
        normalized_shape: Any,
        eps: float | None = None,
        elementwise_affine: bool = True,
        device: Any = None,
        dtype: DType | None = None,
    ) -> None:
        super().__init__()
        self.normalized_shape = repeated(normalized_shape, 1)
        self.eps, self.elementwise_affine = eps, elementwise_affine
        weight = new_parameter(self.normalized_shape, device, dtype) if elementwise_affine else None
        self.register_parameter("weight", weight)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Scale by 1."""
        if self.weight is not None:
            init.ones_(self.weight)

    def forward(self, x: Tensor) -> Tensor:
        return F.rms_norm(x, self.normalized_shape, self.weight, self.eps)

    def extra_repr(self) -> str:
        return f"{self.normalized_shape}, {shown(self, 'eps', 'elementwise_affine')}"


class GroupNorm(_Scaled):
    """Groups of channels brought to mean 0 and variance 1."""

    def __init__(
        self,
        num_groups: int,
        num_channels: int,
        eps: float = 1e-5,
        affine: bool = True,
        device: Any = None,
        dtype: DType | None = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__()
        if num_channels % num_groups:
            raise GraphcValueError(
                f"num_channels ({num_channels}) must be divisible by num_groups ({num_groups})"
            )
        self.num_groups, self.num_channels = num_groups, num_channels
        self.eps, self.affine = eps, affine
        self._register((num_channels,), affine, bias, device, dtype)
        self.reset_parameters()

    def forward(self, input: Tensor) -> Tensor:
        return F.group_norm(input, self.num_groups, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        settings = shown(self, "eps", "affine")
        return f"{self.num_groups}, {self.num_channels}, {settings}, bias={self.bias is not None}"


class LocalResponseNorm(Module):
    """Each channel divided by what its neighbours amount to."""

    def __init__(self, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> None:
        super().__init__()
        self.size, self.alpha, self.beta, self.k = size, alpha, beta, k

    def forward(self, input: Tensor) -> Tensor:
        return F.local_response_norm(input, self.size, self.alpha, self.beta, self.k)

    def extra_repr(self) -> str:
        return f"{self.size}, {shown(self, 'alpha', 'beta', 'k')}"


class _Tracked(_Scaled):
    """A normalization that may keep running statistics."""

    _version = 2
    ranks: ClassVar[tuple[int, ...]]
    """The ranks of input that it takes."""

    def __init__(
        self,
        num_features: int,
        eps: float,
        momentum: float | None,
        affine: bool,
        track_running_stats: bool,
        device: Any,
        dtype: DType | None,
        bias: bool,
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


class _BatchNorm(_Tracked):
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
        super().__init__(
            num_features, eps, momentum, affine, track_running_stats, device, dtype, bias
        )

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


class _InstanceNorm(_Tracked):
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
            num_features, eps, momentum, affine, track_running_stats, device, dtype, bias
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
