"""Complex numbers and their parts as the user calls them."""

from __future__ import annotations

from graphc.errors import GraphcRuntimeError
from graphc.functions.operands import C_NAMES, check_tensors
from graphc.ir.dtype import float32, float64, get_default_dtype
from graphc.ir.node import Node, cast, const, elementwise
from graphc.ir.types import broadcast_shapes
from graphc.ops.complex import Complex, Imag, Real, ViewAsComplex, ViewAsReal, conjugate
from graphc.ops.elementwise import where as select
from graphc.ops.function import function
from graphc.ops.movement import expand

PARTS = (float32, float64)
"""The types that the parts of complex numbers have."""


def _check_parts(x: Node, y: Node) -> None:
    """Raise where these are no parts of complex numbers."""
    if x.dtype not in PARTS or y.dtype not in PARTS:
        kinds = " and ".join(C_NAMES[v.dtype.name] for v in (x, y))
        raise GraphcRuntimeError(
            "Expected both inputs to be Half, Float or Double tensors but got " + kinds
        )
    if x.dtype is not y.dtype:
        raise GraphcRuntimeError(
            f"Expected object of scalar type {C_NAMES[x.dtype.name]} but got scalar type "
            f"{C_NAMES[y.dtype.name]} for second argument"
        )


@function(method=False)
def complex(real: Node, imag: Node) -> Node:
    """real + i · imag"""
    check_tensors("complex", real, imag)
    _check_parts(real, imag)
    shape = broadcast_shapes(real.shape, imag.shape)
    return Complex()(expand(real, shape), expand(imag, shape))


@function(method=False)
def polar(abs: Node, angle: Node) -> Node:
    """abs · (cos angle + i · sin angle)"""
    check_tensors("polar", abs, angle)
    _check_parts(abs, angle)
    return complex(abs * elementwise("cos", angle), abs * elementwise("sin", angle))


@function(method=False, view=True, same=True, grad_name="SelectBackward0")
def real(input: Node) -> Node:
    """The real parts; of real numbers the tensor itself."""
    return Real()(input) if input.dtype.is_complex else input


@function(method=False, view=True, grad_name="SelectBackward0")
def imag(input: Node) -> Node:
    """The imaginary parts, which real numbers have none of."""
    if not input.dtype.is_complex:
        raise GraphcRuntimeError("imag is not implemented for tensors with non-complex dtypes.")
    return Imag()(input)


@function(method=False, view=True)
def view_as_real(input: Node) -> Node:
    """The parts of each number along a new last dimension, in the same memory."""
    if not input.dtype.is_complex:
        raise GraphcRuntimeError("view_as_real is only supported for complex tensors")
    return ViewAsReal()(input)


@function(method=False, view=True)
def view_as_complex(input: Node) -> Node:
    """The complex numbers whose parts lie along the last dimension, in the same memory."""
    if input.dtype not in PARTS:
        raise GraphcRuntimeError(
            "view_as_complex is only supported for half, float and double tensors, but got a "
            f"tensor of scalar type: {C_NAMES[input.dtype.name]}"
        )
    if not input.rank:
        raise GraphcRuntimeError("Input tensor must have one or more dimensions")
    if input.shape[-1] != 2:
        raise GraphcRuntimeError("Tensor must have a last dimension of size 2")
    return ViewAsComplex()(input)


@function(same=True)
def conj(input: Node) -> Node:
    """The conjugates; of real numbers the tensor itself."""
    return conjugate(input)


@function(inplace=True, same=True, grad_name="ConjPhysicalBackward0")
def conj_physical(input: Node) -> Node:
    """The conjugates; of real numbers the tensor itself."""
    return conjugate(input)


@function(same=True)
def resolve_conj(input: Node) -> Node:
    """The tensor itself, of which no conjugate is pending."""
    return input


@function(same=True)
def resolve_neg(input: Node) -> Node:
    """The tensor itself, of which no sign is pending."""
    return input


@function()
def angle(input: Node) -> Node:
    """The angle with the positive real numbers: of these 0, of negative ones π."""
    if input.dtype.is_complex:
        return elementwise("atan2", Imag()(input), Real()(input))
    x = input if input.dtype.is_floating_point else cast(input, get_default_dtype())
    zero = const(0.0, x.dtype)
    turned_ = select(x < zero, 3.141592653589793, expand(zero, x.shape))
    return select(elementwise("ne", x, x), x, turned_)
