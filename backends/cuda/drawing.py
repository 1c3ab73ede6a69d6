"""Random numbers from Philox4x32-10: every backend draws the same words from one state.

The key is the seed. A counter of 64 bits stands for four words; word i of a draw is word i mod 4 of
counter offset + i div 4.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

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


def _unit32(word: str) -> str:
    return f"(float)(int32_t)({word} >> 8) * 0x1p-24f"


def _unit64(high: str, low: str) -> str:
    return f"((double)(int32_t)({high} >> 5) * 0x1p26 + (double)(int32_t)({low} >> 6)) * 0x1p-53"


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
    if op.dtype is float32:
        _drawn(cells, [_unit32(word) for word in "abcd"], "float")
    else:
        _drawn(cells, [_unit64("a", "b"), _unit64("c", "d")], "double")
    return cells.made()


def random_normal(name: str, setting: Setting) -> Made:
    """Numbers of mean zero and variance one, by Box and Muller."""
    op, cells = setting.node.op, Cells(name, setting)
    assert isinstance(op, RandomFloat)
    turn = 2 * math.pi
    values = []
    if op.dtype is float32:
        angle = f"{float(float32.numpy.type(turn * 2**-24)).hex()}f"
        for u, v in ("ab", "cd"):
            radius = f"sqrtf(-2 * logf(((float)(int32_t)({u} >> 8) + 1) * 0x1p-24f))"
            around = f"(float)(int32_t)({v} >> 8) * {angle}"
            values += [f"{radius} * cosf({around})", f"{radius} * sinf({around})"]
        _drawn(cells, values, "float")
    else:
        radius = f"sqrt(-2 * log(1 - {_unit64('a', 'b')}))"
        around = f"{_unit64('c', 'd')} * {turn!r}"
        _drawn(cells, [f"{radius} * cos({around})", f"{radius} * sin({around})"], "double")
    return cells.made()


def random_integer(name: str, setting: Setting) -> Made:
    """Integers in [low, high)."""
    op, cells = setting.node.op, Cells(name, setting)
    assert isinstance(op, RandomInteger)
    size, kind = op.high - op.low, stored(op.dtype)
    low = f" + UINT64_C({op.low % 2**64})" if op.low else ""
    if op.words == 1:
        found = [f"(UINT64_C({size}) * {word} >> 32)" for word in "abcd"]
    else:
        found = [f"({a} | (uint64_t){b} << 32)" for a, b in ("ab", "cd")]
        found = [f"{x} % UINT64_C({size})" if size < 2**64 else x for x in found]
    _drawn(cells, [f"({kind})(int64_t)({x}{low})" for x in found], kind)
    return cells.made()


def random_permutation(name: str, setting: Setting) -> Made:
    """0 to n - 1 in the stable order of random keys: each key finds how many are before it."""
    op, y, cells = setting.node.op, setting.results[0], Cells(name, setting)
    assert isinstance(op, RandomPermutation)
    (size,) = y.shape
    cells.space("keys", "uint64_t", 8 * size)
    values = [f"{a} | (uint64_t){b} << 32" for a, b in ("ab", "cd")]
    _drawn(cells, values, "uint64_t", target="keys", suffix="_keys")
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
