"""Which rows of scratch memory share one."""

from __future__ import annotations

from graphc.ir.dtype import DType, float32, float64
from graphc.lowering.kernel import Action, Axis, Keep, Kept, Kernel, Load, Sweep, Value
from graphc.lowering.scratch import shared


def kernel(rows: list[tuple[int, int, DType]], sweeps: int) -> Kernel:
    """Rows, each of which one sweep keeps and another, later one reads."""
    bodies: list[list[Action]] = [[] for _ in range(sweeps)]
    for row, (first, last, dtype) in enumerate(rows):
        value = Value(f"t{row}", dtype, False)
        bodies[first].append(Keep(value, row))
        bodies[last].append(Load(value, Kept(row)))
    found = tuple(Sweep((), tuple(body)) for body in bodies)
    return Kernel((Axis(8, False), Axis(8, True)), found, tuple(x[2] for x in rows))


def places(found: Kernel) -> dict[str, set[int]]:
    """For each value the rows that it is kept in, and read from."""
    made: dict[str, set[int]] = {}
    for sweep in found.sweeps:
        for x in sweep.body:
            if isinstance(x, Keep):
                made.setdefault(x.value.name, set()).add(x.scratch)
            elif isinstance(x, Load) and isinstance(x.source, Kept):
                made.setdefault(x.value.name, set()).add(x.source.scratch)
    return made


def test_a_row_is_free_after_its_last_reader() -> None:
    found = shared(kernel([(3, 4, float32), (2, 3, float32), (1, 2, float32), (0, 1, float32)], 5))
    assert found.scratch == (float32, float32)
    assert places(found) == {"t3": {0}, "t2": {1}, "t1": {0}, "t0": {1}}


def test_a_row_is_not_written_in_the_sweep_that_reads_it() -> None:
    found = shared(kernel([(0, 2, float32), (2, 3, float32), (1, 3, float32)], 4))
    assert len(found.scratch) == 3
    assert all(len(rows) == 1 for rows in places(found).values())


def test_rows_of_other_types_are_apart() -> None:
    found = shared(kernel([(0, 1, float32), (2, 3, float64), (2, 3, float32)], 4))
    assert places(found) == {"t0": {0}, "t1": {1}, "t2": {0}}
    assert found.scratch == (float32, float64)
