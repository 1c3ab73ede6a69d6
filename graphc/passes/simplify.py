"""Algebra that costs nothing and saves kernels."""

from __future__ import annotations

from graphc.ir.graph import Graph
from graphc.ir.node import Const, Node, cast, const, elementwise
from graphc.ops.composite import Composite
from graphc.ops.elementwise import Cast, Elementwise, Neg, Where
from graphc.ops.matmul import MatMul, transposed
from graphc.ops.movement import Expand, Permute, Reshape, expand, permute, reshape
from graphc.ops.random import Advance, Draw
from graphc.ops.reduce import All, Any, Max, Min, Prod, Reduce, Sum
from graphc.passes.fold_constants import folded
from graphc.passes.pieces import joined
from graphc.passes.rewrite import rewrite, rule

TRANSPARENT = frozenset({"border", "detach", "sloped", "to_device", "variable"})
"""Ops that mean something to differentiation only."""


@rule
def times_one(x: Node) -> tuple[Node, Node]:
    return x * 1.0, x


@rule
def over_one(x: Node) -> tuple[Node, Node]:
    return x / 1.0, x


@rule
def minus_zero(x: Node) -> tuple[Node, Node]:
    return x - 0.0, x


@rule
def twice(x: Node) -> tuple[Node, Node]:
    return x + x, x * 2.0


@rule
def times_minus_one(x: Node) -> tuple[Node, Node]:
    return x * -1.0, -x


@rule
def double_negation(x: Node) -> tuple[Node, Node]:
    return Neg()(Neg()(x)), x


@rule
def plus_negated(x: Node, y: Node) -> tuple[Node, Node]:
    return x + Neg()(y), x - y


@rule
def minus_negated(x: Node, y: Node) -> tuple[Node, Node]:
    return x - Neg()(y), x + y


@rule
def squared(x: Node) -> tuple[Node, Node]:
    return elementwise("pow", x, 2.0), x * x


@rule
def first_power(x: Node) -> tuple[Node, Node]:
    return elementwise("pow", x, 1.0), x


@rule
def square_root(x: Node) -> tuple[Node, Node]:
    return elementwise("pow", x, 0.5), elementwise("sqrt", x)


@rule
def over_square_root(x: Node) -> tuple[Node, Node]:
    return elementwise("pow", x, -0.5), elementwise("rsqrt", x)


@rule
def over_itself(x: Node) -> tuple[Node, Node]:
    return elementwise("pow", x, -1.0), elementwise("reciprocal", x)


@rule
def cubed(x: Node) -> tuple[Node, Node]:
    return elementwise("pow", x, 3.0), x * x * x


RULES = (
    times_one,
    over_one,
    minus_zero,
    twice,
    times_minus_one,
    double_negation,
    plus_negated,
    minus_negated,
    squared,
    first_power,
    square_root,
    over_square_root,
    over_itself,
    cubed,
)


def uniform(node: Node) -> Node | None:
    """The number that fills ``node``, if it is one that was broadcast."""
    while isinstance(node.op, Expand | Reshape | Permute):
        node = node.inputs[0]
    return node if isinstance(node.op, Const) else None


def _narrowed(node: Node) -> Node | None:
    """Elementwise: a broadcast number as the number itself, a broadcast operand unbroadcast."""
    operands = list(node.inputs)
    for i, x in enumerate(operands):
        number = uniform(x)
        shorter = (
            number if number is not None else x.inputs[0] if isinstance(x.op, Expand) else None
        )
        if shorter is None or shorter is x:
            continue
        trial = [*operands[:i], shorter, *operands[i + 1 :]]
        if node.op.infer(tuple(y.type for y in trial)) == node.type:
            operands = trial
    return None if operands == list(node.inputs) else node.op(*operands)


def _of_one_number(node: Node) -> Node | None:
    """An elementwise op of broadcast numbers alone, computed before it is broadcast."""
    numbers = [uniform(x) for x in node.inputs]
    if node.shape == () or any(n is None for n in numbers):
        return None
    return expand(folded(node.op(*[n for n in numbers if n is not None])), node.shape)


def _cast(node: Node) -> Node | None:
    (x,) = node.inputs
    if x.dtype is node.dtype:
        return x
    if isinstance(x.op, Const):
        return const(x.op.value, node.dtype)
    if isinstance(x.op, Cast):
        inner = x.inputs[0]
        # A widening in between changes nothing.
        if inner.dtype.category <= x.dtype.category and inner.dtype.itemsize < x.dtype.itemsize:
            return cast(inner, node.dtype) if inner.dtype.category == x.dtype.category else None
    return None


def _reshape(node: Node) -> Node | None:
    (x,) = node.inputs
    if x.shape == node.shape:
        return x
    return reshape(x.inputs[0], node.shape) if isinstance(x.op, Reshape) else None


def _permute(node: Node) -> Node | None:
    (x,) = node.inputs
    assert isinstance(node.op, Permute)
    dims = node.op.dims
    if dims == tuple(range(len(dims))):
        return x
    if isinstance(x.op, Permute):
        return permute(x.inputs[0], tuple(x.op.dims[d] for d in dims))
    if isinstance(x.op, MatMul) and dims == (*range(x.rank - 2), x.rank - 1, x.rank - 2):
        a, b = x.inputs
        return x.op(transposed(b), transposed(a))
    if sum(n != 1 for n in x.shape) <= 1:
        return reshape(x, node.shape)
    return None


def _expand(node: Node) -> Node | None:
    (x,) = node.inputs
    if x.shape == node.shape:
        return x
    return expand(x.inputs[0], node.shape) if isinstance(x.op, Expand) else None


def _slice(node: Node) -> Node | None:
    return node.inputs[0] if node.shape == node.inputs[0].shape else None


def _reduce(node: Node) -> Node | None:
    """A reduction over axes of extent one changes nothing."""
    (x,) = node.inputs
    assert isinstance(node.op, Reduce)
    axes = tuple(axis for axis in node.op.axes if x.shape[axis] != 1)
    if axes == node.op.axes or x.dtype is not node.dtype:
        return None
    if not isinstance(node.op, Sum | Prod | Max | Min | Any | All):
        return None
    return type(node.op)(axes)(x) if axes else x


def _where(node: Node) -> Node | None:
    condition, x, y = node.inputs
    number = uniform(condition)
    if number is not None and isinstance(number.op, Const):
        return expand(x if number.op.value else y, node.shape)
    return expand(x, node.shape) if x is y else None


def _random(node: Node) -> Node | None:
    """Draws from an advanced state are draws further on from the state itself."""
    assert isinstance(node.op, Advance | Draw | Composite)
    for i, state in enumerate(node.inputs):
        if isinstance(state.op, Advance):
            operands = (*node.inputs[:i], state.inputs[0], *node.inputs[i + 1 :])
            return node.op.further(state.op.count)(*operands)
    return None


STRUCTURAL = {
    "add": joined,
    "cast": _cast,
    "reshape": _reshape,
    "permute": _permute,
    "expand": _expand,
    "slice": _slice,
    "where": _where,
}


def _structure(node: Node) -> Node | None:
    op = node.op
    if op.name in TRANSPARENT:
        return node.inputs[0]
    if isinstance(op, Elementwise | Where | Cast):
        simpler = _of_one_number(node) or _narrowed(node)
        if simpler is not None:
            return simpler
    if isinstance(op, Reduce):
        return _reduce(node)
    if hasattr(op, "further"):
        return _random(node)
    handler = STRUCTURAL.get(op.name)
    return None if handler is None else handler(node)


def simplify(graph: Graph) -> Graph:
    """The graph without what changes nothing, and with cheaper equals."""
    return rewrite(graph, RULES, also=_structure)
