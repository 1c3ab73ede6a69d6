"""Nothing is missing from the conformance kit's table, nor from the numpy backend's."""

from __future__ import annotations

from inspect import isabstract

import pytest

import graphc.passes.fuse  # noqa: F401
from graphc.backends.numpy import heavy, spelling
from graphc.ir.dtype import DType
from graphc.ir.node import Op
from graphc.lowering.epilogues import Finished
from graphc.ops.composite import COMPOSITES
from graphc.ops.elementwise import Cast, Elementwise, Where
from graphc.ops.movement import View
from graphc.ops.reduce import ArgReduce, Reduce
from graphc.passes.simplify import TRANSPARENT
from graphc.testing.operands import VIEWS
from graphc.testing.table import FLOATS, Row, samples_of, table

STRUCTURE = {
    "input": "a program's own operands: every sample has some",
    "item": "taken from each op of several results",
    "fused": "made by a pass from primitives, and rendered as these are",
    Finished.name: "made by lowering from a product and a fused group",
    **dict.fromkeys(
        ("complex", "conj", "imag", "real", "view_as_complex", "view_as_real"),
        "taken apart before a program is compiled: tests/complex",
    ),
}
"""Ops without a row, and what tests them."""
STATEMENTS = {"argmax", "argmin", "concat", "matmul", "pad", "place"}
"""Primitives for which numpy has a function, so that they need no generated one."""
MADE_ONCE = {"arange", "const"}
"""Primitives that the numpy backend computes when a program is bound."""

EVERYTHING = {"whole", *VIEWS, "empty", "no dimensions", "extreme"}
"""What the samples of a row are to have among their operands."""
ALONG_AXES = (
    "attention attention_grad concat convolution convolution_input_grad convolution_weight_grad "
    "cumprod cumsum gather matmul max_pool max_pool_grad avg_pool avg_pool_grad scatter "
    "scatter_add scatter_reduce sort strided topk"
)
DRAWS = "advance random_integer random_normal random_permutation random_uniform"
MATRICES = (
    "cholesky determinant eigh inverse log_determinant pseudo_inverse qr solve solve_triangular svd"
)
UNMEANT: dict[str, set[str]] = {
    # Rows that are alike make a matrix singular.
    **{name: {"no dimensions", "extreme", "expanded"} for name in MATRICES.split()},
    **{name: {"no dimensions"} for name in ALONG_AXES.split()},
    # The operand is the state of the random numbers: two integers.
    **{x: EVERYTHING - {"whole", "stepped", "flipped", "foreign"} for x in DRAWS.split()},
    **{x: EVERYTHING - {"extreme"} for x in MADE_ONCE},
}
"""What has no meaning for a row."""

PRIMITIVES = {
    name: op
    for name, op in Op.registry.items()
    if op.__module__.startswith("graphc.") and not isabstract(op)
}
ROWS = table()


def test_every_primitive_has_a_row() -> None:
    missing = PRIMITIVES.keys() - ROWS.keys() - STRUCTURE.keys()
    assert not missing, f"add a row to graphc/testing/rows_*.py for {sorted(missing)}"


def test_every_composite_has_a_row() -> None:
    assert not COMPOSITES.keys() - ROWS.keys()


def test_every_row_names_an_op() -> None:
    unknown = ROWS.keys() - PRIMITIVES.keys() - COMPOSITES.keys()
    assert not unknown, f"rows of no op: {sorted(unknown)}"
    assert not STRUCTURE.keys() - PRIMITIVES.keys()


@pytest.mark.parametrize("row", ROWS.values(), ids=lambda row: row.name)
def test_rows_say_what_has_a_gradient(row: Row) -> None:
    samples = samples_of(row.name, row.dtypes[-1].name)
    differentiable = samples[0].op.differentiable
    assert differentiable == (row.gradient or row.derivative is not None)
    assert (row.torch is None) == bool(row.own), "a row has a PyTorch expression or a reason"


def coverage(row: Row, dtype: DType) -> set[str]:
    """What there is among the samples of a row in one type."""
    samples = samples_of(row.name, dtype.name)
    operands = [x for sample in samples for x in sample.operands]
    found: set[str] = {x.layout for x in operands if x.layout != "number"}
    found |= {"extreme" for x in samples if x.kind == "extreme"}
    found |= {"empty" for x in operands if x.array.size == 0}
    return found | {"no dimensions" for x in operands if x.array.shape == ()}


@pytest.mark.parametrize("row", ROWS.values(), ids=lambda row: row.name)
def test_rows_have_samples_worth_their_name(row: Row) -> None:
    """Of every element type all there can be, and of floats some that differences apply to."""
    for dtype in row.dtypes:
        assert EVERYTHING - coverage(row, dtype) == UNMEANT.get(row.name, set()), dtype
        if row.gradient and dtype in FLOATS:
            assert any(x.kind == "smooth" for x in samples_of(row.name, dtype.name))


def test_numpy_spells_every_primitive() -> None:
    elementwise = {n for n, op in PRIMITIVES.items() if issubclass(op, Elementwise | Where | Cast)}
    reductions = {
        n
        for n, op in PRIMITIVES.items()
        if issubclass(op, Reduce) and not issubclass(op, ArgReduce)
    }
    views = {n for n, op in PRIMITIVES.items() if issubclass(op, View)}
    rest = PRIMITIVES.keys() - elementwise - reductions - views
    rest -= STATEMENTS | MADE_ONCE | STRUCTURE.keys() | TRANSPARENT
    assert elementwise == spelling.SCALAR.keys()
    assert reductions == spelling.REDUCE.keys()
    assert rest == heavy.HEAVY.keys()


def test_an_op_without_a_row_would_be_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PRIMITIVES, "unheard_of", Elementwise)
    with pytest.raises(AssertionError, match="unheard_of"):
        test_every_primitive_has_a_row()
    with pytest.raises(AssertionError):
        test_numpy_spells_every_primitive()
