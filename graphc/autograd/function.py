"""``autograd.Function``: functions whose gradient the user writes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import wraps
from typing import Any

from graphc.errors import GraphcNotImplementedError, GraphcRuntimeError
from graphc.ir.node import Item, Node, grad_mode, recording
from graphc.ops.composite import Composite
from graphc.ops.movement import zeros
from graphc.recording import Trace, session
from graphc.tensor import Tensor, wrap


class FunctionCtx:
    """What ``forward`` leaves for ``backward``."""

    def __init__(self) -> None:
        self.needs_input_grad: tuple[bool, ...] = ()
        """For each argument of ``forward`` whether it is a tensor that needs a gradient."""
        self._saved: tuple[Tensor | None, ...] = ()
        self._unsaved: Callable[[], tuple[Tensor | None, ...]] | None = None
        self._constant: list[Tensor] = []
        self._dirty: list[Tensor] = []
        self._materialize = True

    def save_for_backward(self, *tensors: Tensor | None) -> None:
        """Keep tensors for ``backward``, which finds them in ``saved_tensors``."""
        self._saved = tensors

    @property
    def saved_tensors(self) -> tuple[Tensor | None, ...]:
        """What ``save_for_backward`` was given."""
        return self._saved if self._unsaved is None else self._unsaved()

    def mark_non_differentiable(self, *tensors: Tensor) -> None:
        """Say of results that no gradient flows through them."""
        self._constant = list(tensors)

    def mark_dirty(self, *tensors: Tensor) -> None:
        """Say of arguments that ``forward`` wrote to them in place."""
        self._dirty = list(tensors)

    def set_materialize_grads(self, value: bool) -> None:
        """Whether ``backward`` is given zeros, not None, where no gradient arrives."""
        self._materialize = value


class _Call:
    """The last call that a node stands for."""

    run: Callable[[Node, tuple[Node | None, ...]], tuple[Node | None, ...]]


def _first(*operands: Node, count: int) -> tuple[Node, ...]:
    return operands[:count]


@dataclass(frozen=True)
class Custom(Composite):
    """The first ``count`` of its operands, with a gradient of the user's own for the others."""

    call: _Call

    def grad(self, node: Node, *gradients: Node | None) -> tuple[Node | None, ...]:
        return self.call.run(node, gradients)


class Function:
    """The base of functions whose gradient the user writes: static ``forward`` and ``backward``."""

    @staticmethod
    def forward(*args: Any, **kwargs: Any) -> Any:
        """The results; ``ctx`` comes first unless there is a ``setup_context``."""
        raise GraphcNotImplementedError(
            "You must implement the forward function for custom autograd.Function."
        )

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        """Fill the context from the arguments and the results."""
        raise GraphcNotImplementedError("setup_context is not implemented.")

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> Any:
        """For each argument of ``forward`` its gradient, given those of the results."""
        raise GraphcNotImplementedError(
            "You must implement either the backward or vjp method for your custom "
            "autograd.Function to use it with backward mode AD."
        )

    @classmethod
    def apply(cls, *args: Any, **kwargs: Any) -> Any:
        """The results of ``forward``, differentiated by ``backward``."""
        ctx = FunctionCtx()
        needs = recording.grad_enabled
        ctx.needs_input_grad = tuple(
            needs and isinstance(x, Tensor) and x.requires_grad for x in args
        )
        before = [session.trace.node_of(x) for x in args if isinstance(x, Tensor)]
        with grad_mode(False):
            if cls.setup_context is Function.setup_context:
                output = cls.forward(ctx, *args, **kwargs)
            else:
                output = cls.forward(*args, **kwargs)
                cls.setup_context(ctx, args, output)
        if not any(ctx.needs_input_grad):
            return output
        return _Recorder(cls, ctx, args, before).record(output)


class _Recorder:
    """Ties the results of one call to its arguments."""

    def __init__(
        self, function: type[Function], ctx: FunctionCtx, args: tuple[Any, ...], before: list[Node]
    ) -> None:
        self.function = function
        self.name = f"{function.__name__}Backward"
        self.ctx = ctx
        self.args = args
        self.before = before
        self.places = [i for i, x in enumerate(args) if isinstance(x, Tensor)]
        """The arguments that are tensors."""
        self.results: list[int] = []
        """The places of the results through which a gradient flows."""
        self.count = 0
        self.shapes: list[Any] = []

    def record(self, output: Any) -> Any:
        """The results, differentiable."""
        trace = session.trace
        outputs = list(output) if isinstance(output, tuple) else [output]
        self.count = len(outputs)
        constant = {id(x) for x in self.ctx._constant}
        self.results = [
            i
            for i, x in enumerate(outputs)
            if isinstance(x, Tensor) and x.dtype.is_inexact and id(x) not in constant
        ]
        made = self._nodes(trace, [outputs[i] for i in self.results])
        for place, node in zip(self.results, made, strict=True):
            outputs[place] = self._handle(outputs[place], node, trace)
        return tuple(outputs) if isinstance(output, tuple) else outputs[0]

    def _handle(self, output: Tensor, node: Node, trace: Trace) -> Tensor:
        if any(output is x for x in self.ctx._dirty):
            output._record(trace, node)
            output._grad_name = self.name
            return output
        return wrap(node, trace, self.name)

    def _nodes(self, trace: Trace, outputs: list[Tensor]) -> list[Node]:
        """The results' nodes: the same ones where the same call is told again."""
        values = [trace.node_of(x) for x in outputs]
        inputs = [
            node if any(x is y for y in self.ctx._dirty) else trace.node_of(x)
            for node, x in zip(self.before, self._tensors(), strict=True)
        ]
        saved = self._saved_places(trace, outputs)
        extra = [trace.node_of(x) for x in saved if isinstance(x, Tensor)]
        trace.has_custom = True
        static = tuple(x for x in self.args if not isinstance(x, Tensor))
        key = ("custom", self.function, len(values), *values, *inputs, *extra, static)
        found = self._known(trace, key, len(values), [*values, *inputs, *extra])
        found[0].op.call.run = _Backward(self, saved, len(values)).run  # type: ignore[attr-defined]
        return found[1:] if len(values) > 1 else found

    def _known(self, trace: Trace, key: Any, count: int, operands: list[Node]) -> list[Node]:
        try:
            found: list[Node] | None = trace.memo.get(key)
        except TypeError:  # an argument that cannot be hashed
            found, key = None, object()
        if found is None:
            op = Custom(self.name, _first, (("count", count),), (True,) * len(operands), _Call())
            node = op(*operands)
            found = [node, *(Item(i)(node) for i in range(count))] if count > 1 else [node]
            trace.memo[key] = found
        return found

    def _tensors(self) -> list[Tensor]:
        return [self.args[i] for i in self.places]

    def _saved_places(self, trace: Trace, outputs: list[Tensor]) -> list[Any]:
        """Each saved tensor as its place among results or arguments, or itself."""
        places: list[Any] = []
        for x in self.ctx._saved:
            known: Sequence[tuple[str, list[Tensor]]] = (
                ("result", outputs),
                ("argument", self._tensors()),
            )
            found: Any = x
            for kind, tensors in known:
                for i, y in enumerate(tensors):
                    if x is y and found is x:
                        found = (kind, i)
            places.append(found)
        return places


class _Backward:
    """The backward pass of one call."""

    def __init__(self, call: _Recorder, saved: list[Any], results: int) -> None:
        self.call = call
        self.saved = saved
        self.results = results

    def run(self, node: Node, gradients: tuple[Node | None, ...]) -> tuple[Node | None, ...]:
        """The gradients for the node's operands."""
        call, trace = self.call, session.trace
        call.ctx._unsaved = lambda: self._unsaved(node, trace)
        given: list[Tensor | None] = [None] * call.count
        for place, gradient, type_ in zip(call.results, gradients, node.types, strict=True):
            if gradient is None and call.ctx._materialize:
                gradient = zeros(type_)
            given[place] = None if gradient is None else wrap(trace.alike(gradient), trace)
        found = call.function.backward(call.ctx, *given)
        flows = self._checked(found if isinstance(found, tuple) else (found,), node, trace)
        return (*[None] * self.results, *flows)

    def _unsaved(self, node: Node, trace: Trace) -> tuple[Tensor | None, ...]:
        extra = iter(node.inputs[self.results + len(self.call.places) :])
        found: list[Tensor | None] = []
        for saved in self.saved:
            if saved is None:
                found.append(None)
            elif isinstance(saved, Tensor):
                found.append(wrap(next(extra), trace))
            elif saved[0] == "argument":
                found.append(wrap(node.inputs[self.results + saved[1]], trace))
            else:
                found.append(wrap(Item(saved[1])(node) if self.results > 1 else node, trace))
        return tuple(found)

    def _checked(self, found: tuple[Any, ...], node: Node, trace: Trace) -> list[Node | None]:
        """The gradients for the tensors among the arguments, and None for what was only saved."""
        call = self.call
        expected = len(call.args)
        if len(found) < expected or any(x is not None for x in found[expected:]):
            raise GraphcRuntimeError(
                f"function {call.name} returned an incorrect number of gradients "
                f"(expected {expected}, got {len(found)})"
            )
        flows: list[Node | None] = [None] * (len(node.inputs) - self.results)
        for i, place in enumerate(call.places):
            gradient = found[place]
            if gradient is None:
                continue
            operand = node.inputs[self.results + i]
            if not isinstance(gradient, Tensor):
                raise GraphcRuntimeError(
                    f"function {call.name} returned a gradient that is no tensor at index {place}"
                )
            if gradient.shape != operand.shape:
                raise GraphcRuntimeError(
                    f"Function {call.name} returned an invalid gradient at index {place} - got "
                    f"{list(gradient.shape)} but expected shape compatible with "
                    f"{list(operand.shape)}"
                )
            flows[i] = trace.node_of(gradient.to(operand.dtype))
        return flows


def once_differentiable(backward: Callable[..., Any]) -> Callable[..., Any]:
    """A ``backward`` whose own gradient nobody may ask for."""

    @wraps(backward)
    def call(ctx: Any, *gradients: Any) -> Any:
        with grad_mode(False):
            return backward(ctx, *gradients)

    return call
