"""The operands of samples: arrays, and the ways in which they may reach a primitive."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from types import EllipsisType
from typing import Any, Literal, get_args

import ml_dtypes
import numpy as np

from graphc.ir.dtype import DType, dtype_of_numpy
from graphc.ir.node import Node, const, make_input
from graphc.ir.types import TensorType
from graphc.ops.movement import Expand, Flip, Permute, Slice

Array = np.ndarray[Any, np.dtype[Any]]
Layout = Literal["whole", "transposed", "stepped", "flipped", "expanded", "foreign", "number"]
"""``foreign``: the array given at the call is not contiguous itself; ``number``: a constant."""
LAYOUTS: tuple[Layout, ...] = get_args(Layout)
VIEWS = LAYOUTS[1:-1]
"""The layouts of an array that is not contiguous."""


@dataclass(frozen=True, eq=False)
class Operand:
    """An array, and how the primitive is given it."""

    array: Array
    layout: Layout = "whole"

    @property
    def dtype(self) -> DType:
        found = dtype_of_numpy(self.array.dtype)
        assert found is not None, self.array.dtype
        return found

    @property
    def value(self) -> Array:
        """What the primitive sees."""
        if self.layout == "expanded":
            return np.broadcast_to(self.array[:1], self.array.shape)
        return self.array

    def given(self) -> Array:
        """What the program is given for it."""
        if self.layout == "transposed":
            return np.ascontiguousarray(self.array.T)
        if self.layout == "stepped":
            return np.repeat(self.array, 2, axis=-1)
        if self.layout == "flipped":
            return np.flip(self.array).copy()
        if self.layout == "expanded":
            return self.array[:1].copy()
        if self.layout == "foreign":
            return np.ascontiguousarray(self.array.T).T
        return self.array.copy()

    def nodes(self, label: str, *, requires_grad: bool = False) -> tuple[Node | None, Node]:
        """The program's input, if there is one, and the node that the primitive is given."""
        if self.layout == "number":
            return None, const(self.array.item(), self.dtype)
        source = make_input(
            label,
            TensorType(self.given().shape, self.dtype),
            requires_grad=requires_grad and self.dtype.is_floating_point,
            contiguous=self.layout != "foreign",
        )
        return source, self._view(source)

    def _view(self, source: Node) -> Node:
        rank = self.array.ndim
        if self.layout == "transposed":
            return Permute(tuple(reversed(range(rank))))(source)
        if self.layout == "stepped":
            return Slice((0,) * rank, source.shape, (*(1,) * (rank - 1), 2))(source)
        if self.layout == "flipped":
            return Flip(tuple(range(rank)))(source)
        if self.layout == "expanded":
            return Expand(self.array.shape)(source)
        return source


def trailing(place: Iterable[int | slice]) -> tuple[EllipsisType | int | slice, ...]:
    """The index of a place in the last dimensions, for all of the first ones."""
    return (..., *place)


def draw(dtype: DType, *shape: int, low: float = -2.0, high: float = 2.0, seed: int = 0) -> Array:
    """Numbers from ``low`` to before ``high``, floats spread evenly; truth values at random."""
    rng = np.random.default_rng([seed, *shape])
    if dtype.category == 0:
        return np.asarray(rng.random(shape) < 0.5)
    if dtype.category == 1:
        return np.asarray(rng.integers(int(low), int(high), shape)).astype(dtype.numpy)
    return np.asarray(rng.uniform(low, high, shape)).astype(dtype.numpy)


def distinct(dtype: DType, *shape: int, seed: int = 0, step: float = 0.25) -> Array:
    """Numbers of which no two are closer than ``step``, in no order, around zero, none at zero."""
    size = int(np.prod(shape))
    order = np.random.default_rng([seed, *shape]).permutation(size).reshape(shape)
    if dtype.category == 2:
        return np.asarray((order - size // 2 + 0.5) * step).astype(dtype.numpy)
    return np.asarray(order % 100).astype(dtype.numpy)


def extremes(dtype: DType) -> Array:
    """The numbers of a type where things go wrong."""
    if dtype.category == 0:
        return np.array([False, True])
    if dtype.category == 1:
        ends = np.iinfo(dtype.numpy)
        below = [-1, -2, -7] if dtype.is_signed else []
        numbers = [0, 1, 2, 3, 7, *below, ends.min, ends.max, ends.min + 1, ends.max - 1]
        return np.array(numbers, dtype.numpy)
    info = ml_dtypes.finfo(dtype.numpy)
    least = np.array(1).astype(np.dtype(f"u{dtype.itemsize}")).view(dtype.numpy)
    ordinary = np.array([0.0, -0.0, 1, -1, 0.5, -0.5, 2.5, -2.5, np.inf, -np.inf, np.nan])
    limits = [info.max, -info.max, info.tiny, -info.tiny, info.eps, least, -least]
    return np.concatenate([ordinary.astype(dtype.numpy), np.array(limits, dtype.numpy)])


def strewn(dtype: DType, *shape: int, seed: int = 0) -> Array:
    """Numbers near one, and strewn among them those where things go wrong but none overflows."""
    x = draw(dtype, *shape, seed=seed)
    if dtype.is_floating_point:
        info = ml_dtypes.finfo(dtype.numpy)
        rare = [np.inf, -np.inf, np.nan, 0.0, -0.0, info.tiny, -info.tiny]
        places = np.random.default_rng([seed, x.size]).permutation(x.size)[: len(rare)]
        x.reshape(-1)[places] = np.array(rare[: places.size], dtype.numpy)
    return x
