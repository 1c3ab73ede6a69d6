"""Arrays, ops and right results that the tests of convolutions share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from graphc.backends.native.targets import host
from graphc.ops.convolution import (
    Convolution,
    ConvolutionInputGrad,
    ConvolutionWeightGrad,
    Window,
)
from tests.backends.native_alone import Array

torch = pytest.importorskip("torch", reason="the peers extra compares the kernels with PyTorch")

WIDE = ["avx512", "avx2"] if host().name == "avx512" else [host().name]
HERE = list(dict.fromkeys([*WIDE, "portable"]))
Shape = tuple[int, ...]

FINISH = """
/* Adds max(x + bias, 0) to what is there. */
static inline void {name}_finish(long b, long i0, long i1, long j0, long j1, const {kind} *block,
                                 long ld, const {kind} *bias, {kind} *out) {{
    for (long i = i0; i < i1; i++)
        for (long j = j0; j < j1; j++) {{
            const {kind} x = block[(i - i0) * ld + j - j0] + bias[j];
            out[(b * {rows} + i) * {columns} + j] += x > 0 ? x : 0;
        }}
}}
"""


def laid(x: Array, order: str) -> Array:
    """The array in C order, or with the channels last in memory."""
    if order == "C":
        return np.ascontiguousarray(x)
    return np.moveaxis(np.ascontiguousarray(np.moveaxis(x, 1, -1)), -1, 1)


def ops(x: Shape, w: Shape, settings: Any) -> Iterator[tuple[Window, Shape, Shape]]:
    """The three ops of these settings, with the shapes of their operands."""
    op = Convolution(*settings)
    y = (x[0], w[0], *op.output_sizes(x[2:], w[2:]))
    yield op, x, w
    stride, padding, dilation, groups = settings
    yield ConvolutionInputGrad(stride, padding, dilation, groups, x[2:]), y, w
    yield ConvolutionWeightGrad(stride, padding, dilation, groups, w[2:]), x, y


def wanted(op: Window, a: Array, b: Array) -> Array:
    """What PyTorch computes in double precision."""
    first, second = (torch.from_numpy(np.ascontiguousarray(x, np.float64)) for x in (a, b))
    settings = (op.stride, op.padding, op.dilation, op.groups)
    name = f"conv{len(op.stride)}d"
    if isinstance(op, ConvolutionInputGrad):
        size = (a.shape[0], b.shape[1] * op.groups, *op.sizes)
        found = getattr(torch.nn.grad, f"{name}_input")(size, second, first, *settings)
    elif isinstance(op, ConvolutionWeightGrad):
        size = (b.shape[1], a.shape[1] // op.groups, *op.kernel)
        found = getattr(torch.nn.grad, f"{name}_weight")(first, size, second, *settings)
    else:
        found = getattr(torch.nn.functional, name)(first, second, None, *settings)
    array: Array = found.numpy()
    return array


def draw(shape: Shape, seed: int, dtype: str = "float32") -> Array:
    """Random numbers."""
    x = np.random.default_rng(seed).standard_normal(shape)
    return x.astype(node_dtype(dtype))


def node_dtype(name: str) -> Any:
    """The numpy type of this name; numpy knows bfloat16 only by its class."""
    return ml_dtypes.bfloat16 if name == "bfloat16" else np.dtype(name)
