"""The group of a product that finishes its result, over the product's own axes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from graphc.ir.node import Node
from graphc.ir.types import Shape
from graphc.lowering.epilogues import Finished, split_axes
from graphc.lowering.kernel import Access, Kernel, Ramp, Source
from graphc.lowering.nests import Nest, nested
from graphc.lowering.operands import Operand, number_of, single
from graphc.lowering.views import dense
from graphc.ops.convolution import Convolution, ConvolutionInputGrad, ConvolutionWeightGrad


@dataclass(frozen=True)
class Roles:
    """Which axes of a product's space are its batch, its rows and its columns, in order."""

    batch: tuple[int, ...]
    rows: tuple[int, ...]
    columns: tuple[int, ...]


def roles(node: Node, space: Shape) -> Roles:
    """The roles of the axes of a product as its group sees them."""
    op, rank = node.op, len(space)
    if isinstance(op, ConvolutionWeightGrad):
        return Roles((), (0,), tuple(range(1, rank)))
    if isinstance(op, Convolution | ConvolutionInputGrad):
        return Roles((0,), tuple(range(2, rank)), (1,))
    return Roles(tuple(range(rank - 2)), (rank - 2,), (rank - 1,))


def product_of(node: Node) -> Node:
    """The product alone."""
    op = node.op
    assert isinstance(op, Finished)
    return Node(
        op.product,
        node.inputs[: op.arity],
        op.type,
        requires_grad=False,
        device=node.device,
        origin=node.origin,
    )


class Finish:
    """The group of a finished product, over the product's own axes.

    ``roles_of`` says which axes of a product are its rows and columns.
    """

    def __init__(
        self,
        node: Node,
        operands: Sequence[Operand],
        ramps: Sequence[Ramp | None],
        results: Sequence[Operand],
        roles_of: Callable[[Node, Shape], Roles] = roles,
    ) -> None:
        op = node.op
        assert isinstance(op, Finished)
        self.node, self.op = node, op
        self.product = product_of(node)
        self.operands, self.results = operands[op.arity :], results
        sources: list[Source] = []
        rest = iter(zip(self.operands, ramps[op.arity :], node.inputs[op.arity :], strict=True))
        for slot, x in enumerate(op.group.body.inputs):
            if slot == op.slot:
                sources.append(
                    Access(slot, single(Operand(x.shape, dense(x.shape), x.dtype)), x.dtype)
                )
                continue
            operand, ramp, given = next(rest)
            fixed = number_of(given)
            access = Access(slot, single(operand), operand.dtype)
            sources.append(fixed.value if fixed is not None else ramp or access)
        self.roles = self._roles(roles_of)
        found = (self.roles.batch, self.roles.rows, self.roles.columns)
        self.kernel: Kernel
        self.nest: Nest
        self.kernel, self.nest = nested(op.group, sources, [single(x) for x in results], found)

    def _roles(self, roles_of: Callable[[Node, Shape], Roles]) -> Roles:
        """The roles of the group's axes: those of the product's axes that they are parts of."""
        shape = self.product.shape
        own = roles_of(self.product, shape)
        where = split_axes(shape, self.op.group.space)
        assert where is not None

        def moved(axes: tuple[int, ...]) -> tuple[int, ...]:
            return tuple(part for axis in axes for part in where[axis])

        return Roles(moved(own.batch), moved(own.rows), moved(own.columns))
