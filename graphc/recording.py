"""Recording: tensors become nodes of a trace, and a closed trace becomes a program that runs.

A trace is what has been recorded since numbers were last asked for. Two steps of a training loop
record the very same nodes: everything that a call of a user-level function yields is remembered
under the function and its operand nodes (``memo``), and the leaves of a trace are numbered in the
order of their first use. So the second step of a loop does no type inference, no differentiation
and no hashing of graphs; the identity of its output nodes finds its program.
"""

from __future__ import annotations

import itertools
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from graphc.errors import GraphcError, GraphcRuntimeError
from graphc.functions.operands import C_NAMES
from graphc.ir.graph import Graph, reuse, topological
from graphc.ir.node import Node, grad_mode, make_input
from graphc.marks import CALLS as CALLS
from graphc.marks import Call as Call
from graphc.marks import Detach as Detach
from graphc.marks import Variable as Variable
from graphc.past import Past, retold
from graphc.storage import Array, Storage
from graphc.threads import Threads

if TYPE_CHECKING:
    from graphc.tensor import Tensor

MEMO_LIMIT = 100_000
"""Entries of the memo at which it is emptied, so that a varying program cannot fill the memory."""

PROGRAM_LIMIT = 512
"""Programs of plain loops that are kept."""
MUCH = 2000
"""Tensors recorded from which a model's call without gradients begins a new program."""
ARENA_LIMIT = 4 << 30
"""Bytes that the arenas of the kept programs may take together."""

_serials = itertools.count(1)
_adopting = threading.Lock()
"""Threads that share a model let its tensors stand in their traces one after the other."""


def unchanged(node: Node) -> Node:
    """The node itself."""
    return node


def setting(container: Any, key: Any) -> Any:
    """``container[key]``, or what several keys, one after the other, lead to."""
    for part in key if isinstance(key, tuple) else (key,):
        container = container[part]
    return container


def root_of(tensor: Tensor) -> Tensor | None:
    """The tensor whose memory ``tensor`` is a view of."""
    base = tensor._base
    if base is not None and base._base is not None:
        # It was given another shape in place: it is now a view of what it had been.
        base = tensor._base = root_of(base)
    return base


class Leaf:
    """A realised value that a trace reads."""

    __slots__ = ("array", "node", "storage", "version")

    def __init__(self, node: Node, storage: Storage, array: Array) -> None:
        self.node = node
        self.storage = storage
        self.array = array
        """What the program reads: the storage's array, or a copy of it."""
        self.version = storage.version

    def holds(self) -> bool:
        """Whether what the program reads is still what there is in memory."""
        now = self.storage.array
        if self.array is now:
            return not self.storage.exposed
        return np.array_equal(self.array, now, equal_nan=self.storage.type.dtype.is_floating_point)


class Trace:
    """What has been recorded since numbers were last asked for."""

    def __init__(self, memo: dict[Any, Any], *, capturing: bool = False) -> None:
        self.serial = next(_serials)
        self.memo = memo
        self.capturing = capturing
        self.leaves: dict[Node, Leaf] = {}
        self.by_storage: dict[int, Node] = {}
        self.pending: list[weakref.ref[Tensor]] = []
        self.variables: dict[Node, weakref.ref[Tensor]] = {}
        """The tensors whose ``grad`` a backward pass fills."""
        self.retained: dict[Node, weakref.ref[Tensor]] = {}
        """Tensors that are no leaves but keep their gradient (``retain_grad``, hooks)."""
        self.realized: dict[Node, tuple[Storage, int]] = {}
        """What the nodes computed at the close came to, with the storage's version."""
        self.past = Past()
        self.numbers = itertools.count()
        self.touched: dict[int, Tensor] = {}
        """While capturing: tensors written to, which the caller holds."""
        self.gradients: dict[int, tuple[Tensor, Tensor | None]] = {}
        """While capturing: tensors whose ``grad`` was set, with what it was before."""
        self.differentiating = False
        """Whether gradients are being recorded, so that the trace must go on."""
        self.alike: Callable[[Node], Node] = unchanged
        """What stands for a node that the user's code is shown while gradients are recorded."""
        self.has_custom = False
        """Whether a function with a gradient of the user's own was called."""
        self.numbers_read: dict[tuple[int, Any, Any], Node] = {}
        """The inputs made for settings, by container, key and value."""
        self.stepped: set[int] = set()
        """The optimizers, by identity, of which a step is recorded here."""

    def remember(self, tensor: Tensor) -> None:
        """Note what ``tensor`` is, before it changes or stands for something here."""

    def touch(self, tensor: Tensor) -> None:
        """Note a write to ``tensor``."""
        if self.capturing:
            self.touched[id(tensor)] = tensor

    def touch_grad(self, tensor: Tensor) -> None:
        """Note that the ``grad`` of ``tensor`` is about to be set."""
        if self.capturing:
            self.gradients.setdefault(id(tensor), (tensor, tensor._grad))

    def node_of(self, tensor: Tensor) -> Node:
        """The node that stands for ``tensor`` here."""
        base = tensor._base
        if base is not None:
            if base._base is not None:
                base = root_of(tensor)
                assert base is not None
            if tensor._seen != base._version:
                if base._pending or base._trace is not None or tensor._trace is not None:
                    self.look_again(tensor, base)
                else:
                    tensor._seen = base._version
        node = tensor._node  # read first: another thread may let the tensor stand in its own trace
        if tensor._serial == self.serial:
            return node  # type: ignore[return-value]
        return self._adopt(tensor)

    def look_again(self, tensor: Tensor, base: Tensor) -> None:
        """Make a view again after a write to the tensor it looks into."""
        node = self.node_of(base)
        for op in tensor._chain:
            key = ("view", op, node)
            seen = self.memo.get(key)
            if seen is None:
                with grad_mode(True):
                    seen = self.memo[key] = op(node)
            node = seen
        tensor._record(self, node)
        tensor._seen, tensor._rewritten = base._version, True

    def _adopt(self, tensor: Tensor) -> Node:
        if tensor._trace is not None:
            node = retold(self, tensor)
            tensor._trace = self
        elif tensor._spent:
            return self._after_backward(tensor)
        elif tensor._storage is None:
            raise tensor._unrealized()
        else:
            node = self.leaf(
                tensor._storage, tensor if tensor._requires_grad else None, self.label(tensor)
            )
        storage = tensor._storage
        if self.capturing or storage is None or not storage.exposed:
            with _adopting:
                tensor._serial = self.serial
                tensor._node = node
        return node

    def _after_backward(self, tensor: Tensor) -> Node:
        """A result whose history was used up: whoever differentiates through it is told so."""
        assert tensor._storage is not None
        node = self.leaf(tensor._storage, tensor, "")
        self.variables.pop(node, None)
        self.past.expired.add(node)
        return node

    def leaf(
        self, storage: Storage, variable: Tensor | None, name: str, version: int | None = None
    ) -> Node:
        """The input node for a storage; one of its own for each leaf of differentiation.

        A ``version`` that the storage has no longer is an input of its own, which nobody may read.
        """
        key = id(storage) if variable is None else id(variable)
        node = self.by_storage.get(key)
        stale = version is not None and version != storage.version
        found = None if node is None or stale else self.leaves[node]
        if (
            found is not None
            and found.storage is storage
            and (storage.is_private or self.capturing or found.holds())
        ):
            return found.node
        label = name if self.capturing and name else f"x{len(self.leaves)}"
        contiguous = storage.array.flags.c_contiguous
        signature = ("input", label, storage.type, variable is not None, storage.device, contiguous)
        node = self.memo.get(signature)
        if node is None or node in self.leaves:
            node = self.memo[signature] = make_input(
                f"{label}_{len(self.leaves)}" if node is not None else label,
                storage.type,
                requires_grad=variable is not None,
                device=storage.device,
                contiguous=contiguous,
            )
        array = storage.array if self.capturing or storage.is_private else storage.snapshot()
        leaf = self.leaves[node] = Leaf(node, storage, array)
        if stale:
            assert version is not None
            leaf.version = version
            self.past.stale.add(node)
        else:
            self.by_storage[key] = node
        if variable is not None:
            self.variables[node] = weakref.ref(variable)
        return node

    def variable(self, tensor: Tensor, x: Node) -> Node:
        """A leaf of differentiation with the value of ``x``, standing for ``tensor``."""
        key = ("variable", next(self.numbers), x)
        node = self.memo.get(key)
        if node is None:
            node = Node(Variable(key[1]), (x,), x.type, requires_grad=True, device=x.device)
            self.memo[key] = node
        self.variables[node] = weakref.ref(tensor)
        return node

    def home_of(self, tensor: Tensor) -> Node:
        """The input node of the storage that a write to ``tensor`` goes to."""
        home = tensor._home
        assert home is not None
        for key in (id(tensor), id(home)):
            node = self.by_storage.get(key)
            if node is not None and self.leaves[node].storage is home:
                return node
        return self.leaf(home, None, self.label(tensor))

    def label(self, tensor: Tensor) -> str:
        """What the graph calls the memory of ``tensor``."""
        return tensor._name

    def read_grad(self, tensor: Tensor) -> None:
        """Note that the gradient of ``tensor`` is looked at."""

    def hyperparameter(self, container: Any, key: Any) -> Node:
        """The number ``container[key]`` as an input: another value makes no other program."""
        value = setting(container, key)
        place = (id(container), key, value)
        node = self.numbers_read.get(place)
        if node is None:
            node = self.leaf(Storage(np.array(value, np.float64)), None, "")
            self.numbers_read[place] = node
        return node

    def depends_on(self, owner: Any) -> None:
        """Note that what is recorded depends on ``owner._structure``, a count of its changes."""

    def watch_modules(self, modules: Iterable[Any]) -> None:
        """Note what the attributes of modules are before they change."""


class Session(threading.local):
    """The trace that this thread records into, and what its traces share."""

    def __init__(self) -> None:
        self.memo: dict[Any, Any] = {}
        self.programs: dict[Any, Any] = {}
        self.trace = Trace(self.memo)
        self.modules: list[Any] = []
        """The modules being called, outermost first."""

    def keep(self, key: Any, program: Any) -> Any:
        """Remember a program; the oldest make room when there are too many or they are too big."""
        self.programs[key] = program
        held = sum(p.arena_bytes for p in self.programs.values())
        while len(self.programs) > 1 and (len(self.programs) > PROGRAM_LIMIT or held > ARENA_LIMIT):
            held -= self.programs.pop(next(iter(self.programs))).arena_bytes
        return program

    def renew(self) -> None:
        """Begin a new trace."""
        if len(self.memo) > MEMO_LIMIT:
            self.memo.clear()
            self.programs.clear()
        self.trace = Trace(self.memo)

    @contextmanager
    def recording_into(self, trace: Trace) -> Iterator[Trace]:
        """Within, what is recorded goes to ``trace``."""
        before, self.trace = self.trace, trace
        modules, self.modules = self.modules, []
        try:
            yield trace
        finally:
            self.trace, self.modules = before, modules


session = Session()


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
        if leaves[node].version != leaves[node].storage.root.writes:
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
            trace.past.copies[node] = Storage(leaf.storage.array.copy(), device=leaf.storage.device)


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
    from graphc.compiler import LazyProgram

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
