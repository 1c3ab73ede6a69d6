"""The order of the kernels, and where each result is written."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from graphc.ir.graph import Graph
from graphc.ir.node import Input, Node
from graphc.lowering.views import Result
from graphc.passes.plan_memory import Interval, Plan, plan_memory

if TYPE_CHECKING:
    import networkx


class Placed(Protocol):
    """How a backend says where a node's value lies."""

    @property
    def owner(self) -> Result:
        """What owns the memory."""

    @property
    def is_whole(self) -> bool:
        """Whether the value is all of the owner, element by element as it lies."""


Overwrites = Callable[[Node, int, int], bool]
"""Whether a kernel may write a result, by its number, over an operand, by its slot."""


@dataclass
class Schedule:
    """What runs in which order, and which memory each result has."""

    graph: Graph
    layouts: Mapping[Node, Placed]
    kernels: frozenset[Node]
    overwrites: Overwrites
    order: list[Node] = field(default_factory=list)
    """The kernels."""
    in_state: dict[Result, Node] = field(default_factory=dict)
    """Results written straight into the state that they update."""
    in_output: dict[Result, int] = field(default_factory=dict)
    """Results written straight into an array that is returned."""
    shared: dict[Result, Result] = field(default_factory=dict)
    """Results written over an operand that dies with them."""

    def reads(self, kernel: Node) -> list[Result]:
        """The results that a kernel reads."""
        owners = (self.layouts[x].owner for x in kernel.inputs if x in self.layouts)
        return list(dict.fromkeys(owners))

    def aliased(self, kernel: Node) -> frozenset[int]:
        """The results of a kernel that may lie over one of its operands."""
        results = ((kernel, i) for i in range(len(kernel.types)))
        return frozenset(r[1] for r in results if r in self.in_state or r in self.shared)


def schedule(
    graph: Graph, layouts: Mapping[Node, Placed], kernels: list[Node], overwrites: Overwrites
) -> Schedule:
    """The schedule of a fused graph, updates in place where that is safe."""
    import networkx

    made = Schedule(graph, layouts, frozenset(kernels), overwrites)
    index = {kernel: i for i, kernel in enumerate(kernels)}
    order: networkx.DiGraph[Node] = networkx.DiGraph()
    order.add_nodes_from(kernels)
    for kernel in kernels:
        order.add_edges_from((x, kernel) for x, _ in made.reads(kernel) if x in index)
    _choose_outputs(made, index)
    _choose_updates(made, index, order)
    made.order = list(networkx.lexicographical_topological_sort(order, key=index.__getitem__))
    _share_operands(made)
    return made


def _choose_outputs(made: Schedule, index: dict[Node, int]) -> None:
    """Let results that are returned whole be computed into the arrays that are returned."""
    for number, output in enumerate(made.graph.outputs):
        layout = made.layouts.get(output)
        if layout is None or not layout.is_whole or layout.owner in made.in_output:
            continue
        if layout.owner[0] in index:
            made.in_output[layout.owner] = number


def _choose_updates(made: Schedule, index: dict[Node, int], order: networkx.DiGraph[Node]) -> None:
    """Let an update be computed in place, after every other reader of the old value."""
    import networkx

    readers: dict[Node, list[Node]] = {}
    for kernel in index:
        for owner, _ in made.reads(kernel):
            readers.setdefault(owner, []).append(kernel)
    kept = {made.layouts[x].owner[0] for x in made.graph.outputs if x in made.layouts}
    kept |= {
        made.layouts[value].owner[0] for _, value in made.graph.updates if value in made.layouts
    }
    for target, value in made.graph.updates:
        layout = made.layouts.get(value)
        if layout is None or not layout.is_whole or target in kept:
            continue
        kernel, result = layout.owner
        assert isinstance(target.op, Input)
        if (
            kernel not in index
            or not target.op.contiguous
            or layout.owner in made.in_state
            or layout.owner in made.in_output
            or not _aligned(made, kernel, result, target)
        ):
            continue
        others = [x for x in readers.get(target, ()) if x is not kernel]
        if any(networkx.has_path(order, kernel, x) for x in others):
            continue
        order.add_edges_from((x, kernel) for x in others)
        made.in_state[layout.owner] = target


def _aligned(made: Schedule, kernel: Node, result: int, target: Node) -> bool:
    """Whether ``kernel`` may write a result over ``target``, which it may read itself."""
    for slot, operand in enumerate(kernel.inputs):
        layout = made.layouts.get(operand)
        if layout is None or layout.owner[0] is not target:
            continue
        if not layout.is_whole or not made.overwrites(kernel, result, slot):
            return False
    return True


def _share_operands(made: Schedule) -> None:
    """Let a fused kernel write over an operand in the arena that nothing reads later."""
    last: dict[Result, int] = {}
    for position, kernel in enumerate(made.order):
        for owner in made.reads(kernel):
            last[owner] = position
    end = len(made.order)
    for x in (*made.graph.outputs, *(value for _, value in made.graph.updates)):
        if x in made.layouts:
            last[made.layouts[x].owner] = end
    for position, kernel in enumerate(made.order):
        taken: set[Result] = set()
        for result in range(len(kernel.types)):
            if not _in_arena(made, (kernel, result)):
                continue
            for slot, operand in enumerate(kernel.inputs):
                layout = made.layouts.get(operand)
                if (
                    layout is not None
                    and layout.owner not in taken
                    and last[layout.owner] == position
                    and _in_arena(made, layout.owner)
                    and layout.is_whole
                    and made.overwrites(kernel, result, slot)
                    and _read_once(made, kernel, layout.owner)
                ):
                    made.shared[kernel, result] = layout.owner
                    taken.add(layout.owner)
                    break


def _read_once(made: Schedule, kernel: Node, owner: Result) -> bool:
    return sum(x in made.layouts and made.layouts[x].owner == owner for x in kernel.inputs) == 1


def _in_arena(made: Schedule, result: Result) -> bool:
    return (
        result[0] in made.kernels and result not in made.in_state and result not in made.in_output
    )


def arena(
    made: Schedule,
    workspace: Mapping[Node, Sequence[int]],
    when: Mapping[Node, int] | None = None,
    apart: frozenset[Node] = frozenset(),
) -> Plan:
    """Offsets for every result in the arena and for each kernel's workspace, given in bytes.

    A result has its key in the plan, a workspace the key (kernel, "workspace", number). Kernels
    run one after the other unless ``when`` has equal numbers for them. Those ``apart`` have their
    memory elsewhere.
    """
    root: dict[Result, Result] = {}
    first: dict[Result, int] = {}
    last: dict[Result, int] = {}
    intervals: list[Interval] = []
    for place, kernel in enumerate(made.order):
        if kernel in apart:
            continue
        position = place if when is None else when[kernel]
        for number, nbytes in enumerate(workspace.get(kernel, ())):
            key = (kernel, "workspace", number)
            intervals.append(Interval(key, nbytes, position, position))
        for owner in made.reads(kernel):
            last[root.get(owner, owner)] = position
        for number in range(len(kernel.types)):
            result = (kernel, number)
            if _in_arena(made, result):
                shared = made.shared.get(result)
                root[result] = result if shared is None else root[shared]
                first.setdefault(root[result], position)
                last[root[result]] = position
    for x in (*made.graph.outputs, *(value for _, value in made.graph.updates)):
        if x in made.layouts:
            owner = made.layouts[x].owner
            last[root.get(owner, owner)] = len(made.order)
    for result, begin in first.items():
        nbytes = result[0].types[result[1]].nbytes
        intervals.append(Interval(result, nbytes, begin, last[result]))
    plan = plan_memory(intervals)
    plan.offsets.update({result: plan.offsets[x] for result, x in root.items()})
    return plan
