"""What ways of pruning have in common: a hook that masks a parameter, and several in a row."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any, ClassVar

from graphc.errors import GraphcIndexError, GraphcTypeError, GraphcValueError
from graphc.factories import ones_like
from graphc.nn.modules.module import Module
from graphc.tensor import Tensor


class BasePruningMethod(ABC):
    """A hook that sets a parameter to its masked original before each forward pass.

    A subclass says in ``compute_mask`` what is kept, and in ``PRUNING_TYPE`` of what it chooses
    when something has been pruned before: of the elements left (``unstructured``), of the slices
    left along its ``dim`` (``structured``), or of all (``global``).
    """

    PRUNING_TYPE: ClassVar[str]
    _tensor_name: str

    def __call__(self, module: Module, inputs: Any) -> None:
        setattr(module, self._tensor_name, self.apply_mask(module))

    @abstractmethod
    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        """Ones for what is kept of ``t``, which is no more than ``default_mask`` keeps."""

    def apply_mask(self, module: Module) -> Tensor:
        """The original times the mask."""
        mask = getattr(module, f"{self._tensor_name}_mask")
        original = getattr(module, f"{self._tensor_name}_orig")
        return mask.to(dtype=original.dtype) * original  # type: ignore[no-any-return]

    @classmethod
    def apply(
        cls,
        module: Module,
        name: str,
        *args: Any,
        importance_scores: Tensor | None = None,
        **kwargs: Any,
    ) -> BasePruningMethod:
        """The hook, registered with what it needs; after others in a ``PruningContainer``."""
        method: BasePruningMethod = cls(*args, **kwargs)
        method._tensor_name = name
        before = taken_off(module, name)
        if before is not None:
            container = before if isinstance(before, PruningContainer) else PruningContainer(before)
            container.add_pruning_method(method)
            method = container
        present = getattr(module, name)
        _check_scores(importance_scores, present, f"parameter {name} of {module}")
        scores = present if importance_scores is None else importance_scores
        if before is None:
            mask = ones_like(present)
        else:
            mask = getattr(module, f"{name}_mask").detach().clone()
        mask = method.compute_mask(scores, default_mask=mask)
        if before is None:
            del module._parameters[name]
            module.register_parameter(f"{name}_orig", present)
        module.register_buffer(f"{name}_mask", mask)
        setattr(module, name, method.apply_mask(module))
        module.register_forward_pre_hook(method)
        return method

    def prune(
        self,
        t: Tensor,
        default_mask: Tensor | None = None,
        importance_scores: Tensor | None = None,
    ) -> Tensor:
        """``t`` with zeros where the mask leaves elements out."""
        _check_scores(importance_scores, t, "tensor t")
        scores = t if importance_scores is None else importance_scores
        mask = ones_like(t) if default_mask is None else default_mask
        return t * self.compute_mask(scores, default_mask=mask)

    def remove(self, module: Module) -> None:
        """Leave the parameter with zeros where elements were left out."""
        name = self._tensor_name
        weight = self.apply_mask(module)
        delattr(module, name)
        original: Any = module._parameters.pop(f"{name}_orig")
        del module._buffers[f"{name}_mask"]
        original.data = weight.data
        setattr(module, name, original)


def taken_off(module: Module, name: str) -> BasePruningMethod | None:
    """The hook that prunes a parameter, which the module has no longer."""
    for key, hook in list(module._forward_pre_hooks.items()):
        if isinstance(hook, BasePruningMethod) and hook._tensor_name == name:
            del module._forward_pre_hooks[key]
            return hook
    return None


def _check_scores(scores: Tensor | None, t: Tensor, what: str) -> None:
    if scores is not None and scores.shape != t.shape:
        raise AssertionError(
            f"importance_scores should have the same shape as {what}, got {scores.shape} vs "
            f"{t.shape}"
        )


class PruningContainer(BasePruningMethod):
    """Methods applied one after the other to one parameter."""

    def __init__(self, *methods: BasePruningMethod) -> None:
        self._pruning_methods: tuple[BasePruningMethod, ...] = ()
        if methods:
            self._tensor_name = methods[0]._tensor_name
        for method in methods:
            self.add_pruning_method(method)

    def add_pruning_method(self, method: BasePruningMethod) -> None:
        """Add a method, which is to prune the same parameter."""
        if not isinstance(method, BasePruningMethod):
            raise GraphcTypeError(f"{type(method)} is not a BasePruningMethod subclass")
        if self._tensor_name != method._tensor_name:
            raise GraphcValueError(
                "Can only add pruning methods acting on the parameter named "
                f"'{self._tensor_name}' to PruningContainer {self}. Found '{method._tensor_name}'"
            )
        self._pruning_methods += (method,)

    def __len__(self) -> int:
        return len(self._pruning_methods)

    def __iter__(self) -> Iterator[BasePruningMethod]:
        return iter(self._pruning_methods)

    def __getitem__(self, idx: int) -> BasePruningMethod:
        return self._pruning_methods[idx]

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        """What the last method keeps of what the others kept."""
        method = self._pruning_methods[-1]
        places: Any = _left(method, default_mask)
        mask: Tensor = default_mask.to(dtype=t.dtype).clone()
        kept = method.compute_mask(t[places], default_mask=default_mask[places])
        mask[places] = kept.to(dtype=mask.dtype)
        return mask


def _left(method: Any, mask: Tensor) -> Any:
    """The index of what a method chooses of."""
    if method.PRUNING_TYPE == "unstructured":
        return mask == 1
    if method.PRUNING_TYPE == "global":
        return (slice(None),) * mask.ndim
    if method.PRUNING_TYPE != "structured":
        raise GraphcValueError(f"Unrecognized PRUNING_TYPE {method.PRUNING_TYPE}")
    if not hasattr(method, "dim"):
        raise AttributeError(
            'Pruning methods of PRUNING_TYPE "structured" need to have the attribute `dim` defined.'
        )
    dim = method.dim if method.dim >= 0 else mask.ndim + method.dim
    if dim < 0:
        raise GraphcIndexError(f"Index is out of bounds for tensor with dimensions {mask.ndim}")
    slices = mask.sum(dim=[d for d in range(mask.ndim) if d != dim]) != 0
    return tuple(slices if d == dim else slice(None) for d in range(mask.ndim))
