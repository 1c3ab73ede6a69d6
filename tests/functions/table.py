"""The calls by which each function of the surface is compared with PyTorch's."""

from __future__ import annotations

from graphc.ops.function import FUNCTIONS
from tests.functions.activations import FUNCTIONAL_ACTIVATIONS, SOFTMAXES
from tests.functions.calls import Call
from tests.functions.comparisons import COMPARISONS, TRANSCENDENTAL
from tests.functions.complex_numbers import COMPLEX
from tests.functions.counts import COUNTS
from tests.functions.decompositions import DECOMPOSITIONS
from tests.functions.integrals import INTEGRALS
from tests.functions.layers import CELLS, LAYERS
from tests.functions.losses import LOSSES
from tests.functions.matrices import MATRICES
from tests.functions.noise import DROPOUTS
from tests.functions.orders import CUMULATIVE, ORDERING
from tests.functions.places import READS, SCATTERING, WRITES
from tests.functions.pointwise import ARITHMETIC
from tests.functions.products import PRODUCTS
from tests.functions.reductions import REDUCTIONS
from tests.functions.replacements import REPLACEMENTS
from tests.functions.shapes import JOINS, VIEWS
from tests.functions.windows import CONVOLUTIONS, POOLS

OWN = {f.name for f in FUNCTIONS.values() if f.namespace or f.method}
FUNCTIONAL: dict[str, list[Call]] = {
    **FUNCTIONAL_ACTIVATIONS,
    **CONVOLUTIONS,
    **POOLS,
    **LAYERS,
    **LOSSES,
    **DROPOUTS,
}
"""Of ``nn.functional``."""
TABLE: dict[str, list[Call]] = {
    **{name: calls for name, calls in FUNCTIONAL.items() if name in OWN},
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
    **SOFTMAXES,
    **DECOMPOSITIONS,
    **CELLS,
    **INTEGRALS,
    **MATRICES,
    **REPLACEMENTS,
    **COUNTS,
    **COMPLEX,
}
"""Of the package's namespace and of tensors."""
