"""The first elements of long lines, where they are too many to be kept in order, against numpy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from graphc.backends.native.ordering import ORDERING
from graphc.backends.native.targets import TARGETS
from graphc.ops.sort import TopK
from tests.backends.native_alone import Array
from tests.backends.native_samples import Use, run_all, use_of
from tests.backends.test_native_movement import HERE, node_of
from tests.backends.test_native_ordering import TYPES, in_order, with_ties


def check(uses: list[Use], lines: list[Array], folder: Path, target: str) -> None:
    """Run the kernels and compare values and places bit for bit."""
    assert not any(run_all(uses, folder, TARGETS[target]))
    for each, x in zip(uses, lines, strict=True):
        op = each.node.op
        assert isinstance(op, TopK)
        places = np.take(in_order(x, op.dim, descending=op.largest), range(op.k), op.dim)
        np.testing.assert_array_equal(each.results[1], places, err_msg=str(op))
        wanted = np.take_along_axis(x, places, op.dim)
        assert each.results[0].tobytes() == np.ascontiguousarray(wanted).tobytes(), str(op)


@pytest.mark.parametrize("largest", [False, True])
@pytest.mark.parametrize("dtype", TYPES)
def test_random_lines(dtype: str, largest: bool, tmp_path: Path) -> None:
    """With ties, nan and infinities, of which the ends of blocks and of the room are no borders."""
    uses, lines = [], []
    for n, k, threads in ((3080, 129, 1), (3081, 129, 3), (8111, 500, 2)):
        x = with_ties(dtype, 7, n)
        node = node_of(TopK(1, k, largest), x)
        uses.append(use_of(ORDERING["topk"], node, x, threads=threads))
        lines.append(x)
    check(uses, lines, tmp_path, HERE[0])


@pytest.mark.parametrize("target", HERE)
def test_lines_that_are_in_order(target: str, tmp_path: Path) -> None:
    """Each element comes before those so far, or none does; or all are equal."""
    uses, lines = [], []
    rising = np.arange(4000, dtype=np.float32).reshape(1, 4000)
    for x in (rising, rising[:, ::-1], np.zeros_like(rising), rising // 100, rising.T):
        for largest in (False, True):
            op = TopK(int(x.shape[1] > 1), 170, largest)
            uses.append(use_of(ORDERING["topk"], node_of(op, x), x))
            lines.append(x)
    check(uses, lines, tmp_path, target)


@pytest.mark.parametrize("target", HERE)
def test_lines_across(target: str, tmp_path: Path) -> None:
    """Along each dimension, steps and flips."""
    uses, lines = [], []
    whole = with_ties("float32", 3500, 2, 3)
    for x, dim in (
        (whole, 0),
        (whole.transpose(2, 1, 0), 2),
        (whole.transpose(1, 0, 2)[:, ::-1, ::2], 1),
    ):
        for k in (140, 170):
            uses.append(use_of(ORDERING["topk"], node_of(TopK(dim, k), x), x))
            lines.append(x)
    check(uses, lines, tmp_path, target)


def test_few_are_not_sorted_whole() -> None:
    """The memory that is worked in grows with what is kept, not with the line."""
    sizes = []
    for n in (10_000, 1_000_000):
        x = np.zeros((1, n), np.float32)
        use = use_of(ORDERING["topk"], node_of(TopK(1, 200), x), x)
        sizes.append(sum(use.made("kernel", TARGETS[HERE[0]]).workspace))
    assert sizes[0] == sizes[1] < 20_000
