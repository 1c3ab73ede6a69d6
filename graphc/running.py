"""Closing a trace: what is pending becomes a program, which is found again or built, and runs."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from graphc.errors import GraphcError, GraphcRuntimeError
from graphc.functions.operands import C_NAMES
from graphc.ir.graph import Graph, reuse, topological
from graphc.ir.node import Node
from graphc.recording import Leaf, Trace, session
from graphc.storage import Array, Storage
from graphc.threads import Threads

if TYPE_CHECKING:
    from graphc.tensor import Tensor

MUCH = 2000
"""Tensors recorded from which a model's call without gradients begins a new program."""


def pending_tensors(trace: Trace) -> list[Tensor]:
    """The tensors, still held by somebody, whose numbers are not there yet."""
    serial = trace.serial
    found = []
    for reference in trace.pending:
        tensor = reference()
        if tensor is not None and tensor._pending and tensor._serial == serial:
            found.append(tensor)
    return found


def close() -> None:
    """Compute what is pending: every tensor that somebody still holds."""
    trace = session.trace
    if trace.capturing:
        raise _no_numbers()
    if not trace.pending:
        return
    live = pending_tensors(trace)
    for t in live:
        if t._base is not None:
            trace.node_of(t)  # a view of what was written to since is told again
    session.renew()
    views = [t for t in live if t._is_host_view()]
    seen = {id(t) for t in views}
    targets = [t for t in live if id(t) not in seen]
    try:
        if targets:
            _compute(trace, targets)
    except Exception:
        _compute_one_by_one(trace, targets)
    finally:
        for t in views:
            t._realize_view()


def begin_step(optimizer: Any) -> None:
    """Compute what is pending if it holds a step: a loop that reads nothing is many programs."""
    trace = session.trace
    if id(optimizer) in trace.stepped and not trace.differentiating:
        close()


def end_step(optimizer: Any) -> None:
    """Note a step; compute what is pending if it holds another one already."""
    trace = session.trace
    if trace.capturing or trace.differentiating:
        return
    if id(optimizer) in trace.stepped:
        close()
    else:
        trace.stepped.add(id(optimizer))


def begin_call() -> None:
    """Compute what is pending if that is much, as in a loop that collects results unread."""
    trace = session.trace
    if len(trace.pending) > MUCH and not (trace.capturing or trace.differentiating):
        close()


def _no_numbers() -> GraphcError:
    from graphc.origins import here, located

    error = GraphcRuntimeError(
        "a compiled function cannot read numbers while it is captured: return the tensor instead"
    )
    return located(error, here("a compiled function"), [])


def let_go(storage: Storage) -> None:
    """Compute what reads the memory, which somebody is about to write to, unseen by the trace."""
    trace = session.trace
    reading = [x for x in trace.leaves.values() if x.storage.root is storage.root]
    if trace.capturing or not reading:
        return
    if trace.differentiating:
        for leaf in reading:
            leaf.array = leaf.array.copy()
        return
    close()
    if session.trace is trace:
        session.renew()


def look(tensor: Tensor) -> Array:
    """The numbers of a pending tensor, computed apart: the trace goes on, nothing is written."""
    trace = session.trace
    node = trace.node_of(tensor)
    same = _read_twice(trace)
    key = ("look", Threads.count, node, *same.items())
    program = session.programs.get(key)
    if program is None:
        program = session.keep(key, _build(trace, [], [node], [], same))
    (array,) = program(trace.leaves)
    if tensor._home is None and tensor._base is None:
        tensor._realize(Storage(array), trace)
    return array  # type: ignore[no-any-return]


def _compute_one_by_one(trace: Trace, targets: list[Tensor]) -> None:
    """After a failure: what can be computed is, the rest keeps its error, the first is raised."""
    first: Exception | None = None
    for t in targets:
        try:
            _compute(trace, [t])
        except Exception as error:
            t._fail(error)
            first = first or error
    if first is not None:
        raise first


def _compute(trace: Trace, targets: list[Tensor]) -> None:
    homes = [t for t in targets if t._home is not None]
    fresh = [t for t in targets if t._home is None]
    updated = [trace.home_of(t) for t in homes]
    leaves = trace.leaves
    same = _read_twice(trace)
    nodes = [t._node for t in fresh if t._node is not None]
    key = (Threads.count, *nodes, None, *updated, *[t._node for t in homes], *same.items())
    program = session.programs.get(key)
    if program is None:
        program = session.keep(key, _build(trace, homes, nodes, updated, same))
    if homes:
        _separate_overlaps(trace, homes)
    for node in program.reads:
        if leaves[node].version != leaves[node].storage.version:
            raise overwritten(leaves[node])
    if homes:
        _keep_old(trace, targets, homes)
    arrays = program(leaves)
    for t, array in zip(fresh, arrays, strict=True):
        t._realize(Storage(array), trace)
    for node, t in zip(updated, homes, strict=True):
        assert t._home is not None
        if leaves[node].array is not t._home.array:
            t._home.array[...] = leaves[node].array
        t._home.root.writes += 1
        t._realize(t._home, trace)


def overwritten(leaf: Leaf) -> GraphcRuntimeError:
    """The error of a value that a gradient needs and that is there no longer."""
    type_ = leaf.storage.type
    return GraphcRuntimeError(
        "one of the variables needed for gradient computation has been modified by an inplace "
        f"operation: [torch.{C_NAMES[type_.dtype.name]}Tensor {list(type_.shape)}] is at version "
        f"{leaf.storage.version}; expected version {leaf.version} instead. Hint: enable anomaly "
        "detection to find the operation that failed to compute its gradient, with "
        "torch.autograd.set_detect_anomaly(True, check_nan=False)."
    )


def _keep_old(trace: Trace, targets: list[Tensor], homes: list[Tensor]) -> None:
    """Copy what the program overwrites and a history that goes on was computed from."""
    written = {id(t._home.root) for t in homes if t._home is not None}
    needed = [x for x, leaf in trace.leaves.items() if id(leaf.storage.root) in written]
    kept = [t._node for t in targets if t._trace is trace and not trace.past.is_spent(t._node)]
    if not needed or not kept:
        return
    history = set(topological([node for node in kept if node is not None]))
    for node in needed:
        leaf = trace.leaves[node]
        if node in history:
            trace.past.copies[node] = Storage(leaf.storage.array.copy())


def _separate_overlaps(trace: Trace, homes: list[Tensor]) -> None:
    """Copy the leaves that look into memory which the program writes through another storage."""
    written = {id(t._home.root): t._home for t in homes if t._home is not None}
    for leaf in trace.leaves.values():
        home = written.get(id(leaf.storage.root))
        if home is not None and home is not leaf.storage and leaf.array is leaf.storage.array:
            leaf.array = leaf.storage.array.copy()


def _read_twice(trace: Trace) -> dict[Node, Node]:
    """The leaves that read the same memory as an earlier one, with that one."""
    first: dict[tuple[int, int], Node] = {}
    found: dict[Node, Node] = {}
    for node, leaf in trace.leaves.items():
        earlier = first.setdefault((id(leaf.storage), id(leaf.array)), node)
        if earlier is not node:
            found[node] = earlier
    return found


def _build(
    trace: Trace,
    homes: list[Tensor],
    outputs: list[Node],
    updated: list[Node],
    same: dict[Node, Node],
) -> Any:
    from graphc.lazy_program import LazyProgram

    updates = zip(updated, homes, strict=True)
    graph = Graph(
        inputs=(),
        outputs=tuple(outputs),
        updates=tuple((same.get(x, x), t._node) for x, t in updates if t._node is not None),
    )
    if same:
        graph = graph.rebuild(lambda node, operands: same.get(node) or reuse(node, operands))
    # Other leaves of the trace are not bound: another trace may reach the program without them.
    used = {*graph.nodes, *(x for x, _ in graph.updates)}
    leaves = [x for x in trace.leaves if x in used]
    state = tuple(
        x
        for x in leaves
        if trace.leaves[x].array.flags.c_contiguous and (x in updated or x in trace.variables)
    )
    inputs = tuple(x for x in leaves if x not in state)
    return LazyProgram(replace(graph, inputs=inputs, state=state))
