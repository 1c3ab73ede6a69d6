"""Handles on registered hooks, through which they are removed again."""

from __future__ import annotations

import itertools
import weakref
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

Hook = Callable[..., Any]
Hooks = OrderedDict[int, Hook]
Flags = OrderedDict[int, bool]
_numbers = itertools.count()


class RemovableHandle:
    """What removes a hook again; a context that removes it at its end."""

    def __init__(self, owner: Any, hooks: Hooks, *flags: Flags) -> None:
        self.id = next(_numbers)
        self._owner = weakref.ref(owner)
        self._holders: list[weakref.ref[Hooks] | weakref.ref[Flags]] = [weakref.ref(hooks)]
        self._holders += [weakref.ref(flag) for flag in flags]

    def remove(self) -> None:
        """Take the hook away."""
        for reference in self._holders:
            holder = reference()
            if holder is not None:
                holder.pop(self.id, None)
        owner = self._owner()
        if owner is not None:
            owner._changed()

    def __enter__(self) -> RemovableHandle:
        return self

    def __exit__(self, *error: object) -> None:
        self.remove()


def register(
    owner: Any, hooks: Hooks, hook: Hook, *flags: tuple[Flags, bool], prepend: bool = False
) -> RemovableHandle:
    """Add ``hook`` to ``hooks``, and its number to each of ``flags`` that is set."""
    handle = RemovableHandle(owner, hooks, *(holder for holder, _ in flags))
    hooks[handle.id] = hook
    for holder, value in flags:
        if value:
            holder[handle.id] = True
    if prepend:
        hooks.move_to_end(handle.id, last=False)
    owner._changed()
    return handle
