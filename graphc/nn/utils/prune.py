"""Parameters of which a mask leaves out elements or whole slices."""

from __future__ import annotations

import numbers
from collections.abc import Iterable
from typing import Any, TypeVar

from graphc.errors import GraphcIndexError, GraphcTypeError, GraphcValueError
from graphc.factories import ones_like, zeros_like
from graphc.nn.modules.module import Module
from graphc.nn.utils.convert_parameters import parameters_to_vector
from graphc.nn.utils.pruning import BasePruningMethod, PruningContainer, taken_off
from graphc.surface import LIFTED
from graphc.tensor import Tensor

M = TypeVar("M", bound=Module)
Amount = int | float
"""How many elements or slices to leave out, or which part of them."""


# -- methods ------------------------------------------------------------------------------------


class Identity(BasePruningMethod):
    """Everything is kept."""

    PRUNING_TYPE = "unstructured"

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        return default_mask


class _Unstructured(BasePruningMethod):
    """So many elements are left out, those of the lowest rank first."""

    PRUNING_TYPE = "unstructured"

    def __init__(self, amount: Amount) -> None:
        _check_amount(amount)
        self.amount = amount

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        count = _counted(self.amount, t.numel())
        if not count:
            return default_mask.clone()  # type: ignore[no-any-return]
        order = LIFTED["topk"](self._rank(t).reshape(-1), count, largest=False).indices
        mask = default_mask.clone()
        mask.view(-1)[order] = 0
        return mask  # type: ignore[no-any-return]

    @staticmethod
    def _rank(t: Tensor) -> Tensor:
        raise NotImplementedError


class RandomUnstructured(_Unstructured):
    """Elements are left out at random."""

    @staticmethod
    def _rank(t: Tensor) -> Tensor:
        return t.detach().clone().uniform_(0, 1)  # type: ignore[no-any-return]


class L1Unstructured(_Unstructured):
    """The smallest elements are left out."""

    @staticmethod
    def _rank(t: Tensor) -> Tensor:
        return t.abs()  # type: ignore[no-any-return]


class _Structured(BasePruningMethod):
    """So many slices along ``dim`` are left out, those of the lowest rank first."""

    PRUNING_TYPE = "structured"

    def __init__(self, amount: Amount, dim: int) -> None:
        _check_amount(amount)
        self.amount, self.dim = amount, dim

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        if t.ndim <= 1:
            raise GraphcValueError(
                "Structured pruning can only be applied to multidimensional tensors. Found tensor "
                f"of shape {t.shape} with {t.ndim} dims"
            )
        if self.dim >= t.ndim:
            raise GraphcIndexError(f"Invalid index {self.dim} for tensor of size {t.shape}")
        size = t.shape[self.dim]
        count = _counted(self.amount, size)
        if not count:
            return default_mask
        kept = LIFTED["topk"](self._rank(t), size - count).indices
        mask = zeros_like(t)
        mask[(slice(None),) * (self.dim % t.ndim) + (kept,)] = 1
        return mask * default_mask.to(dtype=mask.dtype)  # type: ignore[no-any-return]

    def _rank(self, t: Tensor) -> Tensor:
        raise NotImplementedError


class RandomStructured(_Structured):
    """Slices are left out at random."""

    def __init__(self, amount: Amount, dim: int = -1) -> None:
        super().__init__(amount, dim)

    def _rank(self, t: Tensor) -> Tensor:
        return t.new_empty(t.shape[self.dim]).uniform_(0, 1)  # type: ignore[no-any-return]


class LnStructured(_Structured):
    """The slices of the smallest norm are left out."""

    def __init__(self, amount: Amount, n: Any, dim: int = -1) -> None:
        super().__init__(amount, dim)
        self.n = n

    def _rank(self, t: Tensor) -> Tensor:
        others = [d for d in range(t.ndim) if d != self.dim % t.ndim]
        return LIFTED["norm"](t, self.n, dim=others)  # type: ignore[no-any-return]


class CustomFromMask(BasePruningMethod):
    """What a mask keeps."""

    PRUNING_TYPE = "global"

    def __init__(self, mask: Tensor) -> None:
        self.mask = mask

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        if default_mask.shape != self.mask.shape:
            raise AssertionError(
                f"default_mask shape {default_mask.shape} must match self.mask shape "
                f"{self.mask.shape}"
            )
        return default_mask * self.mask.to(dtype=default_mask.dtype)  # type: ignore[no-any-return]


def _check_amount(amount: Any) -> None:
    if not isinstance(amount, numbers.Real):
        raise GraphcTypeError(f"Invalid type for amount: {amount}. Must be int or float.")
    whole = isinstance(amount, numbers.Integral)
    if float(amount) < 0 or (not whole and float(amount) > 1):
        raise GraphcValueError(
            f"amount={amount} should either be a float in the range [0, 1] or a non-negative "
            "integer"
        )


def _counted(amount: Amount, size: int) -> int:
    """How many of ``size`` to leave out."""
    if not isinstance(amount, numbers.Integral):
        return round(amount * size)
    if amount > size:
        raise GraphcValueError(
            f"amount={amount} should be smaller than the number of parameters to prune={size}"
        )
    return int(amount)


# -- as functions -------------------------------------------------------------------------------


def identity(module: M, name: str) -> M:
    """The module with a mask of ones."""
    Identity.apply(module, name)
    return module


def random_unstructured(module: M, name: str, amount: Amount) -> M:
    """The module without elements chosen at random."""
    RandomUnstructured.apply(module, name, amount)
    return module


def l1_unstructured(
    module: M, name: str, amount: Amount, importance_scores: Tensor | None = None
) -> M:
    """The module without the smallest elements."""
    L1Unstructured.apply(module, name, amount, importance_scores=importance_scores)
    return module


def random_structured(module: M, name: str, amount: Amount, dim: int) -> M:
    """The module without slices chosen at random."""
    RandomStructured.apply(module, name, amount, dim)
    return module


def ln_structured(
    module: M,
    name: str,
    amount: Amount,
    n: Any,
    dim: int,
    importance_scores: Tensor | None = None,
) -> M:
    """The module without the slices of the smallest norm."""
    LnStructured.apply(module, name, amount, n, dim, importance_scores=importance_scores)
    return module


def custom_from_mask(module: M, name: str, mask: Tensor) -> M:
    """The module with what ``mask`` keeps."""
    CustomFromMask.apply(module, name, mask)
    return module


def global_unstructured(
    parameters: Iterable[tuple[Module, str]],
    pruning_method: type[BasePruningMethod],
    importance_scores: dict[tuple[Module, str], Tensor] | None = None,
    **kwargs: Any,
) -> None:
    """Leave out elements of several parameters, chosen among all of them."""
    if not isinstance(parameters, Iterable):
        raise GraphcTypeError("global_unstructured(): parameters is not an Iterable")
    scores = {} if importance_scores is None else importance_scores
    if not isinstance(scores, dict):
        raise GraphcTypeError("global_unstructured(): importance_scores must be of type dict")
    places = list(parameters)
    present = [getattr(module, name) for module, name in places]
    ranks = [scores.get(place, t) for place, t in zip(places, present, strict=True)]
    masks = [
        getattr(module, f"{name}_mask", ones_like(t))
        for (module, name), t in zip(places, present, strict=True)
    ]
    method = pruning_method(**kwargs)
    if method.PRUNING_TYPE != "unstructured":
        raise GraphcTypeError(
            'Only "unstructured" PRUNING_TYPE supported for the `pruning_method`. Found method '
            f"{pruning_method} of type {method.PRUNING_TYPE}"
        )
    method._tensor_name = "all"
    vector = parameters_to_vector(ranks)
    kept = PruningContainer(method).compute_mask(vector, parameters_to_vector(masks))
    parts = kept.split([t.numel() for t in present])
    for (module, name), t, mask in zip(places, present, parts, strict=True):
        custom_from_mask(module, name, mask.view(t.shape))


def remove(module: M, name: str) -> M:
    """The module with its parameter as a plain one again, with zeros for what was left out."""
    hook = taken_off(module, name)
    if hook is None:
        raise GraphcValueError(
            f"Parameter '{name}' of module {module} has to be pruned before pruning can be removed"
        )
    hook.remove(module)
    return module


def is_pruned(module: Module) -> bool:
    """Whether something of the module, or of one below, is pruned."""
    return any(
        isinstance(hook, BasePruningMethod)
        for part in module.modules()
        for hook in part._forward_pre_hooks.values()
    )
