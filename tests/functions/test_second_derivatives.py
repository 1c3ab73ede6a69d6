"""The derivatives of gradients of every function of the table, against PyTorch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import graphc
from tests.functions.calls import Call, Operand
from tests.functions.runs import made, tensors
from tests.functions.table import FUNCTIONAL, TABLE
from tests.torch_peer import numbers, own_kernels, torch

Found = list[Any] | None
"""A second derivative for each operand, or None where PyTorch has none."""


def operands(x: Any) -> Iterator[Operand]:
    if isinstance(x, Operand):
        yield x
    elif isinstance(x, list | tuple):
        for item in x:
            yield from operands(item)


def is_smooth(call: Call) -> bool:
    """Whether its operands are exact enough, and random, so that they lie at no edge."""
    floating = [x for x in operands([*call.args, *call.kwargs.values()]) if x.floating]
    return bool(floating) and all(x.dtype == "float64" and x.values is None for x in floating)


CALLS = {
    f"{prefix}{name}": smooth
    for prefix, table in (("", TABLE), ("functional.", FUNCTIONAL))
    for name, calls in table.items()
    if (smooth := [c for c in calls if is_smooth(c)])
}


def called(package: Any, name: str) -> Callable[..., Any]:
    home, _, last = name.rpartition(".")
    function = getattr(package.nn.functional if home else package, last, None)
    return function or (lambda x, *args, **kwargs: getattr(x, last)(*args, **kwargs))


def weighted(package: Any, parts: list[Any]) -> Any:
    """The sum of all elements, each times a number of its own."""
    rng = np.random.default_rng(0)
    weights = [package.tensor(rng.standard_normal(tuple(x.shape))) for x in parts]
    return sum((x * w).sum() for x, w in zip(parts, weights, strict=True))


def second(package: Any, name: str, call: Call) -> Found:
    args, kwargs = made(package, call, gradients=True)
    result = called(package, name)(*args, **kwargs)
    leaves = [x for x in tensors([args, kwargs]) if x.requires_grad]
    results = [x for x in tensors(result) if x.requires_grad]
    if not leaves or not results:
        return None
    grad = package.autograd.grad
    first = grad(weighted(package, results), leaves, create_graph=True, materialize_grads=True)
    curved = [x for x in first if x.requires_grad]
    if not curved:
        return [np.zeros(x.shape) for x in leaves]
    found = grad(weighted(package, curved), leaves, materialize_grads=True)
    return [numbers(x) for x in found]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", CALLS)
def test_second_derivatives(name: str) -> None:
    for call in CALLS[name]:
        with own_kernels():
            try:
                expected = second(torch, name, call)
            except (RuntimeError, TypeError, ValueError, IndexError, AttributeError):
                continue  # a call that fails, or has no second derivative
        if expected is None:
            continue
        found = second(graphc, name, call)
        assert found is not None, call
        for mine, theirs in zip(found, expected, strict=True):
            np.testing.assert_allclose(mine, theirs, 1e-6, 1e-8, err_msg=str(call))
