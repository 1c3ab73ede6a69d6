"""The CUDA backend with its kernels run on the CPU: the same sources, by the emulator."""

from __future__ import annotations

import builtins
from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.backend import Executable, Sources, Step
from graphc.backends.cuda import CudaBackend
from graphc.backends.cuda.emit import Address, Call, Interface
from tests.cuda.emulation import Module

NO_PLACE = 2**63 - 1
"""What a check's place is while it has not failed."""


class EmulatedBackend(CudaBackend):
    """The same backend on the CPU.

    ``order`` is that in which threads run; with ``check`` all accesses are checked.
    """

    def __init__(self, *, order: int = 0, check: bool = False) -> None:
        self.order, self.check = order, check

    def build(self, sources: Sources) -> Executable:
        """The program, compiled by g++."""
        return EmulatedExecutable(sources, order=self.order, check=self.check)


class EmulatedExecutable:
    """A program over memory of the CPU."""

    def __init__(self, sources: Sources, *, order: int, check: bool) -> None:
        interface = sources.facts["cuda"]
        assert isinstance(interface, Interface)
        self.interface, self.order = interface, order
        self.module = Module(sources.text, check=check) if sources.kernels else None
        self.constants = [np.full(4, value, dtype.numpy) for dtype, value in interface.constants]

    def bind(self, state: Sequence[Any]) -> Step:
        """The step over these arrays."""

        def step(*inputs: Any) -> list[Any]:
            return self._run(state, inputs)

        return step

    def _run(self, state: Sequence[Any], inputs: Sequence[Any]) -> list[Any]:
        facts = self.interface
        arrays = {
            "state": [aligned(x) for x in state],
            "input": [aligned(x) for x in inputs],
            "output": [empty(x.shape, x.dtype.numpy) for x in facts.outputs],
            "arena": [empty((max(1, facts.arena_bytes),), np.dtype(np.uint8))],
            "constant": self.constants,
            "failed": [np.array([NO_PLACE, 0] * max(1, len(facts.errors)))],
            "nowhere": [np.zeros(2)],
        }
        for each in facts.steps:
            if isinstance(each, Call):
                assert self.module is not None
                launch = each.launch
                given = [address(arrays, x) for x in each.arguments]
                self.module.launch(
                    launch.function, launch.grid, launch.block, given, order=self.order
                )
            else:
                source, target = (slab(arrays, x, each.nbytes) for x in (each.source, each.target))
                target[:] = source
        for number in facts.written:
            state[number][...] = arrays["state"][number]
        for number in facts.written_inputs:
            inputs[number][...] = arrays["input"][number]
        self._raise(arrays["failed"][0].reshape(-1, 2))
        return arrays["output"]

    def _raise(self, failed: Any) -> None:
        for (name, message, kernel), (place, value) in zip(
            self.interface.errors, failed, strict=False
        ):
            if place != NO_PLACE:
                error = getattr(builtins, name)(message.replace("{}", str(value)))
                error.kernel = kernel
                raise error


def empty(shape: tuple[int, ...], dtype: Any) -> Any:
    """An array of nan, or the like, at an address as devices give them: a multiple of 64."""
    count = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
    whole = np.full(count + 64, 0xFF, np.uint8)
    start = -whole.ctypes.data % 64
    return whole[start : start + count].view(dtype).reshape(shape)


def aligned(x: Any) -> Any:
    """A copy at such an address."""
    x = np.asarray(x)
    made = empty(x.shape, x.dtype)
    made[...] = x
    return made


def address(arrays: dict[str, list[Any]], x: Address) -> int:
    """The address of an argument."""
    return int(arrays[x.where][x.number].ctypes.data) + x.offset


def slab(arrays: dict[str, list[Any]], x: Address, nbytes: int) -> Any:
    """The bytes at an address."""
    whole = arrays[x.where][x.number].reshape(-1).view(np.uint8)
    return whole[x.offset : x.offset + nbytes]
