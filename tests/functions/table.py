"""The calls by which each function of the surface is compared with PyTorch's."""

from __future__ import annotations

from tests.functions.calls import Call
from tests.functions.pointwise import ARITHMETIC, COMPARISONS, TRANSCENDENTAL

TABLE: dict[str, list[Call]] = {**ARITHMETIC, **COMPARISONS, **TRANSCENDENTAL}
