"""``grad_fn``: what a tensor's history looks like to the user."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from graphc.ir.node import Node
from graphc.recording import CALLS, Trace, session

if TYPE_CHECKING:
    from graphc.tensor import Tensor


class GradFunction:
    """The step of the backward pass that leads from a result to the operands of its call."""

    def __init__(self, node: Node, trace: Trace) -> None:
        self._node = node
        self._trace = trace

    def name(self) -> str:
        """What kind of step it is, such as ``AddBackward0``."""
        name = type(self).__name__
        return f"torch::autograd::{name}" if name in ("AccumulateGrad", "CopySlices") else name

    @property
    def variable(self) -> Tensor | None:
        """The leaf whose ``grad`` is added to; None for any other step."""
        reference = self._trace.variables.get(self._node)
        return None if reference is None else reference()

    @property
    def next_functions(self) -> tuple[tuple[GradFunction | None, int], ...]:
        """The steps that follow, for each operand of the call; None where none is needed."""
        call = CALLS.get(self._node)
        if call is None or type(self).__name__ == "AccumulateGrad":
            return ()
        return tuple((_step(x, self._trace), 0) for x in call.operands)


@cache
def _kind(name: str) -> type[GradFunction]:
    return type(name, (GradFunction,), {"__module__": "builtins", "__qualname__": name})


def _step(node: Node | None, trace: Trace) -> GradFunction | None:
    if node is None or not node.requires_grad:
        return None
    if node in trace.variables or not node.inputs:
        return _kind("AccumulateGrad")(node, trace)
    call = CALLS.get(node)
    return _kind(call.grad_name if call else _plain_name(node))(node, trace)


def _plain_name(node: Node) -> str:
    return "".join(word.capitalize() for word in node.op.name.split("_")) + "Backward0"


def grad_name(tensor: Tensor) -> str:
    """What ``grad_fn`` prints for a result that needs a gradient."""
    if tensor._rewritten:
        return "AsStridedBackward0"
    if tensor._grad_name:
        return tensor._grad_name
    node = tensor._node
    assert node is not None
    call = CALLS.get(node)
    return call.grad_name if call is not None else _plain_name(node)


def grad_fn(tensor: Tensor) -> GradFunction | None:
    """The backward step of a result, None for a leaf."""
    if tensor._is_leaf or not tensor.requires_grad:
        return None
    assert tensor._node is not None
    return _kind(grad_name(tensor))(tensor._node, tensor._trace or session.trace)
