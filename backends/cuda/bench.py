"""How long kernels take on a device, by its own clock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphc.backends.cuda.driver import Device
from graphc.backends.cuda.graphs import Graph
from graphc.backends.cuda.launching import Issue, launch
from graphc.backends.cuda.made import Made, Setting, passed
from graphc.lowering.operands import Operand
from graphc.passes.plan_memory import padded

ROUNDS = 5
"""How often each kernel is timed, in turn with the others; its best time counts."""
SLICE = 2e-3
"""Seconds of each timing at least."""
LAUNCHES = 100
"""Launches of a timing at most: all are given as one graph, so that the CPU is not timed."""
DRAWN = 1 << 16
"""Numbers that are drawn; operands repeat them."""

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class Place:
    """Where an argument lies among those of a launch, in bytes."""

    begin: int
    """Of its first element, which need not be the first in memory."""
    end: int


class Bench:
    """Kernels over the same arguments, of which there are as many as do not fit in the cache."""

    def __init__(
        self,
        device: Device,
        setting: Setting,
        kernels: Sequence[Made],
        functions: Mapping[str, Any],
    ) -> None:
        self.device, self.kernels, self.functions = device, kernels, functions
        self.places: list[Place] = []
        offsets = (*setting.offsets, *(0 for _ in setting.results))
        parts = [
            self._placed(x, offset)
            for x, offset in zip((*setting.operands, *setting.results), offsets, strict=True)
        ]
        self.each = len(whole := np.concatenate(parts))
        spaces = max(sum(map(padded, made.workspace)) for made in kernels)
        self.workspace = device.allocate(max(1, spaces), "the workspaces of kernels to be measured")
        self.count = self._copies()
        nbytes = self.count * self.each
        self.block = device.allocate(nbytes, "the arguments of kernels to be measured")
        self._fill(whole)
        self.next = 0
        """The number of the arguments that the next launch has."""

    def _placed(self, x: Operand, offset: int) -> Array:
        """Bytes for an argument, which lies behind those before it."""
        size = x.dtype.itemsize
        ends = [(n - 1) * s * size for n, s in zip(x.shape, x.strides, strict=True)]
        before = padded(-sum(e for e in ends if e < 0)) + offset * size
        start = self.places[-1].end if self.places else 0
        nbytes = padded(before + sum(e for e in ends if e > 0) + size)
        self.places.append(Place(start + before, start + nbytes))
        drawn = np.random.default_rng(0).standard_normal(DRAWN).astype(x.dtype.numpy)
        return np.resize(drawn.view(np.uint8), nbytes)

    def _copies(self) -> int:
        """How many arguments it takes to fill the cache twice, of those that there is room for."""
        cache = self.device.properties().L2_cache_size
        free, _ = self.device.memory_info()
        wanted = min(2 * cache // self.each + 1, LAUNCHES * len(self.kernels))
        return max(1, min(wanted, free // 2 // self.each))

    def _fill(self, whole: Array) -> None:
        device, begin, total = self.device, self.block.address, self.count * self.each
        with device:
            device.staging.upload(begin, whole)
            done = self.each
            while done < total:
                nbytes = min(done, total - done)
                device.driver.memcpy_dtod_async(begin + done, begin, nbytes, device.stream)
                done += nbytes

    def times(self) -> list[float]:
        """Seconds that each kernel takes."""
        with self.device:
            graphs = [self._captured(made) for made in self.kernels]
            best = [float("inf")] * len(graphs)
            for _ in range(ROUNDS):
                for i, (graph, count) in enumerate(graphs):
                    best[i] = min(best[i], self._seconds([graph.launch]) / count)
        return best

    def _captured(self, made: Made) -> tuple[Graph, int]:
        """A graph that launches a kernel as often as fills a timing, and how often that is."""
        self._seconds(self._calls(made))  # what is loaded when it is needed is there now
        spent = self._seconds(self._calls(made))
        count = max(1, min(LAUNCHES, int(SLICE / max(spent, 1e-9))))
        calls = [call for _ in range(count) for call in self._calls(made)]
        with Graph(self.device.stream) as graph:
            for call in calls:
                call()
        return graph, count

    def _calls(self, made: Made) -> list[Issue]:
        """The launches of a kernel, over the next arguments."""
        begin = self.block.address + self.next % self.count * self.each
        self.next += 1
        addresses = [begin + place.begin for place in self.places]
        space = self.workspace.address
        for nbytes in made.workspace:
            addresses.append(space)
            space += padded(nbytes)
        return [
            launch(self.device, self.functions, x, *passed(x, addresses)) for x in made.launches
        ]

    def _seconds(self, calls: Sequence[Issue]) -> float:
        device = self.device
        first, last = device.event(timed=True), device.event(timed=True)
        device.record(first)
        for call in calls:
            call()
        device.record(last)
        device.wait_until(last)
        return device.between(first, last) * 1e-3
