"""What primitives mean for complex operands: for each the parts of the result, as real nodes.

A rule takes a node's op and its operands, those that are complex as ``Parts``, and gives the parts
of the result, or one node where that is real. An *analytic* primitive has its real gradient rule in
the complex numbers too: the gradient that PyTorch means is the conjugate of what that rule gives
for the conjugate of the result's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from operator import mul
from typing import Any, NamedTuple, TypeVar

from graphc.ir.dtype import bool_, real_type
from graphc.ir.node import Node, Op, cast, const, elementwise
from graphc.ops.elementwise import And, Or, equal, where
from graphc.ops.movement import Pad, Slice, expand, permute, reshape, zeros


class Parts(NamedTuple):
    """Complex numbers by their parts, of one type."""

    re: Node
    im: Node | None = None
    """None where all are zero."""

    @property
    def imag(self) -> Node:
        return zeros(self.re.type) if self.im is None else self.im


Result = Parts | Node
Lowering = Callable[..., Result]
F = TypeVar("F", bound=Lowering)


@dataclass(frozen=True)
class Rule:
    """What a primitive means for complex operands."""

    lower: Lowering
    analytic: bool


def rule(*names: str, analytic: bool = False) -> Callable[[F], F]:
    """Declare what primitives mean for complex operands."""

    def declare(lower: F) -> F:
        Op.of_complex.update(dict.fromkeys(names, Rule(lower, analytic)))
        return lower

    return declare


def is_analytic(node: Node) -> bool:
    """Whether the gradient of a complex node is that of real ones, but for conjugates."""
    found = Op.of_complex.get(node.op.name)
    return found is not None and found.analytic


# -- alike in both parts -----------------------------------------------------------------------


@rule("reshape", "permute", "expand", "slice", "place", "flip", "concat", "strided")
@rule("gather", "scatter_add", "scatter", "gather_nd", "index_sum", "index_put")
@rule("sub", "neg", "sum", "cumsum", "where", "avg_pool", "avg_pool_grad")
@rule("detach", "variable", "to_device", "border", "check_range")
def _each(op: Op, *operands: Result) -> Parts:
    """What treats real and imaginary parts alike, and each by itself."""
    pairs = [x for x in operands if isinstance(x, Parts)]
    re = op(*(x.re if isinstance(x, Parts) else x for x in operands))
    if all(x.im is None for x in pairs):
        return Parts(re)
    return Parts(re, op(*(x.imag if isinstance(x, Parts) else x for x in operands)))


@rule("add")
def _add(op: Op, x: Parts, y: Parts) -> Parts:
    if x.im is None or y.im is None:
        both = _each(op, x, y)
        alone = y.im if x.im is None else x.im
        return Parts(both.re, None if alone is None else expand(alone, both.re.shape))
    return _each(op, x, y)


@rule("sloped")
def _sloped(op: Op, value: Parts, *pairs: Result) -> Parts:
    """The value: gradients have been told before."""
    return value


@rule("pad")
def _pad(op: Pad, x: Parts) -> Parts:
    value = complex(op.value)
    return Parts(
        Pad(op.low, op.high, value.real)(x.re),
        None if x.im is None and not value.imag else Pad(op.low, op.high, value.imag)(x.imag),
    )


# -- between real and complex ------------------------------------------------------------------


@rule("complex")
def _complex(op: Op, re: Node, im: Node) -> Parts:
    return Parts(re, im)


@rule("real")
def _real(op: Op, x: Parts) -> Node:
    return x.re


@rule("imag")
def _imag(op: Op, x: Parts) -> Node:
    return x.imag


@rule("view_as_real")
def pair(op: Op | None, x: Parts) -> Node:
    """The parts along a new last axis."""
    own = (*x.re.shape, 1)
    axis = Op.registry["concat"](x.re.rank)  # type: ignore[call-arg]
    return axis(reshape(x.re, own), reshape(x.imag, own))


@rule("view_as_complex")
def unpaired(op: Op | None, x: Node) -> Parts:
    """The parts that lie along the last axis."""
    shape, lead, ones = x.shape[:-1], (0,) * (x.rank - 1), (1,) * x.rank

    def part(i: int) -> Node:
        return reshape(Slice((*lead, i), (*shape, i + 1), ones)(x), shape)

    return Parts(part(0), part(1))


@rule("conj")
def _conj(op: Op, x: Parts) -> Parts:
    return Parts(x.re, None if x.im is None else -x.im)


@rule("cast")
def _cast(op: Any, x: Result) -> Result:
    if not isinstance(x, Parts):
        return Parts(cast(x, real_type(op.dtype)))
    if op.dtype is bool_:
        re = elementwise("ne", x.re, 0)
        return re if x.im is None else Or()(re, elementwise("ne", x.im, 0))
    if not op.dtype.is_complex:
        return cast(x.re, op.dtype)
    part = real_type(op.dtype)
    return Parts(cast(x.re, part), None if x.im is None else cast(x.im, part))


@rule("eq")
def _eq(op: Op, x: Parts, y: Parts) -> Node:
    same = op(x.re, y.re)
    return same if x.im is y.im is None else And()(same, op(x.imag, y.imag))


@rule("ne")
def _ne(op: Op, x: Parts, y: Parts) -> Node:
    other = op(x.re, y.re)
    return other if x.im is y.im is None else Or()(other, op(x.imag, y.imag))


@rule("abs")
def magnitude(op: Op | None, x: Parts) -> Node:
    """|x|"""
    return elementwise("abs", x.re) if x.im is None else elementwise("hypot", x.re, x.im)


@rule("sign")
def _sign(op: Op, x: Parts) -> Parts:
    """x / |x|, and 0 at 0."""
    size = magnitude(None, x)
    at_zero = equal(size, const(0, size.dtype))
    below = where(at_zero, 1.0, size)
    return Parts(x.re / below, None if x.im is None else x.im / below)


# -- arithmetic --------------------------------------------------------------------------------


def times(x: Parts, y: Parts, product: Callable[[Node, Node], Node]) -> Parts:
    """x · y by a product of real numbers, elementwise or another one."""
    if x.im is None and y.im is None:
        return Parts(product(x.re, y.re))
    if y.im is None:
        return Parts(product(x.re, y.re), product(x.imag, y.re))
    if x.im is None:
        return Parts(product(x.re, y.re), product(x.re, y.im))
    return Parts(
        product(x.re, y.re) - product(x.im, y.im), product(x.re, y.im) + product(x.im, y.re)
    )


@rule("mul", "matmul", "convolution", analytic=True)
@rule("convolution_input_grad", "convolution_weight_grad", analytic=True)
def _mul(op: Op, x: Parts, y: Parts) -> Parts:
    return times(x, y, op)


@rule("div", analytic=True)
def divided(op: Op | None, x: Parts, y: Parts) -> Parts:
    """x / y; the divisor is scaled first, so that its square is in range."""
    if y.im is None:
        return Parts(x.re / y.re, None if x.im is None else x.im / y.re)
    size = elementwise("maximum", elementwise("abs", y.re), elementwise("abs", y.im))
    re, im = y.re / size, y.im / size
    below = re * re + im * im
    top = times(x, Parts(re, -im), mul)
    return Parts(top.re / below / size, top.imag / below / size)


@rule("reciprocal", analytic=True)
def reciprocal(op: Op | None, x: Parts) -> Parts:
    return divided(None, Parts(const(1.0, x.re.dtype)), x)


@rule("prod", analytic=True)
def _prod(op: Any, x: Parts) -> Parts:
    """By halves: log n steps."""
    rest = tuple(axis for axis in range(x.re.rank) if axis not in op.axes)
    lead = tuple(x.re.shape[axis] for axis in rest)
    count = prod(x.re.shape[axis] for axis in op.axes)
    rows = each_part(x, lambda a: reshape(permute(a, rest + op.axes), (*lead, count)))
    while count > 1:
        half, odd = divmod(count, 2)
        first, second = (_part(rows, lead, i * half, (i + 1) * half) for i in range(2))
        product = times(first, second, mul)
        if odd:
            last = _part(rows, lead, count - 1, count)
            product = _each(Op.registry["concat"](len(lead)), product, last)  # type: ignore[call-arg]
        rows, count = product, half + odd
    if not count:
        rows = _pad(Pad((0,) * len(lead) + (1,), (0,) * (len(lead) + 1), 1.0), rows)
    shape = tuple(1 if axis in op.axes else n for axis, n in enumerate(x.re.shape))
    return each_part(rows, lambda a: reshape(a, shape))


def each_part(x: Parts, change: Callable[[Node], Node]) -> Parts:
    return Parts(change(x.re), None if x.im is None else change(x.im))


def _part(x: Parts, lead: tuple[int, ...], start: int, stop: int) -> Parts:
    """The elements from ``start`` to before ``stop`` along the last axis."""
    none = (0,) * len(lead)
    cut = Slice((*none, start), (*lead, stop), (1,) * (len(lead) + 1))
    return each_part(x, cut)


@rule("cumprod", analytic=True)
def _cumprod(op: Any, x: Parts) -> Parts:
    """Of windows that double: log n steps."""
    none, extent, step = (0,) * x.re.rank, x.re.shape[op.dim], 1
    while step < extent:
        shift = tuple(step * (axis == op.dim) for axis in range(x.re.rank))
        before = each_part(
            _pad(Pad(shift, none, 1.0), x), Slice(none, x.re.shape, (1,) * len(none))
        )
        x, step = times(x, before, mul), step * 2
    return x
