"""Integrals and derivatives of samples along a dimension."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphc.errors import GraphcRuntimeError, GraphcTypeError
from graphc.functions.cumulative import cumsum, diff
from graphc.functions.operands import Operand
from graphc.functions.pieces import cut
from graphc.functions.reduction import Dims, normal_dim, sum
from graphc.ir.dtype import Scalar, bool_
from graphc.ir.node import Node
from graphc.ir.types import TensorType
from graphc.ops.function import function
from graphc.ops.movement import Concat, reshape, zeros


def _rule_name(plain: str) -> Any:
    def grad_name(y: Any, x: Any = None, **_: Any) -> str:
        return plain if x is None else "DivBackward1"

    return grad_name


@function("trapz", method=False, grad_name=_rule_name("MulBackward1"))
def trapezoid(y: Node, x: Node | None = None, *, dx: Scalar | None = None, dim: int = -1) -> Node:
    """The integral along ``dim`` by the trapezoidal rule, over places ``x`` or at distance dx."""
    axis = _checked_axis("trapezoid", y, x, dx, dim)
    extent = y.shape[axis]
    if not extent:
        shape = tuple(n for d, n in enumerate(y.shape) if d != axis)
        return zeros(TensorType(shape, y.dtype))
    if x is not None:
        return sum(_pairs(y, axis) * _distances("trapezoid", y, x, axis), axis) / 2.0
    ends = sum(cut(y, axis, 0, 1), axis) + sum(cut(y, axis, extent - 1, extent), axis)
    return (sum(y, axis) - ends * 0.5) * (1.0 if dx is None else float(dx))


@function(method=False, grad_name=_rule_name("CumsumBackward0"))
def cumulative_trapezoid(
    y: Node, x: Node | None = None, *, dx: Scalar | None = None, dim: int = -1
) -> Node:
    """The integral up to each sample along ``dim``, by the trapezoidal rule."""
    axis = _checked_axis("cumulative_trapezoid", y, x, dx, dim)
    if x is not None:
        steps = _pairs(y, axis) * _distances("cumulative_trapezoid", y, x, axis)
        return cumsum(steps, axis) / 2.0
    return cumsum(_pairs(y, axis) * ((1.0 if dx is None else float(dx)) / 2.0), axis)


def _checked_axis(name: str, y: Node, x: Node | None, dx: Scalar | None, dim: int) -> int:
    if x is not None and dx is not None:
        raise GraphcTypeError(f"{name}() received an invalid combination of arguments")
    axis = normal_dim(dim, y.rank)
    if x is None and y.dtype is bool_:
        raise GraphcRuntimeError(
            f"{name}: received a bool input for `y`, but bool is not supported"
        )
    if x is not None and bool_ in (x.dtype, y.dtype):
        raise GraphcRuntimeError(
            f"{name}: received a bool input for `x` or `y`, but bool is not supported"
        )
    return axis


def _pairs(y: Node, axis: int) -> Node:
    """Each sample and its successor, added up."""
    extent = y.shape[axis]
    return cut(y, axis, 0, max(extent - 1, 0)) + cut(y, axis, min(1, extent), extent)


def _distances(name: str, y: Node, x: Node, axis: int) -> Node:
    """How far each place is from its successor."""
    if x.rank == 1:
        if x.shape[0] != y.shape[axis]:
            raise GraphcRuntimeError(f"{name}: There must be one `x` value for each sample point")
        x = reshape(x, (x.shape[0], *(1,) * (y.rank - axis - 1)))
        return diff(x, 1, 0)
    shape = (1,) * (y.rank - x.rank) + x.shape
    return diff(reshape(x, shape), 1, axis)


# -- derivatives -------------------------------------------------------------------------------


@function(method=False, grad_name="CatBackward0")
def gradient(
    input: Node, *, spacing: Any = 1, dim: Dims = None, edge_order: int = 1
) -> tuple[Node, ...]:
    """The derivative along each dimension, by differences of second order within.

    ``spacing`` is the distance of the samples: one, one for each dimension, or their places.
    """
    axes = [dim] if isinstance(dim, int) else list(range(input.rank) if dim is None else dim)
    steps = _spacings(input, 1 if spacing is None else spacing, dim, len(axes))
    normal = [normal_dim(d, input.rank) for d in axes]
    for axis in normal:
        if normal.count(axis) > 1:
            raise GraphcRuntimeError(f"dim {axis} appears multiple times in the list of dims")
    if edge_order not in (1, 2):
        raise GraphcRuntimeError("torch.gradient only supports edge_order=1 and edge_order=2.")
    if any(input.shape[axis] < edge_order + 1 for axis in normal):
        raise GraphcRuntimeError(
            "torch.gradient expected each dimension size to be at least edge_order+1"
        )
    return tuple(
        _derivative(input, axis, step, edge_order) for axis, step in zip(normal, steps, strict=True)
    )


def _spacings(input: Node, spacing: Any, dim: Dims, count: int) -> list[Operand]:
    if isinstance(spacing, Node):
        raise GraphcTypeError("gradient() received an invalid combination of arguments")
    if not isinstance(spacing, Sequence):
        return [spacing] * count
    if len(spacing) == count:
        return list(spacing)
    if dim is None:
        raise GraphcRuntimeError(
            "torch.gradient expected spacing to be unspecified, a scalar, or a list of length "
            f"equal to 'self.dim() = {input.rank}', since dim argument was not given, but got a "
            f"list of length {len(spacing)}"
        )
    raise GraphcRuntimeError(
        "torch.gradient expected spacing to be unspecified, a scalar or it's spacing and dim "
        "arguments to have the same length, but got a spacing argument of length "
        f"{len(spacing)} and a dim argument of length {count}."
    )


def _derivative(f: Node, axis: int, spacing: Operand, edge_order: int) -> Node:
    """The derivative along one dimension."""
    extent = f.shape[axis]
    ends = (0, 1, min(2, extent - 1), max(extent - 3, 0), extent - 2, extent - 1)
    samples = [cut(f, axis, i, i + 1) for i in ends]
    inner = [cut(f, axis, i, max(i, extent - 2 + i)) for i in range(3)]
    if not isinstance(spacing, Node):
        first, last = _even_ends(samples, float(spacing), edge_order)
        middle = (inner[2] - inner[0]) / (2.0 * spacing)
    else:
        gaps = diff(spacing, 1, 0)
        first, last = _uneven_ends(samples, gaps, f.rank - axis, edge_order)
        middle = _uneven_middle(inner, gaps, f.rank - axis)
    return Concat(axis)(first, middle, last)


def _even_ends(f: Sequence[Node], h: float, edge_order: int) -> tuple[Node, Node]:
    if edge_order == 1:
        return (f[1] - f[0]) / h, (f[5] - f[4]) / h
    return (
        (f[0] * -1.5 + f[1] * 2.0 - f[2] * 0.5) / h,
        (f[3] * 0.5 - f[4] * 2.0 + f[5] * 1.5) / h,
    )


def _uneven_ends(f: Sequence[Node], gaps: Node, places: int, edge_order: int) -> tuple[Node, Node]:
    def gap(i: int) -> Node:
        return reshape(cut(gaps, 0, i, i + 1), (1,) * places)

    last = gaps.shape[0] - 1
    if edge_order == 1:
        return (f[1] - f[0]) / gap(0), (f[5] - f[4]) / gap(last)
    a, b = gap(0), gap(1)
    first = f[0] * (-(a * 2.0 + b) / (a * (a + b))) + f[1] * ((a + b) / (a * b))
    first = first + f[2] * (-a / (b * (a + b)))
    a, b = gap(last - 1), gap(last)
    end = f[3] * (b / (a * (a + b))) + f[4] * (-(a + b) / (a * b))
    return first, end + f[5] * ((b * 2.0 + a) / (b * (a + b)))


def _uneven_middle(f: Sequence[Node], gaps: Node, places: int) -> Node:
    count = gaps.shape[0]
    shape = (count - 1, *(1,) * (places - 1))
    a, b = (reshape(cut(gaps, 0, i, count - 1 + i), shape) for i in range(2))
    total = f[0] * (-b / (a * (a + b))) + f[1] * ((b - a) / (a * b))
    return total + f[2] * (a / (b * (a + b)))
