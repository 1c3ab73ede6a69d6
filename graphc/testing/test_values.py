"""The value of every op, on every sample, against its reference."""

from __future__ import annotations

from graphc.backend import Backend
from graphc.ir.dtype import DType
from graphc.testing.programs import check, expected, run_uses, use
from graphc.testing.table import Row, samples_of


def test_value(case: tuple[Row, DType], backend: Backend) -> None:
    """All samples of one type are computed by one program."""
    row, dtype = case
    uses = [use(x, i) for i, x in enumerate(samples_of(row.name, dtype.name))]
    for each, found in zip(uses, run_uses(backend, uses), strict=True):
        wanted = expected(row, each.sample, [x.dtype for x in each.results])
        for got, right in zip(found, wanted, strict=True):
            tolerance = row.tolerance_in(dtype)
            check(each.sample, got, right, tolerance, signed_zeros=row.signed_zeros)
