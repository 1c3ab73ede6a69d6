"""The memory behind a realised tensor."""

from __future__ import annotations

import sys
import weakref
from array import array as numbers
from typing import Any

import numpy as np

from graphc.device_memory import device_of, placed
from graphc.ir.dtype import dtype_of_numpy
from graphc.ir.types import TensorType

Array = np.ndarray[Any, np.dtype[Any]]


class _Owner:
    """What keeps an array alive for those who were handed it; numpy's views end here."""

    def __init__(self, array: Array) -> None:
        self.array = array
        self.__array_interface__ = array.view(f"V{array.itemsize}").__array_interface__


class Runs:
    """How often a program has run: a number in memory, where the program itself can count."""

    __slots__ = ("__weakref__", "count")

    def __init__(self) -> None:
        self.count = numbers("q", [0])


class Storage:
    """An array, and a count of the writes to it that all views of it share.

    The array is numpy's, or one of the device; a ``device`` that is asked for gets a copy.
    """

    __slots__ = (
        "_root",
        "array",
        "device",
        "handed",
        "holders",
        "shared",
        "type",
        "writers",
        "writes",
    )

    def __init__(
        self,
        array: Array,
        root: Storage | None = None,
        device: str = "",
        type: TensorType | None = None,
    ) -> None:
        if device:
            array = placed(array, device)
        if type is None:
            dtype = dtype_of_numpy(array.dtype)
            assert dtype is not None, array.dtype
            type = TensorType(array.shape, dtype)
        self.array = array
        self.type = type
        self.device = "cpu" if array.__class__ is np.ndarray else device_of(array)
        self._root = None if root is None else root.root
        self.writes = 0
        """How often it was written to, but for the runs of its ``writers``."""
        self.writers: tuple[tuple[weakref.ref[Runs], numbers[int]], ...] = ()
        """The counts of programs each run of which writes to it."""
        self.shared = False
        """Whether the array was made outside, where somebody may hold it and write to it."""
        self.handed = 0
        """How often the memory was handed out."""
        self.holders: tuple[weakref.ref[Any], ...] = ()
        """Arrays over this memory that were handed out, and handles on it that are no views."""

    @property
    def root(self) -> Storage:
        """The storage of the memory that this one looks into: itself where it is no view.

        Not kept as a field: a storage that referred to itself would wait for the garbage
        collector, and its array with it.
        """
        return self if self._root is None else self._root

    @property
    def version(self) -> int:
        root = self.root
        writes = root.writes
        for _, count in root.writers:
            writes += count[0]
        return writes

    def is_written_by(self, runs: Runs) -> None:
        """Count the runs of a program, from now on, as writes to this memory."""
        root = self.root
        for alive, count in root.writers:
            if alive() is None:
                root.writes += count[0]
        kept = tuple(pair for pair in root.writers if pair[0]() is not None)
        root.writers = (*kept, (weakref.ref(runs), runs.count))
        root.writes -= runs.count[0]

    @property
    def is_private(self) -> bool:
        """Whether nobody but the tensor and its views has ever held the memory."""
        root = self.root
        return not root.shared and not root.holders

    @property
    def exposed(self) -> bool:
        """Whether somebody outside holds the memory, who may read and write it unseen by graphc."""
        root = self.root
        # Two references are the attribute's and the argument's.
        if root.shared and (root.array.base is not None or sys.getrefcount(root.array) > 2):
            return True
        return any(isinstance(holder, np.ndarray) for holder in root._alive())

    @property
    def observed(self) -> bool:
        """Whether a write must be done at once, since not all who look at the memory know of it."""
        return not self.is_private and (len(self.root._alive()) > 1 or self.exposed)

    def _alive(self) -> list[Any]:
        found = [holder for reference in self.holders if (holder := reference()) is not None]
        if len(found) < len(self.holders):
            self.holders = tuple(weakref.ref(holder) for holder in found)
        return found

    def share_with(self, *handles: Any) -> None:
        """Note handles on this memory that do not know what is written to each other."""
        root = self.root
        known = root._alive()
        new = (weakref.ref(x) for x in handles if all(x is not y for y in known))
        root.holders = (*root.holders, *new)

    def handed_out(self) -> Array:
        """The memory as an array for somebody outside."""
        owned = np.asarray(_Owner(self.array))
        root = self.root
        root.handed += 1
        root._alive()
        root.holders = (*root.holders, weakref.ref(owned))
        return owned.view(self.array.dtype)

    @property
    def changes(self) -> tuple[int, int] | None:
        """Other numbers than before if it may have been written to since; None if it may be now."""
        # Who was handed the memory may have written to it, and be gone.
        return None if self.exposed else (self.version, self.root.handed)

    def snapshot(self) -> Array:
        """The array as it is now, copied only if somebody outside could still write to it.

        Where nobody can, it is graphc's own from then on: who holds it then, such as a trace, is
        not to be taken for somebody outside.
        """
        if self.exposed:
            return self.array.copy()
        self.root.shared = False
        return self.array
