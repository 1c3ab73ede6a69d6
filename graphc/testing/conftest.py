"""What the tests of the suite are repeated for, and its option where no plugin has given it."""

from __future__ import annotations

from graphc.testing.plugin import pytest_addoption, pytest_configure, pytest_generate_tests

__all__ = ["pytest_addoption", "pytest_configure", "pytest_generate_tests"]
