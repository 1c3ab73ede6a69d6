"""Layers that learn at their first call how many features their input has."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, ClassVar, Self

from graphc.autograd import no_grad
from graphc.errors import GraphcRuntimeError, GraphcValueError
from graphc.ir.dtype import DType
from graphc.nn.modules.batchnorm import BatchNorm1d, BatchNorm2d, BatchNorm3d, _NormBase
from graphc.nn.modules.conv import (
    Conv1d,
    Conv2d,
    Conv3d,
    ConvTranspose1d,
    ConvTranspose2d,
    ConvTranspose3d,
    _ConvNd,
)
from graphc.nn.modules.instancenorm import InstanceNorm1d, InstanceNorm2d, InstanceNorm3d
from graphc.nn.modules.linear import Linear
from graphc.nn.modules.module import Module
from graphc.nn.parameter import (
    UninitializedBuffer,
    UninitializedParameter,
    UninitializedTensorMixin,
    is_lazy,
)
from graphc.tensor import Tensor


class LazyModuleMixin(Module):
    """A module whose parameters are made when the first input, or a state to load, is there.

    Then it becomes one of the class ``cls_to_become``.
    """

    cls_to_become: ClassVar[type[Module] | None] = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._load_hook = self._register_load_state_dict_pre_hook(self._lazy_load_hook)
        self._initialize_hook = self.register_forward_pre_hook(
            self._infer_parameters, with_kwargs=True
        )

    def initialize_parameters(self, *args: Any, **kwargs: Any) -> None:
        """Make the parameters for the input of the first call; every subclass says it."""
        raise NotImplementedError(
            f"initialize_parameters is not implemented for {type(self).__name__}"
        )

    def has_uninitialized_params(self) -> bool:
        """Whether there are parameters or buffers that are still to be made."""
        return any(True for _ in self._uninitialized())

    def _uninitialized(self) -> Iterator[tuple[dict[str, Any], str, UninitializedTensorMixin]]:
        tables: tuple[dict[str, Any], ...] = (self._parameters, self._buffers)
        for table in tables:
            for name, tensor in table.items():
                if isinstance(tensor, UninitializedTensorMixin):
                    yield table, name, tensor

    def _forget_extents(self, *names: str) -> None:
        """Let parameters and buffers that the layer made wait for the first input."""
        for name in names:
            made = getattr(self, name)
            if made is not None:
                parameter = name in self._parameters
                kind = UninitializedParameter if parameter else UninitializedBuffer
                setattr(self, name, kind(device=made.device, dtype=made.dtype))

    def _lazy_load_hook(self, state_dict: Any, prefix: str, *rest: Any) -> None:
        """Make what the state has in the form that it has there."""
        for _, name, tensor in list(self._uninitialized()):
            given = state_dict.get(prefix + name)
            if given is not None and not is_lazy(given):
                tensor.materialize(given.shape)

    def _infer_parameters(self, module: Any, args: Any, kwargs: Any = None) -> None:
        """Make the parameters for these arguments, and be lazy no longer."""
        module.initialize_parameters(*args, **(kwargs or {}))
        if module.has_uninitialized_params():
            raise GraphcRuntimeError(f"module {self._get_name()} has not been fully initialized")
        for name in ("_initialize_hook", "_load_hook"):
            getattr(module, name).remove()
            delattr(module, name)
        if module.cls_to_become is not None:
            module.__class__ = module.cls_to_become

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        waiting = list(self._uninitialized())
        for table, name, tensor in waiting:
            tensor.take_after(fn(tensor.example()))
            table[name] = None
        try:
            return super()._apply(fn, recurse)
        finally:
            for table, name, tensor in waiting:
                table[name] = tensor


class _LazyLayer(LazyModuleMixin):
    """One of graphc's own layers, made lazy; ``extent`` names how many features its input has."""

    extent: ClassVar[str]

    def reset_parameters(self) -> None:
        """Fill parameters and buffers as the layer does, if they are there."""
        if getattr(self, self.extent) and not self.has_uninitialized_params():
            super().reset_parameters()  # type: ignore[misc]


class LazyLinear(_LazyLayer, Linear):
    """A ``Linear`` of as many input features as its first input has."""

    cls_to_become, extent = Linear, "in_features"

    def __init__(
        self, out_features: int, bias: bool = True, device: Any = None, dtype: DType | None = None
    ) -> None:
        super().__init__(0, out_features, bias, device, dtype)
        self._forget_extents("weight", "bias")

    def initialize_parameters(self, input: Tensor) -> None:
        """Make weight and bias for the features of ``input``."""
        if self.has_uninitialized_params():
            self.in_features = input.shape[-1]
            with no_grad():
                self.weight.materialize((self.out_features, self.in_features))
                if self.bias is not None:
                    self.bias.materialize((self.out_features,))
                self.reset_parameters()
        self.in_features = self.weight.shape[-1]


class _LazyConvXdMixin(_LazyLayer, _ConvNd):
    """A convolution of as many input channels as its first input has; other arguments are its."""

    extent = "in_channels"

    def __init__(self, out_channels: int, kernel_size: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(0, out_channels, kernel_size, *args, **kwargs)
        self._forget_extents("weight", "bias")

    def initialize_parameters(self, input: Tensor) -> None:
        """Make weight and bias for the channels of ``input``."""
        channels = self._channels_of(input)
        if self.has_uninitialized_params():
            if channels % self.groups:
                raise GraphcValueError("in_channels must be divisible by groups")
            self.in_channels = channels
            pair = (self.out_channels, channels // self.groups)
            if self.transposed:
                pair = (channels, self.out_channels // self.groups)
            self.weight.materialize((*pair, *self.kernel_size))
            if self.bias is not None:
                self.bias.materialize((self.out_channels,))
            self.reset_parameters()
        self.in_channels = channels

    def _channels_of(self, input: Tensor) -> int:
        alone, several = self.rank + 1, self.rank + 2
        if input.ndim not in (alone, several):
            raise GraphcRuntimeError(
                f"Expected {alone}D (unbatched) or {several}D (batched) input to "
                f"{type(self).__name__}, but got input of size: {input.shape}"
            )
        return input.shape[1 if input.ndim == several else 0]


class LazyConv1d(_LazyConvXdMixin, Conv1d):
    """A ``Conv1d`` of as many input channels as its first input has."""

    cls_to_become = Conv1d


class LazyConv2d(_LazyConvXdMixin, Conv2d):
    """A ``Conv2d`` of as many input channels as its first input has."""

    cls_to_become = Conv2d


class LazyConv3d(_LazyConvXdMixin, Conv3d):
    """A ``Conv3d`` of as many input channels as its first input has."""

    cls_to_become = Conv3d


class LazyConvTranspose1d(_LazyConvXdMixin, ConvTranspose1d):
    """A ``ConvTranspose1d`` of as many input channels as its first input has."""

    cls_to_become = ConvTranspose1d


class LazyConvTranspose2d(_LazyConvXdMixin, ConvTranspose2d):
    """A ``ConvTranspose2d`` of as many input channels as its first input has."""

    cls_to_become = ConvTranspose2d


class LazyConvTranspose3d(_LazyConvXdMixin, ConvTranspose3d):
    """A ``ConvTranspose3d`` of as many input channels as its first input has."""

    cls_to_become = ConvTranspose3d


class _LazyNormBase(_LazyLayer, _NormBase):
    """A normalization of as many features as its first input has."""

    extent = "num_features"

    def __init__(
        self,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        device: Any = None,
        dtype: DType | None = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__(0, eps, momentum, affine, track_running_stats, device, dtype, bias=bias)
        self._forget_extents("weight", "bias", "running_mean", "running_var")

    def initialize_parameters(self, input: Tensor) -> None:
        """Make parameters and statistics for the features of ``input``."""
        if self.has_uninitialized_params():
            self.num_features = input.shape[1]
            for _, _, tensor in list(self._uninitialized()):
                tensor.materialize((self.num_features,))
            self.reset_parameters()
        self.num_features = input.shape[1]


class LazyBatchNorm1d(_LazyNormBase, BatchNorm1d):
    """A ``BatchNorm1d`` of as many features as its first input has."""

    cls_to_become = BatchNorm1d


class LazyBatchNorm2d(_LazyNormBase, BatchNorm2d):
    """A ``BatchNorm2d`` of as many channels as its first input has."""

    cls_to_become = BatchNorm2d


class LazyBatchNorm3d(_LazyNormBase, BatchNorm3d):
    """A ``BatchNorm3d`` of as many channels as its first input has."""

    cls_to_become = BatchNorm3d


class LazyInstanceNorm1d(_LazyNormBase, InstanceNorm1d):
    """An ``InstanceNorm1d`` of as many channels as its first input has."""

    cls_to_become = InstanceNorm1d


class LazyInstanceNorm2d(_LazyNormBase, InstanceNorm2d):
    """An ``InstanceNorm2d`` of as many channels as its first input has."""

    cls_to_become = InstanceNorm2d


class LazyInstanceNorm3d(_LazyNormBase, InstanceNorm3d):
    """An ``InstanceNorm3d`` of as many channels as its first input has."""

    cls_to_become = InstanceNorm3d
