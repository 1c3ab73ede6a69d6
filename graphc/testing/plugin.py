"""How pytest runs the suite: the option ``--backend``, and what tests are repeated for."""

from __future__ import annotations

from contextlib import suppress

import pytest

from graphc import backends
from graphc.testing.table import cases


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--backend NAME``, where graphc is not installed, so that its plugin was not found."""
    with suppress(ValueError):
        parser.addoption("--backend", action="append", metavar="NAME")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Repeat a test for each backend and, where it takes one, each case of the table."""
    if "backend" in metafunc.fixturenames:
        names = metafunc.config.getoption("--backend", default=None) or usable()
        metafunc.parametrize(
            "backend", [backends.find(x) for x in names], ids=names, scope="session"
        )
    if "case" in metafunc.fixturenames:
        chosen = list(cases())
        metafunc.parametrize("case", chosen, ids=[f"{row.name}-{d.name}" for row, d in chosen])


def usable() -> list[str]:
    """The backends that can be loaded here."""
    return [name for name in backends.names() if _loads(name)]


def _loads(name: str) -> bool:
    try:
        backends.find(name)
    except ImportError:
        return False
    return True
