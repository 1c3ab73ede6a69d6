"""The device layer: the only module that imports PyCUDA, which is looked for when it is needed.

Contexts are the primary ones, which CUDA's run time uses too: PyTorch and CuPy can share a process.
"""

from __future__ import annotations

import atexit
import ctypes
import threading
from collections.abc import Iterable
from functools import cache
from typing import Any

from graphc.backends.cuda import compilation
from graphc.errors import GraphcError, GraphcRuntimeError

EXTRA = '`pip install "graphc[cuda]"`'


class OutOfMemory(GraphcRuntimeError):
    """A device has less free memory than a program needs."""


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


def explanation() -> tuple[bool, str]:
    """Whether programs can be compiled and run, and by what, or why not."""
    try:
        found = device(0)
        how = compilation.compiler().identity.splitlines()
        return True, f"{found.name}, compiled for by {how[-1]}"
    except GraphcError as error:
        return False, str(error)


class Device:
    """A GPU: its context, and one stream, on which everything is done in order."""

    def __init__(self, index: int) -> None:
        self.driver = pycuda()
        count = self.driver.Device.count()
        if not 0 <= index < count:
            raise GraphcRuntimeError(f"there is no CUDA device {index}: there are {count}")
        self.index = index
        self.handle = self.driver.Device(index)
        self.name: str = self.handle.name()
        major, minor = self.handle.compute_capability()
        self.arch = f"sm_{major}{minor}"
        self._context = self.handle.retain_primary_context()
        self._current = threading.local()
        self.enter()
        self.stream = self.driver.Stream(1)

    def enter(self) -> None:
        """Make the device's context that of this thread."""
        if not getattr(self._current, "is_set", False):
            self._context.push()
            self._current.is_set = True
            if threading.current_thread() is threading.main_thread():
                atexit.register(self._context.pop)  # PyCUDA ends the process otherwise

    def allocate(self, nbytes: int, what: str) -> Any:
        """Memory, given back when nobody holds it."""
        self.enter()
        try:
            return self.driver.mem_alloc(max(1, nbytes))
        except self.driver.MemoryError:
            free, total = self.driver.mem_get_info()
            raise OutOfMemory(
                f"CUDA out of memory: {what} needs {nbytes:,} bytes on device {self.index} "
                f"({self.name}), {free:,} of {total:,} are free"
            ) from None

    def functions(self, source: str, names: Iterable[str]) -> dict[str, Any]:
        """Kernels of a source, which is compiled for this device and loaded."""
        self.enter()
        image = compilation.compile(source, self.arch)
        module = self.driver.module_from_buffer(image)
        return {name: module.get_function(name) for name in names}

    def synchronize(self) -> None:
        """Wait until everything has been done."""
        self.enter()
        self.stream.synchronize()


@cache
def device(index: int = 0) -> Device:
    """The device of a number."""
    return Device(index)


class Graph:
    """What was given to a stream within ``with``, to be given again as one."""

    def __init__(self, stream: Any) -> None:
        self.stream = ctypes.c_void_p(stream.handle)
        self.library = ctypes.CDLL("libcuda.so.1")
        self.recorded, self.made = ctypes.c_void_p(), ctypes.c_void_p()

    def __enter__(self) -> Graph:
        relaxed = 2
        self._check(self.library.cuStreamBeginCapture_v2(self.stream, relaxed))
        return self

    def __exit__(self, *exception: object) -> None:
        result = self.library.cuStreamEndCapture(self.stream, ctypes.byref(self.recorded))
        if exception[0] is not None:
            return
        self._check(result)
        make = self.library.cuGraphInstantiateWithFlags
        self._check(make(ctypes.byref(self.made), self.recorded, ctypes.c_ulonglong(0)))
        self._check(self.library.cuGraphDestroy(self.recorded))

    def launch(self) -> None:
        """Do it all again."""
        self._check(self.library.cuGraphLaunch(self.made, self.stream))

    def __del__(self) -> None:
        if self.made:
            self.library.cuGraphExecDestroy(self.made)

    def _check(self, result: int) -> None:
        if result:
            text = ctypes.c_char_p()
            self.library.cuGetErrorString(result, ctypes.byref(text))
            raise GraphcRuntimeError(f"CUDA: {(text.value or b'').decode()}")
