"""A bound step: everything at fixed addresses, launched kernel by kernel once, then as one."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from graphc.backend import explained
from graphc.backends.cuda.arrays import DeviceArray, Layout
from graphc.backends.cuda.emit import Address, Call, Copy
from graphc.backends.cuda.failures import raise_first, untouched
from graphc.backends.cuda.graphs import Graph
from graphc.backends.cuda.launching import Issue, copy, launch
from graphc.ir.types import TensorType
from graphc.passes.plan_memory import padded

if TYPE_CHECKING:
    from graphc.backends.cuda.executable import CudaExecutable

ALIGNED = 16
"""Bytes that kernels read at once, at most: arrays begin at multiples of it."""
OWN = 64 << 10
"""Bytes from which an output has a block of its own, so that others do not keep it alive."""
Place = tuple[str, int]


class BoundStep:
    """The step over the arrays of the state."""

    def __init__(
        self, executable: CudaExecutable, state: Sequence[Any], marks: Sequence[Any] = ()
    ) -> None:
        self.executable, self.state = executable, list(state)
        self.marks = marks
        """Events that are recorded before the first launch and after each; all are given singly."""
        self.interface, self.device = executable.interface, executable.device
        self.lock = threading.Lock()
        self.graph: Graph | None = None
        self.runs = 0
        self._lay_out()
        with self.device:
            size = max(1, self.size)
            arena = self.interface.arena_bytes
            what = f"a program whose intermediate values are {arena:,} bytes"
            self.block = self.device.memory.take(size, what)
            self._fill_constants()
            self.calls = [self._issued(x) for x in self.interface.steps]
        numbers = range(len(self.interface.inputs))
        self.inputs = [(("input", i), self._at("input", i)) for i in numbers]
        self.move = self.device.driver.memcpy_dtod_async
        self._look = partial(_look, weakref.ref(self))
        self.held: dict[int, bytes] = {}
        """What the small arrays of the CPU among the state held when they were copied last."""

    @property
    def launches(self) -> int:
        """How many kernels and copies a run is, which are given to the device as one."""
        return len(self.calls)

    # -- where everything lies ---------------------------------------------------------------------

    def _lay_out(self) -> None:
        """Give each array that is not looked into where it lies a place in the step's block."""
        facts = self.interface
        self.places: dict[Place, int] = {("arena", 0): 0}
        self.size = padded(facts.arena_bytes)
        self.copied = [i for i, x in enumerate(self.state) if not self._is_looked_into(x)]
        """State that lies elsewhere and is copied at each run."""
        self.given_back = [i for i in facts.written if i in set(self.copied)]
        """What of it a run writes to."""
        for i in self.copied:
            self._reserve(("state", i), facts.state[i].nbytes)
        for i, x in enumerate(facts.inputs):
            self._reserve(("input", i), x.nbytes)
        self.first = self.size
        order = sorted(range(len(facts.outputs)), key=lambda i: facts.outputs[i].nbytes >= OWN)
        for i in order:
            self._reserve(("output", i), facts.outputs[i].nbytes)
        small = [i for i in order if facts.outputs[i].nbytes < OWN]
        self.small = sum(padded(facts.outputs[i].nbytes) for i in small)
        """Bytes of the outputs that are copied together, which lie first."""
        self.outputs = [
            (self.places["output", i] - self.first, layout_of(x))
            for i, x in enumerate(facts.outputs)
        ]
        self.untouched = untouched(facts)
        self.constants = [np.full(4, value, dtype.numpy) for dtype, value in facts.constants]
        for i, array in enumerate(self.constants):
            self._reserve(("constant", i), array.nbytes)
        self._reserve(("failed", 0), self.untouched.nbytes)

    def _reserve(self, place: Place, nbytes: int) -> None:
        self.places[place] = self.size
        self.size += padded(nbytes)

    def _is_looked_into(self, x: Any) -> bool:
        return (
            isinstance(x, DeviceArray)
            and x.on is self.device
            and x.flags.c_contiguous
            and x.address % ALIGNED == 0
        )

    def _fill_constants(self) -> None:
        for i, array in enumerate(self.constants):
            self.device.staging.upload(self._at("constant", i), array)
        self.device.staging.upload(self._at("failed", 0), self.untouched)
        self.found = self.device.driver.pagelocked_empty(self.untouched.shape, np.int64)
        """What the checks have left, once a run is over; that stays until somebody is told."""
        self.device.hold(self, self.found)

    def _at(self, where: str, number: int) -> int:
        place = self.places.get((where, number))
        if place is not None:
            return self.block.address + place
        return int(self.state[number].address) if where == "state" else 0

    def _issued(self, step: Call | Copy) -> Issue:
        """What gives a step to the device, made once."""
        if isinstance(step, Copy):
            target, source = self._address(step.target), self._address(step.source)
            return copy(self.device, target, source, step.nbytes)
        addresses = [self._address(x) for x in step.arguments]
        mapped = [self._address(x) for x in step.mapped]
        return launch(self.device, self.executable.functions, step.launch, addresses, mapped)

    def _address(self, x: Address) -> int:
        return self._at(x.where, x.number) + x.offset

    # -- a run -------------------------------------------------------------------------------------

    def __call__(self, *inputs: Any) -> list[Any]:
        facts = self.interface
        if len(inputs) != len(facts.inputs):
            raise TypeError(f"the program takes {len(facts.inputs)} arrays, not {len(inputs)}")
        with self.lock, self.device:
            for (place, address), array in zip(self.inputs, inputs, strict=True):
                self._take(place, address, array)
            for i in self.copied:
                self._take_state(i)
            self._launch()
            for i in facts.written_inputs:
                self._give_back(("input", i), inputs[i])
            for i in self.given_back:
                self._give_back(("state", i), self.state[i])
                self.held.pop(i, None)
            results = self._results()
            if facts.errors:  # looked at when somebody waits for the device
                self.device.checks[id(self)] = self._look
        if self.executable.stays:
            return results
        return [x.numpy() for x in results] or self._waited()

    def _waited(self) -> list[Any]:
        """No results: the program has done what it does when this returns."""
        self.device.synchronize()
        return []

    def _take(self, place: Place, address: int, array: Any) -> None:
        """Copy what a run reads to the place, and address, where it reads it."""
        if isinstance(array, DeviceArray):
            device = self.device
            if array.on is not device:
                array = device.uploaded(array.numpy())
            layout = array.layout
            if not layout.flags.c_contiguous:
                self._view(place)[...] = array
            elif layout.nbytes:
                self.move(address, array.address, layout.nbytes, device.stream)
        else:
            self.device.staging.upload(address, np.ascontiguousarray(array))

    def _view(self, place: Place) -> DeviceArray:
        """The memory of an input or of copied state as an array."""
        where, number = place
        type_ = (self.interface.inputs if where == "input" else self.interface.state)[number]
        return DeviceArray(self.device, self.block, self._at(*place), layout_of(type_))

    def _take_state(self, i: int) -> None:
        """Copy state that lies elsewhere; small arrays of the CPU only when they have changed."""
        array = self.state[i]
        if isinstance(array, np.ndarray) and array.nbytes <= OWN:
            numbers = array.tobytes()
            if self.held.get(i) == numbers:
                return
            self.held[i] = numbers
        self._take(("state", i), self._at("state", i), array)

    def _give_back(self, place: Place, array: Any) -> None:
        """Write what a run has left in the place of an array into the array."""
        left = self._view(place)
        array[...] = left if isinstance(array, DeviceArray) else left.numpy()

    def _launch(self) -> None:
        """All kernels in order: one by one at first, then as one graph."""
        if self.graph is not None:
            self.graph.launch()
            return
        if self.runs and self.calls and not self.marks:
            with Graph(self.device.stream) as graph:
                self._issue()
            graph.launch()
            self.graph = graph
        else:
            self._issue()
        self.runs += 1

    def _issue(self) -> None:
        self._mark(0)
        for number, call in enumerate(self.calls, start=1):
            call()
            self._mark(number)
        if self.interface.errors:
            copy_out = self.device.driver.memcpy_dtoh_async
            copy_out(self.found, self._at("failed", 0), self.device.stream)

    def _mark(self, number: int) -> None:
        if self.marks:
            self.marks[number].record(self.device.stream)

    def _results(self) -> list[Any]:
        """The outputs in memory of their own: the small ones in one block."""
        device, begin = self.device, self.block.address + self.first
        take, copy = device.memory.take, self.move
        together = None
        if self.small:
            together = take(self.small, "the outputs of a program")
            copy(together.address, begin, self.small, device.stream)
        results = []
        for place, layout in self.outputs:
            if together is not None and layout.nbytes < OWN:
                address = together.address + place
                results.append(DeviceArray(device, together, address, layout))
                continue
            block = take(layout.nbytes, "an output of a program")
            if layout.nbytes:
                copy(block.address, begin + place, layout.nbytes, device.stream)
            results.append(DeviceArray(device, block, block.address, layout))
        return results

    # -- checks ------------------------------------------------------------------------------------

    def look(self) -> None:
        """Raise the error of the first check that failed, if one did."""
        try:
            raise_first(self.interface, self.found)
        except Exception as error:
            with self.device:
                self.device.staging.upload(self._at("failed", 0), self.untouched)
            raise explained(self.executable.sources, error) from None


def layout_of(type_: TensorType) -> Layout:
    """How an array of a type lies in memory of its own."""
    return Layout(type_.shape, np.dtype(type_.dtype.numpy))


def _look(step: weakref.ref[BoundStep]) -> None:
    found = step()
    if found is not None:
        found.look()
