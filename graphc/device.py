"""Devices by PyTorch's names."""

from __future__ import annotations

import re
import threading
from functools import lru_cache
from typing import Any

from graphc.errors import GraphcError, GraphcRuntimeError, GraphcTypeError

KINDS = ("cpu", "cuda")
_STRING = re.compile(r"([a-zA-Z_]+)(?::(\d+))?")


class Device:
    """Where a tensor lives: a kind and, for one of several, an index."""

    __slots__ = ("index", "type")

    type: str
    index: int | None

    def __new__(cls, type: str | int | Device, index: int | None = None) -> Device:
        if isinstance(type, Device):
            return type
        if isinstance(type, int) and not isinstance(type, bool):
            return _made("cuda", type)
        if not isinstance(type, str):
            raise GraphcTypeError(
                f"device(): argument 'type' must be str, not {type.__class__.__name__}"
            )
        found = device_named(type)
        if index is None:
            return found
        if found.index is not None:
            raise GraphcRuntimeError(
                f"type (string) must not include an index because index was passed: {type}"
            )
        return _made(found.type, index)

    def __enter__(self) -> Device:
        """Within ``with``, tensors are made here unless another device is asked for."""
        PLACES.outer.append(PLACES.default)
        PLACES.default = usable(self)
        return self

    def __exit__(self, *exception: object) -> None:
        PLACES.default = PLACES.outer.pop()

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"attribute '{name}' of 'torch.device' objects is not writable")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Device) and (self.type, self.index) == (other.type, other.index)

    def __hash__(self) -> int:
        return hash((self.type, self.index))

    def __reduce__(self) -> tuple[Any, ...]:
        return Device, (str(self),)

    def __str__(self) -> str:
        return self.type if self.index is None else f"{self.type}:{self.index}"

    def __repr__(self) -> str:
        if self.index is None:
            return f"device(type='{self.type}')"
        return f"device(type='{self.type}', index={self.index})"


def _made(kind: str, index: int | None) -> Device:
    device = object.__new__(Device)
    object.__setattr__(device, "type", kind)
    object.__setattr__(device, "index", index)
    return device


@lru_cache(maxsize=64)
def device_named(name: str) -> Device:
    """The device that ``name`` says, such as ``cpu`` or ``cuda:0``."""
    match = _STRING.fullmatch(name)
    if match is None:
        raise GraphcRuntimeError(f"Invalid device string: '{name}'")
    kind, index = match.groups()
    if kind not in KINDS:
        raise GraphcRuntimeError(
            f"Expected one of {', '.join(KINDS)} device type at start of device string: {kind}"
        )
    return _made(kind, None if index is None else int(index))


device = Device


class Places(threading.local):
    """Where this thread makes tensors unless it is told otherwise, and its device of each kind."""

    def __init__(self) -> None:
        self.default = "cpu"
        self.outer: list[str] = []
        """The defaults of the ``with`` blocks around."""
        self.current = 0
        """The number that ``cuda`` without one means."""


PLACES = Places()


def usable(given: Any) -> str:
    """The name of the device that a tensor is asked to be on. Raises where there is none."""
    if given is None:
        return PLACES.default
    if given == "cpu":
        return "cpu"
    try:
        return _usable(device(given))
    except GraphcError as error:
        from graphc.origins import here, located

        raise located(error, here("device"), [given]) from None


def _usable(found: Device) -> str:
    if found.type == "cpu":
        return "cpu"
    from graphc.device_memory import accelerator

    devices = accelerator(found.type)
    works, why = devices.explanation()
    if not works:
        raise GraphcRuntimeError(f"No CUDA GPUs are available: {why}")
    index, count = PLACES.current if found.index is None else found.index, devices.device_count()
    if index >= count:
        raise GraphcRuntimeError(
            f"CUDA error: invalid device ordinal: there is no {found.type}:{index} among {count}"
        )
    return f"{found.type}:{index}"
