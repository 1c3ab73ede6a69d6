"""The option ``--backend`` of the conformance kit, for pytest to know before it finds the kit.

A plugin of its own, outside the package, so that a run of pytest that has nothing to do with graphc
does not import graphc.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import suppress

import pytest

KIT = "graphc.testing"


@pytest.hookimpl(wrapper=True)
def pytest_load_initial_conftests(
    parser: pytest.Parser, args: list[str]
) -> Generator[None, None, None]:
    """Add ``--backend NAME``, as often as wished, to the runs of the kit alone.

    Other projects may have an option of that name. After theirs, which will do as well.
    """
    yield
    if any(argument.startswith(KIT) for argument in args):
        with suppress(ValueError):
            parser.addoption(
                "--backend",
                action="append",
                metavar="NAME",
                help=f"the backend that {KIT} runs on; by default, each that works here",
            )
