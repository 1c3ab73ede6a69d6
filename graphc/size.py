"""Size: a shape as PyTorch shows it."""

from __future__ import annotations

from collections.abc import Iterable
from math import prod
from typing import Any, SupportsIndex, overload

from graphc.errors import GraphcTypeError


class Size(tuple[int, ...]):
    """A tuple of extents that prints as ``torch.Size([2, 3])``."""

    __slots__ = ()

    def __new__(cls, extents: Iterable[Any] = ()) -> Size:
        found = tuple(extents)
        for place, n in enumerate(found):
            if not hasattr(n, "__index__"):
                raise GraphcTypeError(
                    f"torch.Size() takes an iterable of 'int' (item {place} is "
                    f"'{type(n).__name__}')"
                )
        return super().__new__(cls, found)

    def numel(self) -> int:
        """How many elements a tensor of this shape has."""
        return prod(self)

    def __repr__(self) -> str:
        return f"torch.Size({list(self)})"

    @overload
    def __getitem__(self, index: SupportsIndex) -> int: ...

    @overload
    def __getitem__(self, index: slice) -> Size: ...

    def __getitem__(self, index: SupportsIndex | slice) -> int | Size:
        if isinstance(index, slice):
            return Size(super().__getitem__(index))
        return super().__getitem__(index)

    def __add__(self, other: Iterable[int]) -> Size:  # type: ignore[override]
        return Size(super().__add__(tuple(other)))

    def __radd__(self, other: Iterable[int]) -> Size:
        return Size((*other, *self))

    def __mul__(self, count: SupportsIndex) -> Size:
        return Size(super().__mul__(count))

    __rmul__ = __mul__

    def __reduce__(self) -> tuple[type[Size], tuple[tuple[int, ...]]]:
        return Size, (tuple(self),)
