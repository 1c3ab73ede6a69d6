"""Views of realised tensors, through numpy: the same memory, and nothing is recorded."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

from graphc.arguments import Signature, fitted
from graphc.calls import holds_tensor, key_of, nodes_of
from graphc.errors import GraphcError
from graphc.ir.node import Node, Origin, make_input, origin_of
from graphc.ops.function import Function
from graphc.origins import here, located
from graphc.recording import Trace
from graphc.storage import Storage
from graphc.strides import seen_through
from graphc.tensor import Tensor, bare

Chain = tuple[Any, ...]
"""View ops, one after the other."""


@dataclass(frozen=True)
class Look:
    """What a call comes to for an operand of one type."""

    chains: tuple[Chain, ...]
    """The view ops that lead to each result; none where a result is no view."""
    container: type | None
    """What the results are given in; None for a single one."""
    same: bool
    """Whether the result is the operand itself."""


def host_view(
    function: Function, expected: Signature, trace: Trace, args: Any, kwargs: Any, method: bool
) -> Any:
    """The result as a view of the first argument's memory; None where it must be recorded."""
    source = args[0]
    if (
        not isinstance(source, Tensor)
        or not _is_settled(source)
        or holds_tensor(args[1:])
        or (kwargs and holds_tensor(kwargs.values()))
    ):
        return None
    storage = source._storage
    assert storage is not None
    key: Hashable = None
    try:
        key = (
            "host view", function, method, storage.type, storage.device,
            *[key_of(trace, x) for x in args[1:]],
            *[(name, key_of(trace, x)) for name, x in kwargs.items()],
        )  # fmt: skip
        look = trace.memo.get(key)
    except TypeError:  # an argument that cannot be hashed
        look = key = None
    if look is None:
        look = _look(function, expected, trace, args, kwargs, method)
        if key is not None:
            trace.memo[key] = look
    return source if look.same else _views(source, storage, look)


def _is_settled(source: Tensor) -> bool:
    """Whether the tensor is realised, and no history or recorded write goes with it."""
    return not (
        source._pending
        or source._storage is None
        or source._trace is not None
        or source._requires_grad
        or source._spent
        or (source._base is not None and source._base._pending)
    )


def _look(
    function: Function, expected: Signature, trace: Trace, args: Any, kwargs: Any, method: bool
) -> Look:
    storage = args[0]._storage
    args, kwargs, _ = fitted(expected, args, kwargs, method=method)
    start = make_input("x", storage.type, device=storage.device)
    with origin_of(Origin(function=function.name)):
        try:
            result = function.call(start, *[nodes_of(trace, x) for x in args[1:]], **kwargs)
        except GraphcError as error:
            raise located(error, here(function.name), [start]) from None
    if result is start and function.same:
        return Look((), None, True)
    results = [result] if isinstance(result, Node) else list(result)
    chains = [_chain(start, x) for x in results]
    container = None if isinstance(result, Node) else type(result)
    return Look(
        tuple(c for c in chains if c is not None) if None not in chains else (), container, False
    )


def _chain(start: Node, node: Node) -> Chain | None:
    """The view ops from ``start`` to ``node``, or None where there is another op between."""
    chain: list[Any] = []
    while node is not start:
        if not node.inputs or not hasattr(node.op, "put"):
            return None
        chain.append(node.op)
        node = node.inputs[0]
    return tuple(reversed(chain))


def _views(source: Tensor, storage: Storage, look: Look) -> Any:
    made = []
    for chain in look.chains:
        array = seen_through(storage.array, chain)
        if array is None:
            return None
        made.append(_view(source, Storage(array, storage) if chain else storage, chain))
    if look.container is not None:
        return look.container(made) if made else None
    return made[0] if made else None


def _view(source: Tensor, storage: Storage, chain: Chain) -> Tensor:
    root = source._base if source._base is not None else source
    tensor = bare()
    tensor._storage = storage
    tensor._base = root
    tensor._chain = source._chain + chain
    tensor._seen = root._version
    return tensor
