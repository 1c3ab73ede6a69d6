"""The device layer: the only module that imports PyCUDA, which is looked for when it is needed.

Contexts are the primary ones, which CUDA's run time uses too: PyTorch and CuPy can share a process.
"""

from __future__ import annotations

import atexit
import itertools
import threading
import weakref
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cache, cached_property
from typing import Any, NamedTuple

import numpy as np

from graphc.backends.cuda import compilation, copying, libcuda
from graphc.backends.cuda.arrays import DeviceArray, Layout
from graphc.backends.cuda.memory import Block, Memory
from graphc.backends.cuda.staging import Staging
from graphc.errors import GraphcError, GraphcRuntimeError

EXTRA = '`pip install "graphc[cuda]"`'


def pycuda() -> Any:
    """PyCUDA's driver module, initialised. Raises where there is none, or no driver, or device."""
    try:
        from pycuda import driver
    except ImportError as error:
        if isinstance(error, ModuleNotFoundError) and error.name == "pycuda":
            raise GraphcRuntimeError(f"CUDA needs PyCUDA: {EXTRA}") from None
        raise GraphcRuntimeError(f"PyCUDA does not find NVIDIA's driver: {error}") from None
    try:
        driver.init()
        count = driver.Device.count()
    except driver.Error as error:
        raise GraphcRuntimeError(f"NVIDIA's driver does not work: {error}") from None
    if not count:
        raise GraphcRuntimeError("there is no CUDA device")
    return driver


@cache
def arch(index: int) -> str:
    """The processor of a device, which need not be in use. Raises where there is none."""
    driver = pycuda()
    count = driver.Device.count()
    if not 0 <= index < count:
        raise GraphcRuntimeError(f"there is no CUDA device {index}: there are {count}")
    major, minor = driver.Device(index).compute_capability()
    return f"sm_{major}{minor}"


def device_count() -> int:
    """How many devices there are. Raises where CUDA cannot be used at all."""
    return int(pycuda().Device.count())


@cache
def _works() -> str:
    """What programs are compiled for, and by what. Raises where that cannot be done."""
    found = device(0)
    return f"{found.name}, compiled for by {compilation.compiler().identity.splitlines()[-1]}"


def explanation() -> tuple[bool, str]:
    """Whether programs can be compiled and run, and by what, or why not."""
    try:
        return True, _works()
    except GraphcError as error:
        return False, str(error)


class Properties(NamedTuple):
    """What a device is, by PyTorch's names; sizes in bytes."""

    name: str
    major: int
    minor: int
    total_memory: int
    multi_processor_count: int
    warp_size: int
    max_threads_per_multi_processor: int
    shared_memory_per_block: int
    L2_cache_size: int


class _Entered(threading.local):
    """The device whose context is this thread's, and how many ``with`` blocks ask for it."""

    device: Device | None = None
    depth = 0


_entered = _Entered()


class Device:
    """A GPU: its context, its memory, and one stream, on which everything is done in order.

    Within ``with device`` its context is that of the thread. The main thread keeps it afterwards;
    PyCUDA ends the process where another thread ends with one.
    """

    def __init__(self, index: int) -> None:
        self.driver = pycuda()
        self.arch = arch(index)
        self.index = index
        self.place = f"cuda:{index}"
        self.handle = self.driver.Device(index)
        self.name: str = self.handle.name()
        self._thread = threading.get_ident()
        self._numbers = itertools.count()
        self._held: dict[int, tuple[Any, ...]] = {}
        self._ended: deque[int] = deque()
        """Numbers of what is held for owners that live no longer."""
        self.checks: dict[int, Callable[[], None]] = {}
        """What raises the errors that steps have left, once they are done."""
        with translated():
            self._context = self.handle.retain_primary_context()
            with self:
                self.stream = self.driver.Stream(1)
        self.memory = Memory(self.driver, f"device {index} ({self.name})")
        self.staging = Staging(self.driver, self.stream)

    def __enter__(self) -> Device:
        if _entered.device is not self:
            if _entered.device is not None:
                _entered.device._context.pop()
            elif threading.current_thread() is threading.main_thread():
                atexit.register(_leave)
            self._context.push()
            _entered.device = self
        _entered.depth += 1
        return self

    def __exit__(self, *exception: object) -> None:
        _entered.depth -= 1
        if not _entered.depth and threading.current_thread() is not threading.main_thread():
            _leave()

    def allocate(self, nbytes: int, what: str) -> Block:
        """Memory, given back when nobody holds it."""
        with self:
            return self.memory.take(nbytes, what)

    def array(self, shape: tuple[int, ...], dtype: Any) -> DeviceArray:
        """An array whose numbers are still to be written."""
        layout = Layout(shape, dtype)
        block = self.allocate(layout.nbytes, f"an array of shape {shape}")
        return DeviceArray(self, block, block.address, layout)

    def uploaded(self, array: Any) -> DeviceArray:
        """A copy of an array of the CPU."""
        made = self.array(array.shape, array.dtype)
        with self:
            self.staging.upload(made.address, np.ascontiguousarray(array))
        return made

    def fill(self, target: DeviceArray, values: Any) -> None:
        """Write an array of the CPU or of this device, of the target's type, into the target."""
        with self, translated():
            copying.fill(self, target, values)

    def download(self, address: int, array: Any) -> None:
        """Copy into a contiguous array of the CPU; it is there when this returns."""
        with self, translated():
            if array.nbytes:
                self.driver.memcpy_dtoh_async(array, address, self.stream)
            self.synchronize()

    def functions(self, owner: Any, source: str, names: Iterable[str]) -> dict[str, Any]:
        """Kernels of a source, compiled for this device and loaded, while ``owner`` lives."""
        image = compilation.compile(source, self.arch)
        with self, translated():
            self._let_go()
            module = self._module(image)
            found = {name: module.get_function(name) for name in names}
            self.hold(owner, module, *found.values())
            return found

    def _module(self, image: bytes) -> Any:
        try:
            return self.driver.module_from_buffer(image)
        except self.driver.Error as error:
            made = compilation.compiler().identity.splitlines()[-1]
            raise GraphcRuntimeError(
                f"CUDA error: {error}; the program was compiled by {made}, which must be no newer "
                f"than the driver: that one is for CUDA {libcuda.major_version()}"
            ) from error

    def hold(self, owner: Any, *objects: Any) -> None:
        """Hold PyCUDA's objects for as long as ``owner`` lives, and until they can be let go.

        Only the thread that the device was first used in can do that; wherever the owner ends, the
        objects are not to end with it, nor be found by a collection of garbage there.
        """
        key = next(self._numbers)
        self._held[key] = objects
        weakref.finalize(owner, self._ended.append, key).atexit = False

    def _let_go(self) -> None:
        if threading.get_ident() == self._thread:
            while self._ended:
                self._held.pop(self._ended.popleft())

    @cached_property
    def copiers(self) -> dict[str, Any]:
        """The kernels that copy between layouts."""
        names = [f"strided_copy_{bits}" for bits, _ in copying.TYPES]
        return self.functions(self, copying.source(), names)

    def properties(self) -> Properties:
        """What the device is."""
        attributes = self.handle.get_attributes()
        named = self.driver.device_attribute
        return Properties(
            name=self.name,
            major=attributes[named.COMPUTE_CAPABILITY_MAJOR],
            minor=attributes[named.COMPUTE_CAPABILITY_MINOR],
            total_memory=int(self.handle.total_memory()),
            multi_processor_count=attributes[named.MULTIPROCESSOR_COUNT],
            warp_size=attributes[named.WARP_SIZE],
            max_threads_per_multi_processor=attributes[named.MAX_THREADS_PER_MULTIPROCESSOR],
            shared_memory_per_block=attributes[named.MAX_SHARED_MEMORY_PER_BLOCK],
            L2_cache_size=attributes[named.L2_CACHE_SIZE],
        )

    def memory_info(self) -> tuple[int, int]:
        """Bytes that are free and all bytes."""
        with self, translated():
            free, total = self.driver.mem_get_info()
            return free, total

    def give_back(self) -> None:
        """Give memory that nobody holds back to the driver."""
        with self, translated():
            self.stream.synchronize()
            self.memory.empty()

    def event(self, *, timed: bool) -> Any:
        """An event of the driver's."""
        flags = self.driver.event_flags
        with self, translated():
            return self.driver.Event(flags.DEFAULT if timed else flags.DISABLE_TIMING)

    def record(self, event: Any) -> None:
        """Let an event stand for what the stream has been given so far."""
        with self, translated():
            event.record(self.stream)

    def reached(self, event: Any) -> bool:
        """Whether the stream has come to an event."""
        with self, translated():
            return bool(event.query())

    def wait_until(self, event: Any) -> None:
        """Wait until the stream has come to an event."""
        with self, translated():
            event.synchronize()

    def between(self, first: Any, last: Any) -> float:
        """Milliseconds between two events."""
        with self, translated():
            return float(first.time_till(last))

    def wait_for(self, stream: int) -> None:
        """Wait until what was given to another library's stream is done."""
        with self:
            libcuda.wait_for(stream)

    def synchronize(self) -> None:
        """Wait until everything has been done. Raises what the kernels' checks have found."""
        with self, translated():
            self.stream.synchronize()
        checks, self.checks = self.checks, {}
        for check in checks.values():
            check()


def _leave() -> None:
    if _entered.device is not None:
        _entered.device._context.pop()
        _entered.device = None


@contextmanager
def translated() -> Iterator[None]:
    """PyCUDA's errors as graphc's."""
    driver = pycuda_loaded()
    try:
        yield
    except driver.Error as error:
        raise GraphcRuntimeError(f"CUDA error: {error}") from error


@cache
def pycuda_loaded() -> Any:
    """PyCUDA's driver module, which has been found to work."""
    return pycuda()


@cache
def device(index: int = 0) -> Device:
    """The device of a number."""
    return Device(index)
