"""Primitives that move elements without computing: views, joins and padding."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from graphc.errors import GraphcRuntimeError
from graphc.ir.dtype import Scalar
from graphc.ir.node import Node, Op, const
from graphc.ir.types import Shape, TensorType
from graphc.ops.elementwise import sum_to


@dataclass(frozen=True)
class View(Op):
    """An op whose result is the operand's memory seen through other indices.

    ``put`` is the way back: what the operand becomes when ``value`` is written to the view.
    """

    def put(self, source: Node, value: Node) -> Node:
        raise GraphcRuntimeError(
            "unsupported operation: more than one element of the written-to tensor refers to a "
            "single memory location. Please clone() the tensor before performing the operation."
        )


@dataclass(frozen=True)
class Reshape(View, name="reshape"):
    shape: Shape

    def infer(self, types: tuple[TensorType, ...]) -> TensorType:
        (x,) = types
        if prod(self.shape) != x.size:
            raise GraphcRuntimeError(
                f"shape '{list(self.shape)}' is invalid for input of size {x.size}"
            )
        return TensorType(self.shape, x.dtype)

    def grad(self, node: Node, dy: Node) -> tuple[Node, ...]:
        return (Reshape(node.inputs[0].shape)(dy),)

    def put(self, source: Node, value: Node) -> Node:
        return Reshape(source.shape)(value)

    def settings(self) -> str:
        return ", ".join(map(str, self.shape))


@dataclass(frozen=True)
class Permute(View, name="permute"):
    dims: tuple[int, ...]

    def infer(self, types: tuple[TensorType, ...]) -> TensorType:
        (x,) = types
        return TensorType(tuple(x.shape[d] for d in self.dims), x.dtype)

    @property
    def inverse(self) -> Permute:
        return Permute(tuple(self.dims.index(i) for i in range(len(self.dims))))

    def grad(self, node: Node, dy: Node) -> tuple[Node, ...]:
        return (self.inverse(dy),)

    def put(self, source: Node, value: Node) -> Node:
        return self.inverse(value)

    def settings(self) -> str:
        return ", ".join(map(str, self.dims))


@dataclass(frozen=True)
class Expand(View, name="expand"):
    """The operand repeated, without a copy, along axes of extent one and along new leading axes."""

    shape: Shape

    def infer(self, types: tuple[TensorType, ...]) -> TensorType:
        (x,) = types
        lead = len(self.shape) - x.rank
        if lead < 0 or any(
            m not in (1, n) for m, n in zip(x.shape, self.shape[lead:], strict=True)
        ):
            raise GraphcRuntimeError(
                f"expand: the expanded size {self.shape} must match the existing size {x.shape} "
                "at dimensions of extent other than one"
            )
        return TensorType(self.shape, x.dtype)

    def grad(self, node: Node, dy: Node) -> tuple[Node, ...]:
        return (sum_to(dy, node.inputs[0].shape),)

    def put(self, source: Node, value: Node) -> Node:
        number = value
        while isinstance(number.op, Expand | Reshape | Permute):
            number = number.inputs[0]
        if not value.type.size:
            return source
        return super().put(source, value) if number.rank else full(source.shape, number)

    def settings(self) -> str:
        return ", ".join(map(str, self.shape))


@dataclass(frozen=True)
class Slice(View, name="slice"):
    """Per axis the elements from ``starts`` to before ``stops``, every ``steps``-th; steps ≥ 1."""

    starts: Shape
    stops: Shape
    steps: Shape

    def extents(self) -> Shape:
        return tuple(
            max(0, -((start - stop) // step))
            for start, stop, step in zip(self.starts, self.stops, self.steps, strict=True)
        )

    def infer(self, types: tuple[TensorType, ...]) -> TensorType:
        (x,) = types
        return TensorType(self.extents(), x.dtype)

    def grad(self, node: Node, dy: Node) -> tuple[Node, ...]:
        (x,) = node.inputs
        return (Place(self.starts, self.stops, self.steps)(zeros(x.type), dy),)

    def put(self, source: Node, value: Node) -> Node:
        return Place(self.starts, self.stops, self.steps)(source, value)

    def settings(self) -> str:
        return _slices(self.starts, self.stops, self.steps)


@dataclass(frozen=True)
class Place(Op, name="place"):
    """The first operand with the second written over the elements that ``Slice`` would take."""

    starts: Shape
    stops: Shape
    steps: Shape

    def infer(self, types: tuple[TensorType, ...]) -> TensorType:
        source, value = types
        expected = Slice(self.starts, self.stops, self.steps).extents()
        if value.shape != expected or value.dtype is not source.dtype:
            raise GraphcRuntimeError(f"place: {value} does not fit {list(expected)} of {source}")
        return source

    def grad(self, node: Node, dy: Node) -> tuple[Node, ...]:
        _, value = node.inputs
        return (
            Place(self.starts, self.stops, self.steps)(dy, zeros(value.type)),
            Slice(self.starts, self.stops, self.steps)(dy),
        )

    def settings(self) -> str:
        return _slices(self.starts, self.stops, self.steps)


def _slices(starts: Shape, stops: Shape, steps: Shape) -> str:
    return ", ".join(
        f"{a}:{b}" if step == 1 else f"{a}:{b}:{step}"
        for a, b, step in zip(starts, stops, steps, strict=True)
    )


@dataclass(frozen=True)
class Flip(View, name="flip"):
    dims: tuple[int, ...]

    def infer(self, types: tuple[TensorType, ...]) -> TensorType:
        return types[0]

    def grad(self, node: Node, dy: Node) -> tuple[Node, ...]:
        return (self(dy),)

    def put(self, source: Node, value: Node) -> Node:
        return self(value)


@dataclass(frozen=True)
class Pad(Op, name="pad"):
    """The operand with ``value`` before and after it on each axis; no padding is negative."""

    low: Shape
    high: Shape
    value: Scalar

    def infer(self, types: tuple[TensorType, ...]) -> TensorType:
        (x,) = types
        extents = zip(self.low, x.shape, self.high, strict=True)
        return TensorType(tuple(a + n + b for a, n, b in extents), x.dtype)

    def grad(self, node: Node, dy: Node) -> tuple[Node, ...]:
        (x,) = node.inputs
        stops = tuple(a + n for a, n in zip(self.low, x.shape, strict=True))
        return (Slice(self.low, stops, (1,) * x.rank)(dy),)


@dataclass(frozen=True)
class Concat(Op, name="concat"):
    """The operands one after the other along ``dim``."""

    dim: int

    def infer(self, types: tuple[TensorType, ...]) -> TensorType:
        first = types[0]
        for other in types[1:]:
            pairs = enumerate(zip(first.shape, other.shape, strict=False))
            same = all(axis == self.dim or m == n for axis, (m, n) in pairs)
            if other.rank != first.rank or not same:
                raise GraphcRuntimeError(
                    f"cat: sizes of tensors must match except in dimension {self.dim}, "
                    f"not {', '.join(map(str, types))}"
                )
        shape = list(first.shape)
        shape[self.dim] = sum(t.shape[self.dim] for t in types)
        return TensorType(tuple(shape), first.dtype)

    def grad(self, node: Node, dy: Node) -> tuple[Node, ...]:
        parts, begin = [], 0
        for x in node.inputs:
            starts = tuple(begin if i == self.dim else 0 for i in range(x.rank))
            begin += x.shape[self.dim]
            stops = tuple(begin if i == self.dim else n for i, n in enumerate(dy.shape))
            parts.append(Slice(starts, stops, (1,) * x.rank)(dy))
        return tuple(parts)


def zeros(type: TensorType) -> Node:
    """Zeros of ``type``."""
    return full(type.shape, const(0, type.dtype))


def full(shape: Shape, value: Node) -> Node:
    """``value``, of no dimensions, everywhere."""
    return value if shape == () else Expand(shape)(value)


def reshape(x: Node, shape: Shape) -> Node:
    """``x`` in another shape of the same size."""
    return x if x.shape == shape else Reshape(shape)(x)


def permute(x: Node, dims: tuple[int, ...]) -> Node:
    """``x`` with its axes in another order."""
    return x if dims == tuple(range(x.rank)) else Permute(dims)(x)


def expand(x: Node, shape: Shape) -> Node:
    """``x`` broadcast to ``shape``."""
    return x if x.shape == shape else Expand(shape)(x)
