"""The shared functions of a generated program: those that its kernels call, and what these need."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache

from graphc.backends.c_language.functions import (
    SMALL_ROTATIONS,
    Function,
    each_type,
    integers,
    ordered,
)
from graphc.backends.c_language.spelling import scalar
from graphc.backends.c_language.statements import combined
from graphc.backends.c_language.types import computed
from graphc.ir.dtype import DTYPES
from graphc.ir.node import Node
from graphc.kernels_templates import render, render_block

STATIC = "static __device__"
KINDS: tuple[Mapping[str, object], ...] = (
    {"t": "float", "f": "f", "static": STATIC, "bits": 32, "one": "1.0f"},
    {"t": "double", "f": "", "static": STATIC, "bits": 64, "one": "1.0"},
)
LIBM = (
    *("exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "sqrt", "sin", "cos", "tan"),
    *("asin", "acos", "atan", "sinh", "cosh", "tanh", "asinh", "acosh", "atanh", "erf", "erfc"),
)
TENSOR_CORES = (
    *("swizzled", "async_copy", "async_commit", "async_wait", "load_matrices"),
    *("load_turned_matrices", "multiply_tf32", "round_tf32"),
)
WARPGROUPS = (
    *("tile_descriptor", "async_fence", "barrier_init", "barrier_expect"),
    *("barrier_wait", "bulk_copy", "warpgroup_arrive", "warpgroup_commit", "warpgroup_wait"),
    "warpgroup_settled",
)
GROUPED = (
    ("float16", "f16", "__half", 16),
    ("bfloat16", "bf16", "__nv_bfloat16", 16),
    ("tf32", "tf32", "float", 8),
)
COLUMNS = (64, 128, 192, 256)
"""Those of a warpgroup's multiplications."""
CALLED = re.compile(r"[A-Za-z_]\w*(?=[(<])")


def _all() -> Iterator[tuple[str, Function]]:
    for template, blocks in MATRICES.items():
        for name in blocks.split():
            yield name, Function(f"{template}.cu.j2", name)
    for name in SMALL_ROTATIONS:
        yield name, Function("small_rotations.c.j2", name, {"static": STATIC})
    for name in ("bits_of_float", "float_of_bits", "bits_of_double", "double_of_bits"):
        yield name, Function("low_precision.cu.j2", name)
    for kind in ("float16", "bfloat16"):
        for name in ("widen", "narrow", "round"):
            yield f"{name}_{kind}", Function("low_precision.cu.j2", f"{name}_{kind}")
        yield f"nextafter_{kind}", Function("low_precision.cu.j2", "nextafter", {"t": kind})
    yield from each_type(
        "math_basic.c.j2",
        "maximum minimum fmax fmin abs sign signbit floor ceil trunc round relu copysign "
        "floor_divide remainder fmod nextafter logaddexp int32_of int64_of",
        KINDS,
    )
    yield from each_type("math.cu.j2", "sigmoid reciprocal_near_one rsqrt hypot lgamma", KINDS)
    yield from each_type("math_special.c.j2", "erfinv digamma", KINDS)
    yield from each_type(
        "math_integer.c.j2",
        "maximum minimum abs sign pow floor_divide remainder fmod gcd shift_left shift_right",
        integers(wraps=False),
    )
    for names, block in ((LIBM, "unary"), (("pow", "atan2"), "binary")):
        for name in names:
            for types in KINDS:
                facts = {**types, "name": name}
                yield f"{name}_{types['t']}", Function("math_libm.c.j2", block, facts)
    for block in TENSOR_CORES:
        yield block, Function("tensor_cores.cu.j2", block)
    for block in WARPGROUPS:
        yield block, Function("warpgroups.cu.j2", block)
    for columns in COLUMNS:
        for t, ptx, on_cpu, deep in GROUPED:
            facts = {"t": t, "ptx": ptx, "on_cpu": on_cpu, "columns": columns, "deep": deep}
            yield f"multiply_{t}_{columns}", Function("warpgroups.cu.j2", "multiply", facts)
    for t, ptx, on_cpu in (("float16", "f16", "__half"), ("bfloat16", "bf16", "__nv_bfloat16")):
        facts = {"t": t, "ptx": ptx, "on_cpu": on_cpu}
        yield f"multiply_{t}", Function("tensor_cores.cu.j2", "multiply_low", facts)
        yield f"pair_{t}", Function("tensor_cores.cu.j2", "pair", facts)


MATRICES = {
    "elimination": "pivot_row lu_factor lu_solve cholesky_factor solve_lower solve_upper",
    "householder": "dot length_without reflection reflect qr_factor qr_columns brought_in_range "
    "set_ones turn_rows put_in_order",
    "symmetric_eigen": "tridiagonal shifted_turns next_eigen_turns symmetric_eigen",
    "singular_values": "bidiagonal singular_turns next_singular_turns bidiagonal_singular "
    "bidiagonal_vectors singular_vectors singular_vectors_by_qr",
}
"""The blocks of each template of functions on matrices."""
HELPERS = {"fail": "fail.cu.j2", "philox": "philox.cu.j2"}
"""Helpers that have a template of their own."""


def _reductions() -> Iterator[tuple[str, Function]]:
    """The functions that make one total, or one place, of those of several threads."""
    for dtype in DTYPES:
        for op in ("sum", "prod", "max", "min", "any", "all"):
            kind = computed(dtype)
            statement = combined(op, dtype, "x", "y", wraps=False)
            for form in ("rows", "columns"):
                name = f"{op}_of_{form}_{kind}"
                facts = {"name": name, "kind": kind, "statement": statement}
                yield name, Function("reduced.cu.j2", form, facts)
        for op, sign in (("max", "<="), ("min", ">=")):
            for block in ("above", "before", "place_of_rows", "place_of_columns"):
                about = {"op": op, "kind": kind, "sign": sign}
                yield f"{op}_{block}_{kind}", Function("reduced.cu.j2", block, about)


FUNCTIONS = {**dict(_reductions()), **dict(_all())}


def spelled(node: Node, operands: Sequence[str]) -> tuple[str, frozenset[str]]:
    """The expression of an elementwise primitive, and the shared functions that it calls."""
    return scalar("cuda", FUNCTIONS.keys(), node, operands, wraps=False)


def prelude(helpers: Iterable[str]) -> str:
    """The beginning of a generated file: types and the helpers needed, in order."""
    texts = ordered(helpers, helper, _needs)
    return "\n".join([render("_types.cu.j2"), *dict.fromkeys(texts)])


def _needs(_: str, text: str) -> list[str]:
    """The helpers that a text calls."""
    return [x for x in CALLED.findall(text) if x in FUNCTIONS]


@cache
def helper(name: str) -> str:
    """The text of one helper."""
    if name in HELPERS:
        return render(HELPERS[name])
    function = FUNCTIONS[name]
    return render_block(function.template, function.block, **function.variables)
