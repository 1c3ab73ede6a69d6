"""Plain C loops over arrays, one for each scalar function, all in one file."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from graphc.backends.c_language.types import computed, is_low, load, store, stored
from graphc.backends.native.library import prelude, spelled
from graphc.backends.native.targets import TARGETS, Target, host
from graphc.ir.dtype import DType
from graphc.ir.node import Node, Op, make_input
from graphc.ir.types import TensorType
from tests.backends.native_alone import compiled

Array = np.ndarray[Any, np.dtype[Any]]
TESTED: tuple[Target, ...] = tuple(
    {x.name: x for x in (host(), TARGETS["avx2"], TARGETS["portable"])}.values()
    if host().name in ("avx512", "avx2")
    else {x.name: x for x in (host(), TARGETS["portable"])}.values()
)
"""The targets whose code this machine runs."""


def node_of(op: Op, *dtypes: DType) -> Node:
    """A use of ``op`` on operands of the given element types."""
    sources = [
        make_input(f"x{i}", TensorType((5,), dtype), requires_grad=False)
        for i, dtype in enumerate(dtypes)
    ]
    return op(*sources)


def loop(number: int, node: Node) -> tuple[str, frozenset[str]]:
    """The function ``loop_<number>`` that computes ``node`` for each element."""
    types = [x.dtype for x in node.inputs]
    names = [f"x{i}" for i in range(len(types))]
    text, helpers = spelled(node, names)
    for dtype in (*types, node.dtype):
        if is_low(dtype):
            helpers |= {f"widen_{dtype.name}", f"narrow_{dtype.name}"}
    parameters = [f"const {stored(t)} *restrict a{i}" for i, t in enumerate(types)]
    parameters.append(f"{stored(node.dtype)} *restrict out")
    arguments = ", ".join(f"p[{i}]" for i in range(len(parameters)))
    lines = [
        f"static void loop_{number}(long n, {', '.join(parameters)}) {{",
        "#pragma omp simd",
        "    for (long i = 0; i < n; i++) {",
        *(
            f"        const {computed(t)} x{i} = {load(t, f'a{i}[i]')};"
            for i, t in enumerate(types)
        ),
        f"        const {computed(node.dtype)} y = {text};",
        f"        {store(node.dtype, 'out[i]', 'y')}",
        "    }",
        "}",
        f"static void run_{number}(long n, void **p) {{ loop_{number}(n, {arguments}); }}",
    ]
    return "\n".join(lines), helpers


class Loops:
    """A compiled file of loops, by the nodes that they compute."""

    def __init__(self, nodes: Sequence[Node], folder: Path, target: Target) -> None:
        self.run = compiled(source(nodes), folder, target)
        self.nodes = nodes

    def __call__(self, number: int, *operands: Array) -> Array:
        """What the loop gives on arrays of one size."""
        result = np.empty(operands[0].shape, self.nodes[number].dtype.numpy)
        arrays = [*(np.ascontiguousarray(x) for x in operands), result]
        pointers = (ctypes.c_void_p * len(arrays))(*(x.ctypes.data for x in arrays))
        self.run(ctypes.c_long(number), ctypes.c_long(result.size), pointers)
        return result


def source(nodes: Sequence[Node]) -> str:
    """The file: the loops, and ``run`` that chooses one."""
    loops = [loop(i, node) for i, node in enumerate(nodes)]
    helpers = frozenset().union(*(x for _, x in loops))
    names = ", ".join(f"run_{i}" for i in range(len(nodes)))
    chosen = f"static void (*const loops[])(long, void **) = {{{names}}};"
    run = "void run(long which, long n, void **p) { loops[which](n, p); }"
    return "\n".join([prelude(helpers), *(text for text, _ in loops), chosen, run, ""])


REFERENCES = {
    "rsqrt": "1 / sqrtl(x)",
    "sigmoid": "1 / (1 + expl(-x))",
    "reciprocal": "1 / x",
    "pow": "powl(x, y)",
    "atan2": "atan2l(x, y)",
    "hypot": "hypotl(x, y)",
}
"""What C's library computes in ``long double``, where it is not the function of the same name."""


def references(names: Sequence[str]) -> str:
    """``run``, which computes functions of doubles in ``long double``: a double and the rest."""
    cases = "\n".join(
        f"    case {i}: for (long i = 0; i < n; i++) {{ {_reference(name)} }} break;"
        for i, name in enumerate(names)
    )
    operands = "const double *a, const double *b, double *high, double *low"
    opening = f"void run(long which, long n, {operands}) {{"
    return f"#include <math.h>\n{opening}\n    switch (which) {{\n{cases}\n    }}\n}}\n"


def _reference(name: str) -> str:
    value = REFERENCES.get(name, f"{name}l(x)")
    return (
        f"long double x = a[i], y = b[i], z = {value}; high[i] = z; low[i] = z - high[i]; (void)y;"
    )


def numbers(kind: type[np.floating[Any]], count: int, seed: int = 0) -> Array:
    """Numbers of all magnitudes, many where functions change, and those where things go wrong."""
    rng, info = np.random.default_rng(seed), np.finfo(kind)
    width = np.uint32 if kind is np.float32 else np.uint64
    parts = [rng.integers(0, np.iinfo(width).max, count, dtype=width).view(kind)]
    parts += [rng.uniform(-s, s, count).astype(kind) for s in (0.1, 1, 3, 10, 30, 100, 800)]
    near_one = 1 + rng.uniform(-1, 1, count) * 10.0 ** rng.uniform(-16, -0.3, count)
    parts += [near_one.astype(kind), rng.uniform(-750, -80, count).astype(kind)]
    limits = [info.max, info.tiny, info.smallest_subnormal, info.eps, np.inf, 0, 1, 2, 3, 0.5, 1e5]
    # Where the exponential functions overflow, become subnormal, and vanish.
    limits += [88.7, 88.72284, 87.4, 103.9, 104.1, 128, 149, 150, 126]
    limits += [709.78, 709.79, 708.4, 745.1, 745.2, 1023, 1024, 1074, 1075]
    special = np.array([np.nan, *limits], np.float64).clip(-info.max, info.max)
    special[[1, 5]] = info.max, np.inf
    found = np.concatenate([*parts, special.astype(kind), -special.astype(kind)])
    return np.where(np.isnan(found), kind(np.nan), found)


def pairs(kind: type[np.floating[Any]], count: int) -> tuple[Array, Array]:
    """Pairs of numbers: any with any, special ones with each other, bases with small exponents."""
    rng = np.random.default_rng(7)
    x, y = numbers(kind, count, 1), rng.permutation(numbers(kind, count, 2))
    special = x[-58:]
    first, second = np.meshgrid(special, special)
    base = rng.uniform(-4, 4, 2 * count).astype(kind)
    exponent = np.concatenate([rng.integers(-40, 41, count), rng.uniform(-30, 30, count)])
    base[count:] = np.abs(base[count:])
    return (
        np.concatenate([x, first.reshape(-1), base]),
        np.concatenate([y, second.reshape(-1), exponent.astype(kind)]),
    )


def errors(found: Array, high: Array, low: Array) -> Array:
    """How far results are from the exact ones, in units of the last place; infinite where a nan,
    an infinity or the sign of a zero is wrong."""
    kind = found.dtype.type
    with np.errstate(all="ignore"):
        wanted = high.astype(kind)
        unit = np.spacing(np.minimum(np.abs(wanted), np.finfo(kind).max)).astype(np.float64)
        apart = np.abs((found.astype(np.float64) - high) - low) / unit
        same = (found == wanted) & (np.signbit(found) == np.signbit(wanted))
        exact = ~np.isfinite(wanted) | ~np.isfinite(found) | (wanted == 0)
        apart = np.where(
            exact, np.where(same | np.isnan(found) & np.isnan(wanted), 0, np.inf), apart
        )
    return np.asarray(apart)
