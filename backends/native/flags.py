"""How generated C is compiled."""

from __future__ import annotations

from collections.abc import Iterable

FLAGS = (
    "-std=gnu11",
    "-O3",
    "-fno-math-errno",
    "-fno-trapping-math",
    "-ffp-contract=fast",
    "-fwrapv",
    "-fopenmp-simd",
    "-fno-loop-unroll-and-jam",
)
"""Not -ffast-math: it would let the compiler reorder reductions and drop nan, and, linked into a
library, switch the whole process to flush-to-zero. ``-fopenmp-simd`` obeys ``#pragma omp simd`` and
links nothing. Loops are not unrolled and jammed, for which the lanes of totals would go to memory
and back."""
OF_GCC = ("-fno-loop-unroll-and-jam",)
"""Those of them that clang does not know, nor need."""


def known_to_clang(flags: Iterable[str]) -> list[str]:
    """The flags without those of gcc alone."""
    return [flag for flag in flags if flag not in OF_GCC]


SHARED = ("-shared", "-fPIC", "-pipe", "-w")
"""How a library is made. ``-pipe`` lets the assembler run beside the compiler; warnings are for
the tests, which ask for them."""

QUICK = ("-std=gnu11", "-O2")
"""How the library that programs share is compiled: it has no loops over numbers."""
