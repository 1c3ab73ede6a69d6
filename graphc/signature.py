"""The arguments of a call of a compiled function, and what tells one signature from another."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import numpy as np

from graphc.captured import signature_of
from graphc.casting import CASTING
from graphc.errors import GraphcTypeError
from graphc.from_data import from_numpy
from graphc.ir.dtype import get_default_dtype
from graphc.ir.node import recording
from graphc.nest import leaves, mapped
from graphc.ops.precision import precision
from graphc.tensor import Tensor
from graphc.threads import Threads


class Identity:
    """An object as a key: equal to itself alone."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Identity) and other.value is self.value

    def __hash__(self) -> int:
        return id(self.value)


AMBIENT = (
    "recording of gradients",
    "number of threads",
    "default dtype",
    "autocast",
    "precision of products",
)
"""What a program depends on besides the arguments of the call."""


def ambient() -> list[Any]:
    """The values of ``AMBIENT``."""
    settings = (CASTING.key, precision.current)
    return [recording.grad_enabled, Threads.count, get_default_dtype(), *settings]


def with_tensors(x: Any) -> Any:
    """The nest with numpy's arrays as tensors over the same memory."""
    return mapped(lambda leaf, _: from_numpy(leaf) if isinstance(leaf, np.ndarray) else leaf, x)


def tensors_in(x: Any) -> list[Tensor]:
    """The tensors of a nest in order, each once."""
    return list({id(t): t for t in leaves(x) if isinstance(t, Tensor)}.values())


def signature(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[list[Tensor], Hashable]:
    """The tensors among the arguments, each once, and the key of the signature."""
    key = ambient()
    seen: dict[int, int] = {}
    tensors: list[Tensor] = []

    def visit(x: Any) -> None:
        if isinstance(x, Tensor):
            if id(x) not in seen:
                seen[id(x)] = len(tensors)
                tensors.append(x)
                key.extend(signature_of(x))
            else:
                key.append(("again", seen[id(x)]))
        elif isinstance(x, dict):
            key.append((type(x), len(x)))
            for name, value in x.items():
                key.append(name)
                visit(value)
        elif isinstance(x, list | tuple):
            key.append((type(x), len(x)))
            for value in x:
                visit(value)
        else:
            key.append(_plain(x))

    visit(args)
    visit(kwargs)
    return tensors, tuple(key)


def _plain(x: Any) -> Any:
    """A value that is no tensor, as part of a key."""
    if isinstance(x, float):
        return type(x), repr(x)  # 0.0 is not -0.0, and nan is nan
    if isinstance(x, slice):
        return slice, _plain(x.start), _plain(x.stop), _plain(x.step)
    try:
        hash(x)
    except TypeError:
        if hasattr(x, "__dict__"):
            return type(x), Identity(x)
        raise GraphcTypeError(
            f"a compiled function takes tensors, numpy arrays and plain values, not {x!r}"
        ) from None
    return type(x), x
