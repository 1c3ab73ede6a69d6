"""Modules made without drawing initial values."""

from __future__ import annotations

from inspect import signature
from typing import Any, TypeVar

from graphc.errors import GraphcRuntimeError
from graphc.nn.modules.module import Module
from graphc.random import get_rng_state, set_rng_state

M = TypeVar("M", bound=Module)


def skip_init(module_cls: type[M], *args: Any, **kwargs: Any) -> M:
    """A module with whatever parameters; the state of the random numbers stays as it is."""
    if not issubclass(module_cls, Module):
        raise GraphcRuntimeError(f"Expected a Module; got {module_cls}")
    if "device" not in signature(module_cls).parameters:
        raise GraphcRuntimeError("Module must support a 'device' arg to skip initialization")
    before = get_rng_state()
    try:
        return module_cls(*args, **kwargs)
    finally:
        set_rng_state(before)
