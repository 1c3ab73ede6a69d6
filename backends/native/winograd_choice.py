"""Whether a convolution is computed by Winograd's method, and in which form: a cost model."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, prod

from graphc.backends.native.convolution_geometry import Extents, Line, phases
from graphc.backends.native.convolution_tiles import tile_for
from graphc.backends.native.made import Setting, is_settled
from graphc.backends.native.winograd_forms import FORMS, Form
from graphc.backends.native.winograd_weights import BLOCK
from graphc.ir.dtype import float32

TURN = 3.0
"""Cycles for each point of a vector of the operand, or of sums, that is transformed."""
WEIGHT = 0.3
"""Cycles for each point, or place in the kernel, of a weight that is transformed or packed."""
AROUND = 30.0
"""Cycles around the sums of a register tile."""
COPY = 0.25
"""Cycles for each element that is copied with zeros around it."""
NEAR = 512 * 1024
"""Bytes of weights that are taken to stay in a cache."""
FETCH = 0.06
"""Cycles for each byte of weights that comes from memory; threads share it."""
LONG = 1.3
"""What sums over pixels take of the time that they should, since their terms lie far apart."""
AGAIN = 3.0
"""Cycles in which a vector of sums is taken up again and stored."""
ADD = 0.3
"""Cycles for each sum of a part that is added to those of the others, and transformed."""
GAIN = 0.9
"""What the method costs at most, of what the direct form does, where it is taken."""


def is_possible(setting: Setting, extents: Extents, lines: Sequence[Line]) -> bool:
    """Whether the method is for this convolution."""
    shape = (extents.kernel, extents.stride, extents.dilation)
    if shape != ((1, 3, 3), (1, 1, 1), (1, 1, 1)) or extents.groups > 1:
        return False
    is_flat = extents.sizes[0] == extents.out[0] == 1
    is_whole = len(phases(lines)) == 1 and extents.batch > 0
    return is_flat and is_whole and setting.results[0].dtype is float32


def chosen_form(
    setting: Setting, extents: Extents, lines: Sequence[Line], *, gradient: bool
) -> Form | None:
    """The form that costs least, or None where that is the direct one."""
    if not is_possible(setting, extents, lines):
        return None
    costs = Costs(setting, extents, lines, gradient=gradient)
    best = min(FORMS, key=costs.of)
    return best if costs.of(best) < GAIN * costs.direct() else None


class Costs:
    """About how many cycles the ways to compute a convolution take."""

    def __init__(
        self, setting: Setting, extents: Extents, lines: Sequence[Line], *, gradient: bool
    ) -> None:
        self.extents, self.lines, self.threads = extents, lines, setting.threads
        inputs, outputs = extents.inputs, extents.outputs
        self.inner = (extents.sizes if gradient else extents.out)[1:]
        self.depth, columns = (outputs, inputs) if gradient else (inputs, outputs)
        self.tile = tile_for(setting.target, 4, columns)
        self.panels = ceil(columns / self.tile.columns)
        self.columns = self.panels * self.tile.columns
        self.is_settled = is_settled(setting, 1)

    def direct(self) -> float:
        """The cost of the direct form."""
        rows = self.extents.batch * prod(self.inner)
        padded = self.extents.batch * self.depth * prod(x.extent for x in self.lines)
        found = self._sums(rows, 9 * self.depth, 1) + padded * COPY
        return found / self.threads + self._weights(9)

    def of(self, form: Form) -> float:
        """The cost of a form of Winograd's method."""
        tiles = self.extents.batch * prod(ceil(n / form.size) for n in self.inner)
        points, lanes = form.points**2, self.tile.lanes
        turned = tiles * (ceil(self.depth / lanes) + self.columns // lanes) * points * TURN
        found = self._sums(tiles, self.depth, points) + turned
        return found / self.threads + self._weights(points)

    def _sums(self, rows: int, terms: int, products: int) -> float:
        """Cycles of products of so many rows and terms."""
        # Fewer sums than these have to wait for each other.
        filled = max(rows, 8 // self.tile.vectors)
        steps = filled * self.tile.vectors * 0.5 * terms
        return products * self.panels * (steps + ceil(rows / self.tile.rows) * AROUND)

    def _weights(self, points: int) -> float:
        """Cycles in which weights are transformed or packed, and read."""
        count = points * self.depth * self.columns
        fetched = max(0, 4 * count - NEAR) * FETCH
        if self.is_settled:
            return fetched
        return count * WEIGHT / self.threads + 3 * fetched


def chosen_weights_form(setting: Setting, extents: Extents) -> Form | None:
    """The form that costs least for the gradient of weights, or None where it is the direct one."""
    if not is_possible(setting, extents, extents.forward()):
        return None
    best = min(FORMS, key=lambda form: _weights_cost(setting, extents, form))
    is_less = _weights_cost(setting, extents, best) < GAIN * _direct_weights_cost(setting, extents)
    return best if is_less else None


def _direct_weights_cost(setting: Setting, extents: Extents) -> float:
    """About how many cycles the direct form takes."""
    tile = tile_for(setting.target, 4, extents.outputs)
    sums = 9 * extents.inputs * ceil(extents.outputs / tile.columns) * tile.columns
    terms = extents.batch * prod(extents.out)
    return sums * (terms * LONG / (2 * tile.lanes) + ADD * _distant(sums)) / setting.threads


def _weights_cost(setting: Setting, extents: Extents, form: Form) -> float:
    """About how many cycles a form takes."""
    tile, square = tile_for(setting.target, 4, extents.outputs), form.points**2
    columns = ceil(extents.outputs / tile.columns) * tile.columns
    tiles = extents.batch * prod(ceil(n / form.size) for n in extents.out[1:])
    sums = square * extents.inputs * columns
    vectors = ceil(extents.inputs / tile.lanes) + columns // tile.lanes
    parts = max(1, min(setting.threads, tiles))
    visits = max(parts, ceil(tiles / BLOCK))
    found = sums * tiles / (2 * tile.lanes) + tiles * vectors * square * TURN
    found += sums * _distant(sums) * (visits * AGAIN / tile.lanes + parts * ADD)
    return found / parts


def _distant(sums: int) -> float:
    """How much longer it takes to visit so many sums, where a near cache does not hold them."""
    return 1.0 if 4 * sums <= 2 * NEAR else 2.0
