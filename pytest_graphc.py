"""The option ``--backend`` of the conformance kit, for pytest to know before it finds the kit.

A plugin of its own, outside the package, so that a run of pytest that has nothing to do with graphc
does not import graphc.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any


def pytest_addoption(parser: Any) -> None:
    """``--backend NAME``, as often as wished."""
    with suppress(ValueError):  # another plugin has an option of that name, which will do as well
        parser.addoption(
            "--backend",
            action="append",
            metavar="NAME",
            help="the backend that graphc.testing runs on; by default, each that works here",
        )
