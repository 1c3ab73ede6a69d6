"""Where each value of a program lies: what is given, what is returned, the arena."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from graphc.ir.graph import Graph
from graphc.ir.node import Const, Node, make_input
from graphc.lowering.epilogues import Finished
from graphc.lowering.finishing import Finish
from graphc.lowering.kernel import Kernel, Ramp
from graphc.lowering.operands import Operand, lowered_node, overwrites, ramp_of
from graphc.lowering.phases import phases
from graphc.lowering.schedule import arena, schedule
from graphc.lowering.views import Order, Result, View, dense, is_kernel, views
from graphc.ops.creation import Arange
from graphc.passes.fuse import Fused
from graphc.passes.plan_memory import Plan, padded


class Spaces(Protocol):
    """The memory that a kernel needs beside its operands and results."""

    @property
    def workspace(self) -> tuple[int, ...]:
        """Bytes of each workspace."""

    @property
    def kept(self) -> tuple[int, ...]:
        """Numbers of the workspaces that keep what they hold from step to step."""


class Placement:
    """The views of a graph's values, the order of its kernels, and the plan of its arena."""

    def __init__(
        self,
        graph: Graph,
        orders: Mapping[Result, Order],
        settled: frozenset[Node] = frozenset(),
    ) -> None:
        self.graph, self.orders = graph, orders
        self.settled = settled
        """Nodes whose values need not be computed again at each step."""
        self.views = views(graph, orders)
        self.given = frozenset((*graph.inputs, *graph.state))
        kernels = [x for x in graph.nodes if is_kernel(x, self.views)]
        ranges = self._ranges(kernels)
        kernels = [x for x in graph.nodes if x in ranges or is_kernel(x, self.views)]
        self.read = {self.views[x].owner for x in (*graph.nodes, *graph.roots)}
        """The results that something reads."""
        self.lowered: dict[Node, Kernel] = {}
        self.schedule = schedule(graph, self._placed(), kernels, self._overwrites)
        self.phases = phases(self.schedule)
        self.prepared: frozenset[Node] = frozenset()
        """Kernels that do not run at each step; their results lie in memory of their own."""
        self.prepared_bytes = 0
        self._kept: dict[object, int] = {}
        self._plan: Plan | None = None

    def _ranges(self, kernels: list[Node]) -> frozenset[Node]:
        """The ranges that must be in memory, since something other than loops reads them."""
        read = [
            x for kernel in kernels if not isinstance(kernel.op, Fused) for x in _in_memory(kernel)
        ]
        read += [*self.graph.outputs, *(value for _, value in self.graph.updates)]
        owners = (self.views[x].owner[0] for x in read)
        return frozenset(x for x in owners if isinstance(x.op, Arange))

    def _placed(self) -> dict[Node, View]:
        return {x: v for x, v in self.views.items() if not isinstance(v.owner[0].op, Const)}

    def _overwrites(self, kernel: Node, result: int, slot: int) -> bool:
        operand = kernel.inputs[slot]
        if operand.dtype is not kernel.types[result].dtype or operand in self.settled:
            return False
        if isinstance(kernel.op, Finished):
            return self._finish_overwrites(kernel, result, slot)
        if not isinstance(kernel.op, Fused):
            return False
        if kernel not in self.lowered:
            self.lowered[kernel] = lowered_node(
                kernel,
                [self.operand(x) for x in kernel.inputs],
                self.ramps(kernel),
                [self.result(kernel, i) for i in range(len(kernel.types))],
            )
        return overwrites(self.lowered[kernel], len(kernel.inputs) + result, slot)

    def _finish_overwrites(self, kernel: Node, result: int, slot: int) -> bool:
        """The product reads its own operands throughout; its group reads each element once."""
        op = kernel.op
        assert isinstance(op, Finished)
        if slot < op.arity:
            return False
        if kernel not in self.lowered:
            results = [self.result(kernel, i) for i in range(len(kernel.types))]
            operands = [self.operand(x) for x in kernel.inputs]
            self.lowered[kernel] = Finish(kernel, operands, self.ramps(kernel), results).kernel
        number = slot - op.arity
        number += number >= op.slot
        return overwrites(self.lowered[kernel], len(op.group.body.inputs) + result, number)

    def ramps(self, kernel: Node) -> list[Ramp | None]:
        """The operands that are ranges."""
        return [ramp_of(x, self.views[x]) for x in kernel.inputs]

    # -- how values lie ------------------------------------------------------------------------

    def operand(self, node: Node) -> Operand:
        """How a node's value lies."""
        return Operand(node.shape, self.views[node].strides, node.dtype)

    def result(self, kernel: Node, number: int) -> Operand:
        """How a kernel's result lies."""
        type_ = kernel.types[number]
        return Operand(
            type_.shape, dense(type_.shape, self.orders.get((kernel, number))), type_.dtype
        )

    def contiguous(self, node: Node) -> Operand:
        """A value of the node's type in C order."""
        return Operand(node.shape, dense(node.shape), node.dtype)

    def is_aliased(self, kernel: Node) -> bool:
        """Whether a result of the kernel lies over one of its operands."""
        reads = self.schedule.reads(kernel)
        for i in range(len(kernel.types)):
            target = self.schedule.in_state.get((kernel, i))
            if (target is not None and (target, 0) in reads) or (kernel, i) in self.schedule.shared:
                return True
        return False

    def copy_node(self, node: Node) -> Node:
        """A node of a fused group that does nothing but copy a value of this type."""
        x = make_input("x", node.type, device="")
        op = Fused(Graph((x,), (x,), name="copy"), node.shape, ())
        return Node(op, (x,), node.type, requires_grad=False, device="")

    # -- the plan ------------------------------------------------------------------------------

    def can_prepare(self, kernel: Node) -> bool:
        """Whether a kernel need not run at each step: its results are settled and stay here."""
        schedule = self.schedule
        results = [(kernel, i) for i in range(len(kernel.types))]
        return kernel in self.settled and not any(
            x in schedule.in_output or x in schedule.in_state for x in results
        )

    def plan(self, made: Mapping[Node, Spaces], prepared: frozenset[Node] = frozenset()) -> None:
        """Lay out the arena, in which kernels of one phase do not share bytes, and the memory of
        what is prepared, where nothing does."""
        self.prepared = prepared
        workspace: dict[Node, list[int]] = {}
        for kernel, one in made.items():
            kept = range(len(one.workspace)) if kernel in prepared else one.kept
            for i in kept:
                self._keep((kernel, "workspace", i), one.workspace[i])
            workspace[kernel] = [0 if i in kept else n for i, n in enumerate(one.workspace)]
            if kernel in prepared:
                for i, type_ in enumerate(kernel.types):
                    self._keep((kernel, i), type_.nbytes)
        self._plan = arena(self.schedule, workspace, self.phases, prepared)

    def _keep(self, key: object, nbytes: int) -> None:
        self._kept[key] = self.prepared_bytes
        self.prepared_bytes += padded(nbytes)

    @property
    def planned(self) -> Plan:
        assert self._plan is not None
        return self._plan

    @property
    def arena_bytes(self) -> int:
        return self.planned.arena_bytes

    @property
    def live_peak(self) -> int:
        return self.planned.live_peak


def _in_memory(kernel: Node) -> tuple[Node, ...]:
    """The operands of which a kernel, other than a group, needs the addresses."""
    return kernel.inputs[: kernel.op.arity] if isinstance(kernel.op, Finished) else kernel.inputs
