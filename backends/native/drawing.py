"""Random numbers from Philox4x32-10: every backend draws the same words from one state.

The key is the seed. A counter of 64 bits stands for four words; word i of a draw is word i mod 4 of
counter offset + i div 4.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from graphc.backends.c_language.random_words import KEYS, integers, polar, uniform
from graphc.backends.c_language.types import stored
from graphc.backends.native.copying import NOTHING, Axis, Pointer, cut, function, pointers
from graphc.backends.native.made import Made, Maker, Setting, Stage
from graphc.backends.native.radix import Arrays
from graphc.ir.dtype import float32
from graphc.kernels_templates import render
from graphc.ops.random import (
    Advance,
    Draw,
    RandomFloat,
    RandomInteger,
    RandomNormal,
    RandomPermutation,
    RandomUniform,
)

BLOCK = 64
"""Counters that are done together."""
COST = 4
"""About how many loads and additions an element takes."""


@dataclass(frozen=True)
class Stream:
    """What is made of the words."""

    kind: str
    """The C type of an element."""
    values: Sequence[str]
    """The elements of a counter, of its words a, b, c and d."""
    summary: str
    pairs: Sequence[str] = ()
    """Statements that make elements i and i + 1 of two of these."""
    helpers: frozenset[str] = frozenset()

    def text(
        self, name: str, setting: Setting, count: int, parameters: Sequence[str]
    ) -> tuple[str, int]:
        """The function that draws ``count`` elements, and its tasks."""
        op, state = setting.node.op, setting.operands[0]
        assert isinstance(op, Draw)
        each = len(self.values)
        counters = -(-count // each)
        block = min(BLOCK, max(8, 1 << (counters - 1).bit_length()))
        blocks = -(-counters // block)
        part = cut([Axis(blocks, (0,))], setting.threads, COST * block * each)
        text = render(
            "philox.c.j2",
            name=name,
            summary=self.summary,
            parameters=parameters,
            opening=part.lines if part else [],
            step=state.strides[0],
            offset=op.offset,
            kind=self.kind,
            block=block,
            each=each,
            values=self.values,
            pairs=self.pairs,
            count=count,
            first="low" if part else "0",
            last="high" if part else str(blocks),
        )
        return text, part.tasks if part else 1


def _drawn(name: str, setting: Setting, stream: Stream) -> Made:
    """The kernel that fills its result."""
    y = setting.results[0]
    if 0 in y.shape:
        return NOTHING
    assert y.is_contiguous, "random numbers are drawn in C order"
    text, tasks = stream.text(name, setting, math.prod(y.shape), pointers(setting, "state"))
    return Made(text, (Stage(name, tasks),), helpers=stream.helpers)


def random_uniform(name: str, setting: Setting) -> Made:
    """Numbers in [0, 1), of 24 or 53 random bits."""
    op = setting.node.op
    assert isinstance(op, RandomFloat)
    if op.dtype is float32:
        summary = "Numbers in [0, 1): element i is (word i >> 8) / 2^24."
        return _drawn(name, setting, Stream("float", uniform(op.dtype), summary))
    summary = "Numbers in [0, 1), of 27 bits of word 2i and 26 bits of word 2i + 1."
    return _drawn(name, setting, Stream("double", uniform(op.dtype), summary))


def random_normal(name: str, setting: Setting) -> Made:
    """Numbers of mean zero and variance one, by Box and Muller."""
    op = setting.node.op
    assert isinstance(op, RandomFloat)
    kind, suffix = ("float", "f") if op.dtype is float32 else ("double", "")
    values = [text for pair in polar(op.dtype) for text in pair]
    called = [f"{name}_{kind}" for name in ("log", "cos", "sin")]
    pairs = [
        f"const {kind} radius = __builtin_sqrt{suffix}(-2 * {called[0]}(y[i])), angle = y[i + 1];",
        f"y[i] = radius * {called[1]}(angle);",
        f"y[i + 1] = radius * {called[2]}(angle);",
    ]
    summary = "Normal numbers: of each pair u, v of uniform ones, sqrt(-2 log u) cos v and sin v."
    return _drawn(name, setting, Stream(kind, values, summary, pairs, frozenset(called)))


def random_integer(name: str, setting: Setting) -> Made:
    """Integers in [low, high)."""
    op = setting.node.op
    assert isinstance(op, RandomInteger)
    size = op.high - op.low
    how = f"word i * {size} >> 32" if op.words == 1 else f"(word 2i + 2^32 word 2i + 1) mod {size}"
    summary = f"Integers in [{op.low}, {op.high}): element i is {op.low} + {how}."
    return _drawn(name, setting, Stream(stored(op.dtype), integers(op), summary))


def random_permutation(name: str, setting: Setting) -> Made:
    """0 to n - 1 in the stable order of random keys."""
    op, y = setting.node.op, setting.results[0]
    assert isinstance(op, RandomPermutation)
    if 0 in y.shape:
        return NOTHING
    (size,) = y.shape
    arrays = Arrays(size, 32)
    keys = Stream("uint64_t", KEYS, f"{size} keys: word 2i + 2^32 word 2i + 1.")
    state = "const int64_t *restrict state"
    result, kind = f"{stored(y.dtype)} *restrict", stored(y.dtype)
    work = "unsigned char *restrict work"
    drawing = [state, f"{result} result", "uint64_t *restrict y", work]
    text, tasks = keys.text(f"{name}_keys", setting, size, drawing)
    step = y.strides[0] if size > 1 else 1
    text += "\n" + render(
        "permutation.c.j2",
        name=name,
        summary=f"0 to {size - 1} in the order of their keys.",
        parameters=[state, f"{result} y", "uint64_t *restrict drawn", work],
        opening=arrays.lines("work"),
        size=size,
        kind=kind,
        target=Pointer("y").moved(step, "i").element,
    )
    stages = (Stage(f"{name}_keys", tasks), Stage(name, 1))
    return Made(text, stages, (size * 8, arrays.nbytes), helpers=frozenset({"ordered_32"}))


def advance(name: str, setting: Setting) -> Made:
    """The state after counters more."""
    op, (state,), y = setting.node.op, setting.operands, setting.results[0]
    assert isinstance(op, Advance)
    text = function(
        name,
        f"The seed, and the offset after {op.count} counters more, modulo 2^64.",
        pointers(setting, "state"),
        [],
        [
            "    y[0] = state[0];",
            f"    y[{y.strides[0]}] = (int64_t)((uint64_t)state[{state.strides[0]}] + {op.count});",
        ],
    )
    return Made(text, (Stage(name, 1),))


DRAWING: dict[str, Maker] = {
    RandomUniform.name: random_uniform,
    RandomNormal.name: random_normal,
    RandomInteger.name: random_integer,
    RandomPermutation.name: random_permutation,
    Advance.name: advance,
}
"""By the op's name."""
