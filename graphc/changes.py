"""Counts of changes, from which a compiled function knows whether all is as it was."""

from __future__ import annotations

from array import array
from itertools import count

CHANGES = array("q", [0, 0])
"""The number of the last change of anything that a compiled function looks at, and of the last
change of a gradient for another one. They stand in memory that programs can read."""
_numbers = count(1)


def bump_epoch() -> None:
    """Count a change that compiled functions look at: of a flag, a parameter, a mode.

    No two changes have one number, even where two threads count at once.
    """
    CHANGES[0] = next(_numbers)


def bump_gradients() -> None:
    """Count a change of what stands in a tensor's ``grad``."""
    CHANGES[1] = next(_numbers)
