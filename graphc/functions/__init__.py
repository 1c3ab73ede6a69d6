"""User-level functions over nodes; importing this package fills the table of functions."""

from graphc.functions import linear, pointwise, reduction, shaping

__all__ = ["linear", "pointwise", "reduction", "shaping"]
