"""Elementwise primitives of arithmetic, comparison and logic, each with its gradient."""

from __future__ import annotations

from dataclasses import dataclass

from graphc.errors import GraphcRuntimeError
from graphc.ir.dtype import DType, bool_, real_type
from graphc.ir.node import Const, Node, Op, cast, const, elementwise, is_const
from graphc.ir.types import Shape, TensorType, broadcast_shapes


@dataclass(frozen=True)
class Elementwise(Op):
    """A scalar function of operands of one type, broadcast as numpy does."""

    def infer(self, types: tuple[TensorType, ...]) -> TensorType:
        dtype = types[0].dtype
        if any(t.dtype is not dtype for t in types):
            raise GraphcRuntimeError(
                f"{self.name}: operands of one type expected, not {', '.join(map(str, types))}"
            )
        try:
            shape = broadcast_shapes(*(t.shape for t in types))
        except GraphcRuntimeError as error:
            raise GraphcRuntimeError(f"{self.name}: {error}") from None
        return TensorType(shape, self.result_dtype(dtype))

    def result_dtype(self, dtype: DType) -> DType:
        return dtype


@dataclass(frozen=True)
class Predicate(Elementwise):
    """An elementwise function whose result is a truth value; it has no gradient."""

    def result_dtype(self, dtype: DType) -> DType:
        return bool_


def sum_to(x: Node, shape: Shape) -> Node:
    """``x`` summed over the axes along which an operand of ``shape`` was broadcast."""
    if x.shape == shape:
        return x
    lead = x.rank - len(shape)
    axes = tuple(
        axis
        for axis, extent in enumerate(x.shape)
        if axis < lead or (shape[axis - lead] == 1 and extent != 1)
    )
    if axes:
        x = Op.registry["sum"](axes)(x)  # type: ignore[call-arg]
    return x if x.shape == shape else Op.registry["reshape"](shape)(x)  # type: ignore[call-arg]


def where(condition: Node, x: Node | float, y: Node | float) -> Node:
    """``x`` where the condition holds, else ``y``; both of one type, or one a number."""
    like = x if isinstance(x, Node) else y
    assert isinstance(like, Node)
    x, y = (v if isinstance(v, Node) else const(v, like.dtype) for v in (x, y))
    return Where()(condition, x, y)


def number(value: float, like: Node) -> Node:
    """``value`` in the element type of ``like``."""
    return const(value, like.dtype)


class Add(Elementwise, name="add"):
    def grad(self, node: Node, dy: Node) -> tuple[Node, ...]:
        x, y = node.inputs
        return sum_to(dy, x.shape), sum_to(dy, y.shape)


class Sub(Elementwise, name="sub"):
    def grad(self, node: Node, dy: Node) -> tuple[Node, ...]:
        x, y = node.inputs
        return sum_to(dy, x.shape), sum_to(-dy, y.shape)


class Mul(Elementwise, name="mul"):
    def grad(self, node: Node, dy: Node) -> tuple[Node | None, ...]:
        x, y = node.inputs
        return (
            sum_to(dy * y, x.shape) if x.requires_grad else None,
            sum_to(dy * x, y.shape) if y.requires_grad else None,
        )


class Div(Elementwise, name="div"):
    """Division of floating-point numbers."""

    def grad(self, node: Node, dy: Node) -> tuple[Node | None, ...]:
        x, y = node.inputs
        return (
            sum_to(dy / y, x.shape) if x.requires_grad else None,
            sum_to(-dy * (node / y), y.shape) if y.requires_grad else None,
        )


class Pow(Elementwise, name="pow"):
    def grad(self, node: Node, dy: Node) -> tuple[Node | None, ...]:
        x, y = node.inputs
        dx = dy_exponent = None
        if x.requires_grad:
            if is_const(y, 0):
                slope = number(0, y)
            else:
                slope = y * Pow()(x, y - number(1, y))
                if not isinstance(y.op, Const):
                    slope = where(equal(y, number(0, y)), 0.0, slope)
            dx = sum_to(dy * slope, x.shape)
        if y.requires_grad:
            positive = Op.registry["real"]()(y) if y.dtype.is_complex else y
            at_zero = And()(equal(x, number(0, x)), number(0, positive) <= positive)
            slope = where(at_zero, 0.0, node * elementwise("log", x))
            dy_exponent = sum_to(dy * slope, y.shape)
        return dx, dy_exponent


def _nothing(x: Node) -> Node:
    """A gradient of zero for ``x``: not dy · 0, which is nan where dy is infinite."""
    from graphc.ops.movement import zeros

    return zeros(x.type)


def equal(x: Node, y: Node) -> Node:
    """Elementwise x = y."""
    return Eq()(x, y)


def _share(dy: Node, x: Node, y: Node, x_loses: Node, y_loses: Node) -> tuple[Node, ...]:
    """The gradient of maximum and minimum: nothing to the one that loses, half to each at a tie.

    Where one is nan nobody loses, and so both have it all.
    """
    share = where(equal(x, y), dy * 0.5, dy)
    from_x = where(x_loses, 0.0, share)
    from_y = where(y_loses, 0.0, share)
    return sum_to(from_x, x.shape), sum_to(from_y, y.shape)


class Maximum(Elementwise, name="maximum"):
    """The larger operand; nan if either is."""

    def grad(self, node: Node, dy: Node) -> tuple[Node, ...]:
        x, y = node.inputs
        return _share(dy, x, y, x < y, y < x)


class Minimum(Elementwise, name="minimum"):
    """The smaller operand; nan if either is."""

    def grad(self, node: Node, dy: Node) -> tuple[Node, ...]:
        x, y = node.inputs
        return _share(dy, x, y, y < x, x < y)


def _of_bounded(dy: Node, x: Node, bound: Node, kept: Node, moved: Node) -> tuple[Node | None, ...]:
    """The gradient of an operand kept on one side of a bound: none where either is nan."""
    return (
        sum_to(where(kept, dy, 0.0), x.shape) if x.requires_grad else None,
        sum_to(where(moved, dy, 0.0), bound.shape) if bound.requires_grad else None,
    )


class ClampMin(Elementwise, name="clamp_min"):
    """max(x, bound); nan if either is. At a tie the gradient is the operand's."""

    def grad(self, node: Node, dy: Node) -> tuple[Node | None, ...]:
        x, bound = node.inputs
        return _of_bounded(dy, x, bound, bound <= x, x < bound)


class ClampMax(Elementwise, name="clamp_max"):
    """min(x, bound); nan if either is. At a tie the gradient is the operand's."""

    def grad(self, node: Node, dy: Node) -> tuple[Node | None, ...]:
        x, bound = node.inputs
        return _of_bounded(dy, x, bound, x <= bound, bound < x)


class Preferring(Elementwise):
    """One of two operands; the gradient is its alone, the first one's at a tie."""

    def grad(self, node: Node, dy: Node) -> tuple[Node, ...]:
        x, y = node.inputs
        first = Or()(equal(x, node), Ne()(y, y))
        return (
            sum_to(where(first, dy, 0.0), x.shape),
            sum_to(where(first, 0.0, dy), y.shape),
        )


class Fmax(Preferring, name="fmax"):
    """The larger operand, a number rather than nan."""


class Fmin(Preferring, name="fmin"):
    """The smaller operand, a number rather than nan."""


class FloorDivide(Elementwise, name="floor_divide"):
    """⌊x / y⌋, piecewise constant."""

    def grad(self, node: Node, dy: Node) -> tuple[Node, ...]:
        x, y = node.inputs
        return _nothing(x), _nothing(y)


class Remainder(Elementwise, name="remainder"):
    """x - y · ⌊x / y⌋: the sign is the divisor's."""

    def grad(self, node: Node, dy: Node) -> tuple[Node, ...]:
        x, y = node.inputs
        return sum_to(dy, x.shape), sum_to(-dy * FloorDivide()(x, y), y.shape)


class Fmod(Elementwise, name="fmod"):
    """x - y · trunc(x / y): the sign is the dividend's."""

    def grad(self, node: Node, dy: Node) -> tuple[Node, ...]:
        x, y = node.inputs
        return sum_to(dy, x.shape), sum_to(-dy * Trunc()(x / y), y.shape)


class Atan2(Elementwise, name="atan2"):
    """The angle of the point (y, x); operands in that order."""

    def grad(self, node: Node, dy: Node) -> tuple[Node, ...]:
        y, x = node.inputs
        square = x * x + y * y
        scaled = where(equal(square, number(0, square)), 0.0, dy / square)
        return sum_to(scaled * x, y.shape), sum_to(-scaled * y, x.shape)


class Hypot(Elementwise, name="hypot"):
    """√(x² + y²)"""

    def grad(self, node: Node, dy: Node) -> tuple[Node, ...]:
        x, y = node.inputs
        return sum_to(dy * (x / node), x.shape), sum_to(dy * (y / node), y.shape)


class LogAddExp(Elementwise, name="logaddexp"):
    """ln(eˣ + eʸ)"""

    def grad(self, node: Node, dy: Node) -> tuple[Node, ...]:
        x, y = node.inputs
        from_x = dy * elementwise("sigmoid", x - y)
        from_y = dy * elementwise("sigmoid", y - x)
        return sum_to(from_x, x.shape), sum_to(from_y, y.shape)


class CopySign(Elementwise, name="copysign"):
    """The magnitude of the first operand with the sign of the second."""

    def grad(self, node: Node, dy: Node) -> tuple[Node | None, ...]:
        x, y = node.inputs
        ratio = where(equal(x, number(0, x)), 0.0, node / x)
        return sum_to(dy * ratio, x.shape), _nothing(y)


class NextAfter(Elementwise, name="nextafter"):
    """The next number after the first operand towards the second."""


class Gcd(Elementwise, name="gcd"):
    """The greatest common divisor of integers."""


class Neg(Elementwise, name="neg"):
    def grad(self, node: Node, dy: Node) -> tuple[Node, ...]:
        return (-dy,)


class Abs(Elementwise, name="abs"):
    def result_dtype(self, dtype: DType) -> DType:
        return real_type(dtype)

    def grad(self, node: Node, dy: Node) -> tuple[Node, ...]:
        return (dy * Sign()(node.inputs[0]),)


class Step(Elementwise):
    """A piecewise constant function: its gradient is zero."""

    def grad(self, node: Node, dy: Node) -> tuple[Node, ...]:
        return (_nothing(node.inputs[0]),)


class Sign(Step, name="sign"):
    """-1, 0 or 1; of a complex number the one of magnitude 1 in its direction, or 0."""

    def grad(self, node: Node, dy: Node) -> tuple[Node, ...]:
        (x,) = node.inputs
        if not x.dtype.is_complex:
            return super().grad(node, dy)
        # What points along x changes only its magnitude: (dy - node · Re(node̅ dy)) / |x|.
        along = Op.registry["real"]()(Op.registry["conj"]()(node) * dy)
        size = elementwise("abs", x)
        at_zero = equal(size, number(0, size))
        return (where(at_zero, 0.0, (dy - node * along) / where(at_zero, 1.0, size)),)


class SignBit(Predicate, name="signbit"):
    """Whether the sign bit is set, as it is for -0."""


class Floor(Step, name="floor"):
    pass


class Ceil(Step, name="ceil"):
    pass


class Trunc(Step, name="trunc"):
    pass


class Round(Step, name="round"):
    """To the nearest integer, halves to the even one."""


class Relu(Elementwise, name="relu"):
    """max(x, 0), whose gradient at 0 is 0."""

    def grad(self, node: Node, dy: Node) -> tuple[Node, ...]:
        from graphc.ops.sloped import level

        return (level(where(node <= 0.0, 0.0, dy), node),)


class Lt(Predicate, name="lt"):
    pass


class Le(Predicate, name="le"):
    pass


class Eq(Predicate, name="eq"):
    pass


class Ne(Predicate, name="ne"):
    pass


class And(Elementwise, name="and"):
    """Bitwise on integers, logical on truth values."""


class Or(Elementwise, name="or"):
    """Bitwise on integers, logical on truth values."""


class Xor(Elementwise, name="xor"):
    """Bitwise on integers, logical on truth values."""


class Not(Elementwise, name="not"):
    """Bitwise on integers, logical on truth values."""


class ShiftLeft(Elementwise, name="shift_left"):
    pass


class ShiftRight(Elementwise, name="shift_right"):
    pass


class Where(Op, name="where"):
    """The second operand where the first holds, else the third."""

    def infer(self, types: tuple[TensorType, ...]) -> TensorType:
        condition, x, y = types
        if condition.dtype is not bool_:
            raise GraphcRuntimeError(
                f"where: expected condition to be a boolean tensor, but got {condition}"
            )
        if x.dtype is not y.dtype:
            raise GraphcRuntimeError(f"where: operands of one type expected, not {x}, {y}")
        return TensorType(broadcast_shapes(condition.shape, x.shape, y.shape), x.dtype)

    def grad(self, node: Node, dy: Node) -> tuple[Node | None, ...]:
        condition, x, y = node.inputs
        return (
            None,
            sum_to(where(condition, dy, 0.0), x.shape) if x.requires_grad else None,
            sum_to(where(condition, 0.0, dy), y.shape) if y.requires_grad else None,
        )


@dataclass(frozen=True)
class Cast(Op, name="cast"):
    """The operand in another element type; floats are truncated towards zero to integers."""

    dtype: DType

    def infer(self, types: tuple[TensorType, ...]) -> TensorType:
        return TensorType(types[0].shape, self.dtype)

    def grad(self, node: Node, dy: Node) -> tuple[Node, ...]:
        return (cast(dy, node.inputs[0].dtype),)

    def settings(self) -> str:
        return self.dtype.name
