"""Random whole graphs for hypothesis: each has a meaning, and is well conditioned."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from hypothesis import strategies as st

from graphc.autodiff import gradients
from graphc.ir.dtype import DType, bool_, float32, float64, int64
from graphc.ir.graph import Graph
from graphc.ir.node import Node, cast, const, elementwise, grad_mode, make_input
from graphc.ir.types import Shape, TensorType
from graphc.ops.creation import Arange
from graphc.ops.elementwise import where
from graphc.ops.indexing import GatherNd
from graphc.ops.matmul import MatMul, transposed
from graphc.ops.movement import Concat, Expand, Flip, Pad, Permute, Reshape, Slice, full
from graphc.ops.reduce import Max, Min, Sum
from graphc.ops.scan import CumSum
from graphc.testing.operands import Array, draw

SHAPES: tuple[Shape, ...] = ((), (3,), (4, 3), (1, 3), (4, 1), (2, 4, 3), (2, 1, 3))
BOUNDED = ("tanh", "sin", "cos", "sigmoid", "atan", "erf")
KINKED = ("abs", "relu")
BOUND = 100.0


@dataclass(frozen=True, eq=False)
class Value:
    """A node of a random graph."""

    node: Node
    bound: float
    """No element is larger than about this."""
    exact: bool
    """Whether no rounding went into it, so that comparing it has one outcome."""


@dataclass
class Builder:
    """A graph that grows, one drawn step after the other."""

    pick: st.DrawFn
    dtype: DType
    smooth: bool
    """Whether only what is differentiable everywhere is drawn."""
    inputs: list[tuple[Node, Array]] = field(default_factory=list)
    values: list[Value] = field(default_factory=list)

    def start(self) -> None:
        """A few inputs."""
        for number in range(self.pick(st.integers(1, 3))):
            shape = self.pick(st.sampled_from(SHAPES))
            array = draw(self.dtype, *shape, seed=number)
            type = TensorType(shape, self.dtype)
            node = make_input(f"x{number}", type, requires_grad=self.smooth)
            self.inputs.append((node, array))
            self.values.append(Value(node, 2.0, True))

    def step(self) -> None:
        """One node more, or a few."""
        kinds = [self.unary, self.binary, self.reduce, self.scan, self.move, self.take]
        kinds += [self.product, self.normalize]
        if not self.smooth:
            kinds += [self.choose, self.convert]
        value = self.pick(st.sampled_from(kinds))()
        if value.bound > BOUND:
            value = Value(elementwise("tanh", value.node), 1.0, False)
        self.values.append(value)

    def any(self) -> Value:
        """A value there is already, a late one rather than an early one."""
        return self.pick(st.sampled_from(self.values[-self.pick(st.integers(1, 6)) :]))

    def fitting(self, shape: Shape) -> Value:
        """A value that broadcasts with ``shape``, or a number."""
        fits = [x for x in self.values if _broadcast(x.node.shape, shape)]
        if not fits or self.pick(st.integers(0, 4)) == 0:
            number = self.pick(st.sampled_from((-1.0, 0.0, 0.5, 1.0, 2.0)))
            return Value(const(number, self.dtype), 2.0, True)
        return self.pick(st.sampled_from(fits))

    def unary(self) -> Value:
        x = self.any()
        kinked = () if self.smooth else KINKED
        name = self.pick(st.sampled_from((*BOUNDED, "neg", "exp", "log", "sqrt", *kinked)))
        if name in ("neg", *KINKED):
            return Value(elementwise(name, x.node), x.bound, x.exact)
        if name == "exp":
            return Value(elementwise("exp", elementwise("tanh", x.node)), 3.0, False)
        if name in ("log", "sqrt"):
            return Value(elementwise(name, x.node * x.node + 0.5), x.bound + 1, False)
        return Value(elementwise(name, x.node), 2.0, False)

    def binary(self) -> Value:
        x = self.any()
        y = self.fitting(x.node.shape)
        kinked = () if self.smooth else ("maximum", "minimum")
        name = self.pick(st.sampled_from(("add", "sub", "mul", "div", *kinked)))
        if name == "div":
            return Value(x.node / (y.node * y.node + 0.5), 2 * x.bound, False)
        exact = x.exact and y.exact and name in ("maximum", "minimum")
        bound = x.bound * y.bound if name == "mul" else x.bound + y.bound
        return Value(elementwise(name, x.node, y.node), bound, exact)

    def reduce(self) -> Value:
        x = self.any()
        axes = tuple(a for a in range(x.node.rank) if self.pick(st.booleans()))
        op = Sum if self.smooth else self.pick(st.sampled_from((Sum, Max, Min)))
        size = float(np.prod([x.node.shape[a] for a in axes]))
        bound = x.bound * max(1.0, size) if op is Sum else x.bound
        return Value(op(axes)(x.node), bound, x.exact and op is not Sum)

    def scan(self) -> Value:
        x = self.any()
        if not x.node.rank:
            return x
        dim = self.pick(st.integers(0, x.node.rank - 1))
        return Value(CumSum(dim)(x.node), x.bound * x.node.shape[dim], False)

    def take(self) -> Value:
        """Some rows, of which one may be taken again."""
        x = self.any()
        if not x.node.rank:
            return x
        rows = Arange(x.node.shape[0] - 1, -1, 2, int64)()
        return Value(GatherNd()(x.node, rows), x.bound, x.exact)

    def move(self) -> Value:
        x = self.any()
        node, shape = x.node, x.node.shape
        if not shape:
            return Value(Expand((2, 3))(node), x.bound, x.exact)
        axis = self.pick(st.integers(0, len(shape) - 1))
        ones = (1,) * len(shape)
        along = tuple(int(a == axis) for a in range(len(shape)))
        begins = along if shape[axis] > 1 else (0,) * len(shape)
        moved = self.pick(
            st.sampled_from(
                (
                    Permute(tuple(reversed(range(len(shape))))),
                    Reshape((int(np.prod(shape)),)),
                    Reshape((*shape, 1)),
                    Slice(begins, shape, tuple(2 if a else 1 for a in along)),
                    Flip((axis,)),
                    Pad(along, (0,) * len(ones), 0.5),
                    Expand((2, *shape)),
                )
            )
        )
        if self.pick(st.integers(0, 7)) == 0:
            return Value(Concat(axis)(node, node), x.bound, x.exact)
        small = moved(node).type.size <= 200
        return Value(moved(node) if small else node, x.bound, x.exact)

    def product(self) -> Value:
        x = self.any()
        node = x.node if x.node.rank >= 2 else Reshape((1, x.node.type.size))(x.node)
        return Value(MatMul()(node, transposed(node)), x.bound**2 * node.shape[-1], False)

    def choose(self) -> Value:
        exact = [x for x in self.values if x.exact]
        condition = self.pick(st.sampled_from(exact))
        x = self.fitting(condition.node.shape)
        bound = max(condition.bound, x.bound)
        picked = where(condition.node < 0.25, condition.node, x.node)
        return Value(picked, bound, x.exact)

    def convert(self) -> Value:
        x = self.pick(st.sampled_from([x for x in self.values if x.exact]))
        if self.pick(st.booleans()):
            truth = cast(x.node < 0.5, bool_)
            return Value(cast(truth, self.dtype), 1.0, True)
        whole = cast(x.node * 4.0, int64)
        return Value(cast(whole + 1, self.dtype), 4 * x.bound + 1, True)

    def normalize(self) -> Value:
        """Softmax over the last axis, the shape of many real programs."""
        x = self.any()
        if not x.node.rank:
            return Value(elementwise("sigmoid", x.node), 1.0, False)
        last = (x.node.rank - 1,)
        powers = elementwise("exp", x.node - Max(last)(x.node))
        return Value(powers / Sum(last)(powers), 1.0, False)


def _broadcast(a: Shape, b: Shape) -> bool:
    pairs = zip(reversed(a), reversed(b), strict=False)
    return all(m == n or 1 in (m, n) for m, n in pairs)


def _grown(pick: st.DrawFn, dtype: DType, *, smooth: bool) -> Builder:
    builder = Builder(pick, dtype, smooth)
    builder.start()
    for _ in range(pick(st.integers(4, 24))):
        builder.step()
    return builder


@st.composite
def graphs(pick: st.DrawFn) -> tuple[Graph, list[Array]]:
    """A graph of some tens of nodes, with arrays for its inputs."""
    builder = _grown(pick, pick(st.sampled_from((float64, float32))), smooth=False)
    some = pick(st.lists(st.sampled_from(builder.values), min_size=0, max_size=2))
    outputs = dict.fromkeys([builder.values[-1].node, *(x.node for x in some)])
    inputs = tuple(node for node, _ in builder.inputs)
    return Graph(inputs, tuple(outputs)), [array for _, array in builder.inputs]


@st.composite
def gradient_graphs(pick: st.DrawFn) -> tuple[Graph, list[Array]]:
    """A graph that computes a value and its gradient with respect to the inputs, in float64."""
    builder = _grown(pick, float64, smooth=True)
    result = builder.values[-1].node
    inputs = tuple(node for node, _ in builder.inputs)
    with grad_mode(False):
        found = gradients([result], [full(result.shape, const(1.0, float64))], inputs)
    outputs = dict.fromkeys([result, *(x for x in found if x is not None)])
    return Graph(inputs, tuple(outputs)), [array for _, array in builder.inputs]
