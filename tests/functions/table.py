"""The calls by which each function of the surface is compared with PyTorch's."""

from __future__ import annotations

from tests.functions.calls import Call
from tests.functions.counts import COUNTS
from tests.functions.orders import CUMULATIVE, ORDERING
from tests.functions.places import READS, SCATTERING, WRITES
from tests.functions.pointwise import ARITHMETIC, COMPARISONS, TRANSCENDENTAL
from tests.functions.products import PRODUCTS
from tests.functions.reductions import REDUCTIONS
from tests.functions.shapes import JOINS, VIEWS

TABLE: dict[str, list[Call]] = {
    **ARITHMETIC,
    **COMPARISONS,
    **TRANSCENDENTAL,
    **REDUCTIONS,
    **VIEWS,
    **JOINS,
    **PRODUCTS,
    **CUMULATIVE,
    **ORDERING,
    **READS,
    **WRITES,
    **SCATTERING,
    **COUNTS,
}
