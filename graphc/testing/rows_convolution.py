"""Convolution and its two gradients, by one product for each place in the kernel."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

import numpy as np

from graphc.ir.dtype import DType
from graphc.ir.types import Shape
from graphc.ops.convolution import (
    Convolution,
    ConvolutionInputGrad,
    ConvolutionWeightGrad,
    Window,
)
from graphc.testing.operands import Array, Layout, Operand, draw, strewn, trailing
from graphc.testing.table import FLOATS, ONCE, SINGLES, Row, Sample, Tolerance

ADDED = Tolerance("some hundreds of products near one, added in any order", 4, 128)

Case = tuple[Shape, Shape, tuple[Shape, Shape, Shape, int]]
"""Of x, of w, and the settings: stride, padding, dilation, groups."""
CASES: tuple[Case, ...] = (
    ((2, 3, 9), (4, 3, 3), ((1,), (0,), (1,), 1)),
    ((1, 4, 8), (6, 2, 3), ((2,), (1,), (2,), 2)),
    ((0, 3, 5), (2, 3, 3), ((1,), (1,), (1,), 1)),
    ((2, 3, 5, 4), (2, 3, 3, 2), ((1, 1), (1, 0), (1, 1), 1)),
    ((1, 4, 7, 8), (4, 2, 3, 3), ((2, 3), (1, 2), (2, 1), 2)),
    ((2, 3, 4, 4), (6, 1, 3, 3), ((1, 1), (1, 1), (1, 1), 3)),
    ((2, 4, 3, 3), (3, 4, 1, 1), ((1, 1), (0, 0), (1, 1), 1)),
    ((2, 4, 3, 3), (3, 4, 1, 1), ((2, 2), (0, 0), (1, 1), 1)),
    ((1, 2, 6, 6), (3, 2, 2, 2), ((2, 2), (0, 0), (1, 1), 1)),
    ((1, 2, 3, 4, 3), (2, 2, 2, 2, 2), ((1, 2, 1), (1, 0, 1), (1, 1, 1), 1)),
    ((1, 1, 3, 3), (1, 1, 3, 3), ((1, 1), (0, 0), (1, 1), 1)),
)
VIEWS: tuple[tuple[Layout, Layout], ...] = (
    ("transposed", "stepped"),
    ("stepped", "transposed"),
    ("expanded", "foreign"),
    ("foreign", "expanded"),
    ("flipped", "flipped"),
)


def _output(case: Case) -> Shape:
    x, w, settings = case
    return (x[0], w[0], *Convolution(*settings).output_sizes(x[2:], w[2:]))


def _forward(case: Case) -> tuple[Window, Shape, Shape]:
    x, w, settings = case
    return Convolution(*settings), x, w


def _input_grad(case: Case) -> tuple[Window, Shape, Shape]:
    x, w, settings = case
    return ConvolutionInputGrad(*settings, x[2:]), _output(case), w


def _weight_grad(case: Case) -> tuple[Window, Shape, Shape]:
    x, w, settings = case
    return ConvolutionWeightGrad(*settings, w[2:]), x, _output(case)


def _samples(
    make: Callable[[Case], tuple[Window, Shape, Shape]],
) -> Callable[[DType], Iterator[Sample]]:
    def samples(dtype: DType) -> Iterator[Sample]:
        for seed, case in enumerate(CASES):
            op, a, b = make(case)
            x, y = draw(dtype, *a, seed=seed), draw(dtype, *b, seed=seed + 100)
            yield Sample(op, (Operand(x), Operand(y)))
        op, a, b = make(CASES[3])
        x, y = strewn(dtype, *a, seed=30), draw(dtype, *b, seed=31)
        yield Sample(op, (Operand(x), Operand(y)), "extreme")
        for first, second in VIEWS:
            x, y = draw(dtype, *a, seed=20), draw(dtype, *b, seed=21)
            yield Sample(op, (Operand(x, first), Operand(y, second)))

    return samples


def _places(op: Window, kernel: Shape, sizes: Shape) -> Iterator[tuple[Shape, tuple[slice, ...]]]:
    """Each place in the kernel, with what it meets of the padded input for outputs of ``sizes``."""
    for place in product(*map(range, kernel)):
        begins = [k * d for k, d in zip(place, op.dilation, strict=True)]
        yield (
            place,
            tuple(
                slice(begin, begin + (n - 1) * step + 1, step)
                for begin, n, step in zip(begins, sizes, op.stride, strict=True)
            ),
        )


def _grouped(groups: int, *arrays: tuple[Array, int]) -> Iterator[tuple[Array, ...]]:
    """The arrays, each cut along its axis, group by group."""
    return zip(*(np.split(x, groups, axis) for x, axis in arrays), strict=True)


def _padded(op: Window, x: Array) -> Array:
    return np.pad(x, ((0, 0), (0, 0), *((p, p) for p in op.padding)))


def _convolution(op: Convolution, x: Array, w: Array) -> Array:
    sizes = op.output_sizes(x.shape[2:], w.shape[2:])
    y = np.zeros((x.shape[0], w.shape[0], *sizes))
    for xs, ws, ys in _grouped(op.groups, (_padded(op, x), 1), (w, 0), (y, 1)):
        for place, met in _places(op, w.shape[2:], sizes):
            weight = ws[trailing(place)]
            ys += np.einsum("nc...,oc->no...", xs[trailing(met)], weight)
    return y


def _of_input(op: ConvolutionInputGrad, dy: Array, w: Array) -> Array:
    channels = w.shape[1] * op.groups
    padded = np.zeros(
        (dy.shape[0], channels, *(n + 2 * p for n, p in zip(op.sizes, op.padding, strict=True)))
    )
    for xs, ws, ys in _grouped(op.groups, (padded, 1), (w, 0), (dy, 1)):
        for place, met in _places(op, w.shape[2:], dy.shape[2:]):
            xs[trailing(met)] += np.einsum("no...,oc->nc...", ys, ws[trailing(place)])
    inner = tuple(slice(p, p + n) for p, n in zip(op.padding, op.sizes, strict=True))
    return padded[trailing(inner)]


def _of_weight(op: ConvolutionWeightGrad, x: Array, dy: Array) -> Array:
    w = np.zeros((dy.shape[1], x.shape[1] // op.groups, *op.kernel))
    for xs, ws, ys in _grouped(op.groups, (_padded(op, x), 1), (w, 0), (dy, 1)):
        for place, met in _places(op, op.kernel, dy.shape[2:]):
            flat = ys.reshape(*ys.shape[:2], math.prod(ys.shape[2:]))
            some = xs[trailing(met)].reshape(*xs.shape[:2], flat.shape[2])
            ws[trailing(place)] = np.einsum("nos,ncs->oc", flat, some)
    return w


def _settings(op: Window) -> tuple[Shape, Shape, Shape, int]:
    return op.stride, op.padding, op.dilation, op.groups


def _torch(torch: Any, op: Window, x: Any, w: Any) -> Any:
    name = f"conv{len(op.stride)}d"
    return getattr(torch.nn.functional, name)(x, w, None, *_settings(op))


def _torch_input(torch: Any, op: ConvolutionInputGrad, dy: Any, w: Any) -> Any:
    size = (dy.shape[0], w.shape[1] * op.groups, *op.sizes)
    function = getattr(torch.nn.grad, f"conv{len(op.stride)}d_input")
    return function(size, w, dy, *_settings(op))


def _torch_weight(torch: Any, op: ConvolutionWeightGrad, x: Any, dy: Any) -> Any:
    size = (dy.shape[1], x.shape[1] // op.groups, *op.kernel)
    function = getattr(torch.nn.grad, f"conv{len(op.stride)}d_weight")
    return function(x, size, dy, *_settings(op))


ROWS = (
    Row("convolution", FLOATS, _samples(_forward), _convolution, _torch, ADDED, True, halves=ONCE),
    # Of low-precision floats PyTorch rounds each partial sum of these.
    Row("convolution_input_grad", FLOATS, _samples(_input_grad), _of_input, _torch_input, ADDED,
        True, halves=ONCE, torch_dtypes=SINGLES),
    Row("convolution_weight_grad", FLOATS, _samples(_weight_grad), _of_weight, _torch_weight, ADDED,
        True, halves=ONCE, torch_dtypes=SINGLES),
)  # fmt: skip
