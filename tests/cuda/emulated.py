"""The CUDA backend with its kernels run on the CPU: the same sources, by the emulator."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from weakref import finalize

import numpy as np

from graphc.backend import Executable, Sources, Step
from graphc.backends.cuda import CudaBackend
from graphc.backends.cuda.emit import Address, Call, Interface
from graphc.backends.cuda.failures import raise_first, untouched
from graphc.backends.cuda.made import Launch
from graphc.compiler import Program
from graphc.ir.dtype import dtype_of_numpy
from graphc.ir.graph import Graph
from graphc.ir.node import Item, Node, Op, make_input
from graphc.ir.types import TensorType
from tests.cuda.emulation import KernelError, Module, runtime

TENSOR_MAP = np.dtype([("words", np.uint64, (16,))])
"""An encoded map, as a kernel takes it."""


class EmulatedBackend(CudaBackend):
    """The same backend on the CPU.

    ``order`` is that in which threads run; with ``check`` all accesses are checked. ``arch`` is the
    processor whose kernels these are.
    """

    def __init__(self, *, order: int = 0, check: bool = False, arch: str = "sm_80") -> None:
        super().__init__(arch=arch)
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
            "failed": [untouched(facts)],
            "nowhere": [np.zeros(2)],
        }
        if self.module is not None and self.module.check:
            self._watch(arrays)
        for each in facts.steps:
            if isinstance(each, Call):
                assert self.module is not None
                launch = each.launch
                assert isinstance(launch, Launch)
                maps = zip(launch.maps, each.mapped, strict=True)
                given: list[Any] = [
                    np.frombuffer(x.encoded(address(arrays, of), encode), TENSOR_MAP)[0]
                    for (_, x), of in maps
                ]
                given += [address(arrays, x) for x in each.arguments]
                self.module.launch(
                    launch.function,
                    launch.grid,
                    launch.block,
                    given,
                    order=self.order,
                    shared=launch.shared,
                )
            else:
                source, target = (slab(arrays, x, each.nbytes) for x in (each.source, each.target))
                target[:] = source
        for number in facts.written:
            state[number][...] = arrays["state"][number]
        for number in facts.written_inputs:
            inputs[number][...] = arrays["input"][number]
        raise_first(facts, arrays["failed"][0])
        return arrays["output"]

    def _watch(self, arrays: dict[str, list[Any]]) -> None:
        """Tell the checker which memory there is, and what of it nobody has written."""
        for where, found in arrays.items():
            for x in found:
                fresh = where in ("output", "arena")
                runtime().emulator_region_add(x.ctypes.data, x.nbytes, int(fresh))
                finalize(x, runtime().emulator_region_del, x.ctypes.data)


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


def encode(*given: Any) -> int:
    """What the driver encodes tensor maps by, here."""
    if runtime().emulator_encode_tiled(*given):
        raise KernelError("a tensor map is refused")
    return 0


def slab(arrays: dict[str, list[Any]], x: Address, nbytes: int) -> Any:
    """The bytes at an address."""
    whole = arrays[x.where][x.number].reshape(-1).view(np.uint8)
    return whole[x.offset : x.offset + nbytes]


def run_ops(*uses: tuple[Op, tuple[Any, ...]], **how: Any) -> list[tuple[Any, ...]]:
    """All results of each op on its arrays, computed by one program."""
    inputs: list[Node] = []
    outputs: list[tuple[Node, ...]] = []
    for number, (op, arrays) in enumerate(uses):
        given = []
        for slot, x in enumerate(arrays):
            dtype = dtype_of_numpy(x.dtype)
            assert dtype is not None
            given.append(make_input(f"x{number}_{slot}", TensorType(x.shape, dtype)))
        node = op(*given)
        node = node.inputs[0] if isinstance(node.op, Item) else node
        several = isinstance(node.type, tuple)
        outputs.append(tuple(Item(i)(node) for i in range(len(node.types))) if several else (node,))
        inputs += given
    graph = Graph(tuple(inputs), tuple(x for each in outputs for x in each))
    step = Program(graph, EmulatedBackend(**how)).executable.bind([])
    found = iter(step(*(x for _, arrays in uses for x in arrays)))
    return [tuple(np.asarray(next(found)) for _ in each) for each in outputs]
