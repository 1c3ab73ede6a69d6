"""``backward`` and ``grad``: the gradients of results, left at the leaves or returned."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from graphc.alike import Alike
from graphc.autodiff import Hook, Walk, gradients, reachable_leaves
from graphc.autograd.anomaly import Watch, Watching
from graphc.errors import GraphcRuntimeError, GraphcTypeError, GraphcValueError
from graphc.ir.graph import topological
from graphc.ir.node import Node, const, grad_mode
from graphc.ops.movement import full
from graphc.origins import locating
from graphc.recording import CALLS, Trace, session
from graphc.running import overwritten
from graphc.surface import LIFTED
from graphc.tensor import Tensor, wrap
from graphc.typename import short_typename

KEEPING = frozenset({"MulBackward0", "DivBackward0"})
"""Steps that keep their operands in PyTorch even where these are numbers."""


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
            if node.dtype.is_complex:
                raise GraphcRuntimeError(
                    "grad can be implicitly created only for real scalar outputs but got "
                    f"torch.{node.dtype.name}"
                )
            found = trace.memo[key] = full(node.shape, const(1.0, node.dtype))
        return found
    if gradient.shape != output.shape:
        raise GraphcRuntimeError(
            f"Mismatch in shape: grad_output[0] has a shape of {gradient.shape} and output[0] "
            f"has a shape of {output.shape}."
        )
    return trace.node_of(gradient)


@locating("backward")
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
    targets: list[tuple[Node, Tensor | None]]
    if inputs is not None:
        inputs = [inputs] if isinstance(inputs, Tensor) else list(inputs)
        if not inputs:
            raise GraphcRuntimeError("`inputs` argument to `backward()` cannot be empty.")
        targets = [(trace.node_of(t), t) for t in inputs]
    else:
        targets = _targets(trace, nodes)
    leaves = tuple(node for node, _ in targets)
    with trace.kept_open():
        results = _differentiate(trace, nodes, given, leaves, retain_graph, create_graph)
        for (_, tensor), node in zip(targets, results, strict=True):
            if node is not None and tensor is not None:
                _accumulate(tensor, node, trace, create_graph)
    for _, tensor in targets:
        if tensor is not None and tensor._grad is not None:
            tensor._grad._settle()


def _paired(outputs: Any, grad_outputs: Any) -> tuple[list[Tensor], list[Tensor | None]]:
    outputs = [outputs] if isinstance(outputs, Tensor) else list(outputs)
    if grad_outputs is None:
        return outputs, [None] * len(outputs)
    seeds = [grad_outputs] if isinstance(grad_outputs, Tensor) else list(grad_outputs)
    if len(seeds) != len(outputs):
        raise GraphcRuntimeError(f"got {len(outputs)} tensors and {len(seeds)} gradients")
    return outputs, seeds


def _targets(trace: Trace, nodes: tuple[Node, ...]) -> list[tuple[Node, Tensor | None]]:
    """The leaves that the results were computed from, with the tensors that hold their gradient.

    Nobody may hold such a tensor any longer; hooks on the way to it are called all the same.
    """
    key = ("leaves", nodes)
    leaves = trace.memo.get(key)
    if leaves is None:
        found: dict[Node, None] = {}
        for node in nodes:
            found.update(dict.fromkeys(reachable_leaves(node)))
        leaves = trace.memo[key] = tuple(found)
    targets: list[tuple[Node, Tensor | None]] = []
    for leaf in leaves:
        reference = trace.variables.get(leaf)
        targets.append((leaf, None if reference is None else reference()))
    for node, reference in trace.retained.items():
        tensor = reference()
        if tensor is not None and tensor._retains_grad and node not in trace.variables:
            targets.append((node, tensor))
    return targets


def _differentiate(
    trace: Trace,
    nodes: tuple[Node, ...],
    seeds: tuple[Node, ...],
    leaves: tuple[Node, ...],
    retain_graph: bool | None,
    create_graph: bool,
) -> tuple[Node | None, ...]:
    hooks = {
        node: reference
        for node, reference in trace.retained.items()
        if (tensor := reference()) is not None and tensor._hooks
    }
    key = ("gradients", nodes, seeds, leaves, create_graph)
    watched = Watching.enabled
    told = bool(hooks) or trace.has_custom or watched  # the user's code runs anew each time
    found = None if told else trace.memo.get(key)
    if found is None:
        hook: Hook | None = _hook(trace, hooks) if hooks else None
        watch = Watch(trace, hook) if watched else None
        with _alike(trace, seeds, told, watch) as walk, grad_mode(create_graph):
            results = gradients(nodes, seeds, leaves, watch or hook, walk=walk)
            results = tuple(None if x is None else trace.alike(x) for x in results)
            if watch is not None:
                for leaf, x in zip(leaves, results, strict=True):
                    if x is not None:
                        watch.check(leaf, x)
        kept = (x for x in walk.nodes if x in CALLS and CALLS[x].grad_name in KEEPING)
        found = results, frozenset(walk.nodes), frozenset((*walk.readers, *kept))
        if not told:
            trace.memo[key] = found
    results, walked, readers = found
    past = trace.past
    if past.walks or past.expired:
        past.check(walked)
    if past.stale:
        _check_stale(trace, results)
    if not (create_graph if retain_graph is None else retain_graph):
        past.spend(walked, readers)
    return results


@contextmanager
def _alike(
    trace: Trace, seeds: tuple[Node, ...], told: bool, watch: Watch | None
) -> Iterator[Walk]:
    """Within, what the user's code is shown are the same nodes as in the last step."""
    if not told:
        yield Walk()
        return
    before, alike = trace.alike, Alike(trace.memo)
    alike.stands(seeds)

    def start(order: Sequence[Node]) -> None:
        alike.stands(order)
        for node in order:
            alike.stands(node.inputs)
        if watch is not None:
            watch.start(order)

    trace.alike = alike
    try:
        yield Walk(start)
    finally:
        trace.alike = before


def _check_stale(trace: Trace, results: tuple[Node | None, ...]) -> None:
    """Raise where a gradient reads memory that has been overwritten."""
    for node in topological([x for x in results if x is not None]):
        if node in trace.past.stale:
            raise overwritten(trace.leaves[node])


def _hook(trace: Trace, hooks: dict[Node, Any]) -> Callable[[Node, Node], Node]:
    def apply(node: Node, gradient: Node) -> Node:
        reference = hooks.get(node)
        tensor = reference() if reference is not None else None
        return gradient if tensor is None else run_hooks(tensor, trace.alike(gradient), trace)

    return apply


def run_hooks(tensor: Tensor, gradient: Node, trace: Trace) -> Node:
    """The gradient after the tensor's own hooks have seen and perhaps replaced it."""
    for hook in list((tensor._hooks or {}).values()):
        replaced = hook(wrap(gradient, trace))
        if replaced is None:
            continue
        if not isinstance(replaced, Tensor):
            raise GraphcTypeError(
                f"expected Variable, but hook returned '{short_typename(replaced)}'"
            )
        if replaced.shape != gradient.shape:
            name = getattr(hook, "__name__", type(hook).__name__)
            raise GraphcRuntimeError(f"hook '{name}' has changed the size of value")
        gradient = trace.node_of(replaced)
    return gradient


def _accumulate(tensor: Tensor, node: Node, trace: Trace, create_graph: bool) -> None:
    if tensor._hooks and tensor._is_leaf:
        node = run_hooks(tensor, node, trace)
    before = tensor.grad
    if before is None:
        tensor.grad = wrap(node, trace, "CopyBackwards")
    else:
        total = _sum(trace, before, node, create_graph)
        if create_graph:
            tensor.grad = wrap(total, trace, "AddBackward0")
        else:
            before._write(total)
    for hook in list((tensor._grad_hooks or {}).values()):
        hook(tensor)


def _sum(trace: Trace, before: Tensor, node: Node, create_graph: bool) -> Node:
    """The gradient so far with another one added; its own history goes on."""
    old = trace.node_of(before)
    key = ("accumulate", old, node, create_graph)
    total = trace.memo.get(key)
    if total is None:
        with grad_mode(create_graph or before.requires_grad):
            total = trace.memo[key] = old + node
    return total


def _check_options(only_inputs: bool, allow_unused: bool | None, materialize_grads: bool) -> None:
    if not only_inputs:
        warnings.warn(
            "only_inputs argument is deprecated and is ignored now (defaults to True). To "
            "accumulate gradient for other parts of the graph, please use torch.autograd.backward.",
            FutureWarning,
            stacklevel=4,
        )
    if materialize_grads and allow_unused is False:
        raise GraphcValueError(
            "Expected allow_unused to be True or not passed when materialize_grads=True, but got: "
            "allow_unused=False."
        )


def _batched(
    outputs: Any, inputs: Any, grad_outputs: Any, retain_graph: bool | None, rest: tuple[Any, ...]
) -> tuple[Tensor | None, ...]:
    """The gradients for each of the vectors along the first dimension of ``grad_outputs``."""
    seeds = [grad_outputs] if isinstance(grad_outputs, Tensor) else list(grad_outputs)
    count = len(seeds[0])
    rows = []
    for i in range(count):
        keep = True if i < count - 1 else retain_graph
        rows.append(grad(outputs, inputs, [s[i] for s in seeds], keep, *rest))
    stack = LIFTED["stack"]
    return tuple(
        None if found[0] is None else stack(list(found)) for found in zip(*rows, strict=True)
    )


@locating("grad")
def grad(
    outputs: Tensor | Sequence[Tensor],
    inputs: Tensor | Sequence[Tensor],
    grad_outputs: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    only_inputs: bool = True,
    allow_unused: bool | None = None,
    is_grads_batched: bool = False,
    materialize_grads: bool = False,
) -> tuple[Tensor | None, ...]:
    """The gradients of ``outputs`` with respect to ``inputs``, as ``torch.autograd.grad``."""
    _check_options(only_inputs, allow_unused, materialize_grads)
    if is_grads_batched:
        rest = create_graph, only_inputs, allow_unused, False, materialize_grads
        return _batched(outputs, inputs, grad_outputs, retain_graph, rest)
    outputs, seeds = _paired(outputs, grad_outputs)
    inputs = [inputs] if isinstance(inputs, Tensor) else list(inputs)
    trace = session.trace
    nodes = tuple(trace.node_of(t) for t in outputs)
    given = tuple(seed(t, node, s, trace) for t, node, s in zip(outputs, nodes, seeds, strict=True))
    leaves = tuple(trace.node_of(t) for t in inputs)
    if not all(leaf.requires_grad for leaf in leaves):
        raise GraphcRuntimeError("One of the differentiated Tensors does not require grad")
    with trace.kept_open():
        found = _differentiate(trace, nodes, given, leaves, retain_graph, create_graph)
    results: list[Tensor | None] = []
    for place, (tensor, node) in enumerate(zip(inputs, found, strict=True)):
        if node is not None:
            results.append(wrap(node, trace))
        elif materialize_grads:
            results.append(wrap(full(tensor._type.shape, const(0.0, tensor.dtype)), trace))
        elif allow_unused:
            results.append(None)
        else:
            raise GraphcRuntimeError(
                f"The differentiated Tensor at index {place} appears to not have been used in the "
                "graph. Set allow_unused=True if this is the desired behavior."
            )
    return tuple(results)
