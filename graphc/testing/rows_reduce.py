"""Reductions, running sums and products."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from graphc.ir.dtype import DType
from graphc.ir.types import Shape
from graphc.ops import reduce as ops
from graphc.ops.scan import CumProd, CumSum, Scan
from graphc.testing.operands import VIEWS, Array, distinct, draw, extremes
from graphc.testing.table import BOOL, EXACT, NUMBERS, ONCE, Kind, Row, Sample, Tolerance, sample

ADDED = Tolerance("numbers near one, at most some thousands, added in any order", 4, 64)
MULTIPLIED = Tolerance("a rounding for each of some tens of factors", 64, 4)
ONE_ROUNDING = Tolerance("multiplied in float32 and rounded once", 1, 0.01)

PLACES: tuple[tuple[Shape, tuple[int, ...]], ...] = (
    ((), ()),
    ((3, 4), ()),
    ((3, 4), (0,)),
    ((3, 4), (1,)),
    ((3, 4), (0, 1)),
    ((2, 3, 4), (1,)),
    ((2, 3, 4), (0, 2)),
    ((2, 1, 3), (1, 2)),
    ((0, 3), (1,)),
)
EMPTY: tuple[tuple[Shape, tuple[int, ...]], ...] = (((0, 3), (0,)), ((2, 0), (0, 1)))

Draw = Callable[[DType, Shape, int], Array]


def _near_one(dtype: DType, shape: Shape, seed: int) -> Array:
    if dtype.category == 1:
        return draw(dtype, *shape, low=1, high=4, seed=seed)
    return draw(dtype, *shape, low=-1.5, high=1.5, seed=seed)


def _apart(dtype: DType, shape: Shape, seed: int) -> Array:
    return distinct(dtype, *shape, seed=seed)


def _specials(dtype: DType) -> Array:
    """Rows of pairs: each extreme number with each other."""
    numbers = extremes(dtype)
    return np.stack([a.reshape(-1) for a in np.meshgrid(numbers, numbers)], axis=1)


def _samples(
    op: type[ops.Reduce], draw: Draw, *, empty: bool = True
) -> Callable[[DType], Iterator[Sample]]:
    def samples(dtype: DType) -> Iterator[Sample]:
        for seed, (shape, axes) in enumerate(PLACES + (EMPTY if empty else ())):
            yield sample(op(axes), draw(dtype, shape, seed))
        for layout in VIEWS:
            kind: Kind = "kink" if layout == "expanded" else "smooth"
            for axes in ((0,), (1,), (0, 1)):
                yield sample(op(axes), draw(dtype, (3, 4), 20), layout=layout, kind=kind)
        for axes in ((0,), (1,)):
            yield sample(op(axes), draw(dtype, (70, 65), 30), kind="kink")
            yield sample(op(axes), np.round(draw(dtype, (4, 5), 40)), kind="kink")
        yield sample(op((1,)), _specials(dtype), kind="extreme")

    return samples


def _flat(op: ops.ArgReduce, x: Array) -> Array:
    """The reduced axes as the last one."""
    rest = [axis for axis in range(x.ndim) if axis not in op.axes]
    count = int(np.prod([x.shape[axis] for axis in op.axes]))
    return x.transpose(*rest, *op.axes).reshape(*(x.shape[axis] for axis in rest), count)


def _arg(function: Callable[..., Array]) -> Callable[[ops.ArgReduce, Array], Array]:
    def reference(op: ops.ArgReduce, x: Array) -> Array:
        shape = [1 if axis in op.axes else n for axis, n in enumerate(x.shape)]
        return np.asarray(function(_flat(op, x), axis=-1)).reshape(shape)

    return reference


def _torch_arg(name: str) -> Callable[..., Any]:
    def call(torch: Any, op: ops.ArgReduce, x: Any) -> Any:
        rest = [axis for axis in range(x.dim()) if axis not in op.axes]
        count = math.prod(x.shape[axis] for axis in op.axes)
        rows = x.permute((*rest, *op.axes)).reshape(*(x.shape[a] for a in rest), count)
        shape = [1 if axis in op.axes else n for axis, n in enumerate(x.shape)]
        return getattr(rows, name)(-1).reshape(shape)

    return call


def _torch_over(name: str) -> Callable[..., Any]:
    """Over all axes at once; over none the operand itself, for PyTorch takes none for all."""

    def call(torch: Any, op: ops.Reduce, x: Any) -> Any:
        if not op.axes:
            return x.clone()
        more = {"dtype": x.dtype} if name == "sum" else {}
        return getattr(x, name)(op.axes, keepdim=True, **more)

    return call


def _torch_product(torch: Any, op: ops.Reduce, x: Any) -> Any:
    """One axis after the other, for PyTorch takes a single one."""
    for axis in op.axes:
        x = x.prod(axis, keepdim=True, dtype=x.dtype)
    return x


def _row(op: type[ops.Reduce], name: str, draw: Draw, tolerance: Tolerance = EXACT, *,
         torch: Callable[..., Any], dtypes: tuple[DType, ...] = NUMBERS, gradient: bool = True,
         empty: bool = True, halves: Tolerance | None = None) -> Row:  # fmt: skip
    function = getattr(np, name)
    more = {} if name in ("max", "min", "any", "all") else {"dtype": None}

    def reference(op: ops.Reduce, x: Array) -> Array:
        extra = {key: x.dtype for key in more}
        return np.asarray(function(x, axis=op.axes, keepdims=True, **extra))

    return Row(op.name, dtypes, _samples(op, draw, empty=empty), reference, torch, tolerance,
               gradient, halves=halves)  # fmt: skip


def _scans(op: type[Scan]) -> Callable[[DType], Iterator[Sample]]:
    def samples(dtype: DType) -> Iterator[Sample]:
        places: tuple[tuple[Shape, int], ...] = (
            ((5,), 0), ((3, 4), 0), ((3, 4), 1), ((2, 3, 4), 1),
            ((0, 3), 0), ((0, 3), 1), ((1,), 0),
        )  # fmt: skip
        for seed, (shape, dim) in enumerate(places):
            yield sample(op(dim), _near_one(dtype, shape, seed))
        for layout in VIEWS:
            yield sample(op(1), _near_one(dtype, (3, 4), 9), layout=layout)
        with_zeros = _near_one(dtype, (3, 5), 3)
        with_zeros[0, 2] = with_zeros[1, 0] = with_zeros[1, 3] = 0
        yield sample(op(1), with_zeros)
        yield sample(op(0), _near_one(dtype, (300, 20), 4), kind="extreme")
        yield sample(op(1), _specials(dtype), kind="extreme")

    return samples


def _scan(function: Callable[..., Array]) -> Callable[[Scan, Array], Array]:
    return lambda op, x: function(x, axis=op.dim, dtype=x.dtype)


def _arg_row(op: type[ops.ArgReduce]) -> Row:
    return Row(op.name, NUMBERS, _samples(op, _apart, empty=False), _arg(getattr(np, op.name)),
               _torch_arg(op.name))  # fmt: skip


ROWS = (
    _row(ops.Sum, "sum", _near_one, ADDED, torch=_torch_over("sum"), halves=ONCE),
    _row(ops.Prod, "prod", _near_one, MULTIPLIED, torch=_torch_product, halves=ONE_ROUNDING),
    _row(ops.Max, "max", _apart, torch=_torch_over("amax"), empty=False),
    _row(ops.Min, "min", _apart, torch=_torch_over("amin"), empty=False),
    _row(ops.Any, "any", lambda dtype, shape, seed: draw(dtype, *shape, seed=seed),
         torch=_torch_over("any"), dtypes=BOOL, gradient=False),
    _row(ops.All, "all", lambda dtype, shape, seed: draw(dtype, *shape, seed=seed),
         torch=_torch_over("all"), dtypes=BOOL, gradient=False),
    _arg_row(ops.ArgMax),
    _arg_row(ops.ArgMin),
    Row("cumsum", NUMBERS, _scans(CumSum), _scan(np.cumsum),
        lambda torch, op, x: torch.cumsum(x, op.dim, dtype=x.dtype), ADDED, True, halves=ONCE),
    Row("cumprod", NUMBERS, _scans(CumProd), _scan(np.cumprod),
        lambda torch, op, x: torch.cumprod(x, op.dim, dtype=x.dtype), MULTIPLIED, True,
        halves=ONE_ROUNDING),
)  # fmt: skip
