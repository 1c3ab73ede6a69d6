"""Hooks of modules: what is called before and after ``forward``, and when gradients pass."""

from __future__ import annotations

import itertools
import weakref
from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from graphc.errors import GraphcRuntimeError
from graphc.tensor import Tensor, bump_epoch

if TYPE_CHECKING:
    from graphc.nn.modules.module import Module

Hook = Callable[..., Any]
Hooks = OrderedDict[int, Hook]
_numbers = itertools.count()

global_forward_hooks: Hooks = OrderedDict()
global_forward_pre_hooks: Hooks = OrderedDict()


class RemovableHandle:
    """What removes a hook again; a context that removes it at its end."""

    def __init__(self, hooks: Hooks, *flags: dict[int, bool]) -> None:
        self.id = next(_numbers)
        self._holders = [weakref.ref(hooks), *(weakref.ref(flag) for flag in flags)]

    def remove(self) -> None:
        """Take the hook away."""
        for reference in self._holders:
            holder = reference()
            if holder is not None:
                holder.pop(self.id, None)
        bump_epoch()

    def __enter__(self) -> RemovableHandle:
        return self

    def __exit__(self, *error: object) -> None:
        self.remove()


def register(
    hooks: Hooks, hook: Hook, *flags: tuple[OrderedDict[int, bool], bool], prepend: bool = False
) -> RemovableHandle:
    """Add ``hook`` to ``hooks``, and its number to each of ``flags`` that is set."""
    handle = RemovableHandle(hooks, *(holder for holder, _ in flags))
    hooks[handle.id] = hook
    for holder, value in flags:
        if value:
            holder[handle.id] = True
    if prepend:
        hooks.move_to_end(handle.id, last=False)
    bump_epoch()
    return handle


def call_with_hooks(module: Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """``module.forward`` between the hooks before and after it."""
    called: set[int] = set()
    result = None
    try:
        args, kwargs = _before(module, args, kwargs)
        backward = _Backward(module) if module._backward_hooks or module._backward_pre_hooks else None
        if backward is not None:
            args = backward.watch_inputs(args)
        result = module.forward(*args, **kwargs)
        result = _after(module, args, kwargs, result, called)
        return result if backward is None else backward.watch_outputs(result)
    except Exception:
        for number in module._forward_hooks_always_called:
            if number not in called:
                _run_after(module, number, module._forward_hooks[number], args, kwargs, result)
        raise


def _before(
    module: Module, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    for number, hook in (*global_forward_pre_hooks.items(), *module._forward_pre_hooks.items()):
        if number not in module._forward_pre_hooks_with_kwargs:
            replaced = hook(module, args)
            if replaced is not None:
                args = replaced if isinstance(replaced, tuple) else (replaced,)
            continue
        replaced = hook(module, args, kwargs)
        if replaced is None:
            continue
        if not isinstance(replaced, tuple) or len(replaced) != 2:
            raise GraphcRuntimeError(
                "forward pre-hook must return None or a tuple of (new_args, new_kwargs), "
                f"but got {replaced}."
            )
        args, kwargs = replaced
    return args, kwargs


def _after(
    module: Module, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any, called: set[int]
) -> Any:
    for number, hook in (*global_forward_hooks.items(), *module._forward_hooks.items()):
        called.add(number)
        replaced = _run_after(module, number, hook, args, kwargs, result)
        if replaced is not None:
            result = replaced
    return result


def _run_after(
    module: Module, number: int, hook: Hook, args: Any, kwargs: Any, result: Any
) -> Any:
    if number in module._forward_hooks_with_kwargs:
        return hook(module, args, kwargs, result)
    return hook(module, args, result)


class _Backward:
    """One call of a module whose gradients are watched.

    The gradient of the outputs is whole before any gradient of the inputs is, so the hooks run
    once the last input's gradient is there.
    """

    def __init__(self, module: Module) -> None:
        self.module = module
        self.outputs: list[Tensor | None] = []
        self.inputs: list[Tensor | None] = []
        self.watched_inputs = 0
