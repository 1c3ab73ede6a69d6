"""Weights made of a length and a direction."""

from __future__ import annotations

import warnings
from typing import Any, TypeVar

from graphc.errors import GraphcRuntimeError, GraphcValueError
from graphc.nn.modules.module import Module
from graphc.nn.parameter import Parameter
from graphc.tensor import Tensor

M = TypeVar("M", bound=Module)


def norm_except_dim(v: Tensor, pow: int = 2, dim: int = 0) -> Tensor:
    """The norm of each slice of ``dim``; of the whole for -1."""
    if dim == -1:
        return v.norm(pow)  # type: ignore[no-any-return]
    return v.norm(pow, [d for d in range(v.dim()) if d != dim % v.dim()], keepdim=True)  # type: ignore[no-any-return]


def weighted(v: Tensor, g: Tensor, dim: int) -> Tensor:
    """g · v / ‖v‖"""
    return v * (g / norm_except_dim(v, 2, dim))


class WeightNorm:
    """A hook that sets the weight before each forward pass."""

    def __init__(self, name: str, dim: int) -> None:
        self.name, self.dim = name, dim

    def compute_weight(self, module: Module) -> Tensor:
        """The weight of the present length and direction."""
        v, g = getattr(module, f"{self.name}_v"), getattr(module, f"{self.name}_g")
        return weighted(v, g, self.dim)

    def __call__(self, module: Module, inputs: Any) -> None:
        setattr(module, self.name, self.compute_weight(module))

    def remove(self, module: Module) -> None:
        """Leave the weight as a parameter of its present value."""
        weight = self.compute_weight(module)
        delattr(module, self.name)
        for end in ("_g", "_v"):
            del module._parameters[f"{self.name}{end}"]
        setattr(module, self.name, Parameter(weight.data))


def weight_norm(module: M, name: str = "weight", dim: int | None = 0) -> M:
    """The module, whose weight is made of a length for each slice of ``dim``, and a direction."""
    warnings.warn(
        "`torch.nn.utils.weight_norm` is deprecated "
        "in favor of `torch.nn.utils.parametrizations.weight_norm`.",
        FutureWarning,
        stacklevel=2,
    )
    for hook in module._forward_pre_hooks.values():
        if isinstance(hook, WeightNorm) and hook.name == name:
            raise GraphcRuntimeError(
                f"Cannot register two weight_norm hooks on the same parameter {name}"
            )
    norm = WeightNorm(name, -1 if dim is None else dim)
    weight = getattr(module, name)
    del module._parameters[name]
    length = norm_except_dim(weight, 2, norm.dim)
    module.register_parameter(f"{name}_g", Parameter(length.data))
    module.register_parameter(f"{name}_v", Parameter(weight.data))
    setattr(module, name, norm.compute_weight(module))
    module.register_forward_pre_hook(norm)
    return module


def remove_weight_norm(module: M, name: str = "weight") -> M:
    """The module with its weight as a plain parameter again."""
    for key, hook in module._forward_pre_hooks.items():
        if isinstance(hook, WeightNorm) and hook.name == name:
            hook.remove(module)
            del module._forward_pre_hooks[key]
            return module
    raise GraphcValueError(f"weight_norm of '{name}' not found in {module}")
