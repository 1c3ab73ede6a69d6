"""A compiled program on a device, and its step over the arrays of its state."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from graphc.backend import Sources, Step
from graphc.backends.cuda.driver import Graph, device
from graphc.backends.cuda.emit import Address, Call, Interface
from graphc.backends.cuda.failures import raise_first, untouched
from graphc.ir.types import TensorType
from graphc.passes.plan_memory import padded


class CudaExecutable:
    """A program, compiled and loaded; each step that is bound has device memory of its own."""

    def __init__(self, sources: Sources) -> None:
        interface = sources.facts["cuda"]
        assert isinstance(interface, Interface)
        self.interface = interface
        self.device = device()
        names = {x.launch.function for x in interface.steps if isinstance(x, Call)}
        self.functions = self.device.functions(sources.text, names) if names else {}

    def bind(self, state: Sequence[Any]) -> Step:
        """The step over these arrays of the host."""
        return _Step(self, state)


class _Step:
    """One binding: everything at fixed addresses, so that a step can be replayed."""

    def __init__(self, executable: CudaExecutable, state: Sequence[Any]) -> None:
        self.executable, self.state = executable, state
        self.facts, self.device = executable.interface, executable.device
        facts = self.facts
        self.places: dict[tuple[str, int], int] = {}
        size = padded(facts.arena_bytes)
        for where, types in (
            ("state", facts.state),
            ("input", facts.inputs),
            ("output", facts.outputs),
        ):
            for number, type_ in enumerate(types):
                self.places[where, number] = size
                size += padded(type_.nbytes)
        constants = [np.full(4, value, dtype.numpy) for dtype, value in facts.constants]
        for number, array in enumerate(constants):
            self.places["constant", number] = size
            size += padded(array.nbytes)
        self.places["arena", 0], self.places["failed", 0] = 0, size
        self.untouched = untouched(facts)
        size += padded(self.untouched.nbytes)
        self.memory = self.device.allocate(size, f"a program with {facts.arena_bytes:,} of them")
        self.base = int(self.memory)
        for number, array in enumerate(constants):
            self._upload(("constant", number), array)
        self.calls = [self._packed(x) for x in facts.steps]
        self.graph: Graph | None = None
        self.lock = threading.Lock()

    def _packed(self, step: Any) -> tuple[Any, ...]:
        """What is given to the driver, made once."""
        if not isinstance(step, Call):
            return self._address(step.target), self._address(step.source), step.nbytes
        arguments = np.array([self._address(x) for x in step.arguments], np.uint64).tobytes()
        function = self.executable.functions[step.launch.function]
        return function, step.launch.grid, step.launch.block, arguments

    def _address(self, x: Address) -> int:
        return self.base + self.places.get((x.where, x.number), 0) + x.offset

    def _upload(self, key: tuple[str, int], array: Any) -> None:
        if array.nbytes:
            place = self.base + self.places[key]
            self.device.driver.memcpy_htod_async(place, array, self.device.stream)

    def _download(self, key: tuple[str, int], array: Any) -> None:
        if array.nbytes:
            place = self.base + self.places[key]
            self.device.driver.memcpy_dtoh_async(array, place, self.device.stream)

    def __call__(self, *inputs: Any) -> list[Any]:
        with self.lock:
            return self._run(inputs)

    def _run(self, inputs: Sequence[Any]) -> list[Any]:
        facts = self.facts
        if len(inputs) != len(facts.inputs):
            raise TypeError(f"the program takes {len(facts.inputs)} arrays, not {len(inputs)}")
        self.device.enter()
        staged = {}
        for where, arrays in (("state", self.state), ("input", inputs)):
            for number, array in enumerate(arrays):
                staged[where, number] = np.ascontiguousarray(array)
                self._upload((where, number), staged[where, number])
        self._upload(("failed", 0), self.untouched)
        self._launch()
        outputs = [np.empty(x.shape, x.dtype.numpy) for x in facts.outputs]
        for number, array in enumerate(outputs):
            self._download(("output", number), array)
        fresh = self._written(inputs)
        for key, (_, array) in fresh.items():
            self._download(key, array)
        failed = np.empty_like(self.untouched)
        self._download(("failed", 0), failed)
        self.device.synchronize()
        for target, array in fresh.values():
            target[...] = array
        raise_first(facts, failed)
        return outputs

    def _written(self, inputs: Sequence[Any]) -> dict[tuple[str, int], tuple[Any, Any]]:
        """The arrays that the step changes, each with one for its new numbers."""
        facts = self.facts
        found = {("state", i): (self.state[i], _fresh(facts.state[i])) for i in facts.written}
        for i in facts.written_inputs:
            found["input", i] = inputs[i], _fresh(facts.inputs[i])
        return found

    def _launch(self) -> None:
        """All kernels in order: one by one at first, then as one graph."""
        if self.graph is not None:
            self.graph.launch()
            return
        self._issue()
        if self.calls:
            with Graph(self.device.stream) as graph:
                self._issue()
            self.graph = graph

    def _issue(self) -> None:
        driver, stream = self.device.driver, self.device.stream
        for each in self.calls:
            if len(each) == 3:
                driver.memcpy_dtod_async(*each, stream)
            else:
                function, grid, block, arguments = each
                if prod(grid):
                    function._launch_kernel(grid, block, arguments, 0, stream)


def _fresh(type_: TensorType) -> Any:
    return np.empty(type_.shape, type_.dtype.numpy)
