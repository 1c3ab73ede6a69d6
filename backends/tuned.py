"""What was measured to be best, kept for later processes: choices of kernels, by what they do."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from graphc.backends import disk

Choice = dict[str, Any]
"""What JSON can hold."""


def file() -> Path:
    """Where choices are kept."""
    return disk.folder() / "tuned.json"


@cache
def known() -> dict[str, Choice]:
    """What was measured on this machine; nothing where the file is missing or broken."""
    return _stored()


def _stored() -> dict[str, Choice]:
    try:
        found = json.loads(file().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def remember(key: str, choice: Choice) -> None:
    """Keep a choice, here and on disk, beside what other processes have found meanwhile."""
    known()[key] = choice
    disk.write(file(), json.dumps({**_stored(), **known()}, indent=1).encode())
