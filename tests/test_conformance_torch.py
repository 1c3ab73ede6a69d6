"""What the conformance kit says an op means, against PyTorch: values and gradients."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from graphc import backends
from graphc.ir.dtype import DType, float64
from graphc.ir.node import Node
from graphc.testing.differences import Differentiated, differentiate, differentiate_again
from graphc.testing.operands import Array
from graphc.testing.programs import check, expected, run, use
from graphc.testing.table import Row, Tolerance, cases, samples_of, table

torch = pytest.importorskip("torch", reason="the peers extra compares the table with PyTorch")

TWO_FORMULAS = Tolerance("two formulas for one derivative, in float64", 1e5, 1e5)
COMPARED = [(row, d) for row, d in cases() if row.torch is not None and d in row.torch_dtypes]
DIFFERENTIABLE = [x for x in table().values() if (x.gradient or x.derivative) and x.torch]
TWICE_DIFFERENTIABLE = [x for x in DIFFERENTIABLE if x.gradient]


def tensor(array: Array) -> Any:
    """The array as a tensor of PyTorch's, in the same memory order."""
    if array.dtype == ml_dtypes.bfloat16:
        return torch.tensor(array.view(np.int16)).view(torch.bfloat16)
    return torch.tensor(np.array(array))


def array(tensor: Any) -> Array:
    """PyTorch's tensor as an array; numpy has no bfloat16 of its own."""
    if tensor.dtype == torch.bfloat16:
        return np.asarray(tensor.view(torch.int16).numpy(force=True).view(ml_dtypes.bfloat16))
    return np.asarray(tensor.numpy(force=True))


def numbers(found: Any) -> tuple[Array, ...]:
    """PyTorch's result or results as arrays."""
    several = found if isinstance(found, tuple) else (found,)
    return tuple(array(x.contiguous()) for x in several)


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


@dataclass
class Differentiation:
    """The gradient of a sample, by the op's rule and by PyTorch's."""

    row: Row
    ours: Differentiated
    leaves: list[Any]
    """PyTorch's operands."""

    @property
    def wanted(self) -> list[Any]:
        """PyTorch's operands of which there is a gradient."""
        return [self.leaves[i] for i, _ in self.ours.gradients]

    def flows(self, *, again: bool) -> tuple[Any, ...]:
        """PyTorch's gradients, None where none flows."""
        assert self.row.torch is not None
        found = self.row.torch(torch, self.ours.use.sample.op, *self.leaves)
        several = found if isinstance(found, tuple) else (found,)
        results = [x for x in several if x.dtype.is_floating_point]
        seeds = [tensor(x) for _, x in self.ours.seeds]
        return _grad(results, self.wanted, seeds, create_graph=again)


def compare(ours: Differentiated, flows: tuple[Any, ...], tolerance: Tolerance | None) -> None:
    """Run our gradient on the numpy backend, and hold it against PyTorch's."""
    found = run(backends.find("numpy"), ours.graph, ours.given())
    for (i, got), flow in zip(ours.complete(found), flows, strict=True):
        right = np.zeros(got.shape, got.dtype) if flow is None else array(flow)
        check(f"gradient of {ours.use.sample}, operand {i}", got, right, tolerance or TWO_FORMULAS)


def _grad(
    results: list[Any], wanted: list[Any], seeds: list[Any], *, create_graph: bool
) -> tuple[Any, ...]:
    pairs = [
        (x, seed)
        for x, seed in zip(results, seeds, strict=True)
        if x is not None and x.requires_grad
    ]
    if not pairs:
        return (None,) * len(wanted)
    found = torch.autograd.grad(
        [x for x, _ in pairs],
        wanted,
        [seed for _, seed in pairs],
        create_graph=create_graph,
        allow_unused=True,
    )
    return tuple(found)


def differentiations(row: Row, *, again: bool) -> Iterator[Differentiation]:
    """Those of the row's samples that PyTorch's gradient is compared on; at ties and zeros too."""
    for number, sample in enumerate(samples_of(row.name, float64.name)):
        if sample.kind == "extreme" or sample.unlike:
            continue
        made = use(sample, number, requires_grad=True)
        if any(x.requires_grad for x in made.results):
            ours = differentiate(made, again=again)
            leaves = [tensor(x.value) for x in sample.operands]
            for i, _ in ours.gradients:
                leaves[i].requires_grad_()
            yield Differentiation(row, ours, leaves)


@pytest.mark.parametrize("row", DIFFERENTIABLE, ids=lambda row: row.name)
def test_gradient(row: Row) -> None:
    compared = 0
    for each in differentiations(row, again=False):
        compare(each.ours, each.flows(again=False), row.torch_gradient)
        compared += 1
    assert compared


@pytest.mark.parametrize("row", TWICE_DIFFERENTIABLE, ids=lambda row: row.name)
def test_second_gradient(row: Row) -> None:
    """Of Σ weight · gradient."""
    for each in differentiations(row, again=True):
        if each.ours.use.sample.once:
            continue
        ours = differentiate_again(each.ours)
        once = each.flows(again=True)
        nodes = [node for _, node in each.ours.gradients]
        depending = [x for x, node in zip(once, nodes, strict=True) if _needs_grad(node)]
        seeds = [tensor(x) for _, x in ours.seeds[len(each.ours.seeds) :]]
        flows = _grad(depending, each.wanted, seeds, create_graph=False)
        compare(ours, flows, row.torch_second)


def _needs_grad(node: Node | None) -> bool:
    return node is not None and node.requires_grad
