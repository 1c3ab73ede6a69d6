"""Random numbers from Philox4x32-10: every backend draws the same words from one state.

The key is the seed. A counter of 64 bits stands for four words; word i of a draw is word i mod 4 of
counter offset + i div 4.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from graphc.backends.c_language.random_words import KEYS, integers, polar, uniform
from graphc.backends.c_language.types import stored
from graphc.backends.cuda.cells import Cells, spelled
from graphc.backends.cuda.made import Made, Maker, Setting
from graphc.ir.dtype import float32
from graphc.ops.random import (
    Advance,
    Draw,
    RandomFloat,
    RandomInteger,
    RandomNormal,
    RandomPermutation,
    RandomUniform,
)


def _drawn(
    cells: Cells, values: Sequence[str], kind: str, *, target: str = "out0", suffix: str = ""
) -> None:
    """A thread for each counter, which makes several elements of its four words."""
    op, state = cells.setting.node.op, cells.setting.operands[0]
    assert isinstance(op, Draw)
    count, each = math.prod(op.shape), len(values)
    cells.helpers.add("philox")
    start = f"(uint64_t)a0[{state.strides[0]}] + {op.offset}"
    lines = [f"const words w = philox({start} + (uint64_t)at, (uint64_t)a0[0]);"]
    lines.append("const uint32_t a = w.a, b = w.b, c = w.c, d = w.d;")
    lines.append(f"const {kind} values[{each}] = {{{', '.join(values)}}};")
    lines.append(f"for (int i = 0; i < {each}; i++) {{")
    guard = f"if ({each} * at + i < {count}) " if count % each else ""
    lines += [f"    {guard}{target}[{each} * at + i] = values[i];", "}"]
    summary = f"{spelled(op.shape)} numbers, {each} of each counter"
    cells.add(summary, -(-count // each), lines, suffix=suffix)


def random_uniform(name: str, setting: Setting) -> Made:
    """Numbers in [0, 1), of 24 or 53 random bits."""
    op, cells = setting.node.op, Cells(name, setting)
    assert isinstance(op, RandomFloat)
    _drawn(cells, uniform(op.dtype), stored(op.dtype))
    return cells.made()


def random_normal(name: str, setting: Setting) -> Made:
    """Numbers of mean zero and variance one, by Box and Muller."""
    op, cells = setting.node.op, Cells(name, setting)
    assert isinstance(op, RandomFloat)
    values, f = [], "f" if op.dtype is float32 else ""
    for u, angle in polar(op.dtype):
        radius = f"sqrt{f}(-2 * log{f}({u}))"
        values += [f"{radius} * cos{f}({angle})", f"{radius} * sin{f}({angle})"]
    _drawn(cells, values, stored(op.dtype))
    return cells.made()


def random_integer(name: str, setting: Setting) -> Made:
    """Integers in [low, high)."""
    op, cells = setting.node.op, Cells(name, setting)
    assert isinstance(op, RandomInteger)
    _drawn(cells, integers(op), stored(op.dtype))
    return cells.made()


def random_permutation(name: str, setting: Setting) -> Made:
    """0 to n - 1 in the stable order of random keys: each key finds how many are before it."""
    op, y, cells = setting.node.op, setting.results[0], Cells(name, setting)
    assert isinstance(op, RandomPermutation)
    (size,) = y.shape
    cells.space("keys", "uint64_t", 8 * size)
    _drawn(cells, KEYS, "uint64_t", target="keys", suffix="_keys")
    lines = ["long rank = 0;", f"for (long k = 0; k < {size}; k++) {{"]
    lines.append("    rank += keys[k] < keys[at] || (keys[k] == keys[at] && k < at);")
    lines += ["}", f"out0[rank] = ({stored(y.dtype)})at;"]
    cells.add(f"0 to {size - 1} in the order of their keys", size, lines)
    return cells.made()


def advance(name: str, setting: Setting) -> Made:
    """The state after counters more."""
    op, state, cells = setting.node.op, setting.operands[0], Cells(name, setting)
    assert isinstance(op, Advance)
    value = f"(int64_t)((uint64_t)a0[{state.strides[0]}] + {op.count})"
    lines = ["out0[0] = a0[0];", f"out0[1] = {value};"]
    cells.add(f"The seed, and the offset after {op.count} counters more", 1, lines)
    return cells.made()


DRAWING: dict[str, Maker] = {
    RandomUniform.name: random_uniform,
    RandomNormal.name: random_normal,
    RandomInteger.name: random_integer,
    RandomPermutation.name: random_permutation,
    Advance.name: advance,
}
"""By the op's name."""
