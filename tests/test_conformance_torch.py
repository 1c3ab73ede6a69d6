"""What the conformance kit says an op means, against PyTorch: values and gradients."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest

from graphc import backends
from graphc.ir.dtype import DType, float64
from graphc.testing.differences import differentiate
from graphc.testing.operands import Array
from graphc.testing.programs import check, expected, run, use
from graphc.testing.table import Row, Sample, Tolerance, cases, samples_of, table

torch = pytest.importorskip("torch", reason="the peers extra compares the table with PyTorch")

TWO_FORMULAS = Tolerance("two formulas for one derivative, in float64", 1e5, 1e5)
COMPARED = [(row, d) for row, d in cases() if row.torch is not None and d in row.torch_dtypes]
DIFFERENTIABLE = [x for x in table().values() if x.gradient and x.torch is not None]


def tensor(array: Array) -> Any:
    """The array as a tensor of PyTorch's, in the same memory order."""
    if array.dtype == ml_dtypes.bfloat16:
        return torch.tensor(array.view(np.int16)).view(torch.bfloat16)
    return torch.tensor(np.array(array))


def numbers(found: Any) -> tuple[Array, ...]:
    """PyTorch's result or results as arrays."""
    several = found if isinstance(found, tuple) else (found,)
    return tuple(x.detach().contiguous().numpy() for x in several)


@pytest.mark.parametrize("row", COMPARED, ids=lambda case: f"{case[0].name}-{case[1].name}")
def test_value(row: tuple[Row, DType]) -> None:
    """The reference, rounded to the type, equals PyTorch's value."""
    row, dtype = row  # type: ignore[assignment]
    assert isinstance(row, Row)
    for sample in samples_of(row.name, dtype.name):
        if sample.unlike:
            continue
        results = use(sample, 0).results
        wanted = expected(row, sample, [x.dtype for x in results])
        assert row.torch is not None
        found = numbers(row.torch(torch, sample.op, *[tensor(x.value) for x in sample.operands]))
        for got, right in zip(wanted, found, strict=True):
            check(f"PyTorch: {sample}", got, right, row.tolerance_in(dtype))


@pytest.mark.parametrize("row", DIFFERENTIABLE, ids=lambda row: row.name)
def test_gradient(row: Row) -> None:
    """By the op's rule, on the numpy backend, as by PyTorch's; at ties and zeros too."""
    for number, sample in enumerate(samples_of(row.name, float64.name)):
        if sample.kind != "extreme" and not sample.unlike:
            _check_gradient(row, sample, number)


def _check_gradient(row: Row, sample: Sample, number: int) -> None:
    made = use(sample, number, requires_grad=True)
    if not any(x.requires_grad for x in made.results):
        return
    ours = differentiate(made)
    found = run(backends.find("numpy"), ours.graph, ours.given())
    leaves = [tensor(x.value) for x in sample.operands]
    for i, _ in ours.gradients:
        leaves[i].requires_grad_()
    assert row.torch is not None
    results = row.torch(torch, sample.op, *leaves)
    results = results if isinstance(results, tuple) else (results,)
    floating = [x for x in results if x.dtype.is_floating_point]
    seeds = [tensor(array) for _, array in ours.seeds]
    theirs = torch.autograd.grad(
        floating, [leaves[i] for i, _ in ours.gradients], seeds, allow_unused=True
    )
    for (i, got), flow in zip(ours.complete(found), theirs, strict=True):
        right = np.zeros(got.shape) if flow is None else flow.numpy()
        check(f"gradient of {sample}, operand {i}", got, right, TWO_FORMULAS)
