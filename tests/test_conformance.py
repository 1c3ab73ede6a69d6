"""The conformance kit on graphc's own backends, and that nothing is missing from its table."""

from __future__ import annotations

from inspect import isabstract

import pytest

import graphc.passes.fuse  # noqa: F401
from graphc.backends.numpy import heavy, spelling
from graphc.ir.node import Op
from graphc.ops.composite import COMPOSITES
from graphc.ops.elementwise import Cast, Elementwise, Where
from graphc.ops.movement import View
from graphc.ops.reduce import ArgReduce, Reduce
from graphc.passes.simplify import TRANSPARENT
from graphc.testing.plugin import pytest_generate_tests
from graphc.testing.table import FLOATS, Row, samples_of, table
from graphc.testing.test_composites import test_kernel_against_body
from graphc.testing.test_contract import (
    test_an_argument_is_updated,
    test_an_earlier_output_outlives_the_next_call,
    test_inputs_are_left_alone,
    test_one_program_may_be_bound_twice,
    test_outputs_are_arrays_of_their_own,
    test_state_in_other_memory_order,
    test_state_is_updated_in_place_after_all_reads,
    test_states_are_exchanged,
    test_what_is_out_of_range_is_an_error,
)
from graphc.testing.test_gradients import test_gradient, test_second_gradient
from graphc.testing.test_graphs import test_large_arrays, test_random_gradient, test_random_graph
from graphc.testing.test_text import (
    test_every_kernel_has_a_name_of_its_own,
    test_text_is_the_same_every_time,
)
from graphc.testing.test_values import test_value

__all__ = [
    "pytest_generate_tests",
    "test_an_argument_is_updated",
    "test_an_earlier_output_outlives_the_next_call",
    "test_every_kernel_has_a_name_of_its_own",
    "test_gradient",
    "test_inputs_are_left_alone",
    "test_kernel_against_body",
    "test_large_arrays",
    "test_one_program_may_be_bound_twice",
    "test_outputs_are_arrays_of_their_own",
    "test_random_gradient",
    "test_random_graph",
    "test_second_gradient",
    "test_state_in_other_memory_order",
    "test_state_is_updated_in_place_after_all_reads",
    "test_states_are_exchanged",
    "test_text_is_the_same_every_time",
    "test_value",
    "test_what_is_out_of_range_is_an_error",
]

STRUCTURE = {
    "input": "a program's own operands: every sample has some",
    "item": "taken from each op of several results",
    "fused": "made by a pass from primitives, and rendered as these are",
}
"""Ops without a row, and what tests them."""
STATEMENTS = {"argmax", "argmin", "concat", "matmul", "pad", "place"}
"""Primitives for which numpy has a function, so that they need no generated one."""
MADE_ONCE = {"arange", "const"}
"""Primitives that the numpy backend computes when a program is bound."""

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


@pytest.mark.parametrize("row", ROWS.values(), ids=lambda row: row.name)
def test_rows_have_samples_worth_their_name(row: Row) -> None:
    """Of every element type some, and of floats some that differences apply to."""
    for dtype in row.dtypes:
        samples = samples_of(row.name, dtype.name)
        assert samples
        if row.gradient and dtype in FLOATS:
            assert any(x.kind == "smooth" for x in samples)
        if samples[0].operands and issubclass(type(samples[0].op), Elementwise | Reduce | View):
            layouts = {x.layout for sample in samples for x in sample.operands}
            shapes = {x.array.shape for sample in samples for x in sample.operands}
            assert {"whole", "transposed", "stepped", "expanded", "foreign"} <= layouts
            assert any(0 in shape for shape in shapes)
            assert () in shapes or any(x.layout == "number" for s in samples for x in s.operands)


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
