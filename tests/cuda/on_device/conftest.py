"""These tests need a CUDA device, or the stand-in (``python -m tests.cuda.session pytest ...``)."""

from __future__ import annotations

import pytest

import graphc


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if not graphc.cuda.is_available():
        missing = pytest.mark.skip(reason=f"no CUDA device: {graphc.cuda.why_not()}")
        for item in items:
            if "on_device" in item.path.parts:
                item.add_marker(missing)
