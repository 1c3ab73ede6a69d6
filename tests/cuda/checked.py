"""The kit's whole table by the checked build: ``python -m tests.cuda.checked``.

Every access is checked for bounds, alignment, races and memory that nobody wrote, and threads run
in a shuffled order; the values must be right as well. Types can be named: ``float32 bfloat16``.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence

from graphc.ir.dtype import DType, dtype_named
from graphc.testing.programs import check, expected, run_uses, use
from graphc.testing.table import Row, samples_of, table
from tests.cuda.emulated import EmulatedBackend

TYPES = ("float32", "float64", "float16", "bfloat16", "int32", "int64")
ORDER = 5
"""A seed of the order in which threads run."""


def faults(row: Row, dtype: DType) -> list[str]:
    """What is wrong with the kernels of a row in a type."""
    samples = samples_of(row.name, dtype.name)
    uses = [use(x, i) for i, x in enumerate(samples)]
    try:
        found = run_uses(EmulatedBackend(order=ORDER, check=True), uses)
        for sample, each, results in zip(samples, uses, found, strict=True):
            wanted = expected(row, sample, [x.dtype for x in each.results])
            for got, right in zip(results, wanted, strict=True):
                tolerance = row.tolerance_in(dtype)
                check(sample, got, right, tolerance, signed_zeros=row.signed_zeros)
    except Exception as error:
        return [f"{row.name} {dtype.name}: {error}"]
    return []


def main(names: Sequence[str]) -> int:
    wrong: list[str] = []
    for name in names or TYPES:
        dtype, begin = dtype_named(name), time.monotonic()
        rows = [x for x in table().values() if dtype in x.dtypes]
        for row in rows:
            new = faults(row, dtype)
            wrong += new
            print(*new, sep="\n", end="\n" if new else "")
        print(f"{name}: {len(rows)} rows, {time.monotonic() - begin:.0f} s", flush=True)
    return len(wrong)


if __name__ == "__main__":
    sys.exit(min(1, main(sys.argv[1:])))
