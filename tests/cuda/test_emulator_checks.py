"""The emulator names what kernels do wrong, and says nothing of tricky ones that are right."""

from __future__ import annotations

import shutil
from functools import cache
from typing import Any

import numpy as np
import pytest

from tests.cuda.emulation import KernelError, Module
from tests.cuda.translation import COMPILER

pytestmark = pytest.mark.skipif(not shutil.which(COMPILER), reason="there is no g++")

# Each is the body of a kernel of 64 threads in `blocks` blocks: p and q have 128 numbers each, n is
# 128, i the number of the thread in its block, g that in the grid. Beside it is what is said.
WRONG: dict[str, tuple[int, str, str]] = {
    "read past a buffer": (1, "p[i] = q[i + n];", "out of bounds: read"),
    "read before a buffer": (1, "p[i] = q[i - 1];", "out of bounds: read"),
    "write past a buffer": (2, "p[g + 1] = 1;", "out of bounds: write"),
    "write before a buffer": (1, "p[i - 64] = 1;", "out of bounds: write"),
    "vector read across an end": (
        1,
        "if (!i) p[0] = reinterpret_cast<const float4 *>(q + n - 2)->w;",
        "out of bounds: read|misaligned",
    ),
    "atomic past a buffer": (1, "if (!i) atomicAdd(p + n, 1.0f);", "out of bounds: write"),
    "read past shared memory": (
        1,
        "__shared__ float s[64]; s[i] = 1; __syncthreads(); const float *t = s; p[i] = t[i + 1];",
        "out of bounds: read.*shared",
    ),
    "write past shared memory": (
        1,
        "__shared__ float s[64]; float *t = s; t[i + 1] = 1; p[i] = 1;",
        "out of bounds: write.*shared",
    ),
    "read before shared memory": (
        1,
        # Not the first array: before that there may be no memory at all.
        "__shared__ float r[64]; __shared__ float s[64];\n"
        "r[i] = s[i] = 1; __syncthreads(); const float *t = s; p[i] = t[i - 1];",
        "out of bounds: read.*shared",
    ),
    "past a row, inside the array": (
        1,
        "__shared__ float s[8][8]; s[i / 8][i % 8 + (i == 9 ? 8 : 0)] = 1; p[i] = 1;",
        "index: outside",
    ),
    "past dynamic shared memory": (
        1,
        "extern __shared__ float d[]; d[i + 1] = 1; p[i] = 1;",
        "out of bounds: write.*shared",
    ),
    "barrier missing": (
        1,
        "__shared__ float s[64]; s[i] = 1; p[i] = s[63 - i];",
        "race: |uninitialised: ",
    ),
    "barrier missing between uses": (
        1,
        "__shared__ float s[64]; s[i] = 1; __syncthreads(); p[i] = s[63 - i]; s[i] = 2;",
        "race: write of shared",
    ),
    "syncwarp missing": (
        1,
        "__shared__ float s[64]; s[i] = 1; p[i] = s[i ^ 1];",
        "race: |uninitialised: ",
    ),
    "syncwarp missing after others read": (
        1,
        "__shared__ float s[2]; int w = i / 32, l = i % 32; if (!l) s[w] = 1; __syncwarp();"
        " float v = s[w]; if (l == 31) s[w] = s[w] + 1; p[i] = v;",
        "race: ",
    ),
    "syncwarp where a barrier is needed": (
        1,
        "__shared__ float s[64]; s[i] = 1; __syncwarp(); p[i] = s[63 - i];",
        "race: |uninitialised: ",
    ),
    "a warp reads what another may write": (
        1,
        "__shared__ float s[1]; if (!i) s[0] = 1; __syncthreads(); p[i] = s[0]; __syncwarp();"
        " if (i == 63) s[0] = 2;",
        "race: write of shared",
    ),
    "threads write one place": (1, "p[i / 2] = i;", "race: write of global"),
    "blocks write one place": (2, "p[i] = blockIdx.x;", "race: write of global"),
    "in place across blocks": (
        2,
        "float v = p[(g + 1) % n]; __syncthreads(); p[g] = v;",
        "race: ",
    ),
    "sum without an atomic": (1, "*p += 1;", "race: "),
    "atomic and plain access": (1, "atomicAdd(p, 1.0f); q[i] = *p;", "race: "),
    "shared memory nobody wrote": (
        1,
        "__shared__ float s[64]; if (i < 63) s[i] = 1; __syncthreads(); p[i] = s[i];",
        "uninitialised: read of shared",
    ),
    "barrier in one branch": (
        1,
        "if (i < 32) __syncthreads();\n p[i] = 1; __syncthreads(); p[i] = 2;",
        "barrier divergence|deadlock",
    ),
    "different barriers": (
        1,
        "if (i < 32) { __syncthreads(); }\n else { __syncthreads(); }\n p[i] = 1;",
        "barrier divergence",
    ),
    "barrier and shuffle": (
        1,
        "if (i & 1) __syncthreads(); else p[i] = __shfl_sync(~0u, 1.0f, 0);",
        "divergence",
    ),
    "lanes have ended": (
        1,
        "if (i >= 40) return; p[i] = __shfl_down_sync(~0u, 1.0f, 1);",
        "deadlock|have ended",
    ),
    "lane skips a shuffle": (
        1,
        "float v = 1; if (i % 32) for (int d = 16; d; d /= 2) v += __shfl_xor_sync(~0u, v, d);"
        " p[i] = v;",
        "deadlock|divergence|have ended",
    ),
    "lane not in the mask": (
        1,
        "p[i] = __shfl_xor_sync(0xffffu, 1.0f, 1, 16);",
        "is not in its mask",
    ),
    "shuffle from a lane outside the mask": (
        1,
        "if (i % 32 < 16) p[i] = __shfl_xor_sync(0xffffu, 1.0f, 16);",
        "does not take part",
    ),
    "vector at an odd address": (
        1,
        "if (!i) p[0] = reinterpret_cast<const float4 *>(q + 1)->x;",
        "misaligned",
    ),
    "index overflows": (1, "int big = n * 20000000; p[i] = q[big & 1];", "overflow: signed mult"),
    "division by zero": (1, "p[i] = n / (i - 5);", "division: "),
    "shift by too much": (1, "p[i] = 1 << (n - i);", "shift: "),
}
RIGHT: dict[str, tuple[int, str]] = {
    "syncwarp": (
        1,
        "__shared__ float s[64]; s[i] = i; __syncwarp(); p[i] = s[i ^ 1]; q[i] = p[i] == (i ^ 1);",
    ),
    "early exit before a barrier": (
        1,
        "q[i] = 1; if (i >= 40) return; p[i] = 1; __syncthreads(); p[i] += 1; q[i] = p[i] == 2;",
    ),
    "readers, a barrier, a writer": (
        1,
        "__shared__ float s[1]; if (!i) s[0] = 1; __syncthreads(); float v = s[0];\n"
        "__syncthreads(); if (i == 5) s[0] = v + 1; __syncthreads(); q[i] = s[0] == 2;",
    ),
    "a warp's own place": (
        1,
        "__shared__ float s[2]; int w = i / 32, l = i % 32; if (!l) s[w] = 1; __syncwarp();"
        " float v = s[w]; __syncwarp(); if (!l) s[w] = 2; __syncwarp(); q[i] = v + s[w] == 3;",
    ),
    "lanes that read what all have read before they write it": (
        1,
        "__shared__ float s[2]; int w = i / 32, l = i % 32; if (!l) s[w] = 0; __syncwarp();"
        " for (int t = 0; t < 32; t++) { float v = s[w]; __syncwarp();"
        " if (l == t) s[w] = s[w] + v - t + 1; __syncwarp(); } q[i] = s[w] == 32;",
    ),
    "masks of half a warp": (
        1,
        "unsigned l = i % 32, m = l < 16 ? 0xffffu : 0xffff0000u; int v = 1;\n"
        "for (int d = 8; d; d /= 2) v += __shfl_xor_sync(m, v, d, 16); q[i] = v == 16;",
    ),
    "histogram by atomics": (
        1,
        "__shared__ int h[4]; if (i < 4) h[i] = 0; __syncthreads(); atomicAdd(&h[i & 3], 1);\n"
        "__syncthreads(); q[i] = h[i & 3] == 16;",
    ),
    "blocks add by atomics": (2, "atomicAdd(p, 1.0f); q[g] = 1;"),
    "a block's sum by shuffles": (
        1,
        "float v = i; for (int d = 16; d; d /= 2) v += __shfl_xor_sync(~0u, v, d);\n"
        "__shared__ float s[2]; if (i % 32 == 0) s[i / 32] = v; __syncthreads();\n"
        "q[i] = s[0] + s[1] == 2016;",
    ),
    "two uses of one array": (
        1,
        "__shared__ float s[64]; s[i] = i; __syncthreads(); float v = s[63 - i];\n"
        "__syncthreads(); s[i] = v; __syncthreads(); q[i] = s[63 - i] == i;",
    ),
    "dynamic shared memory": (
        1,
        "extern __shared__ float d[]; d[i] = i; __syncthreads(); q[i] = d[63 - i] == 63 - i;",
    ),
    "unsigned arithmetic wraps": (1, "unsigned h = i * 2654435761u; q[i] = (h ^ h) == 0;"),
}


def kernel(name: str, body: str) -> str:
    return (
        f'extern "C" __global__ void {name}(float *p, float *q, int n) {{\n'
        f"    const int i = threadIdx.x, g = blockIdx.x * 64 + i;\n    {body}\n}}\n"
    )


def name_of(case: str) -> str:
    return "k_" + "".join(x if x.isalnum() else "_" for x in case)


@cache
def module(check: bool) -> Module:
    """All of them: to compile one source takes a second, most of it for the first kernel."""
    bodies = {**{k: v[1] for k, v in WRONG.items()}, **{k: v[1] for k, v in RIGHT.items()}}
    return Module("".join(kernel(name_of(k), v) for k, v in bodies.items()), check=check)


def buffer() -> Any:
    """128 numbers within memory that may be overwritten: what is wrong is named, and done."""
    return np.zeros(1024, np.float32)[512:640]


def launch(case: str, blocks: int, *, check: bool = True, order: int = 0) -> Any:
    """What is in q afterwards."""
    p, q = buffer(), buffer()
    arguments = [p, q, np.int32(128)]
    grid, block = (blocks, 1, 1), (64, 1, 1)
    module(check).launch(name_of(case), grid, block, arguments, order=order, shared=256)
    return q[: 64 * blocks]


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_named(case: str) -> None:
    blocks, _, said = WRONG[case]
    with pytest.raises(KernelError, match=said):
        launch(case, blocks)


@pytest.mark.parametrize("order", [0, 1, 5], ids=["forward", "reverse", "shuffled"])
@pytest.mark.parametrize("check", [False, True], ids=["plain", "checked"])
@pytest.mark.parametrize("case", RIGHT)
def test_what_is_right_is_left_alone(case: str, check: bool, order: int) -> None:
    assert (launch(case, RIGHT[case][0], check=check, order=order) == 1).all()


def test_an_order_shows_a_missing_barrier() -> None:
    source = kernel("turn", "__shared__ float s[64]; s[i] = i; q[i] = s[63 - i];")
    seen = set()
    for order in (0, 1, 5):
        p, q = buffer(), buffer()
        grid, block = (1, 1, 1), (64, 1, 1)
        Module(source).launch("turn", grid, block, [p, q, np.int32(0)], order=order)
        seen.add(q.tobytes())
    assert len(seen) == 3


def test_the_line_is_named() -> None:
    source = kernel("past", "p[i] = 0;\n    p[i + n] = 1;")
    with pytest.raises(KernelError, match=r"thread \(0,0,0\).*kernels\.cpp:4"):
        arrays = [buffer(), buffer()]
        Module(source, check=True).launch("past", (1, 1, 1), (64, 1, 1), [*arrays, np.int32(128)])


def test_too_much_shared_memory() -> None:
    source = kernel("much", "__shared__ float s[60000]; s[i] = 1; p[i] = s[i];")
    arrays = [buffer(), buffer()]
    with pytest.raises(KernelError, match="240000 bytes of shared memory, the limit is 232448"):
        Module(source).launch("much", (1, 1, 1), (64, 1, 1), [*arrays, np.int32(0)])
