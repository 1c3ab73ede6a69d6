"""CUDA devices, by PyTorch's names: which there are, what they hold, streams and events."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from graphc.device import PLACES, Device, usable
from graphc.device import device as device_of
from graphc.device_memory import accelerator
from graphc.errors import GraphcValueError
from graphc.random import get_rng_state as _get_rng_state
from graphc.random import initial_seed, manual_seed, seed
from graphc.random import set_rng_state as _set_rng_state

__all__ = [
    "Event",
    "Stream",
    "current_device",
    "current_stream",
    "default_stream",
    "device",
    "device_count",
    "empty_cache",
    "get_device_capability",
    "get_device_name",
    "get_device_properties",
    "get_rng_state",
    "init",
    "initial_seed",
    "is_available",
    "is_bf16_supported",
    "is_initialized",
    "manual_seed",
    "manual_seed_all",
    "max_memory_allocated",
    "max_memory_reserved",
    "mem_get_info",
    "memory_allocated",
    "memory_reserved",
    "reset_peak_memory_stats",
    "seed",
    "set_device",
    "set_rng_state",
    "stream",
    "synchronize",
    "why_not",
]

manual_seed_all = manual_seed


def __getattr__(name: str) -> Any:
    if name == "amp":
        from importlib import import_module

        return import_module("graphc.cuda.amp")
    raise AttributeError(f"module 'torch.cuda' has no attribute '{name}'")


def why_not() -> str:
    """What is missing for tensors to be on a CUDA device; nothing where they can."""
    works, why = accelerator("cuda").explanation()
    return "" if works else why


def is_available() -> bool:
    """Whether tensors can be on a CUDA device; `why_not` tells what is missing."""
    return accelerator("cuda").explanation()[0]


def device_count() -> int:
    """How many CUDA devices tensors can be on."""
    return accelerator("cuda").device_count() if is_available() else 0


def init() -> None:
    """Find the devices now. Raises where there is none."""
    usable("cuda")


def is_initialized() -> bool:
    """Whether devices can be used; they are found when they are needed."""
    return is_available()


def current_device() -> int:
    """The number of the device that ``cuda`` means. Raises where there is none."""
    return _number(None)


def set_device(device: Any) -> None:
    """Let ``cuda`` mean another device from now on, in this thread."""
    PLACES.current = _number(device)


@contextmanager
def _on(device: Any) -> Iterator[None]:
    before, PLACES.current = PLACES.current, _number(device)
    try:
        yield
    finally:
        PLACES.current = before


class device:
    """Within ``with``, ``cuda`` means the device given."""

    def __init__(self, device: Any) -> None:
        self._block = _on(device)

    def __enter__(self) -> None:
        self._block.__enter__()

    def __exit__(self, *exception: Any) -> None:
        self._block.__exit__(*exception)


def _number(given: Any) -> int:
    if isinstance(given, int):
        given = f"cuda:{given}"
    name = usable("cuda" if given is None else given)
    index = device_of(name).index
    if index is None:
        raise GraphcValueError(f"Expected a cuda device, but got: {given}")
    return index


def _found(given: Any) -> Any:
    return accelerator("cuda").device(_number(given))


# -- what devices are ------------------------------------------------------------------------------


def get_device_name(device: Any = None) -> str:
    """What the device is called."""
    return str(_found(device).name)


def get_device_capability(device: Any = None) -> tuple[int, int]:
    """The device's compute capability: (9, 0) for sm_90."""
    found = get_device_properties(device)
    return found.major, found.minor


def get_device_properties(device: Any = None) -> Any:
    """Name, ``major``, ``minor``, ``total_memory`` in bytes, ``multi_processor_count`` and more."""
    return _found(device).properties()


def is_bf16_supported() -> bool:
    """Whether the device's tensor cores take bfloat16."""
    return get_device_capability() >= (8, 0)


# -- memory ----------------------------------------------------------------------------------------


def memory_allocated(device: Any = None) -> int:
    """Bytes that tensors and programs hold."""
    memory = _found(device).memory
    memory.settle()
    return int(memory.allocated)


def max_memory_allocated(device: Any = None) -> int:
    """The most bytes that tensors and programs have held."""
    return int(_found(device).memory.peak)


def memory_reserved(device: Any = None) -> int:
    """Bytes that graphc holds, those that it keeps for later among them."""
    return int(_found(device).memory.reserved)


def max_memory_reserved(device: Any = None) -> int:
    """The most bytes that graphc has held, those that it kept for later among them."""
    return int(_found(device).memory.reserved_peak)


def reset_peak_memory_stats(device: Any = None) -> None:
    """Count the most that is held from now on."""
    _found(device).memory.reset_peaks()


def mem_get_info(device: Any = None) -> tuple[int, int]:
    """Bytes of the device that are free, for any process, and all that it has."""
    free, total = _found(device).memory_info()
    return int(free), int(total)


def empty_cache() -> None:
    """Give back memory that is held but not used."""
    if is_available():
        for index in range(device_count()):
            _found(index).give_back()


# -- order -----------------------------------------------------------------------------------------


def synchronize(device: Any = None) -> None:
    """Wait until the device has nothing left to do. Raises what kernels' checks have found."""
    _found(device).synchronize()


class Event:
    """A point in a device's work: whether it has been reached, and how long after another."""

    def __init__(
        self, enable_timing: bool = False, blocking: bool = False, interprocess: bool = False
    ) -> None:
        self._timed = enable_timing
        self._event: Any = None
        self._device: Any = None

    def record(self, stream: Stream | None = None) -> None:
        """Note what the device has been given so far."""
        self._device = _found(None if stream is None else stream.device)
        if self._event is None:
            self._event = self._device.event(timed=self._timed)
        self._device.record(self._event)

    def wait(self, stream: Stream | None = None) -> None:
        """Nothing: what a device is given is done in order."""

    def query(self) -> bool:
        """Whether the device has come so far."""
        return self._event is None or bool(self._device.reached(self._event))

    def synchronize(self) -> None:
        """Wait until the device has come so far."""
        if self._event is not None:
            self._device.wait_until(self._event)

    def elapsed_time(self, end_event: Event) -> float:
        """Milliseconds from this event to a later one. Raises unless both are timed and reached."""
        if not (self._timed and end_event._timed):
            raise GraphcValueError(
                "Both events must be created with argument 'enable_timing=True'."
            )
        if self._event is None or end_event._event is None:
            raise GraphcValueError("Both events must be recorded before calculating elapsed time.")
        return float(self._device.between(self._event, end_event._event))


class Stream:
    """An order of work. All of graphc's on a device is done in one order, whichever is asked for.

    So programs written for several streams compute what they would; nothing need wait.
    """

    def __init__(self, device: Any = None, priority: int = 0) -> None:
        self.device = Device("cuda", _number(device))

    @property
    def cuda_stream(self) -> int:
        """The stream's handle, as a number."""
        return int(_found(self.device).stream.handle)

    def synchronize(self) -> None:
        """Wait until what was given is done."""
        _found(self.device).synchronize()

    def query(self) -> bool:
        """Whether what was given is done."""
        return bool(_found(self.device).stream.is_done())

    def record_event(self, event: Event | None = None) -> Event:
        """An event after what was given so far."""
        event = event or Event()
        event.record(self)
        return event

    def wait_event(self, event: Event) -> None:
        """Nothing: what a device is given is done in order."""

    def wait_stream(self, stream: Stream) -> None:
        """Nothing: what a device is given is done in order."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Stream) and self.device == other.device

    def __hash__(self) -> int:
        return hash(self.device)


def current_stream(device: Any = None) -> Stream:
    """The stream that work is given to."""
    return Stream(device)


default_stream = current_stream


@contextmanager
def stream(stream: Stream | None) -> Iterator[None]:
    """Within, work is given to ``stream``, which is the one that it is given to anyhow."""
    yield


def get_rng_state(device: Any = "cuda") -> Any:
    """Where the stream of random numbers stands, which all devices share."""
    return _get_rng_state()


def set_rng_state(new_state: Any, device: Any = "cuda") -> None:
    """Go on from where ``get_rng_state`` stood."""
    _set_rng_state(new_state)
