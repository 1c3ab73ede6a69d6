"""Devices by PyTorch's names."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from graphc.errors import GraphcError, GraphcRuntimeError, GraphcTypeError

KINDS = ("cpu", "cuda")


@dataclass(frozen=True)
class Device:
    """Where a tensor lives: a kind and, for one of several, an index."""

    type: str
    index: int | None = None

    def __str__(self) -> str:
        return self.type if self.index is None else f"{self.type}:{self.index}"

    def __repr__(self) -> str:
        if self.index is None:
            return f"device(type='{self.type}')"
        return f"device(type='{self.type}', index={self.index})"


@lru_cache(maxsize=64)
def device_named(name: str) -> Device:
    """The device that ``name`` says, such as ``cpu`` or ``cuda:0``."""
    kind, _, index = name.partition(":")
    if kind not in KINDS or (index and not index.isdigit()) or name.endswith(":"):
        raise GraphcRuntimeError(
            f"Expected one of {', '.join(KINDS)} device type at start of device string: {name}"
        )
    return Device(kind, int(index) if index else None)


def device(type: str | int | Device, index: int | None = None) -> Device:
    """A device from its name, its kind and index, or another device."""
    if isinstance(type, Device):
        return type
    if isinstance(type, int):
        return Device("cuda", type)
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
    return Device(found.type, index)


def usable(given: Any) -> str:
    """The name of the device that a tensor is asked to be on. Raises where there is none."""
    if given is None:
        return "cpu"
    try:
        if device(given).type == "cuda":
            raise GraphcRuntimeError("No CUDA GPUs are available: tensors are on the CPU")
    except GraphcError as error:
        from graphc.origins import here, located

        raise located(error, here("device"), [given]) from None
    return "cpu"
