"""Lifting: a function over nodes becomes a function over tensors that records."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from inspect import signature
from typing import Any

from graphc.arguments import fitted, signature_of
from graphc.calls import key_of, nodes_of
from graphc.errors import GraphcError, GraphcRuntimeError, GraphcTypeError
from graphc.host_views import host_view
from graphc.ir.node import Node, origin_of, recording
from graphc.literals import varying
from graphc.marks import ACTIVE
from graphc.ops.function import Function, GradName
from graphc.ops.movement import Reshape
from graphc.ops.precision import precision
from graphc.origins import here, located
from graphc.recording import CALLS, Call, Trace, session
from graphc.strides import STRICT_VIEWS, can_view
from graphc.tensor import Tensor, wrap

_SCALARS = frozenset({int, float, bool, str, type(None)})


def lift(function: Function, *, method: bool = False, operator: bool = False) -> Callable[..., Any]:
    """The user-level function: remembers what it yields for the same nodes and settings.

    As a ``method`` it counts its arguments without the tensor itself. As an ``operator`` it leaves
    operands that it does not take to the other operand.
    """
    call, view, literal = function.call, function.view, function.literal
    expected = signature_of(function)
    # The same arguments may mean another thing to a method: see Signature.spreads, which asks more.
    tag = (call, "method") if method and call.__code__.co_argcount == 2 else call
    grad_name = function.grad_name if isinstance(function.grad_name, str) else ""
    same = function.same

    def lifted(*args: Any, **kwargs: Any) -> Any:
        if ACTIVE.cast is not None:
            args, kwargs = ACTIVE.cast(function.name, args, kwargs)
        trace = session.trace
        node_of = trace.node_of
        if kwargs and not method and "out" in kwargs:
            return _into_out(lifted, args, kwargs, function.name)
        if not args and kwargs:
            args, kwargs, _ = fitted(expected, args, kwargs, method=method)
        if view and not trace.capturing and args:
            found = host_view(function, expected, trace, args, kwargs, method)
            if found is not None:
                return found
        key: list[Any] = [tag, recording.grad_enabled, precision.current]
        for x in args:
            kind = type(x)
            if kind in _SCALARS:
                key.append(kind)
                key.append(x or repr(x))  # 0.0 is not -0.0
            elif isinstance(x, Tensor):
                key.append(node_of(x))
            else:
                key.append(key_of(trace, x))
        if kwargs:
            for name, x in kwargs.items():
                key.append(name)
                key.append(key_of(trace, x))
        signature: tuple[Any, ...] | None = tuple(key)
        try:
            result = trace.memo.get(signature)
        except TypeError:  # what cannot be hashed cannot be remembered, such as a numpy array
            result, signature = None, None
        if result is None:
            try:
                given = fitted(expected, args, kwargs, method=method)
                if given.read:
                    return lifted(*given.args, **given.kwargs)
                if literal and not kwargs:
                    other = varying(call, trace, given.args)
                    if other is not given.args:
                        return lifted(*other)
                result = _evaluate(function, trace, given.args, given.kwargs)
            except GraphcError as error:
                if operator and isinstance(error, GraphcTypeError):
                    return NotImplemented
                raise located(error, here(function.name), (*args, *kwargs.values())) from None
            if signature is not None:
                trace.memo[signature] = result
        if same:
            return _same_or_new(result, trace, function, args)
        if type(result) is Node:
            tensor = Tensor.__new__(Tensor)
            tensor._record(trace, result)
            tensor._grad_name = grad_name
            if view:
                _link(tensor, args[0], result, function)
            return tensor
        return _wrap_all(result, trace, function, args[0] if view else None)

    lifted.__name__ = lifted.__qualname__ = function.name
    lifted.__doc__ = call.__doc__
    lifted.__wrapped__ = call  # type: ignore[attr-defined]
    return lifted


def _into_out(
    call: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], name: str
) -> Any:
    """The result, written into ``out`` where that is given."""
    from graphc.outputs import write_out

    out = kwargs.pop("out")
    result = call(*args, **kwargs)
    return result if out is None else write_out(out, result, name)


def _evaluate(function: Function, trace: Trace, args: Any, kwargs: Any) -> Any:
    origin = here(function.name)
    nodes = [nodes_of(trace, x) for x in args]
    named = {name: nodes_of(trace, x) for name, x in kwargs.items()}
    try:
        with origin_of(origin):
            result = function.call(*nodes, **named)
            if not function.same:
                result = _own(result, [*nodes, *named.values()])
    except GraphcError as error:
        raise located(error, origin, nodes) from None
    _note_call(function, result, nodes, named)
    return result


def _own(result: Any, operands: list[Any]) -> Any:
    """The result, which has a history of its own even where nothing was done to an operand."""
    if isinstance(result, Node):
        unchanged = result.requires_grad and any(result is x for x in _given_nodes(operands))
        return Reshape(result.shape)(result) if unchanged else result
    if isinstance(result, tuple | list):
        parts = [_own(x, operands) for x in result]
        return type(result)(*parts) if hasattr(result, "_fields") else type(result)(parts)
    return result


def _given_nodes(operands: Iterable[Any]) -> Iterator[Node]:
    """The nodes among operands and in their lists."""
    for x in operands:
        if isinstance(x, Node):
            yield x
        elif isinstance(x, tuple | list):
            yield from _given_nodes(x)


def _same_or_new(result: Any, trace: Trace, function: Function, given: Any) -> Any:
    """The operand itself where the result is its node, otherwise a new tensor."""
    if isinstance(result, tuple | list):
        return type(result)([_same_or_new(x, trace, function, given) for x in result])
    for part in given:
        for x in part if isinstance(part, tuple | list) else [part]:
            if isinstance(x, Tensor) and trace.node_of(x) is result:
                return x
    return _wrap_all(result, trace, function, given[0] if function.view else None)


def _called(name: GradName, function: Function, args: list[Any], kwargs: dict[str, Any]) -> Any:
    """What a call's ``grad_fn`` prints; arguments by name in their places as far as there are."""
    if not kwargs:
        return name(*args)
    bound = signature(function.call).bind(*args, **kwargs)
    return name(*bound.args, **bound.kwargs)


def _note_call(function: Function, result: Any, args: list[Any], kwargs: dict[str, Any]) -> None:
    """Note what ``grad_fn`` shows of a result that needs a gradient."""
    results = result if isinstance(result, tuple | list) else [result]
    tracked = [x for x in results if isinstance(x, Node) and x.requires_grad]
    if not tracked:
        return
    name = function.grad_name
    shown = name if isinstance(name, str) else _called(name, function, args, kwargs)
    names = [shown] * len(results) if isinstance(shown, str) else shown
    operands: tuple[Node | None, ...] = tuple(_given_nodes((*args, *kwargs.values())))
    if function.literal and not names[0].startswith("Rsub"):  # a number takes part as a tensor
        operands = tuple(x if isinstance(x, Node) else None for x in args)
    for node, own_name in zip(results, names, strict=True):
        if node in tracked and node not in operands:
            CALLS[node] = Call(own_name, operands)


def _wrap_all(result: Any, trace: Trace, function: Function, base: Tensor | None) -> Any:
    if isinstance(result, Node):
        grad_name = function.grad_name
        tensor = wrap(result, trace, grad_name if isinstance(grad_name, str) else "")
        if base is not None:
            _link(tensor, base, result, function)
        return tensor
    if isinstance(result, tuple | list):
        made = [_wrap_all(x, trace, function, base) for x in result]
        for place, x in enumerate(made):
            if isinstance(x, Tensor) and x._base is not None:
                x._output = place
        if isinstance(result, tuple) and hasattr(result, "_fields"):
            return type(result)(*made)
        return type(result)(made)
    return result


def _link(tensor: Tensor, source: Tensor, node: Node, function: Function) -> None:
    """Make ``tensor`` a view of what ``source`` views, if the nodes between are views."""
    start = session.trace.node_of(source)  # Of memory that is held outside, no tensor keeps it.
    chain: list[Any] = []
    x = node
    while x is not start:
        if not x.inputs or not hasattr(x.op, "put"):
            return
        chain.append(x.op)
        x = x.inputs[0]
    chain.reverse()
    if not can_view(source, chain):
        if function.name in STRICT_VIEWS:
            raise located(no_view(function.name), here(function.name), [source]) from None
        return
    root = source._base if source._base is not None else source
    tensor._base = root
    tensor._chain = source._chain + tuple(chain)
    tensor._seen = root._version
    tensor._unwatched = not recording.grad_enabled


def no_view(name: str) -> GraphcError:
    """The error of a view that would need a copy, in PyTorch's words."""
    if name == "view_as_complex":
        return GraphcRuntimeError(
            "Tensor must have a last dimension with stride 1, and a stride divisible by 2 for all "
            "but last dimension"
        )
    return GraphcRuntimeError(
        "view size is not compatible with input tensor's size and stride (at least one dimension "
        "spans across two contiguous subspaces). Use .reshape(...) instead."
    )
