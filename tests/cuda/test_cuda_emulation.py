"""The emulator finds what is wrong in a kernel, each bug planted in one that is right."""

from __future__ import annotations

import numpy as np
import pytest

from tests.cuda.emulation import KernelError, Module

REVERSED = """
extern "C" __global__ void turned(const float *x, float *y, const long *count) {
    __shared__ float part[64];
    const int i = threadIdx.x;
    part[i] = x[blockIdx.x * 64 + i];
    __syncthreads();
    y[blockIdx.x * 64 + i] = part[63 - i];
}
"""
SUMMED = """
extern "C" __global__ void turned(const float *x, float *y, const long *count) {
    float total = x[blockIdx.x * 64 + threadIdx.x];
    for (int apart = 16; apart; apart /= 2) total += __shfl_xor_sync(0xffffffff, total, apart);
    __shared__ float of_warps[2];
    if (threadIdx.x % 32 == 0) of_warps[threadIdx.x / 32] = total;
    __syncthreads();
    y[blockIdx.x * 64 + threadIdx.x] = of_warps[0] + of_warps[1];
}
"""
BUGS = {
    "a barrier is missing": (REVERSED, "__syncthreads();", "", "race|nothing wrote"),
    "a barrier is missing after a warp's total": (
        SUMMED,
        "__syncthreads();",
        "",
        "race|nothing wrote",
    ),
    "not all threads come to a barrier": (
        REVERSED,
        "__syncthreads();",
        "if (i < 32) __syncthreads();",
        "barrier",
    ),
    "a read beyond shared memory": (REVERSED, "part[63 - i]", "part[64 + i]", "bound|shared"),
    "a read before shared memory": (REVERSED, "part[63 - i]", "part[i - 1]", "bound|shared"),
    "a write beyond shared memory": (REVERSED, "part[i] =", "part[i + 1] =", "bound|shared"),
    "a read beyond an operand": (REVERSED, "x[blockIdx", "x[64 + blockIdx", "bound|memory"),
    "a read before an operand": (REVERSED, "x[blockIdx", "x[-1 + (int)blockIdx", "bound|memory"),
    "a write beyond a result": (REVERSED, "y[blockIdx", "y[1 + blockIdx", "bound|memory"),
    "two threads write one place": (REVERSED, "64 + i] = part", "64 + i / 2] = part", "race"),
    "two blocks write one place": (REVERSED, "y[blockIdx.x * 64 + i]", "y[i]", "race"),
    "shared memory is not written": (
        REVERSED,
        "part[i] = x",
        "if (i) part[i] = x",
        "nothing wrote",
    ),
    "a lane is missing in a shuffle": (
        SUMMED,
        "for (int apart = 16;",
        "if (threadIdx.x % 32) for (int apart = 16;",
        "warp operation|divergence",
    ),
    "a vector is read at an odd address": (
        REVERSED,
        "part[i] = x[blockIdx.x * 64 + i];",
        "part[i] = (*(const float4 *)&x[blockIdx.x * 64 + 1]).x;",
        "align",
    ),
    "an index overflows": (
        REVERSED,
        "const int i = threadIdx.x;",
        "const int far = 2147483647 + (int)count[0], i = threadIdx.x + (far == 5);",
        "overflow",
    ),
}


def run(source: str, *, check: bool, order: int = 0) -> np.ndarray:
    x = np.arange(128, dtype=np.float32)
    y = np.zeros(128, np.float32)
    module = Module(source, check=check)
    module.launch("turned", (2, 1, 1), (64, 1, 1), [x, y, np.array([1])], order=order)
    return y


@pytest.mark.parametrize("check", [False, True], ids=["plain", "checked"])
@pytest.mark.parametrize("order", [0, 1, 5])
def test_right_kernels_are_left_alone(check: bool, order: int) -> None:
    x = np.arange(128, dtype=np.float32).reshape(2, 64)
    np.testing.assert_array_equal(run(REVERSED, check=check, order=order), x[:, ::-1].ravel())
    totals = np.repeat(x.sum(1), 64)
    np.testing.assert_array_equal(run(SUMMED, check=check, order=order), totals)


@pytest.mark.parametrize("bug", BUGS)
def test_planted_bugs_are_found(bug: str) -> None:
    source, right, wrong, said = BUGS[bug]
    assert right in source
    with pytest.raises(KernelError, match=f"(?i){said}"):
        run(source.replace(right, wrong, 1), check=True)
