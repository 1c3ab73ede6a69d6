"""Products that finish their result before it is stored: elementwise work joins what it follows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import prod

from graphc.ir.graph import Graph, reuse
from graphc.ir.node import Item, Node, Op, make_input
from graphc.ir.types import Shape, TensorType, Types
from graphc.lowering.regroup import regrouped
from graphc.ops.movement import Reshape
from graphc.ops.reduce import Reduce
from graphc.passes.fuse import Fused


@dataclass(frozen=True, eq=False)
class Finished(Op, name="finished"):
    """A product whose result goes through a group, element by element, before it is stored.

    The operands are those of the product, then those of the group without the product.
    """

    product: Op
    arity: int
    """How many operands the product has."""
    type: TensorType
    """That of the product."""
    group: Fused
    slot: int
    """Which operand of the group the product is."""

    def infer(self, types: tuple[TensorType, ...]) -> Types:
        results = tuple(x.type for x in self.group.body.outputs)
        return results if len(results) > 1 else results[0]

    def __str__(self) -> str:
        return f"{self.product}+{self.group}"


def finish_products(graph: Graph, can_finish: Callable[[Node], bool]) -> Graph:
    """The graph in which groups have joined the products that they alone read.

    ``can_finish`` says of a node whether its kernel can finish its result.
    """
    graph = _apart(graph, can_finish)
    roots = frozenset(graph.roots)
    joined: dict[Node, tuple[Node, int]] = {}
    taken: set[Node] = set()
    for node in graph.nodes:
        if isinstance(node.op, Fused) and _is_plain(node.op):
            for slot, operand in enumerate(node.inputs):
                source = _product(graph, roots, operand)
                if source is None or source in taken or not can_finish(source):
                    continue
                if source.type.size == prod(node.op.space) and split_axes(
                    source.shape, node.op.space
                ):
                    joined[node] = (source, slot)
                    taken.add(source)
                    break

    def step(node: Node, operands: tuple[Node, ...]) -> Node:
        if node not in joined:
            return reuse(node, operands)
        source, slot = joined[node]
        assert isinstance(node.op, Fused)
        product = operands[slot]
        while isinstance(product.op, Reshape):
            product = product.inputs[0]
        rest = (*operands[:slot], *operands[slot + 1 :])
        op = Finished(source.op, len(product.inputs), source.type, node.op, slot)
        inputs = (*product.inputs, *rest)
        return Node(
            op, inputs, node.type, requires_grad=False, device=node.device, origin=source.origin
        )

    return graph.rebuild(step) if joined else graph


def _is_plain(op: Fused) -> bool:
    """Whether every member and result is elementwise over the whole space."""
    nodes = op.body.computed
    return (
        not op.reduced
        and bool(nodes)
        and not any(isinstance(x.op, Reduce) for x in nodes)
        and all(x.shape == op.space for x in op.body.outputs)
    )


def _product(graph: Graph, roots: frozenset[Node], operand: Node) -> Node | None:
    """The node behind reshapes that nothing else reads."""
    while True:
        if operand in roots or len(graph.users[operand]) != 1:
            return None
        if not isinstance(operand.op, Reshape):
            return None if isinstance(operand.type, tuple) else operand
        operand = operand.inputs[0]


def split_axes(shape: Shape, space: Shape) -> list[tuple[int, ...]] | None:
    """For each axis of ``shape`` the axes of ``space`` that it is cut into, if it is that."""
    wide = [axis for axis, n in enumerate(space) if n != 1]
    found: list[tuple[int, ...]] = []
    for n in shape:
        mine: list[int] = []
        have = 1
        while have < n and wide:
            have *= space[wide[0]]
            mine.append(wide.pop(0))
        if have != n:
            return None
        found.append(tuple(mine))
    return None if wide else found


def _apart(graph: Graph, can_finish: Callable[[Node], bool]) -> Graph:
    """Groups that follow a product, with their reductions as a group of their own.

    A reduction of what the group returns anyway, such as the gradient of a bias, reads that again.
    """
    roots = frozenset(graph.roots)
    split: dict[Node, tuple[Node, ...]] = {}

    def step(node: Node, operands: tuple[Node, ...]) -> Node:
        if isinstance(node.op, Item) and operands[0] in split:
            return split[operands[0]][node.op.index]
        new = reuse(node, operands)
        if isinstance(node.op, Fused) and _splits(graph, roots, node, can_finish):
            split[new] = _parts(new)
            if len(split[new]) == 1:
                return split[new][0]
        return new

    return graph.rebuild(step)


def _splits(
    graph: Graph, roots: frozenset[Node], node: Node, can_finish: Callable[[Node], bool]
) -> bool:
    op = node.op
    assert isinstance(op, Fused)
    reduces = [x for x in op.body.computed if isinstance(x.op, Reduce)]
    if op.reduced or not reduces or len(reduces) == len(op.body.computed):
        return False
    if any(y in reduces for x in op.body.computed for y in x.inputs):
        return False
    given = set(op.body.outputs)
    if any(x.inputs[0] not in given or x.inputs[0].shape != op.space for x in reduces):
        return False
    if any(x.shape != op.space for x in op.body.outputs if x not in reduces):
        return False
    sources = [_product(graph, roots, x) for x in node.inputs]
    return any(x is not None and can_finish(x) for x in sources)


def _parts(node: Node) -> tuple[Node, ...]:
    """The results of a group, of which one part is elementwise and one reduces its results."""
    op = node.op
    assert isinstance(op, Fused)
    plain = [x for x in op.body.outputs if not isinstance(x.op, Reduce)]
    made = regrouped(node, op.body.inputs, node.inputs, tuple(plain))
    first = [made] if len(plain) == 1 else [Item(i)(made) for i in range(len(plain))]
    found = dict(zip(plain, first, strict=True))
    for output in op.body.outputs:
        if isinstance(output.op, Reduce):
            source = output.inputs[0]
            stand_in = make_input("a0", source.type, device="")
            total = Node(
                output.op,
                (stand_in,),
                output.type,
                requires_grad=False,
                device=output.device,
                origin=output.origin,
            )
            alone = Fused(Graph((stand_in,), (total,), name="fused"), op.space, ())
            found[output] = Node(
                alone,
                (found[source],),
                output.type,
                requires_grad=False,
                device=node.device,
                origin=output.origin,
            )
    return tuple(found[x] for x in op.body.outputs)
