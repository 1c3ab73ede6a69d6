"""Histories that outlive their trace: what they read, and what was used up by ``backward``."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING

from graphc.errors import GraphcRuntimeError
from graphc.ir.graph import topological
from graphc.ir.node import Node
from graphc.marks import CALLS, Variable
from graphc.storage import Storage

if TYPE_CHECKING:
    from graphc.recording import Trace
    from graphc.tensor import Tensor

Nodes = frozenset[Node]


class Past:
    """What a trace knows of backward passes that were taken and of values that are gone."""

    def __init__(self) -> None:
        self.walks: list[tuple[Nodes, Nodes]] = []
        """For each backward pass without ``retain_graph`` its nodes, and those that read values."""
        self.told: set[Node] = set()
        """Nodes that were recorded after such a pass, by a new call."""
        self.expired: set[Node] = set()
        """Inputs that stand for results whose history was used up in an earlier trace."""
        self.stale: set[Node] = set()
        """Inputs whose memory was overwritten before this trace began."""
        self.copies: dict[Node, Storage] = {}
        """The numbers of inputs that the trace's own program overwrote."""

    def spend(self, walked: Nodes, readers: Nodes) -> None:
        """Note a backward pass over ``walked``, after which values are no longer there."""
        self.walks.append((walked, readers))
        self.told -= walked

    def is_spent(self, node: Node | None) -> bool:
        """Whether a second backward pass from this node cannot be taken."""
        return node not in self.told and any(
            node in walked and readers for walked, readers in self.walks
        )

    def check(self, walked: Nodes) -> None:
        """Raise where a backward pass needs what an earlier one has used up."""
        used = any(not readers.isdisjoint(walked - self.told) for _, readers in self.walks)
        if used or not self.expired.isdisjoint(walked):
            raise GraphcRuntimeError(
                "Trying to backward through the graph a second time (or directly access saved "
                "tensors after they have already been freed). Saved intermediate values of the "
                "graph are freed when you call .backward() or autograd.grad(). Specify "
                "retain_graph=True if you need to backward through the graph a second time or if "
                "you need to access saved tensors after calling backward."
            )


def retold(trace: Trace, tensor: Tensor) -> Node:
    """The history of a tensor computed before, told again over what is realised now."""
    old = tensor._trace
    assert old is not None and tensor._node is not None
    new: dict[Node, Node] = {}
    for node in topological([tensor._node]):
        if node in old.leaves:
            leaf = old.leaves[node]
            new[node] = _read_again(trace, old, node, leaf.storage, leaf.version)
        elif isinstance(node.op, Variable) and node in old.realized:
            new[node] = _read_again(trace, old, node, *old.realized[node])
        else:
            new[node] = _made_again(trace, node, new)
            if node in old.retained:
                trace.retained[new[node]] = old.retained[node]
    for walked, readers in old.past.walks:
        nodes = (walked - old.past.told, readers - old.past.told)
        here = [frozenset(new[x] for x in some if x in new) for some in nodes]
        if here[0]:
            trace.past.spend(*here)
    return new[tensor._node]


def _made_again(trace: Trace, node: Node, new: dict[Node, Node]) -> Node:
    """The same use of an op on new operands."""
    operands = tuple(new[x] for x in node.inputs)
    op = Variable(next(trace.numbers)) if isinstance(node.op, Variable) else node.op
    key = ("again", op, operands, node.requires_grad)
    again = trace.memo.get(key)
    if again is None:
        again = trace.memo[key] = Node(
            op,
            operands,
            node.type,
            requires_grad=node.requires_grad,
            device=node.device,
            origin=node.origin,
        )
    if node in CALLS:
        CALLS[again] = CALLS[node].over(new)
    return again


def _read_again(trace: Trace, old: Trace, node: Node, storage: Storage, version: int) -> Node:
    """An input for what an old node read, or for a copy of it; leaves keep their handles."""
    reference: weakref.ref[Tensor] | None = old.variables.get(node)
    handle = reference() if reference is not None else None
    if node in old.past.copies:
        storage = old.past.copies[node]
        version = storage.version
    return trace.leaf(storage, handle, "", version)
