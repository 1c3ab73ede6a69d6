"""Capture: a Python function is run once on stand-ins, and what it records becomes a graph."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from graphc.captured import Captured, signature_of
from graphc.closing import CapturingTrace, Closing, changed_flags, changed_places
from graphc.ir.node import make_input
from graphc.nest import mapped
from graphc.places import Place
from graphc.recording import session
from graphc.running import pending_tensors
from graphc.tensor import Tensor, bare


def capture(
    function: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    names: Mapping[int, str],
    *,
    places: Iterable[Place] = (),
    modules: Iterable[Any] = (),
    keep_grads: bool = False,
) -> Captured:
    """The graph of ``function`` on tensors like those in ``args`` and ``kwargs``.

    ``names`` gives the parameters' and buffers' names by the identity of the tensor; in ``places``
    and ``modules`` the function may find tensors and settings. Whatever it changes outside is put
    back; running the program does it for real.
    """
    trace = CapturingTrace(names)
    trace.watch(places)
    for module in modules:
        trace.watch_modules([module])
    made: dict[int, Tensor] = {}
    labels = argument_names(function, len(args))
    inner = [_stand_ins(trace, x, label, made) for x, label in zip(args, labels, strict=True)]
    named = {key: _stand_ins(trace, x, key, made) for key, x in kwargs.items()}
    with session.recording_into(trace):
        session.modules = trace.called
        try:
            results = function(*inner, **named)
            return Closing(trace, keep_grads).captured(results)
        except BaseException:
            _forget_states(trace)
            raise
        finally:
            _put_back(trace)


def _stand_ins(trace: CapturingTrace, nest: Any, path: str, made: dict[int, Tensor]) -> Any:
    """The nest with its tensors replaced; one that is given twice has one stand-in."""

    def change(x: Any, path: str) -> Any:
        if not isinstance(x, Tensor):
            return x
        if id(x) not in made:
            made[id(x)] = _stand_in(trace, x, path)
        return made[id(x)]

    return mapped(change, nest, path)


def _stand_in(trace: CapturingTrace, x: Tensor, path: str) -> Tensor:
    type_, requires_grad, contiguous, device = signature_of(x)
    node = make_input(
        path, type_, requires_grad=requires_grad, contiguous=contiguous, device=device
    )
    tensor = bare()
    tensor._node, tensor._serial = node, trace.serial
    tensor._requires_grad = requires_grad
    tensor._storage, tensor._grad = x._storage, x._grad
    trace.places[id(tensor)] = len(trace.inputs)
    trace.inputs[node] = tensor
    if requires_grad:
        trace.variables[node] = weakref.ref(tensor)
    return tensor


def argument_names(function: Callable[..., Any], count: int) -> list[str]:
    """The names of the first ``count`` positional parameters."""
    target = getattr(function, "forward", function)
    code = getattr(getattr(target, "__func__", target), "__code__", None)
    names: list[str] = []
    if code is not None:
        names = list(code.co_varnames[: code.co_argcount])
        if getattr(target, "__self__", None) is not None:
            del names[:1]
    return [names[i] if i < len(names) else f"x{i}" for i in range(count)]


def _forget_states(trace: CapturingTrace) -> None:
    """Undo what optimizers began to remember."""
    for optimizer, held in trace.states:
        optimizer.state.clear()
        optimizer.state.update(held)
        optimizer._changed()


def _put_back(trace: CapturingTrace) -> None:
    """Undo what the function did outside to tensors, places that hold them, and training flags."""
    for place, before, _ in (*changed_places(trace), *changed_flags(trace)):
        place.set(before)
    for tensor in pending_tensors(trace):
        tensor._pending, tensor._node, tensor._serial = False, None, 0
        tensor._home, tensor._trace = None, None
    for tensor, fields in trace.before.values():
        vars(tensor).update(fields)  # first: other threads may read the tensor meanwhile
        for name in vars(tensor).keys() - fields.keys():
            delattr(tensor, name)
    for tensor, gradient in trace.gradients.values():
        tensor._grad = gradient
