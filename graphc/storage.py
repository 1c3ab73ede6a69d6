"""The memory behind a realised tensor."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from graphc.ir.dtype import dtype_of_numpy
from graphc.ir.types import TensorType

Array = np.ndarray[Any, np.dtype[Any]]


class Storage:
    """An array, and a count of the writes to it that all views of it share."""

    __slots__ = ("_root", "array", "device", "shared", "type", "writes")

    def __init__(
        self,
        array: Array,
        root: Storage | None = None,
        device: str = "cpu",
        type: TensorType | None = None,
    ) -> None:
        if type is None:
            dtype = dtype_of_numpy(array.dtype)
            assert dtype is not None, array.dtype
            type = TensorType(array.shape, dtype)
        self.array = array
        self.type = type
        self.device = device
        self._root = None if root is None else root.root
        self.writes = 0
        self.shared = False
        """Whether code outside may hold the array and write to it, unseen by graphc."""

    @property
    def root(self) -> Storage:
        """The storage of the memory that this one looks into: itself where it is no view.

        Not kept as a field: a storage that referred to itself would wait for the garbage
        collector, and its array with it.
        """
        return self if self._root is None else self._root

    @property
    def version(self) -> int:
        return self.root.writes

    def snapshot(self) -> Array:
        """The array as it is now, copied only if somebody outside could still write to it."""
        root = self.root
        # Two references are the attribute's and the argument's.
        if root.shared and (root.array.base is not None or sys.getrefcount(root.array) > 2):
            return self.array.copy()
        return self.array
