"""The primitives, one family to a file; importing this package registers all of them."""

from graphc.ops import elementwise, matmul, movement, reduce, transcendental

__all__ = ["elementwise", "matmul", "movement", "reduce", "transcendental"]
