"""Random programs of views, writes, reads and arithmetic do the same as on PyTorch."""

from __future__ import annotations

from typing import Any

import pytest

from tests.tensor.programs import check
from tests.tensor.stories import Story


@pytest.mark.parametrize("seed", range(150))
def test_story(seed: int) -> None:
    def program(torch: Any) -> Any:
        return Story(torch, seed, gradients=False, length=30).run()

    check(program)


@pytest.mark.parametrize("seed", range(100))
def test_story_with_gradients(seed: int) -> None:
    def program(torch: Any) -> Any:
        return Story(torch, seed, gradients=True, length=16).run()

    check(program)
