"""The primitives, one family to a file; importing this package registers all of them."""

from graphc.ops import (
    convolution,
    creation,
    elementwise,
    indexing,
    linalg,
    matmul,
    movement,
    pooling,
    random,
    reduce,
    scan,
    sloped,
    sort,
    strided,
    transcendental,
)

__all__ = [
    "convolution",
    "creation",
    "elementwise",
    "indexing",
    "linalg",
    "matmul",
    "movement",
    "pooling",
    "random",
    "reduce",
    "scan",
    "sloped",
    "sort",
    "strided",
    "transcendental",
]
