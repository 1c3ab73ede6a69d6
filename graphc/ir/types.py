"""What is known of a value before anything runs: its shape and element type."""

from __future__ import annotations

from math import prod

from graphc.errors import GraphcRuntimeError
from graphc.ir.dtype import DType

Shape = tuple[int, ...]


def contiguous(shape: Shape) -> Shape:
    """The strides of a C-contiguous tensor, in elements."""
    strides, step = [], 1
    for extent in reversed(shape):
        strides.append(step)
        step *= max(extent, 1)
    return tuple(reversed(strides))


class TensorType:
    """The shape and the element type of a tensor.

    There is one object of each, so that identity is equality: types are compared and hashed at
    every call of a compiled function.
    """

    __slots__ = ("dtype", "shape")

    shape: Shape
    dtype: DType

    def __new__(cls, shape: Shape, dtype: DType) -> TensorType:
        key = (shape, dtype)
        found = _KNOWN.get(key)
        if found is None:
            made = super().__new__(cls)
            made.shape, made.dtype = shape, dtype
            found = _KNOWN.setdefault(key, made)
        return found

    def __reduce__(self) -> tuple[type[TensorType], tuple[Shape, DType]]:
        return TensorType, (self.shape, self.dtype)

    def __repr__(self) -> str:
        return f"TensorType({self.shape}, {self.dtype})"

    @property
    def rank(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        """How many elements there are."""
        return prod(self.shape)

    @property
    def nbytes(self) -> int:
        return prod(self.shape) * self.dtype.itemsize

    def __str__(self) -> str:
        return f"{self.dtype.short}{list(self.shape)}"


_KNOWN: dict[tuple[Shape, DType], TensorType] = {}

Types = TensorType | tuple[TensorType, ...]
"""The type of a node: of its one result, or of each of its several."""


def broadcast_shapes(*shapes: Shape) -> Shape:
    """The shape that all of ``shapes`` expand to, or a RuntimeError in PyTorch's words."""
    first = shapes[0]
    if all(shape == first for shape in shapes):
        return first
    rank = max(len(shape) for shape in shapes)
    result = [1] * rank
    for shape in shapes:
        for axis, extent in enumerate(shape, start=rank - len(shape)):
            if extent != 1:
                if result[axis] not in (1, extent):
                    raise GraphcRuntimeError(
                        f"The size of tensor a ({result[axis]}) must match the size of tensor b "
                        f"({extent}) at non-singleton dimension {axis}: the shapes are "
                        f"{' and '.join(str(list(shape)) for shape in shapes)}"
                    )
                result[axis] = extent
    return tuple(result)


def expands_to(shape: Shape, target: Shape) -> bool:
    """Whether ``shape`` expands to ``target``."""
    lead = len(target) - len(shape)
    return lead >= 0 and all(m in (1, n) for m, n in zip(shape, target[lead:], strict=True))
