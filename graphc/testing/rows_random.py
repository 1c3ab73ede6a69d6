"""Random numbers, by the words of Philox4x32-10 one after the other."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np

from graphc.ir.dtype import DType, float32, int64
from graphc.ir.node import Op
from graphc.ir.types import Shape
from graphc.ops import random as ops
from graphc.testing.operands import Array, Layout
from graphc.testing.table import EXACT, INTEGERS, SINGLES, Reference, Row, Sample, Tolerance, sample

OWN = "graphc's generator is its own: PyTorch draws other numbers from a seed"
ANGLES = Tolerance(
    "an angle and a radius, each rounded, through logarithm, root and cosine", 16, 32
)

STATES = ((0, 0), (42, 7), (2**40 + 3, 2**33 - 2), (-1, 5))
STATE_LAYOUTS: tuple[Layout, ...] = ("stepped", "flipped", "foreign")
SHAPES: tuple[Shape, ...] = ((), (7,), (3, 5), (0, 2), (1000,))


def philox(seed: int, counter: int) -> tuple[int, ...]:
    """The four words of a counter (J. Salmon et al., Parallel random numbers, SC11)."""
    low = 0xFFFFFFFF
    a, b, c, d = counter & low, counter >> 32, 0, 0
    key, other = seed & low, (seed >> 32) & low
    for _ in range(10):
        p, q = a * 0xD2511F53, c * 0xCD9E8D57
        a, b, c, d = (q >> 32) ^ b ^ key, q & low, (p >> 32) ^ d ^ other, p & low
        key, other = (key + 0x9E3779B9) & low, (other + 0xBB67AE85) & low
    return a, b, c, d


def words(op: ops.Draw, state: Array, count: int) -> list[int]:
    """The first ``count`` words that a draw takes."""
    seed, offset = (int(x) for x in state)
    begin = offset + op.offset
    found = [w for i in range(-(-count // 4)) for w in philox(seed, (begin + i) % 2**64)]
    return found[:count]


def _unit(high: int, low: int) -> float:
    """53 bits of two words as a number in [0, 1)."""
    return ((high >> 5) * 2**26 + (low >> 6)) * 2.0**-53


def uniform(op: ops.RandomUniform, state: Array) -> Array:
    """What is drawn in [0, 1)."""
    count = math.prod(op.shape)
    w = words(op, state, op.words * count)
    if op.dtype is float32:
        return np.array([(x >> 8) * 2.0**-24 for x in w]).reshape(op.shape)
    return np.array([_unit(*w[i : i + 2]) for i in range(0, len(w), 2)]).reshape(op.shape)


def _normal(op: ops.RandomNormal, state: Array) -> Array:
    """By Box and Muller, from pairs of uniform numbers."""
    count = math.prod(op.shape)
    pairs = -(-count // 2)
    w = words(op, state, 2 * op.words * pairs)
    if op.dtype is float32:
        units = [
            (((w[i] >> 8) + 1) * 2.0**-24, (w[i + 1] >> 8) * 2.0**-24) for i in range(0, len(w), 2)
        ]
    else:
        units = [(1 - _unit(*w[i : i + 2]), _unit(*w[i + 2 : i + 4])) for i in range(0, len(w), 4)]
    found = []
    for u, v in units:
        radius, angle = math.sqrt(-2 * math.log(u)), 2 * math.pi * v
        found += [radius * math.cos(angle), radius * math.sin(angle)]
    return np.array(found[:count], np.float64).reshape(op.shape)


def _integer(op: ops.RandomInteger, state: Array) -> Array:
    size = op.high - op.low
    w = words(op, state, op.words * math.prod(op.shape))
    if op.words == 1:
        found = [op.low + (x * size >> 32) for x in w]
    else:
        found = [op.low + (w[i] + (w[i + 1] << 32)) % size for i in range(0, len(w), 2)]
    return np.array(found, op.dtype.numpy).reshape(op.shape)


def _permutation(op: ops.RandomPermutation, state: Array) -> Array:
    w = words(op, state, 2 * math.prod(op.shape))
    keys = [w[i] + (w[i + 1] << 32) for i in range(0, len(w), 2)]
    order = sorted(range(len(keys)), key=keys.__getitem__)
    return np.array(order, op.dtype.numpy).reshape(op.shape)


def _advanced(op: ops.Advance, state: Array) -> Array:
    return np.array([state[0], state[1] + op.count])


def _draws(make: Callable[[Shape, DType, int], Op]) -> Callable[[DType], Iterator[Sample]]:
    def samples(dtype: DType) -> Iterator[Sample]:
        for number, state in enumerate(STATES):
            for shape in SHAPES:
                yield sample(make(shape, dtype, number % 3), np.array(state))
        for layout in STATE_LAYOUTS:
            yield sample(make((7,), dtype, 0), np.array(STATES[1]), layout=layout)

    return samples


def _integers(dtype: DType) -> Iterator[Sample]:
    ranges = [(0, 10), (3, 4), (0, 100)]
    if dtype.is_signed:
        ranges.append((-5, 6))
    if dtype is int64:
        ranges += [(-(2**40), 2**41), (0, 2**32)]
    for low, high in ranges:
        for state in STATES:
            yield sample(ops.RandomInteger((9,), dtype, 1, low, high), np.array(state))
    for layout in STATE_LAYOUTS:
        yield sample(ops.RandomInteger((9,), dtype, 0, 0, 9), np.array(STATES[1]), layout=layout)
    yield sample(ops.RandomInteger((2, 3), dtype, 0, 0, 2), np.array(STATES[1]))


def _permutations(dtype: DType) -> Iterator[Sample]:
    for number, size in enumerate((0, 1, 5, 100)):
        yield sample(ops.RandomPermutation((size,), dtype, number), np.array(STATES[1]))
    for layout in STATE_LAYOUTS:
        yield sample(ops.RandomPermutation((9,), dtype, 0), np.array(STATES[1]), layout=layout)


def _advances(dtype: DType) -> Iterator[Sample]:
    for count, state in enumerate(STATES):
        yield sample(ops.Advance(count), np.array(state))
    for layout in STATE_LAYOUTS:
        yield sample(ops.Advance(5), np.array(STATES[1]), layout=layout)


def _row(name: str, dtypes: tuple[DType, ...], samples: Callable[[DType], Iterator[Sample]],
         reference: Reference, tolerance: Tolerance = EXACT) -> Row:  # fmt: skip
    return Row(name, dtypes, samples, reference, None, tolerance, own=OWN)


ROWS = (
    _row("advance", (int64,), _advances, _advanced),
    _row("random_uniform", SINGLES, _draws(ops.RandomUniform), uniform),
    _row("random_normal", SINGLES, _draws(ops.RandomNormal), _normal, ANGLES),
    _row("random_integer", INTEGERS, _integers, _integer),
    _row("random_permutation", (int64,), _permutations, _permutation),
)
