"""Work by several processes, of which there is none: programs ask before they rely on it."""

from __future__ import annotations


def is_available() -> bool:
    """Whether processes can work together: no."""
    return False


def is_initialized() -> bool:
    """Whether this process works together with others: no."""
    return False
