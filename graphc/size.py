"""Size: a shape as PyTorch shows it."""

from __future__ import annotations

from collections.abc import Iterable
from math import prod
from typing import SupportsIndex, overload


class Size(tuple[int, ...]):
    """A tuple of extents that prints as ``torch.Size([2, 3])``."""

    __slots__ = ()

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
