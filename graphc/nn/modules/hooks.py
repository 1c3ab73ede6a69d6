"""Hooks of modules: what is called before and after ``forward``, and when gradients pass."""

from __future__ import annotations

import warnings
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from graphc.errors import GraphcRuntimeError
from graphc.handles import Flags, Hook, Hooks, RemovableHandle, register
from graphc.ir.node import Item, Node, recording
from graphc.ops.composite import Composite
from graphc.recording import session
from graphc.tensor import Tensor, wrap

if TYPE_CHECKING:
    from graphc.nn.modules.module import Module

HOOK_TABLES = (
    "_backward_pre_hooks",
    "_backward_hooks",
    "_forward_hooks",
    "_forward_hooks_with_kwargs",
    "_forward_hooks_always_called",
    "_forward_pre_hooks",
    "_forward_pre_hooks_with_kwargs",
    "_state_dict_hooks",
    "_state_dict_pre_hooks",
    "_load_state_dict_pre_hooks",
    "_load_state_dict_post_hooks",
)


global_forward_hooks: Hooks = OrderedDict()
global_forward_pre_hooks: Hooks = OrderedDict()


class Hooked:
    """The part of Module that takes hooks."""

    _backward_pre_hooks: Hooks
    _backward_hooks: Hooks
    _forward_hooks: Hooks
    _forward_hooks_with_kwargs: Flags
    _forward_hooks_always_called: Flags
    _forward_pre_hooks: Hooks
    _forward_pre_hooks_with_kwargs: Flags
    _state_dict_hooks: Hooks
    _state_dict_pre_hooks: Hooks
    _load_state_dict_pre_hooks: Hooks
    _load_state_dict_post_hooks: Hooks

    def register_forward_hook(
        self,
        hook: Hook,
        *,
        prepend: bool = False,
        with_kwargs: bool = False,
        always_call: bool = False,
    ) -> RemovableHandle:
        """Call ``hook(module, args, output)`` after ``forward``; what it returns is the output."""
        flags = (
            (self._forward_hooks_with_kwargs, with_kwargs),
            (self._forward_hooks_always_called, always_call),
        )
        return register(self, self._forward_hooks, hook, *flags, prepend=prepend)

    def register_forward_pre_hook(
        self, hook: Hook, *, prepend: bool = False, with_kwargs: bool = False
    ) -> RemovableHandle:
        """Call ``hook(module, args)`` before ``forward``; what it returns are the arguments."""
        flag = (self._forward_pre_hooks_with_kwargs, with_kwargs)
        return register(self, self._forward_pre_hooks, hook, flag, prepend=prepend)

    def register_full_backward_hook(self, hook: Hook, prepend: bool = False) -> RemovableHandle:
        """Call ``hook(module, grad_input, grad_output)`` when gradients pass through."""
        return register(self, self._backward_hooks, hook, prepend=prepend)

    def register_full_backward_pre_hook(self, hook: Hook, prepend: bool = False) -> RemovableHandle:
        """Call ``hook(module, grad_output)`` before gradients pass through."""
        return register(self, self._backward_pre_hooks, hook, prepend=prepend)

    def register_state_dict_pre_hook(self, hook: Hook) -> RemovableHandle:
        """Call ``hook(module, prefix, keep_vars)`` before ``state_dict`` is made."""
        return register(self, self._state_dict_pre_hooks, hook)

    def register_state_dict_post_hook(self, hook: Hook) -> RemovableHandle:
        """Call ``hook(module, state_dict, prefix, local_metadata)`` after it is made."""
        return register(self, self._state_dict_hooks, hook)

    _register_state_dict_hook = register_state_dict_post_hook

    def register_load_state_dict_pre_hook(self, hook: Hook) -> RemovableHandle:
        """Call ``hook(module, state_dict, prefix, ...)`` before the module loads its own."""
        return register(self, self._load_state_dict_pre_hooks, lambda *given: hook(self, *given))

    def _register_load_state_dict_pre_hook(
        self, hook: Hook, with_module: bool = False
    ) -> RemovableHandle:
        """Call ``hook(state_dict, prefix, ...)``, or also with the module, before it loads."""
        if with_module:
            return self.register_load_state_dict_pre_hook(hook)
        return register(self, self._load_state_dict_pre_hooks, hook)

    def register_load_state_dict_post_hook(self, hook: Hook) -> RemovableHandle:
        """Call ``hook(module, incompatible_keys)`` after it has loaded."""
        return register(self, self._load_state_dict_post_hooks, hook)


def call_with_hooks(module: Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """``module.forward`` between the hooks before and after it."""
    called: set[int] = set()
    result = None
    try:
        args, kwargs = _before(module, args, kwargs)
        backward = (
            _Backward(module) if module._backward_hooks or module._backward_pre_hooks else None
        )
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


def _run_after(module: Module, number: int, hook: Hook, args: Any, kwargs: Any, result: Any) -> Any:
    if number in module._forward_hooks_with_kwargs:
        return hook(module, args, kwargs, result)
    return hook(module, args, result)


Gradients = tuple[Any, ...]


def _identity(*xs: Node) -> tuple[Node, ...]:
    return xs


@dataclass(frozen=True)
class Watched(Composite):
    """Its operands, whose gradients are shown to ``notify``, which may replace them."""

    notify: Callable[[Gradients], Gradients]
    repeatable: ClassVar[bool] = False

    def grad(self, node: Node, *gradients: Node | None) -> tuple[Node | None, ...]:
        return self.notify(gradients)


class _Backward:
    """One call of a module whose gradients are watched.

    The gradients of the outputs are whole before those of the inputs are, so the full hooks run
    with the inputs' gradients, or with the outputs' where no input needs one.
    """

    def __init__(self, module: Module) -> None:
        self.module = module
        self.of_outputs: Gradients = ()
        self.input_places: list[int] = []
        self.output_places: list[int] = []
        self.inputs = 0
        self.outputs = 0

    def watch_inputs(self, args: tuple[Any, ...]) -> tuple[Any, ...]:
        """The arguments, tensors among them replaced by ones whose gradients are watched."""
        self.inputs = len(args)
        watched, self.input_places = _watch(args, self._on_inputs)
        return watched

    def watch_outputs(self, result: Any) -> Any:
        """The result, likewise."""
        results = result if isinstance(result, tuple) else (result,)
        self.outputs = len(results)
        watched, self.output_places = _watch(results, self._on_outputs)
        return watched if isinstance(result, tuple) else watched[0]

    def _on_outputs(self, gradients: Gradients) -> Gradients:
        self.of_outputs = _spread(gradients, self.output_places, self.outputs)
        for hook in list(self.module._backward_pre_hooks.values()):
            replaced = hook(self.module, self.of_outputs)
            if replaced is not None:
                self.of_outputs = replaced if isinstance(replaced, tuple) else (replaced,)
        if not self.input_places and self.module._backward_hooks:
            warnings.warn(
                "Full backward hook is firing when gradients are computed with respect to module "
                "outputs since no inputs require gradients.",
                stacklevel=2,
            )
            self._run_hooks((None,) * self.inputs)
        return _gather(self.of_outputs, self.output_places)

    def _on_inputs(self, gradients: Gradients) -> Gradients:
        of_inputs = self._run_hooks(_spread(gradients, self.input_places, self.inputs))
        return _gather(of_inputs, self.input_places)

    def _run_hooks(self, of_inputs: Gradients) -> Gradients:
        for hook in list(self.module._backward_hooks.values()):
            replaced = hook(self.module, of_inputs, self.of_outputs)
            if replaced is None:
                continue
            replaced = replaced if isinstance(replaced, tuple) else (replaced,)
            if len(replaced) != len(of_inputs):
                raise GraphcRuntimeError(
                    f"Backward hook returned an invalid number of grad_input, got {len(replaced)}, "
                    f"but expected {len(of_inputs)}"
                )
            of_inputs = replaced
        return of_inputs


def _watch(
    values: tuple[Any, ...], notify: Callable[[Gradients], Gradients]
) -> tuple[tuple[Any, ...], list[int]]:
    """The values with those that need a gradient watched together, and the places of these."""
    places = [i for i, x in enumerate(values) if isinstance(x, Tensor) and x.requires_grad]
    if not places or not recording.grad_enabled:
        return values, []
    trace = session.trace
    nodes = [trace.node_of(values[i]) for i in places]
    node = Watched("module_hook", _identity, (), (True,) * len(nodes), notify)(*nodes)
    results = [node] if len(nodes) == 1 else [Item(i)(node) for i in range(len(nodes))]
    watched = list(values)
    for place, result in zip(places, results, strict=True):
        watched[place] = wrap(result, trace, "BackwardHookFunctionBackward")
    return tuple(watched), places


def _spread(gradients: Gradients, places: list[int], count: int) -> Gradients:
    """The gradients as tensors in their places among ``count`` values, None elsewhere."""
    spread: list[Tensor | None] = [None] * count
    for place, gradient in zip(places, gradients, strict=True):
        if gradient is not None:
            spread[place] = wrap(gradient, session.trace)
    return tuple(spread)


def _gather(gradients: Gradients, places: list[int]) -> Gradients:
    """The nodes of the gradients in ``places``."""
    found = [gradients[place] for place in places]
    return tuple(None if g is None else session.trace.node_of(g) for g in found)
