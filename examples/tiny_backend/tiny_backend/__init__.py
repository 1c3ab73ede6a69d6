"""A backend for graphc: a program as straight-line Python over numpy.

It is here to be read and to be begun from. Nothing is fused, every value is a new array, and what
`spelling.py` does not list is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from jinja2 import StrictUndefined, Template

from graphc.backend import Backend, Executable, Kernel, Sources, Step, refusal
from graphc.ir.graph import Graph
from graphc.ir.node import Const, Item, Node
from graphc.passes.fuse import Fused
from tiny_backend.spelling import dtype, statements

TEMPLATE = Template(
    Path(__file__).with_name("program.py.j2").read_text(encoding="utf-8"),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


@dataclass
class Writer:
    """The statements of a program, and what its values are called."""

    names: dict[Node, Any]
    """The expression for a node's value; of a fused node with several results, all of them."""
    steps: list[tuple[str, list[str]]] = field(default_factory=list)
    """Comment and statements."""
    comment: str = ""
    """The last one."""

    def write(self, graph: Graph) -> None:
        """Compute what is not known yet."""
        for node in graph.nodes:
            if node not in self.names:
                self.names[node] = self.value(node, [self.names[x] for x in node.inputs])

    def value(self, node: Node, operands: list[Any]) -> Any:
        """The expression for a node's value, once its statements are written."""
        op = node.op
        if isinstance(op, Const):
            return f"{dtype(node)}({op.value!r})"
        if isinstance(op, Item):
            return operands[0][op.index]
        if isinstance(op, Fused):  # the nodes of the group, one after the other as all others
            self.names.update(zip(op.body.inputs, operands, strict=True))
            self.write(op.body)
            results = [self.names[x] for x in op.body.outputs]
            return results if len(results) > 1 else results[0]
        name = f"t{len(self.steps)}"
        written = statements(name, node, operands)
        if written is None:
            raise refusal(BACKEND.name, node)
        comment = str(node.origin) or self.comment
        self.steps.append(("" if comment == self.comment else comment, written))
        self.comment = comment
        return name


@dataclass(frozen=True)
class Program:
    """The function of a text that was executed."""

    step: Callable[..., list[Any]]

    def bind(self, state: Sequence[Any]) -> Step:
        """The step over these arrays, which it updates in place."""
        return partial(self.step, state)


class Tiny:
    """The text of a program, and the program of a text."""

    name = "tiny"
    composites: frozenset[str] = frozenset()

    def emit(self, graph: Graph) -> Sources:
        state = {x: f"state[{i}]" for i, x in enumerate(graph.state)}
        writer = Writer({**state, **{x: f"inputs[{i}]" for i, x in enumerate(graph.inputs)}})
        writer.write(graph)
        text = TEMPLATE.render(
            name=graph.name,
            steps=writer.steps,
            outputs=[writer.names[x] for x in graph.outputs],
            updates=[(writer.names[x], writer.names[new]) for x, new in graph.updates],
        )
        return Sources(text, (Kernel("step", "the whole program", text),), "py")

    def build(self, sources: Sources) -> Executable:
        namespace: dict[str, Any] = {}
        exec(compile(sources.text, "<generated for tiny>", "exec"), namespace)
        return Program(namespace["step"])


BACKEND: Backend = Tiny()
