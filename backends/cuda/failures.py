"""What checks in kernels leave behind, and the errors that it means."""

from __future__ import annotations

import builtins
from typing import Any

import numpy as np

from graphc.backends.cuda.emit import Interface

NO_PLACE = 2**63 - 1
"""What a check's place is while it has not failed."""


def untouched(interface: Interface) -> Any:
    """The place and the value of each check, before a step."""
    return np.array([NO_PLACE, 0] * len(interface.errors), np.int64)


def raise_first(interface: Interface, failed: Any) -> None:
    """Raise the error of the first check that failed, if one did; it knows its kernel."""
    pairs = zip(interface.errors, failed.reshape(-1, 2), strict=True)
    for (name, message, kernel), (place, value) in pairs:
        if place != NO_PLACE:
            message = message.replace("{place}", str(place)).replace("{}", str(value))
            error: Exception = getattr(builtins, name)(message)
            error.kernel = kernel  # type: ignore[attr-defined]
            raise error
