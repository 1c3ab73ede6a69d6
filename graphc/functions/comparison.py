"""Comparisons, logic and bits as the user calls them."""

from __future__ import annotations

from graphc.errors import GraphcRuntimeError
from graphc.functions.operands import C_NAMES, Operand, check_operands, not_implemented
from graphc.ir.dtype import bool_
from graphc.ir.node import Node, cast, common_dtype, const, elementwise
from graphc.ir.types import broadcast_shapes
from graphc.ops.complex import Imag
from graphc.ops.function import function
from graphc.ops.movement import full

INFINITY = float("inf")

KERNELS = {"bitwise_left_shift": "lshift", "bitwise_right_shift": "rshift"}
"""PyTorch's names of kernels, where they are not the functions'."""
COMPARISONS = {
    "lt": "less",
    "le": "less_equal",
    "gt": "greater",
    "ge": "greater_equal",
    "eq": "",
    "ne": "not_equal",
}


def _compare(name: str, alias: str) -> None:
    mirrored = {"gt": "lt", "ge": "le"}.get(name)

    def call(input: Operand, other: Operand) -> Node:
        check_operands(name, input, other)
        if mirrored:
            if isinstance(input, Node) and isinstance(other, Node):
                broadcast_shapes(input.shape, other.shape)
            return elementwise(mirrored, other, input)
        return elementwise(name, input, other)

    call.__name__ = name
    call.__doc__ = f"Elementwise {alias.replace('_', ' or ') or 'equality'}, as truth values."
    function(*([alias] if alias else []), inplace=True, literal=True)(call)


for _name, _alias in COMPARISONS.items():
    _compare(_name, _alias)


def _truth(x: Operand) -> Node:
    return cast(x, bool_) if isinstance(x, Node) else const(bool(x), bool_)


def _logical(name: str, primitive: str) -> None:
    def call(input: Node, other: Node) -> Node:
        check_operands(name, input, other)
        return elementwise(primitive, _truth(input), _truth(other))

    call.__name__ = name
    call.__doc__ = f"Elementwise {primitive} of truth values."
    function(inplace=True)(call)


def _bitwise(name: str, primitive: str) -> None:
    def call(input: Operand, other: Operand) -> Node:
        check_operands(name, input, other)
        dtype = common_dtype((input, other))
        if dtype.is_inexact or (dtype is bool_ and name in KERNELS):
            raise not_implemented(f"{KERNELS.get(name, name)}_cpu", dtype)
        return elementwise(primitive, input, other)

    call.__name__ = name
    call.__doc__ = f"Elementwise {primitive.replace('_', ' ')} of the bits of integers."
    function(inplace=True)(call)


for _name in ("and", "or", "xor"):
    _logical(f"logical_{_name}", _name)
    _bitwise(f"bitwise_{_name}", _name)
_bitwise("bitwise_left_shift", "shift_left")
_bitwise("bitwise_right_shift", "shift_right")


@function(inplace=True)
def logical_not(input: Node) -> Node:
    """Not x, as truth values."""
    return elementwise("not", _truth(input))


@function(inplace=True)
def bitwise_not(input: Node) -> Node:
    """The complement of the bits of integers; not x, of truth values."""
    if input.dtype.is_inexact:
        raise not_implemented("bitwise_not_cpu", input.dtype)
    return elementwise("not", input)


@function()
def isnan(input: Node) -> Node:
    """Whether an element is not a number."""
    return elementwise("ne", input, input)


def _everywhere(value: bool, like: Node) -> Node:
    return full(like.shape, const(value, bool_))


def _check_real(name: str, x: Node) -> None:
    if x.dtype.is_complex:
        raise GraphcRuntimeError(f"{name} does not support complex inputs.")


@function()
def isinf(input: Node) -> Node:
    """Whether an element is infinite."""
    if not input.dtype.is_inexact:
        return _everywhere(False, input)
    return elementwise("eq", elementwise("abs", input), INFINITY)


@function()
def isposinf(input: Node) -> Node:
    """Whether an element is +∞."""
    _check_real("isposinf", input)
    if not input.dtype.is_floating_point:
        return _everywhere(False, input)
    return elementwise("eq", input, INFINITY)


@function()
def isneginf(input: Node) -> Node:
    """Whether an element is -∞."""
    _check_real("isneginf", input)
    if not input.dtype.is_floating_point:
        return _everywhere(False, input)
    return elementwise("eq", input, -INFINITY)


@function()
def isfinite(input: Node) -> Node:
    """Whether an element is neither infinite nor nan."""
    if not input.dtype.is_inexact:
        return _everywhere(True, input)
    return elementwise("lt", elementwise("abs", input), INFINITY)


@function()
def isreal(input: Node) -> Node:
    """Whether an element is real."""
    if not input.dtype.is_complex:
        return _everywhere(True, input)
    return elementwise("eq", Imag()(input), 0)


@function()
def signbit(input: Node) -> Node:
    """Whether an element's sign bit is set."""
    if input.dtype.is_floating_point:
        return elementwise("signbit", input)
    return elementwise("lt", input, 0)


@function()
def isclose(
    input: Node, other: Node, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False
) -> Node:
    """Whether |input - other| ≤ atol + rtol · |other|, or both are equal."""
    if input.dtype is not other.dtype:
        raise GraphcRuntimeError(
            f"{C_NAMES[input.dtype.name]} did not match {C_NAMES[other.dtype.name]}"
        )
    equal = elementwise("eq", input, other)
    if equal_nan:
        equal = elementwise("or", equal, elementwise("and", isnan(input), isnan(other)))
    if not input.dtype.is_inexact and not (rtol or atol):
        return equal
    x, y = (cast(v, v.dtype) if v.dtype.is_inexact else v * 1.0 for v in (input, other))
    distance = elementwise("abs", x - y)
    near = elementwise("le", distance, elementwise("abs", y) * rtol + atol)
    near = elementwise("and", near, elementwise("lt", distance, INFINITY))
    return elementwise("or", equal, near)
