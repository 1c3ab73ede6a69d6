"""How pytest runs the suite: the option ``--backend``, and what tests are repeated for."""

from __future__ import annotations

from contextlib import suppress

import pytest

from graphc import backends
from graphc.backend import Backend
from graphc.testing.table import cases


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--backend NAME``, where the suite is given as a folder."""
    with suppress(ValueError):
        parser.addoption("--backend", action="append", metavar="NAME")


def pytest_configure(config: pytest.Config) -> None:
    """Refuse a backend that there is not, once for all tests."""
    asked(config)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Repeat a test for each backend and, where it takes one, each case of the table."""
    if "backend" in metafunc.fixturenames:
        chosen = asked(metafunc.config) or usable()
        metafunc.parametrize("backend", chosen.values(), ids=chosen.keys(), scope="session")
    if "case" in metafunc.fixturenames:
        rows = list(cases())
        metafunc.parametrize("case", rows, ids=[f"{row.name}-{d.name}" for row, d in rows])


def asked(config: pytest.Config) -> dict[str, Backend]:
    """The backends named on the command line. Raises where one cannot be loaded."""
    given = config.getoption("--backend", default=None) or []
    names = [given] if isinstance(given, str) else given
    try:
        return {name: backends.find(name) for name in names}
    except (ImportError, ValueError) as error:
        raise pytest.UsageError(f"--backend: {error}") from error


def usable() -> dict[str, Backend]:
    """The backends that work here."""
    found = {}
    for name in filter(backends.works, backends.names()):
        with suppress(ImportError):
            found[name] = backends.find(name)
    return found
