"""Products that finish their result: the function that takes each block of it further."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import prod

from graphc.backends.c_language.types import computed, stored
from graphc.backends.native.epilogue import Epilogue
from graphc.backends.native.loops import Writer
from graphc.backends.native.made import Made, Setting
from graphc.kernels_templates import render
from graphc.lowering.epilogues import Finished
from graphc.lowering.finishing import Finish
from graphc.lowering.kernel import Ramp
from graphc.lowering.operands import Operand
from graphc.lowering.views import dense


class Finishing(Finish):
    """The same as the text of a C function."""

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
    finish = Finishing(node, setting.operands, ramps, setting.results)
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
