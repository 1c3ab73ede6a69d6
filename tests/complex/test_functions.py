"""Functions of complex numbers against PyTorch: values, types, first and second gradients."""

from __future__ import annotations

from typing import Any

import pytest

import graphc
from tests.complex.calls import (
    ARITHMETIC,
    MOVEMENT,
    PARTS,
    PRODUCTS,
    REDUCTIONS,
    TRANSCENDENTAL,
    TRUTHS,
    Call,
)
from tests.torch_peer import Array, compare, torch

MODULES = (graphc, torch)
TWICE = {**TRANSCENDENTAL, **REDUCTIONS, **PRODUCTS, **MOVEMENT, **ARITHMETIC}
FLAT = {"power 0"}
"""What PyTorch has no second gradient of."""


def cases(table: dict[str, tuple[Call, list[Array]]]) -> list[Any]:
    """Each call, by its name."""
    return [pytest.param(*call, id=name) for name, call in table.items()]


@pytest.mark.parametrize(("call", "arrays"), cases(PARTS))
def test_parts(call: Call, arrays: list[Array]) -> None:
    compare(call, MODULES, arrays)


@pytest.mark.parametrize(("name", "call", "arrays"), [(k, *v) for k, v in TWICE.items()])
def test_function(name: str, call: Call, arrays: list[Array]) -> None:
    compare(call, MODULES, arrays, twice=name not in FLAT)


@pytest.mark.parametrize(("call", "arrays"), cases(TWICE))
def test_single_precision(call: Call, arrays: list[Array]) -> None:
    narrow = [x.astype("complex64" if x.dtype.kind == "c" else "float32") for x in arrays]
    compare(call, MODULES, narrow, gradient=False, scale=20)


@pytest.mark.parametrize(("call", "arrays"), cases(TRUTHS))
def test_without_gradient(call: Call, arrays: list[Array]) -> None:
    compare(call, MODULES, arrays, gradient=False)
