"""Elementwise functions as the user calls them: promotion, defaults and names of PyTorch."""

from __future__ import annotations

from typing import Any

from graphc.errors import GraphcRuntimeError, GraphcTypeError
from graphc.ir.dtype import DType, Scalar, bool_
from graphc.ir.node import Node, Op, cast, common_dtype, const, elementwise, promoted
from graphc.ops.elementwise import Not, where as select
from graphc.ops.function import FUNCTIONS, Function, function

Operand = Node | Scalar


def _check(name: str, *operands: Any) -> None:
    for x in operands:
        if not isinstance(x, Node | bool | int | float):
            raise GraphcTypeError(
                f"{name}(): argument must be Tensor or Number, not {type(x).__name__}"
            )


@function(inplace=True)
def add(input: Operand, other: Operand, *, alpha: Scalar = 1) -> Node:
    """input + alpha · other"""
    _check("add", input, other)
    if alpha != 1:
        other = elementwise("mul", other, alpha)
    return elementwise("or" if common_dtype((input, other)) is bool_ else "add", input, other)


@function("subtract", inplace=True)
def sub(input: Operand, other: Operand, *, alpha: Scalar = 1) -> Node:
    """input - alpha · other"""
    _check("sub", input, other)
    if alpha != 1:
        other = elementwise("mul", other, alpha)
    if common_dtype((input, other)) is bool_:
        raise GraphcRuntimeError(
            "Subtraction, the `-` operator, with a bool tensor is not supported. If you are "
            "trying to invert a mask, use the `~` or `logical_not()` operator instead."
        )
    return elementwise("sub", input, other)


@function(namespace=True, method=False, grad_name="RsubBackward1")
def rsub(input: Operand, other: Operand, *, alpha: Scalar = 1) -> Node:
    """other - alpha · input"""
    return sub(other, input, alpha=alpha)


@function("multiply", inplace=True)
def mul(input: Operand, other: Operand) -> Node:
    """input · other"""
    _check("mul", input, other)
    return elementwise("and" if common_dtype((input, other)) is bool_ else "mul", input, other)


@function("divide", "true_divide", inplace=True)
def div(input: Operand, other: Operand, *, rounding_mode: str | None = None) -> Node:
    """input / other; ``rounding_mode`` is None, "trunc" or "floor"."""
    _check("div", input, other)
    if rounding_mode == "floor":
        return elementwise("floor_divide", input, other)
    if rounding_mode is None:
        return elementwise("div", input, other, floating=True)
    if rounding_mode != "trunc":
        raise GraphcRuntimeError(
            f"div expected rounding_mode to be one of None, 'trunc', or 'floor' but found '{rounding_mode}'"
        )
    dtype = common_dtype((input, other))
    if dtype.is_floating_point:
        return elementwise("trunc", elementwise("div", input, other))
    quotient = elementwise("div", *promoted((input, other), dtype=Op.registry and _double()))
    return cast(elementwise("trunc", quotient), dtype)


def _double() -> DType:
    from graphc.ir.dtype import float64

    return float64


@function(inplace=True)
def pow(input: Operand, exponent: Operand) -> Node:
    """input ** exponent"""
    _check("pow", input, exponent)
    dtype = common_dtype((input, exponent))
    if not dtype.is_floating_point and isinstance(exponent, int) and exponent < 0:
        raise GraphcRuntimeError("Integers to negative integer powers are not allowed.")
    return elementwise("pow", input, exponent)


def _unary(name: str, *aliases: str, floating: bool = False, **options: Any) -> None:
    """Declare the function of one operand that is the primitive ``name``."""

    def call(input: Node) -> Node:
        _check(name, input)
        return elementwise(name, input, floating=floating)

    call.__name__ = name
    call.__doc__ = Op.registry[name].__doc__
    function(*aliases, inplace=True, **options)(call)


for _name in (
    "exp exp2 expm1 log log2 log10 log1p sqrt rsqrt reciprocal sin cos tan asin acos atan "
    "sinh cosh tanh asinh acosh atanh sigmoid erf"
).split():
    _short = _name[0:]
    _alias = {"asin": "arcsin", "acos": "arccos", "atan": "arctan"}.get(_name)
    _unary(
        _name,
        *([_alias] if _alias else []),
        floating=True,
        functional=_name in ("tanh", "sigmoid"),
    )
_unary("neg", "negative")
_unary("relu", functional=True)


@function("bitwise_not", inplace=True)
def logical_not(input: Node) -> Node:
    """Not x."""
    return Not()(cast(input, bool_))


@function(grad_name="WhereBackward0")
def where(condition: Node, input: Operand, other: Operand) -> Node:
    """``input`` where the condition holds, else ``other``."""
    x, y = promoted((input, other))
    return select(condition, x, y)


def compare(name: str, *aliases: str) -> None:
    """Declare the comparison ``name``."""

    def call(input: Operand, other: Operand) -> Node:
        _check(name, input, other)
        if name in ("gt", "ge"):
            return elementwise({"gt": "lt", "ge": "le"}[name], other, input)
        return elementwise(name, input, other)

    call.__name__ = name
    call.__doc__ = f"Elementwise {name}, as truth values."
    function(*aliases)(call)


for _name, _alias in (
    ("lt", "less"),
    ("le", "less_equal"),
    ("gt", "greater"),
    ("ge", "greater_equal"),
    ("eq", ""),
    ("ne", "not_equal"),
):
    compare(_name, *([_alias] if _alias else []))

__all__ = ["FUNCTIONS", "Function", "const"]
