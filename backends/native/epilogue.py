"""What a product does with each finished block of its result, instead of storing it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Epilogue:
    """A C function that takes blocks of a product further.

    It is ``static inline void NAME_finish(long b, long i0, long i1, long j0, long j1, const T
    *block, long ld, PARAMETERS)``: ``block`` points at element (i0, j0) of entry b of the batch,
    and rows are ``ld`` elements apart.
    """

    text: str
    """The function."""
    parameters: tuple[str, ...]
    """C declarations of what the kernel's functions take for it, after the product's operands."""
    arguments: tuple[str, ...]
    """The names of these parameters."""
