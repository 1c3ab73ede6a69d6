"""Products that finish their result: the function that takes each block of it further."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod

from graphc.backends.native.epilogue import Epilogue
from graphc.backends.native.loops import Writer
from graphc.backends.native.made import Made, Operand, Setting
from graphc.backends.native.sweeps import number_of, single
from graphc.backends.native.types import computed, stored
from graphc.ir.node import Node
from graphc.ir.types import Shape
from graphc.kernels_templates import render
from graphc.lowering.epilogues import Finished, split_axes
from graphc.lowering.kernel import Access, Kernel, Ramp, Source
from graphc.lowering.nests import Nest, nested
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


def operands_of(node: Node) -> list[Node | None]:
    """The operands of the group; None where it takes the product."""
    op = node.op
    assert isinstance(op, Finished)
    rest: list[Node | None] = list(node.inputs[op.arity :])
    return [*rest[: op.slot], None, *rest[op.slot :]]


class Finish:
    """The group of a finished product, over the product's own axes."""

    def __init__(
        self,
        node: Node,
        operands: Sequence[Operand],
        ramps: Sequence[Ramp | None],
        results: Sequence[Operand],
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
        self.roles = self._roles()
        found = (self.roles.batch, self.roles.rows, self.roles.columns)
        self.kernel: Kernel
        self.nest: Nest
        self.kernel, self.nest = nested(op.group, sources, [single(x) for x in results], found)

    def _roles(self) -> Roles:
        """The roles of the group's axes: those of the product's axes that they are parts of."""
        shape = self.product.shape
        own = roles(self.product, shape)
        where = split_axes(shape, self.op.group.space)
        assert where is not None

        def moved(axes: tuple[int, ...]) -> tuple[int, ...]:
            return tuple(part for axis in axes for part in where[axis])

        return Roles(moved(own.batch), moved(own.rows), moved(own.columns))

    def epilogue(self, name: str) -> tuple[Epilogue, frozenset[str]]:
        """The function that finishes a block, and the shared functions that it calls."""
        op = self.op
        names = [f"e{i}" for i in range(len(op.group.body.inputs))]
        names += [f"out{i}" for i in range(len(self.results))]
        writer = Writer(self.kernel, names, {})
        writer.special[op.slot] = "values[j]"
        writer.indices, decomposed = self._indices()
        writer.lines.depth = 3
        (sweep,) = self.kernel.sweeps
        writer.perform(sweep.body)
        parameters, arguments = self._parameters(names)
        text = render(
            "finish.c.j2",
            name=f"{name}_finish",
            summary=", ".join(dict.fromkeys(x.op.name for x in op.group.body.computed)),
            kind=computed(op.type.dtype),
            parameters=parameters,
            batch=[*writer.distances(), *decomposed["b"]],
            row=decomposed["i"],
            column=decomposed["j"],
            lines=writer.lines.text,
        )
        return Epilogue(text, tuple(parameters), tuple(arguments)), frozenset(writer.helpers)

    def _indices(self) -> tuple[list[str], dict[str, list[str]]]:
        """The names of the loops' indices, and how they follow from b, i and j."""
        names: list[str] = []
        lines: dict[str, list[str]] = {"b": [], "i": [], "j": []}
        members = {"b": self.roles.batch, "i": self.roles.rows, "j": self.roles.columns}
        for letter, axes in members.items():
            mine = [x for x in self.nest.axes if x[0] in axes]
            extents = [prod(self.op.group.space[a] for a in x) for x in mine]
            if len(mine) == 1:
                names.append(letter)
                continue
            for number, _ in enumerate(mine):
                below = prod(extents[number + 1 :])
                text = letter if below == 1 else f"{letter} / {below}"
                if number:
                    text = f"{text} % {extents[number]}"
                names.append(f"{letter}{number + 2}")
                lines[letter].append(f"const long {letter}{number + 2} = {text};")
        return names, lines

    def _parameters(self, names: Sequence[str]) -> tuple[list[str], list[str]]:
        declared, given = [], []
        rest = iter(self.operands)
        for slot, x in enumerate(self.op.group.body.inputs):
            if slot != self.op.slot:
                next(rest)
                declared.append(f"const {stored(x.dtype)} *{names[slot]}")
                given.append(names[slot])
        count = len(self.op.group.body.inputs)
        for number, result in enumerate(self.results):
            declared.append(f"{stored(result.dtype)} *{names[count + number]}")
            given.append(names[count + number])
        return declared, given


def finished(name: str, setting: Setting, ramps: Sequence[Ramp | None]) -> Made:
    """The kernel of a finished product."""
    from graphc.backends.native.heavy import finishing

    node, op = setting.node, setting.node.op
    assert isinstance(op, Finished)
    finish = Finish(node, setting.operands, ramps, setting.results)
    epilogue, helpers = finish.epilogue(name)
    result = Operand(op.type.shape, dense(op.type.shape), op.type.dtype)
    alone = Setting(
        finish.product,
        setting.operands[: op.arity],
        (result,),
        setting.threads,
        setting.target,
        settled=setting.settled[: op.arity],
        tuner=setting.tuner,
    )
    made = finishing(finish.product)(name, alone, epilogue)
    return replace(made, helpers=made.helpers | helpers)
