"""CUDA devices: whether there are any that graphc can use."""

from __future__ import annotations

from typing import Any

from graphc.random import manual_seed

__all__ = [
    "current_device",
    "device_count",
    "empty_cache",
    "is_available",
    "manual_seed",
    "manual_seed_all",
    "synchronize",
]

manual_seed_all = manual_seed


def is_available() -> bool:
    """Whether tensors can be on a CUDA device."""
    return device_count() > 0


def device_count() -> int:
    """How many CUDA devices tensors can be on."""
    return 0


def current_device() -> int:
    """The number of the device in use. Raises where there is none."""
    from graphc.device import usable

    usable("cuda")
    return 0


def synchronize(device: Any = None) -> None:
    """Wait until the device has nothing left to do. Raises where there is none."""
    current_device()


def empty_cache() -> None:
    """Give back memory that is held but not used; there is none."""
