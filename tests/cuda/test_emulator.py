"""What CUDA C means, the emulator means: each feature against numpy, in three orders of threads."""

from __future__ import annotations

import math
import shutil
from functools import cache
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from tests.cuda import translation
from tests.cuda.emulation import KernelError, Module
from tests.cuda.translation import COMPILER, TranslationError, digest

pytestmark = pytest.mark.skipif(not shutil.which(COMPILER), reason="there is no g++")
BF16 = np.dtype(ml_dtypes.bfloat16)
SOURCE = r"""
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <mma.h>
#define LANES const int i = threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z)
#define ALL 0xffffffffu

struct Shape { int rows; double scale; short bias; };
template <class T, int N> struct alignas(sizeof(T) * N) pack { T at[N]; };
template <class T> __device__ T reversed(T x) {
    __shared__ T part[64];
    part[threadIdx.x] = x;
    __syncthreads();
    const T found = part[63 - threadIdx.x];
    __syncthreads();
    return found;
}
__constant__ float table[4] = {1, 2, 3, 4};

extern "C" __global__ void indices(int *out) {
    const int block = blockIdx.x + gridDim.x * (blockIdx.y + gridDim.y * blockIdx.z);
    LANES;
    out[block * blockDim.x * blockDim.y * blockDim.z + i] = block * 1000 + i;
}
extern "C" __global__ void parameters(const float *x, float *y, signed char a, Shape s, long b,
    float c) {
    LANES;
    y[i] = x[i] * (float)s.scale + s.rows + s.bias + a + b + c + table[i & 3];
}
extern "C" __global__ void shared_of_two_types(const int *x, const double *y, int *xs, double *ys) {
    LANES;
    xs[i] = reversed(x[i]);
    ys[i] = reversed(y[i]);
}
extern "C" __global__ void packs(const pack<float, 4> *x, pack<short, 8> *y) {
    LANES;
    const pack<float, 4> a = x[2 * i], b = x[2 * i + 1];
    for (int k = 0; k < 4; ++k) y[i].at[k] = a.at[k], y[i].at[4 + k] = b.at[k];
}
extern "C" __global__ void shuffles(const double *x, double *y) {
    LANES;
    y[i] = __shfl_sync(ALL, x[i], 5);
    y[32 + i] = __shfl_up_sync(ALL, x[i], 3);
    y[64 + i] = __shfl_down_sync(ALL, x[i], 4);
    y[96 + i] = __shfl_xor_sync(ALL, x[i], 1);
    y[128 + i] = __shfl_sync(ALL, x[i], 1, 8);
}
extern "C" __global__ void votes(const int *x, unsigned *y) {
    LANES;
    const unsigned u = (unsigned)x[i];
    const unsigned found[] = {
        __ballot_sync(ALL, x[i] > 0), (unsigned)__any_sync(ALL, x[i] == x[3]),
        (unsigned)__all_sync(ALL, x[i] > 0),
        (unsigned)__reduce_add_sync(ALL, x[i]), (unsigned)__reduce_max_sync(ALL, x[i]),
        (unsigned)__reduce_min_sync(ALL, x[i]), __reduce_max_sync(ALL, u), __reduce_or_sync(ALL, u),
        __reduce_and_sync(ALL, u), (unsigned)__syncthreads_count(x[i] > 0),
        (unsigned)__syncthreads_and(x[i] > 0), (unsigned)__syncthreads_or(x[i] > 0)};
    for (int k = 0; k < 12; ++k) y[32 * k + i] = found[k];
}
extern "C" __global__ void atomics(const int *x, float *f, double *d, unsigned long long *u,
    int *n, long long *l) {
    LANES;
    const int v = x[blockIdx.x * blockDim.x + i];
    atomicAdd(f, (float)v);
    atomicAdd(d, (double)v);
    atomicAdd(u, (unsigned long long)v);
    atomicMax(n, v);
    atomicMin(n + 1, v);
    atomicOr(n + 2, v);
    atomicAnd(n + 3, v);
    atomicXor(n + 4, v);
    atomicCAS(n + 5, 0, 7);
    atomicMin(l, (long long)v);
}
extern "C" __global__ void integers(const unsigned *x, const unsigned long long *w,
    unsigned long long *y) {
    LANES;
    y[i] = __umulhi(x[i], x[63 - i]);
    y[64 + i] = __popc(x[i]);
    y[128 + i] = __clz((int)x[i]);
    y[192 + i] = __umul64hi(w[i], w[63 - i]);
    y[256 + i] = __brev(x[i]);
}
extern "C" __global__ __launch_bounds__(32) void extremes(const int *x, const unsigned *u,
    const float *f, const double *d, double *y) {
    LANES;
    const unsigned long wide = u[i];
    const double found[] = {(double)min(u[i], x[i]), (double)max(x[i], u[i]), min(f[i], d[i]),
        max(d[i], f[i]), (double)min(wide, (long)x[i]), (double)min(x[i], x[31 - i])};
    for (int k = 0; k < 6; ++k) y[32 * k + i] = found[k];
}
template <class T> __device__ void functions(const T *x, T *y) {
    LANES;
    const T v = x[i];
    const T found[] = {exp(v), log(v), erf(v), lgamma(v), tanh(v), rsqrt(v), pow(v, (T)1.5),
        fma(v, v, v),
                       floor(v), expm1(v), log1p(v), atan2(v, (T)2), max(v, (T)1), fmod(v, (T)0.7)};
    for (int k = 0; k < 14; ++k) y[64 * k + i] = found[k];
}
extern "C" __global__ void functions_float(const float *x, float *y) { functions(x, y); }
extern "C" __global__ void functions_double(const double *x, double *y) { functions(x, y); }
extern "C" __global__ void halves(const __half *h, const __nv_bfloat16 *b, __half *ho,
    __nv_bfloat16 *bo, float *f) {
    LANES;
    ho[i] = __hfma(h[i], h[i], __float2half(1.0f));
    bo[i] = __float2bfloat16(__bfloat162float(b[i]) / 3.0f);
    const float2 both = __half22float2(reinterpret_cast<const __half2 *>(h)[i / 2]);
    f[i] = i % 2 ? both.y : both.x;
}
template <class T> __device__ void product(const T *a, const T *b, float *c) {
    using namespace nvcuda::wmma;
    fragment<matrix_a, 16, 16, 16, T, row_major> left;
    fragment<matrix_b, 16, 16, 16, T, row_major> right;
    fragment<accumulator, 16, 16, 16, float> total;
    fill_fragment(total, 1.0f);
    load_matrix_sync(left, a, 16);
    load_matrix_sync(right, b, 16);
    mma_sync(total, left, right, total);
    store_matrix_sync(c, total, 16, mem_row_major);
}
extern "C" __global__ void product_half(const __half *a, const __half *b, float *c) { product(a,
    b, c); }
extern "C" __global__ void product_bfloat16(const __nv_bfloat16 *a, const __nv_bfloat16 *b,
    float *c) { product(a, b, c); }
extern "C" __global__ void piece(const float *x, float *y) {
    extern __shared__ __align__(16) float part[];
    LANES;
    __pipeline_memcpy_async(&part[4 * i], &x[4 * i], 16);
    __pipeline_commit();
    __pipeline_wait_prior(0);
    __syncthreads();
    y[i] = part[4 * (31 - i)] + part[4 * (31 - i) + 3];
}
"""
ORDERS = {"forward": 0, "reverse": 1, "shuffled": 5, "checked": -1}


@cache
def module(check: bool) -> Module:
    return Module(SOURCE, check=check)


@pytest.fixture(params=list(ORDERS.values()), ids=list(ORDERS))
def launch(request: pytest.FixtureRequest) -> Any:
    """Launches a kernel of the source in one of the orders, or checked."""

    def call(name: str, *arguments: Any, grid: Any = (1, 1, 1), block: Any = (64, 1, 1)) -> None:
        check, order = request.param < 0, max(0, request.param)
        module(check).launch(name, grid, block, arguments, order=order, shared=512)

    return call


RNG = np.random.default_rng(0)


def test_indices(launch: Any) -> None:
    out = np.zeros((24, 30), np.int32)
    launch("indices", out, grid=(2, 3, 4), block=(5, 3, 2))
    np.testing.assert_array_equal(out, 1000 * np.arange(24)[:, None] + np.arange(30))


def test_parameters(launch: Any) -> None:
    x, y = RNG.standard_normal(64).astype(np.float32), np.zeros(64, np.float32)
    kind = np.dtype([("rows", "i4"), ("scale", "f8"), ("bias", "i2")], align=True)
    shape = np.array([(3, 0.5, -7)], kind)[0]
    launch("parameters", x, y, np.int8(-2), shape, np.int64(100), np.float32(0.25))
    np.testing.assert_allclose(y, x * 0.5 + 94.25 + np.tile([1, 2, 3, 4], 16), rtol=1e-5)


def test_shared_memory_of_templates(launch: Any) -> None:
    x, y = RNG.integers(-9, 9, 64, np.int32), RNG.standard_normal(64)
    xs, ys = np.zeros_like(x), np.zeros_like(y)
    launch("shared_of_two_types", x, y, xs, ys)
    np.testing.assert_array_equal(xs, x[::-1])
    np.testing.assert_array_equal(ys, y[::-1])


def test_vectors(launch: Any) -> None:
    x, y = np.arange(512, dtype=np.float32), np.zeros(512, np.int16)
    launch("packs", x, y)
    np.testing.assert_array_equal(y, np.arange(512))


def test_shuffles(launch: Any) -> None:
    x, y, lane = RNG.standard_normal(32), np.zeros((5, 32)), np.arange(32)
    launch("shuffles", x, y, block=(32, 1, 1))
    taken = (
        np.full(32, 5),
        np.where(lane < 3, lane, lane - 3),
        np.where(lane > 27, lane, lane + 4),
        lane ^ 1,
        lane // 8 * 8 + 1,
    )
    np.testing.assert_array_equal(y, x[np.array(taken)])


def test_votes(launch: Any) -> None:
    x, y = RNG.integers(-99, 99, 32, np.int32), np.zeros((12, 32), np.uint32)
    launch("votes", x, y, block=(32, 1, 1))
    u, up = x.view(np.uint32), x > 0
    signed = np.array([x.sum(), x.max(), x.min()], np.int32).view(np.uint32)
    ballot = sum(int(b) << k for k, b in enumerate(up))
    bits = [np.bitwise_or.reduce(u), np.bitwise_and.reduce(u)]
    right = [ballot, 1, up.all(), *signed, u.max(), *bits, up.sum(), up.all(), up.any()]
    np.testing.assert_array_equal(y, np.repeat(np.array(right, np.uint32)[:, None], 32, 1))


def test_atomics(launch: Any) -> None:
    x = RNG.integers(1, 1000, 256, np.int32)
    f, d, u = np.zeros(1, np.float32), np.zeros(1), np.zeros(1, np.uint64)
    n, low = np.array([0, 5000, 0, -1, 0, 0], np.int32), np.array([5000])
    launch("atomics", x, f, d, u, n, low, grid=(4, 1, 1))
    assert f[0] == d[0] == u[0] == x.sum()
    bits = [each.reduce(x) for each in (np.bitwise_or, np.bitwise_and, np.bitwise_xor)]
    assert n.tolist() == [x.max(), x.min(), *bits, 7]
    assert low[0] == x.min()


def test_integers(launch: Any) -> None:
    x, w = RNG.integers(1, 2**32, 64, np.uint32), RNG.integers(1, 2**64, 64, np.uint64)
    y = np.zeros((5, 64), np.uint64)
    launch("integers", x, w, y)
    xs, ws = x.tolist(), w.tolist()
    right = (
        [a * b >> 32 for a, b in zip(xs, xs[::-1], strict=True)],
        [a.bit_count() for a in xs],
        [32 - a.bit_length() for a in xs],
        [a * b >> 64 for a, b in zip(ws, ws[::-1], strict=True)],
        [int(f"{a:032b}"[::-1], 2) for a in xs],
    )
    assert y.tolist() == [list(row) for row in right]


def test_extremes(launch: Any) -> None:
    """Of operands of two types as C converts them: what is negative is large without a sign."""
    rng = np.random.default_rng(0)
    x = rng.integers(-99, 99, 32, np.int32)
    u = rng.integers(0, 99, 32, np.uint32)
    f, d = rng.standard_normal(32).astype(np.float32), rng.standard_normal(32)
    y = np.zeros((6, 32))
    launch("extremes", x, u, f, d, y, block=(32, 1, 1))
    converted, wide = x.astype(np.uint32), x.astype(np.uint64)
    right = [np.minimum(u, converted), np.maximum(u, converted), np.minimum(f, d), np.maximum(f, d)]
    right += [np.minimum(u.astype(np.uint64), wide), np.minimum(x, x[::-1])]
    np.testing.assert_array_equal(y, np.array([z.astype(np.float64) for z in right]))


@pytest.mark.parametrize("kind", [np.float32, np.float64], ids=["float", "double"])
def test_functions(launch: Any, kind: Any) -> None:
    x, y = RNG.uniform(0.1, 4, 64).astype(kind), np.zeros((14, 64), kind)
    launch("functions_float" if kind is np.float32 else "functions_double", x, y)
    v = x.astype(np.float64)
    by_one = [np.array([f(a) for a in v]) for f in (math.erf, math.lgamma)]
    right = [np.exp(v), np.log(v), *by_one, np.tanh(v), v**-0.5, v**1.5, v * v + v, np.floor(v)]
    right += [np.expm1(v), np.log1p(v), np.arctan2(v, 2), np.maximum(v, 1)]
    right += [np.fmod(v, np.float64(kind(0.7)))]
    small = 1e-6 if kind is np.float32 else 1e-14
    np.testing.assert_allclose(y, np.array(right), rtol=8 * small, atol=small)


def test_low_precision(launch: Any) -> None:
    h = RNG.standard_normal(64).astype(np.float16)
    b = RNG.standard_normal(64).astype(BF16)
    h_out, b_out, f = np.zeros_like(h), np.zeros_like(b), np.zeros(64, np.float32)
    launch("halves", h, b, h_out, b_out, f)
    np.testing.assert_array_equal(h_out, (h.astype(float) ** 2 + 1).astype(np.float16))
    right = (b.astype(np.float32) / np.float32(3)).astype(BF16)
    np.testing.assert_array_equal(b_out.view(np.uint16), right.view(np.uint16))
    np.testing.assert_array_equal(f, h.astype(np.float32))


@pytest.mark.parametrize("kind", [np.dtype(np.float16), BF16], ids=["half", "bfloat16"])
def test_tensor_cores(launch: Any, kind: Any) -> None:
    a, b = (aligned(RNG.standard_normal((16, 16)).astype(kind)) for _ in range(2))
    c = aligned(np.zeros((16, 16), np.float32))
    name = "product_half" if kind == np.float16 else "product_bfloat16"
    launch(name, a, b, c, block=(32, 1, 1))
    right = a.astype(np.float64) @ b.astype(np.float64) + 1
    np.testing.assert_allclose(c, right, rtol=1e-5, atol=1e-5)


def aligned(x: Any) -> Any:
    """A copy at a multiple of 32, where tensor cores load from."""
    whole = np.zeros(x.nbytes + 32, np.uint8)
    start = -whole.ctypes.data % 32
    made = whole[start : start + x.nbytes].view(x.dtype).reshape(x.shape)
    made[...] = x
    return made


def test_copies_that_go_on_meanwhile(launch: Any) -> None:
    x, y = aligned(RNG.standard_normal((32, 4)).astype(np.float32)), np.zeros(32, np.float32)
    launch("piece", x, y, block=(32, 1, 1))
    np.testing.assert_array_equal(y, (x[:, 0] + x[:, 3])[::-1])


def test_a_kernel_that_is_not_recognised() -> None:
    with pytest.raises(TranslationError, match=r"other than \['known'\]"):
        Module(
            'extern "C" __global__ void known(int *x) {}\n'
            "template <class T> __global__ T *unknown(T *x) { return x; }\n"
        )


def test_a_cache_is_for_one_processor_and_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    told = {digest.__wrapped__()}
    with monkeypatch.context() as context:
        context.setattr(translation, "_processor", lambda: ["flags : another"])
        told.add(digest.__wrapped__())
    with monkeypatch.context() as context:
        context.setattr(translation, "COMPILER", "echo")
        told.add(digest.__wrapped__())
    assert len(told) == 3


def test_products_and_sums_are_not_fused() -> None:
    source = """
extern "C" __global__ void rest(const float *x, float *y) { *y = x[0] * x[0] - x[1]; }
"""
    x = np.array([1 + 2**-12, 0], np.float32)
    x[1] = x[0] * x[0]
    y = np.ones(1, np.float32)
    Module(source).launch("rest", (1, 1, 1), (1, 1, 1), [x, y])
    assert y[0] == 0


def test_launches_that_cannot_be() -> None:
    with pytest.raises(KernelError, match="8 bytes of arguments, not 16"):
        module(False).launch("shuffles", (1, 1, 1), (32, 1, 1), [np.zeros(32)])
    with pytest.raises(KernelError, match="invalid launch configuration"):
        module(False).launch("indices", (0, 1, 1), (32, 1, 1), [np.zeros(32, np.int32)])
