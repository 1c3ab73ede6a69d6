"""Copies of tensors: deep ones, other handles on the same memory, and what pickling writes."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.errors import GraphcRuntimeError
from graphc.memory import detached
from graphc.storage import Storage
from graphc.strides import seen_through
from graphc.tensor import Tensor


def _own_attributes(tensor: Tensor) -> dict[str, Any]:
    """What the user has set on a tensor."""
    return {k: v for k, v in tensor.__dict__.items() if not k.startswith("_")}


def deepcopy(self: Tensor, memo: dict[int, Any]) -> Tensor:
    """A copy with memory of its own, which copies of views share as the views do."""
    if not self.is_leaf:
        raise GraphcRuntimeError(
            "Only Tensors created explicitly by the user (graph leaves) support the deepcopy "
            "protocol at the moment.  If you were attempting to deepcopy a module, this may be "
            "because of a torch.nn.utils.weight_norm usage, see "
            "https://github.com/pytorch/pytorch/pull/103001"
        )
    if id(self) in memo:
        return memo[id(self)]  # type: ignore[no-any-return]
    array = self._memory()
    base = self._base
    root = None if base is None else memo.get(("root", id(base)))  # type: ignore[call-overload]
    if root is None and base is not None:
        root = memo["root", id(base)] = rebuild(Tensor, base._memory().copy(), False)  # type: ignore[index]
    made = rebuild(type(self), array.copy() if root is None else array, self._requires_grad)
    if root is not None and not _look_into(made, self, root):
        made._storage = Storage(array.copy())
    made.__dict__.update(_own_attributes(self))
    memo[id(self)] = made
    if base is None:
        memo["root", id(self)] = made  # type: ignore[index]
    if self._grad is not None:
        made._grad = deepcopy(self._grad, memo)
    return made


def _look_into(made: Tensor, source: Tensor, root: Tensor) -> bool:
    """Let ``made`` be a view of ``root`` as ``source`` is of its base, if it can."""
    assert root._storage is not None
    view = seen_through(root._storage.array, source._chain)
    if view is None:
        return False
    made._storage = Storage(view, root._storage)
    made._base, made._chain, made._seen = root, source._chain, root._version
    return True


def shallow_copy(self: Tensor) -> Tensor:
    """Another tensor over the same memory."""
    made = detached(self)
    made.__class__ = type(self)
    made.__dict__.update(_own_attributes(self))
    made._requires_grad = self.requires_grad
    return made


def rebuild(
    kind: type[Tensor],
    array: Any,
    requires_grad: bool,
    attributes: dict[str, Any] | None = None,
    device: str = "",
) -> Tensor:
    """A tensor from its numbers, as unpickling makes it; the user's attributes come along."""
    made = kind.__new__(kind)
    made.__dict__.update(attributes or {})
    made._storage = Storage(array, device=device)
    made._requires_grad = requires_grad
    return made


def reduce_ex(self: Tensor, protocol: Any) -> Any:
    """Pickles as the numbers and whether a gradient is wanted."""
    array = np.ascontiguousarray(self._value()).reshape(self._type.shape)
    settings = self.requires_grad, _own_attributes(self), self._place
    return rebuild, (type(self), array, *settings)


METHODS: dict[str, Any] = {
    "__copy__": shallow_copy,
    "__deepcopy__": deepcopy,
    "__reduce_ex__": reduce_ex,
}
"""What tensors offer."""
