"""Nests of tuples, lists and dicts: what compiled functions take and give."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import copy
from typing import Any


def mapped(change: Callable[[Any, str], Any], x: Any, path: str = "") -> Any:
    """The nest with each leaf changed; ``change`` is given its path too, such as ``batch_0``."""
    if isinstance(x, dict):
        items = {key: mapped(change, value, _below(path, key)) for key, value in x.items()}
        if type(x) is dict:
            return items
        made = copy(x)  # an ordered or a default dict stays one
        made.update(items)
        return made
    if isinstance(x, list | tuple):
        parts = [mapped(change, value, _below(path, i)) for i, value in enumerate(x)]
        return type(x)(*parts) if hasattr(x, "_fields") else type(x)(parts)
    return change(x, path)


def leaves(x: Any) -> Iterator[Any]:
    """What stands in the nest, in order."""
    if isinstance(x, dict):
        for value in x.values():
            yield from leaves(value)
    elif isinstance(x, list | tuple):
        for value in x:
            yield from leaves(value)
    else:
        yield x


def _below(path: str, key: Any) -> str:
    return f"{path}_{key}" if path else str(key)
