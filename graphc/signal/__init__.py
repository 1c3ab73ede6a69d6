"""What signals are multiplied by."""

from __future__ import annotations

from graphc.signal import windows

__all__ = ["windows"]
