"""Devices by PyTorch's names."""

from __future__ import annotations

import re
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
