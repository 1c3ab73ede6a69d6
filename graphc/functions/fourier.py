"""Discrete Fourier transforms: products with small matrices, stage by stage.

A transform of length n = a · b is one of length a over columns, a multiplication by powers of the
root of unity, and one of length b over rows. One of a long prime length is a convolution with a
chirp (Bluestein), by transforms of a power of two.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from graphc.errors import GraphcRuntimeError
from graphc.ir.dtype import complex_type
from graphc.ir.node import Node, cast
from graphc.ops.complex import Complex, conjugate
from graphc.ops.function import function
from graphc.ops.matmul import MatMul
from graphc.ops.movement import Pad, Slice, permute, reshape

RADIX = 32
"""The longest stage of a transform whose length has several factors."""
DIRECT = 64
"""The longest transform that is one product with a matrix, however its length factors."""

Array = np.ndarray[Any, np.dtype[np.complex128]]


@dataclass(frozen=True)
class Plan:
    """How a transform of one length is done: by a matrix, by two shorter ones, or by a chirp."""

    length: int
    first: int = 0
    """The length of the first of two stages; 0 where there is one."""
    padded: int = 0
    """The length of the convolution with a chirp; 0 where there is none."""


@cache
def plan_of(length: int) -> Plan:
    """How a transform of this length is done."""
    if length <= RADIX:
        return Plan(length)
    most = max(d for d in range(1, RADIX + 1) if length % d == 0)
    if most > 1 and (length > DIRECT or length // most <= RADIX):
        return Plan(length, first=_balanced(length, most))
    if length <= DIRECT:
        return Plan(length)
    return Plan(length, padded=1 << (2 * length - 2).bit_length())


def _balanced(length: int, most: int) -> int:
    """The first stage's length: there are as few stages as there can be, of like length."""
    stages, rest = 1, length
    while rest > RADIX and stages < 64:
        rest, stages = -(-rest // most), stages + 1
    ideal = length ** (1 / stages)
    divisors = [d for d in range(2, most + 1) if length % d == 0]
    return min(divisors, key=lambda d: (d < ideal * 0.999, abs(d - ideal)))


def _roots(length: int, powers: Any) -> Array:
    """exp(-2πi · powers / length), of powers reduced first so that none is lost to rounding."""
    turns = (powers % length) / length
    found: Array = np.exp(-2j * np.pi * turns)
    return found


@cache
def tables_of(length: int) -> tuple[Array, ...]:
    """What a transform of this length multiplies by, in the order in which it is read."""
    plan = plan_of(length)
    if plan.padded:
        return _chirp_tables(length, plan.padded)
    if not plan.first:
        index = np.arange(length)
        return (_roots(length, np.outer(index, index)),)
    a, b = plan.first, length // plan.first
    columns = np.arange(a)
    twiddles = _roots(length, np.outer(columns, np.arange(b)))
    return (_roots(a, np.outer(columns, columns)), twiddles, *tables_of(b))


def _chirp_tables(length: int, padded: int) -> tuple[Array, ...]:
    index = np.arange(length, dtype=np.int64)
    chirp = _roots(2 * length, index * index)
    kernel = np.zeros(padded, np.complex128)
    kernel[:length] = chirp.conj()
    kernel[padded - length + 1 :] = chirp.conj()[:0:-1]
    return (chirp, np.fft.fft(kernel) / padded, *tables_of(padded))


def _along_last(x: Node, length: int, tables: Iterator[Node]) -> Node:
    """The transform along the last axis."""
    plan = plan_of(length)
    if plan.padded:
        return _by_chirp(x, plan, list(tables))
    if not plan.first:
        return MatMul()(x, next(tables))
    a, b, lead = plan.first, length // plan.first, x.shape[:-1]
    matrix, twiddles = next(tables), next(tables)
    rows = MatMul()(matrix, reshape(x, (*lead, a, b))) * twiddles
    rows = _along_last(rows, b, tables)
    order = (*range(len(lead)), len(lead) + 1, len(lead))
    return reshape(permute(rows, order), (*lead, length))


def _by_chirp(x: Node, plan: Plan, tables: Sequence[Node]) -> Node:
    """Bluestein's convolution; its inverse transform is a transform of conjugates."""
    chirp, kernel, *rest = tables
    none, count = (0,) * (x.rank - 1), plan.padded - plan.length
    wide = Pad((*none, 0), (*none, count), 0.0)(x * chirp)
    product = _along_last(wide, plan.padded, iter(rest)) * kernel
    back = conjugate(_along_last(conjugate(product), plan.padded, iter(rest)))
    cut = Slice((0,) * x.rank, (*x.shape[:-1], plan.length), (1,) * x.rank)
    return cut(back) * chirp


@function(method=False, namespace=False, grad_name="FftC2CBackward0")
def fourier(input: Node, re: Sequence[Node], im: Sequence[Node], dim: int, scale: float) -> Node:
    """The transform along ``dim``, times ``scale``.

    ``re`` and ``im`` are the parts of ``tables_of`` its extent; the inverse takes the conjugates.
    """
    extent = input.shape[dim]
    if not extent:
        raise GraphcRuntimeError(f"Invalid number of data points ({extent}) specified")
    tables = [Complex()(a, b) for a, b in zip(re, im, strict=True)]
    last = input.rank - 1
    order = (*(d for d in range(input.rank) if d != dim), dim)
    x = permute(cast(input, complex_type(input.dtype)), order)
    rows = x if x.rank > 1 else reshape(x, (1, extent))
    made = reshape(_along_last(rows, extent, iter(tables)), x.shape)
    if scale != 1.0:
        made = made * scale
    return permute(made, (*range(dim), last, *range(dim, last)))
