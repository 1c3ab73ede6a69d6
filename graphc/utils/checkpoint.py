"""Parts of a model whose values the backward pass may compute again rather than keep.

What is kept and what is computed again is for the compiler to decide, which sees the whole step:
a part is called as it is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphc.nn import Module, Sequential

SETTINGS = frozenset(
    {
        "use_reentrant",
        "preserve_rng_state",
        "context_fn",
        "determinism_check",
        "debug",
        "early_stop",
    }
)
"""What PyTorch's ``checkpoint`` takes for itself."""


def checkpoint(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """What ``function`` gives for the arguments that are not settings of ``checkpoint``."""
    return function(*args, **{k: x for k, x in kwargs.items() if k not in SETTINGS})


def checkpoint_sequential(
    functions: Sequential | list[Module], segments: int, input: Any, **kwargs: Any
) -> Any:
    """What the modules make of the input, one after the other."""
    for module in functions:
        input = module(input)
    return input
