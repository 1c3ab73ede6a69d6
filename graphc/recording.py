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
from typing import TYPE_CHECKING, Any

import numpy as np

from graphc.changes import bump_epoch
from graphc.device_memory import on_host
from graphc.ir.node import Node, grad_mode, make_input
from graphc.marks import CALLS as CALLS
from graphc.marks import Call as Call
from graphc.marks import Detach as Detach
from graphc.marks import Variable as Variable
from graphc.past import Past, retold
from graphc.storage import Array, Storage

if TYPE_CHECKING:
    from graphc.tensor import Tensor

MEMO_LIMIT = 100_000
"""Entries of the memo at which it is emptied, so that a varying program cannot fill the memory."""

PROGRAM_LIMIT = 512
"""Programs of plain loops that are kept."""
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
        before, now = on_host(self.array), on_host(now)
        return np.array_equal(before, now, equal_nan=self.storage.type.dtype.is_inexact)


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
        """Whether gradients or a step are being recorded, so that the trace must go on."""
        self.alike: Callable[[Node], Node] = unchanged
        """What stands for a node that the user's code is shown while gradients are recorded."""
        self.has_custom = False
        """Whether a function with a gradient of the user's own was called."""
        self.numbers_read: dict[tuple[int, Any, Any], Node] = {}
        """The inputs made for settings, by container, key and value."""
        self.stepped: set[int] = set()
        """The optimizers, by identity, of which a step is recorded here."""

    def wait(self, tensor: Tensor) -> None:
        """Note a tensor that is to be computed when the trace is closed."""
        if not self.pending:
            bump_epoch()
        self.pending.append(weakref.ref(tensor))

    def remember(self, tensor: Tensor) -> None:
        """Note what ``tensor`` is, before it changes or stands for something here."""

    @contextmanager
    def kept_open(self) -> Iterator[None]:
        """Within, the trace goes on even where numbers are asked for or somebody sees a write."""
        before, self.differentiating = self.differentiating, True
        try:
            yield
        finally:
            self.differentiating = before

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
            return self._adopt_history(tensor)
        if tensor._spent:
            return self._after_backward(tensor)
        storage = tensor._storage
        if storage is None:
            raise tensor._unrealized()
        variable = tensor if tensor._requires_grad else None
        node = self.leaf(storage, variable, self.label(tensor))
        if self.capturing or not storage.exposed:
            with _adopting:
                tensor._serial = self.serial
                tensor._node = node
        return node

    def _adopt_history(self, tensor: Tensor) -> Node:
        """A result computed before: it follows from its leaves, whoever sees its memory."""
        node = retold(self, tensor)
        with _adopting:
            tensor._trace = self
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
        if x.requires_grad:
            x = Detach()(x)  # Its memory was written to through ``data``: nothing comes before it.
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
        bump_epoch()
        try:
            yield trace
        finally:
            self.trace, self.modules = before, modules
            bump_epoch()


session = Session()
