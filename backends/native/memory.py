"""How the values of a program are named in C, and their addresses."""

from __future__ import annotations

from collections.abc import Mapping

from graphc.backends.c_language.types import stored
from graphc.ir.graph import Graph
from graphc.ir.node import Input, Node
from graphc.lowering.names import Names
from graphc.lowering.placement import Placement
from graphc.lowering.views import Order, Result


class Memory(Placement):
    """Where each value of a program lies, in words of C."""

    def __init__(
        self,
        graph: Graph,
        orders: Mapping[Result, Order],
        settled: frozenset[Node] = frozenset(),
    ) -> None:
        super().__init__(graph, orders, settled)
        self.names: dict[Result, str] = {}
        self.output_names: list[str] = []

    def name(self, names: Names) -> None:
        """Give names to what is given and to every value."""
        for node in (*self.graph.state, *self.graph.inputs):
            assert isinstance(node.op, Input)
            self.names[node, 0] = names.new(node.op.label)
        for i in range(len(self.graph.outputs)):
            self.output_names.append(names.new(f"output_{i}"))
        for number, kernel in enumerate(self.schedule.order):
            for i in range(len(kernel.types)):
                suffix = f"_{i}" if len(kernel.types) > 1 else ""
                self.names[kernel, i] = names.new(f"t{number}{suffix}")

    def workspace(self, kernel: Node, number: int) -> str:
        """The address of a kernel's workspace."""
        key = (kernel, "workspace", number)
        if key in self._kept:
            return f"prepared + {self._kept[key]}"
        return f"arena + {self.planned.offsets[key]}"

    def pointer(self, owner: Result) -> str:
        """The C name of the memory that a result has."""
        target = self.schedule.in_state.get(owner)
        if target is not None:
            return self.names[target, 0]
        number = self.schedule.in_output.get(owner)
        return self.names[owner] if number is None else self.output_names[number]

    def declared(self, node: Node) -> tuple[str, str, str]:
        """The C type, the name and the comment of a given array."""
        return stored(node.dtype), self.names[node, 0], str(node.type)

    def declared_outputs(self) -> list[tuple[str, str, str]]:
        """The same of the arrays that are returned."""
        pairs = zip(self.graph.outputs, self.output_names, strict=True)
        return [(stored(x.dtype), name, str(x.type)) for x, name in pairs]

    def values(self) -> list[tuple[str, str, str, str]]:
        """The name, C type, address and comment of each value in the arena, or prepared."""
        found = []
        for kernel in self.schedule.order:
            for i, type_ in enumerate(kernel.types):
                key = (kernel, i)
                if key in self._kept:
                    place = f"prepared + {self._kept[key]}"
                elif key in self.planned.offsets:
                    place = f"arena + {self.planned.offsets[key]}"
                else:
                    continue
                order = self.orders.get(key)
                note = f"{type_}" + (f", in memory by dimensions {order}" if order else "")
                found.append((self.names[key], stored(type_.dtype), place, note))
        return found
