"""Generators of random numbers, whose state is a tensor.

A draw is a pure function of the state, an int64 ``[seed, offset]``; drawing assigns the state that
follows. So a compiled program draws new numbers at each call, and the same as plain recording.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from graphc.device import Device
from graphc.device import device as device_of
from graphc.errors import GraphcRuntimeError, GraphcTypeError, GraphcValueError
from graphc.ir.dtype import int64, uint8
from graphc.ir.node import Node, const, grad_mode, origin_of
from graphc.marks import ToDevice
from graphc.ops.movement import Concat, full
from graphc.ops.random import Advance, Draw
from graphc.origins import here
from graphc.recording import session
from graphc.running import close
from graphc.storage import Storage
from graphc.tensor import Tensor, from_storage, wrap
from graphc.typename import short_typename

DEFAULT_SEED = 67280421310721


def _signed(seed: int) -> int:
    """``seed`` modulo 2⁶⁴ as an int64."""
    if not -(2**63) <= seed < 2**64:
        raise GraphcValueError("Overflow when unpacking long long")
    return (seed + 2**63) % 2**64 - 2**63


class Generator:
    """A stream of random numbers, determined by its seed."""

    def __init__(self, device: str | Device = "cpu") -> None:
        self.device = device_of(device)
        self._seed = DEFAULT_SEED
        self._state = from_storage(Storage(np.array([_signed(DEFAULT_SEED), 0], np.int64)))
        self._state._name = "random_state"

    def manual_seed(self, seed: int) -> Generator:
        """Start the stream of ``seed`` from its beginning."""
        if not hasattr(seed, "__index__"):
            raise GraphcRuntimeError(f"manual_seed expected a long, but got {short_typename(seed)}")
        seed = int(seed)
        value = _signed(seed)
        self._seed = seed if seed >= 0 else seed + 2**64
        self._set(value, 0)
        return self

    def _set(self, seed: int, offset: int) -> None:
        trace = session.trace
        if trace.capturing:
            parts = (full((1,), const(n, int64)) for n in (seed, offset))
            self._state._assign(Concat(0)(*parts))
            return
        if trace.pending:
            close()
        array = self._state._value()
        array[...] = (seed, offset)
        assert self._state._storage is not None
        self._state._storage.root.writes += 1

    def seed(self) -> int:
        """Start a stream that nobody can foresee; its seed."""
        seed = secrets.randbits(64)
        self.manual_seed(seed)
        return seed

    def initial_seed(self) -> int:
        """The seed the stream began with."""
        return self._seed

    def get_state(self) -> Tensor:
        """Where the stream stands, as bytes that ``set_state`` takes."""
        return from_storage(Storage(self._state._value().copy().view(np.uint8)))

    def set_state(self, new_state: Tensor) -> Generator:
        """Go on from a place in a stream that ``get_state`` gave."""
        if not isinstance(new_state, Tensor):
            raise GraphcTypeError(
                f"expected a torch.ByteTensor, but got {short_typename(new_state)}"
            )
        if new_state.dtype is not uint8:
            raise GraphcTypeError("RNG state must be a torch.ByteTensor")
        if new_state._type.size != 16:
            raise GraphcRuntimeError("RNG state is wrong size")
        seed, offset = np.ascontiguousarray(new_state._value()).view(np.int64).tolist()
        self._seed = seed % 2**64
        self._set(seed, offset)
        return self

    def clone_state(self) -> Generator:
        """Another generator at the same place of the same stream."""
        return Generator(self.device).set_state(self.get_state())


default_generator = Generator()
default_generator.seed()


def manual_seed(seed: int) -> Generator:
    """Start the default generator's stream of ``seed`` from its beginning."""
    return default_generator.manual_seed(int(seed))


def seed() -> int:
    """Start a stream that nobody can foresee; its seed."""
    return default_generator.seed()


def initial_seed() -> int:
    """The seed of the default generator's stream."""
    return default_generator.initial_seed()


def get_rng_state() -> Tensor:
    """Where the default generator's stream stands."""
    return default_generator.get_state()


def set_rng_state(new_state: Tensor) -> None:
    """Go on from where ``get_rng_state`` stood."""
    default_generator.set_state(new_state)


@contextmanager
def fork_rng(devices: Any = None, enabled: bool = True) -> Iterator[None]:
    """Within, drawing leaves the default generator's stream where it is."""
    state = default_generator.get_state() if enabled else None
    try:
        yield
    finally:
        if state is not None:
            default_generator.set_state(state)


def _state_of(generator: Generator | None) -> Tensor:
    if not isinstance(generator, Generator | None):
        raise GraphcTypeError(
            f"argument 'generator' must be torch.Generator, not {short_typename(generator)}"
        )
    return (generator or default_generator)._state


def _remembered(key: Any, make: Callable[[], Node], name: str) -> Node:
    """The node that is made for a key, once in all traces that share their nodes."""
    memo = session.trace.memo
    found: Node | None = memo.get(key)
    if found is None:
        with origin_of(here(name)), grad_mode(False):
            found = memo[key] = make()
    return found


def _found_on(device: str, state: Tensor, name: str) -> Node:
    """Where the stream stands, on a device, which is given where the trace began."""
    node = session.trace.node_of(state)
    if device == "cpu":
        return node
    begin = node.inputs[0] if isinstance(node.op, Advance) else node
    moved = _remembered(("moved", begin, device), lambda: ToDevice(device)(begin), name)
    if begin is node:
        return moved
    return _remembered(("advanced", node.op, moved), lambda: node.op(moved), name)


def state_on(device: str, name: str) -> Tensor:
    """The default generator's state, for a function that draws from it itself; ``skip`` follows."""
    return wrap(_found_on(device, _state_of(None), name), session.trace)


def skip(counters: int, generator: Generator | None = None, name: str = "skip") -> None:
    """Let the generator's state move on, as after a draw of so many counters."""
    state = _state_of(generator)
    node, op = session.trace.node_of(state), Advance(counters)
    before = node.op
    if isinstance(before, Advance):  # of the state that the trace began with, as all are
        node, op = node.inputs[0], before.further(counters)
    state._assign(_remembered(("advanced", op, node), lambda: op(node), name))


def draw(
    op: Draw, generator: Generator | None = None, name: str = "", device: str = "cpu"
) -> Tensor:
    """The numbers that ``op`` draws, on ``device``; the generator's state moves on.

    They are the same on every device: only the state is on the CPU.
    """
    name = name or op.name
    there = _found_on(device, _state_of(generator), name)
    value = _remembered(("drawn", op, there), lambda: op(there), name)
    skip(op.counters, generator, name)
    return wrap(value, session.trace)
