"""``backward``, ``grad`` and the modes that switch recording of gradients off and on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import wraps
from types import TracebackType
from typing import Any

from graphc.autodiff import gradients, reachable_leaves
from graphc.errors import GraphcRuntimeError
from graphc.ir.node import Node, const, grad_mode, recording
from graphc.ops.movement import full
from graphc.recording import Trace, session
from graphc.tensor import Tensor, wrap


class set_grad_enabled:
    """Switch the recording of gradients, at once and, as a context, until its end."""

    def __init__(self, mode: bool) -> None:
        self.before = recording.grad_enabled
        self.mode = mode
        recording.grad_enabled = mode

    def __enter__(self) -> None:
        recording.grad_enabled = self.mode

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        recording.grad_enabled = self.before


class _Mode:
    """A context and decorator within which gradients are recorded, or not."""

    enabled: bool

    def __init__(self, mode: bool = True) -> None:
        self.stack: list[bool] = []

    def __new__(cls, function: Callable[..., Any] | bool = True) -> Any:
        if callable(function):
            return object.__new__(cls)._decorate(function)
        return object.__new__(cls)

    def __enter__(self) -> None:
        self.stack.append(recording.grad_enabled)
        recording.grad_enabled = self.enabled

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        recording.grad_enabled = self.stack.pop()

    def _decorate(self, function: Callable[..., Any]) -> Callable[..., Any]:
        enabled = self.enabled

        @wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            with grad_mode(enabled):
                return function(*args, **kwargs)

        return call

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        return self._decorate(function)


class no_grad(_Mode):
    """Within, results need no gradient."""

    enabled = False


class inference_mode(no_grad):
    """As ``no_grad``."""


class enable_grad(_Mode):
    """Within, results need a gradient if an operand does."""

    enabled = True


def is_grad_enabled() -> bool:
    """Whether results need a gradient where an operand does."""
    return recording.grad_enabled


def seed(output: Tensor, node: Node, gradient: Tensor | None, trace: Trace) -> Node:
    """The gradient of the result itself: the one given, or 1 for a scalar."""
    if not node.requires_grad:
        raise GraphcRuntimeError(
            "element 0 of tensors does not require grad and does not have a grad_fn"
        )
    if gradient is None:
        if node.type.size != 1:
            raise GraphcRuntimeError("grad can be implicitly created only for scalar outputs")
        key = ("seed", node.type)
        found = trace.memo.get(key)
        if found is None:
            found = trace.memo[key] = full(node.shape, const(1.0, node.dtype))
        return found
    if gradient.shape != output.shape:
        raise GraphcRuntimeError(
            f"Mismatch in shape: grad_output[0] has a shape of {gradient.shape} and output[0] "
            f"has a shape of {output.shape}."
        )
    return trace.node_of(gradient)


def backward(
    outputs: Tensor | Sequence[Tensor],
    grad_tensors: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    inputs: Any = None,
) -> None:
    """Add the gradients of ``outputs`` to the ``grad`` of the leaves."""
    outputs, seeds = _paired(outputs, grad_tensors)
    trace = session.trace
    nodes = tuple(trace.node_of(t) for t in outputs)
    given = tuple(seed(t, node, s, trace) for t, node, s in zip(outputs, nodes, seeds, strict=True))
    if inputs is not None:
        inputs = [inputs] if isinstance(inputs, Tensor) else list(inputs)
        targets = [(trace.node_of(t), t) for t in inputs]
    else:
        targets = _targets(trace, nodes)
    leaves = tuple(node for node, _ in targets)
    with _kept_open(trace):
        results = _differentiate(trace, outputs, nodes, given, leaves, retain_graph, create_graph)
        for (_, tensor), node in zip(targets, results, strict=True):
            if node is not None:
                _accumulate(tensor, node, trace, create_graph)


@contextmanager
def _kept_open(trace: Trace) -> Iterator[None]:
    """Within, the trace goes on even where a hook asks for numbers."""
    before, trace.differentiating = trace.differentiating, True
    try:
        yield
    finally:
        trace.differentiating = before


def _paired(outputs: Any, grad_outputs: Any) -> tuple[list[Tensor], list[Tensor | None]]:
    outputs = [outputs] if isinstance(outputs, Tensor) else list(outputs)
    if grad_outputs is None:
        return outputs, [None] * len(outputs)
    seeds = [grad_outputs] if isinstance(grad_outputs, Tensor) else list(grad_outputs)
    if len(seeds) != len(outputs):
        raise GraphcRuntimeError(f"got {len(outputs)} tensors and {len(seeds)} gradients")
    return outputs, seeds


def _targets(trace: Trace, nodes: tuple[Node, ...]) -> list[tuple[Node, Tensor]]:
    """The leaves that the results were computed from, with the tensors that hold their gradient."""
    key = ("leaves", nodes)
    leaves = trace.memo.get(key)
    if leaves is None:
        found: dict[Node, None] = {}
        for node in nodes:
            found.update(dict.fromkeys(reachable_leaves(node)))
        leaves = trace.memo[key] = tuple(found)
    targets = []
    for leaf in leaves:
        reference = trace.variables.get(leaf)
        tensor = reference() if reference is not None else None
        if tensor is not None:
            targets.append((leaf, tensor))
    for node, reference in trace.retained.items():
        tensor = reference()
        if tensor is not None and node not in trace.variables:
            targets.append((node, tensor))
    return targets


def _differentiate(
    trace: Trace,
    outputs: Sequence[Tensor],
    nodes: tuple[Node, ...],
    seeds: tuple[Node, ...],
    leaves: tuple[Node, ...],
    retain_graph: bool | None,
    create_graph: bool,
) -> tuple[Node | None, ...]:
    for node in nodes:
        if node in trace.freed and node.inputs:
            raise GraphcRuntimeError(
                "Trying to backward through the graph a second time (or directly access saved "
                "tensors after they have already been freed). Saved intermediate values of the "
                "graph are freed when you call .backward() or autograd.grad(). Specify "
                "retain_graph=True if you need to backward through the graph a second time or if "
                "you need to access saved tensors after calling backward."
            )
    hooks = {
        node: reference
        for node, reference in trace.retained.items()
        if (tensor := reference()) is not None and tensor._hooks
    }
    key = ("gradients", nodes, seeds, leaves, create_graph)
    results = None if hooks else trace.memo.get(key)
    if results is None:
        with grad_mode(create_graph):
            results = gradients(nodes, seeds, leaves, _hook(trace, hooks) if hooks else None)
        if not hooks:
            trace.memo[key] = results
    if not (create_graph if retain_graph is None else retain_graph):
        trace.freed.update(nodes)
    return results


def _hook(trace: Trace, hooks: dict[Node, Any]) -> Callable[[Node, Node], Node]:
    def apply(node: Node, gradient: Node) -> Node:
        reference = hooks.get(node)
        tensor = reference() if reference is not None else None
        return gradient if tensor is None else run_hooks(tensor, gradient, trace)

    return apply


def run_hooks(tensor: Tensor, gradient: Node, trace: Trace) -> Node:
    """The gradient after the tensor's own hooks have seen and perhaps replaced it."""
    for hook in list((tensor._hooks or {}).values()):
        replaced = hook(wrap(gradient, trace))
        if replaced is not None:
            gradient = trace.node_of(replaced)
    return gradient


def _accumulate(tensor: Tensor, node: Node, trace: Trace, create_graph: bool) -> None:
    if tensor._hooks and tensor._is_leaf:
        node = run_hooks(tensor, node, trace)
    before = tensor.grad
    if before is None:
        tensor.grad = wrap(node, trace, "CloneBackward0")
        return
    key = ("accumulate", trace.node_of(before), node, create_graph)
    total = trace.memo.get(key)
    if total is None:
        with grad_mode(create_graph):
            total = trace.memo[key] = trace.node_of(before) + node
    if create_graph:
        tensor.grad = wrap(total, trace, "AddBackward0")
    else:
        before._assign(total)


def grad(
    outputs: Tensor | Sequence[Tensor],
    inputs: Tensor | Sequence[Tensor],
    grad_outputs: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    allow_unused: bool | None = None,
    is_grads_batched: bool = False,
    materialize_grads: bool = False,
) -> tuple[Tensor | None, ...]:
    """The gradients of ``outputs`` with respect to ``inputs``, as ``torch.autograd.grad``."""
    outputs, seeds = _paired(outputs, grad_outputs)
    inputs = [inputs] if isinstance(inputs, Tensor) else list(inputs)
    trace = session.trace
    nodes = tuple(trace.node_of(t) for t in outputs)
    given = tuple(seed(t, node, s, trace) for t, node, s in zip(outputs, nodes, seeds, strict=True))
    leaves = tuple(trace.node_of(t) for t in inputs)
    if not all(leaf.requires_grad for leaf in leaves):
        raise GraphcRuntimeError("One of the differentiated Tensors does not require grad")
    with _kept_open(trace):
        found = _differentiate(trace, outputs, nodes, given, leaves, retain_graph, create_graph)
    results: list[Tensor | None] = []
    for tensor, node in zip(inputs, found, strict=True):
        if node is not None:
            results.append(wrap(node, trace, "CloneBackward0"))
        elif materialize_grads:
            results.append(wrap(full(tensor._type.shape, const(0.0, tensor.dtype)), trace))
        elif allow_unused:
            results.append(None)
        else:
            raise GraphcRuntimeError(
                "One of the differentiated Tensors appears to not have been used in the graph. "
                "Set allow_unused=True if this is the desired behavior."
            )
    return tuple(results)
