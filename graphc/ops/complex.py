"""Primitives between complex numbers and the real ones they are made of.

Nodes of complex types stand in traces alone: before a program is compiled each becomes two real
nodes, its parts (``passes.open_complex``).
"""

from __future__ import annotations

from dataclasses import dataclass

from graphc.errors import GraphcRuntimeError
from graphc.ir.dtype import complex_type, real_type
from graphc.ir.node import Node, Op
from graphc.ir.types import TensorType
from graphc.ops.movement import View, zeros


def _of_real(x: TensorType) -> TensorType:
    return TensorType(x.shape, real_type(x.dtype))


@dataclass(frozen=True)
class Complex(Op, name="complex"):
    """The complex numbers whose real parts are the first operand, whose imaginary the second."""

    def infer(self, types: tuple[TensorType, ...]) -> TensorType:
        re, im = types
        if re != im:
            raise GraphcRuntimeError(f"complex: the parts have one type, not {re} and {im}")
        return TensorType(re.shape, complex_type(re.dtype))

    def grad(self, node: Node, dy: Node) -> tuple[Node, ...]:
        return Real()(dy), Imag()(dy)


@dataclass(frozen=True)
class Real(View, name="real"):
    """The real parts."""

    def infer(self, types: tuple[TensorType, ...]) -> TensorType:
        return _of_real(types[0])

    def grad(self, node: Node, dy: Node) -> tuple[Node, ...]:
        return (Complex()(dy, zeros(dy.type)),)

    def put(self, source: Node, value: Node) -> Node:
        return Complex()(value, Imag()(source))


@dataclass(frozen=True)
class Imag(View, name="imag"):
    """The imaginary parts."""

    def infer(self, types: tuple[TensorType, ...]) -> TensorType:
        return _of_real(types[0])

    def grad(self, node: Node, dy: Node) -> tuple[Node, ...]:
        return (Complex()(zeros(dy.type), dy),)

    def put(self, source: Node, value: Node) -> Node:
        return Complex()(Real()(source), value)


@dataclass(frozen=True)
class ViewAsReal(View, name="view_as_real"):
    """The parts of each number along a new last axis, as they lie in memory."""

    def infer(self, types: tuple[TensorType, ...]) -> TensorType:
        (x,) = types
        return TensorType((*x.shape, 2), real_type(x.dtype))

    def grad(self, node: Node, dy: Node) -> tuple[Node, ...]:
        return (ViewAsComplex()(dy),)

    def put(self, source: Node, value: Node) -> Node:
        return ViewAsComplex()(value)


@dataclass(frozen=True)
class ViewAsComplex(View, name="view_as_complex"):
    """The complex numbers whose parts lie along the last axis."""

    def infer(self, types: tuple[TensorType, ...]) -> TensorType:
        (x,) = types
        return TensorType(x.shape[:-1], complex_type(x.dtype))

    def grad(self, node: Node, dy: Node) -> tuple[Node, ...]:
        return (ViewAsReal()(dy),)

    def put(self, source: Node, value: Node) -> Node:
        return ViewAsReal()(value)


@dataclass(frozen=True)
class Conj(Op, name="conj"):
    """The conjugates."""

    def infer(self, types: tuple[TensorType, ...]) -> TensorType:
        return types[0]

    def grad(self, node: Node, dy: Node) -> tuple[Node, ...]:
        return (conjugate(dy),)


def conjugate(x: Node) -> Node:
    """The conjugates of complex numbers; real ones as they are."""
    if not x.dtype.is_complex:
        return x
    return x.inputs[0] if isinstance(x.op, Conj) and not x.requires_grad else Conj()(x)


def square_of_magnitude(x: Node) -> Node:
    """|x|²"""
    if not x.dtype.is_complex:
        return x * x
    re, im = Real()(x), Imag()(x)
    return re * re + im * im
