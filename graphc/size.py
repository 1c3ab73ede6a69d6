"""Size: a shape as PyTorch shows it."""

from __future__ import annotations

from math import prod


class Size(tuple[int, ...]):
    """A tuple of extents that prints as ``torch.Size([2, 3])``."""

    __slots__ = ()

    def numel(self) -> int:
        """How many elements a tensor of this shape has."""
        return prod(self)

    def __repr__(self) -> str:
        return f"torch.Size({list(self)})"

    def __getitem__(self, index):  # type: ignore[no-untyped-def]
        result = super().__getitem__(index)
        return Size(result) if isinstance(index, slice) else result

    def __add__(self, other):  # type: ignore[no-untyped-def]
        return Size(super().__add__(tuple(other)))
