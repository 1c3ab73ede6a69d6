"""The options of ``autograd.grad``."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc
from tests.torch_peer import numbers, torch


def batched(package: Any, create_graph: bool = False) -> Any:
    x = package.tensor([1.0, -2.0, 3.0], dtype=package.float64, requires_grad=True)
    y = x**3 * package.arange(3, dtype=package.float64)
    seeds = package.eye(3, dtype=package.float64)
    (rows,) = package.autograd.grad(y, x, seeds, is_grads_batched=True, create_graph=create_graph)
    return x, rows


def test_batched_gradients_are_the_rows_of_the_jacobian() -> None:
    np.testing.assert_array_equal(numbers(batched(graphc)[1]), numbers(batched(torch)[1]))


def test_batched_gradients_can_be_differentiated() -> None:
    found = []
    for package in (graphc, torch):
        x, rows = batched(package, create_graph=True)
        found.append(numbers(package.autograd.grad(rows.sum(), x)[0]))
    np.testing.assert_array_equal(found[0], found[1])


@pytest.mark.parametrize("package", [graphc, torch])
def test_only_inputs_is_deprecated(package: Any) -> None:
    x = package.ones(2, requires_grad=True)
    (found,) = package.autograd.grad((x * x).sum(), x, only_inputs=True)
    assert found.tolist() == [2.0, 2.0]
    with pytest.warns(FutureWarning, match="only_inputs argument is deprecated"):
        package.autograd.grad((x * x).sum(), x, only_inputs=False)
