"""A tensor's part in differentiation: its history, its hooks, its memory without either."""

from __future__ import annotations

import weakref
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from graphc.changes import bump_epoch
from graphc.errors import GraphcRuntimeError, GraphcTypeError
from graphc.handles import RemovableHandle, register
from graphc.history import GradFunction, grad_fn
from graphc.memory import detached, replace
from graphc.recording import Detach, root_of, session
from graphc.tensor import Tensor


def _grad_fn(self: Tensor) -> GradFunction | None:
    """The backward step of a result, None for a leaf."""
    base = root_of(self)
    if base is not None and base._pending:
        session.trace.node_of(self)
    return grad_fn(self)


def retain_grad(self: Tensor) -> None:
    """Keep the gradient of this tensor although it is no leaf."""
    if not self.requires_grad:
        raise GraphcRuntimeError("can't retain_grad on Tensor that has requires_grad=False")
    if self._is_leaf or self._retains_grad:
        return
    self._retains_grad = True
    trace = session.trace
    trace.retained[trace.node_of(self)] = weakref.ref(self)


def retains_grad(self: Tensor) -> bool:
    """Whether the gradient of this tensor is kept although it is no leaf."""
    return self._retains_grad and not self._is_leaf


def register_hook(self: Tensor, hook: Callable[[Tensor], Tensor | None]) -> RemovableHandle:
    """Call ``hook`` with the gradient of this tensor, which it may replace."""
    if not self.requires_grad:
        raise GraphcRuntimeError("cannot register a hook on a tensor that doesn't require gradient")
    if self._hooks is None:
        self._hooks = OrderedDict()
    if not self._is_leaf:
        trace = session.trace
        trace.retained[trace.node_of(self)] = weakref.ref(self)
    return register(self, self._hooks, hook)


def register_post_accumulate_grad_hook(
    self: Tensor, hook: Callable[[Tensor], None]
) -> RemovableHandle:
    """Call ``hook`` with this leaf whenever something was added to its ``grad``."""
    if not self.requires_grad:
        raise GraphcRuntimeError("cannot register a hook on a tensor that doesn't require gradient")
    if not self._is_leaf:
        raise GraphcRuntimeError(
            "post accumulate grad hooks cannot be registered on non-leaf tensors"
        )
    if self._grad_hooks is None:
        self._grad_hooks = OrderedDict()
    return register(self, self._grad_hooks, hook)


def _data(self: Tensor) -> Tensor:
    """The same memory, without history."""
    return detached(self)


def _set_data(self: Tensor, source: Tensor) -> None:
    if not isinstance(source, Tensor):
        raise GraphcTypeError(f"Variable data has to be a tensor, but got {type(source).__name__}")
    replace(self, source)


def detach_(self: Tensor) -> Tensor:
    """Cut this tensor off from its history."""
    if self._is_leaf:
        self.requires_grad = False
        return self
    if self._base is not None:
        raise GraphcRuntimeError(
            "Can't detach views in-place. Use detach() instead. If you are using "
            "DistributedDataParallel (DDP) for training, and gradient_as_bucket_view is set as "
            "True, gradients are views of DDP buckets, and hence detach_() cannot be called on "
            "these gradients. To fix this error, please refer to the Optimizer.zero_grad() "
            "function in torch/optim/optimizer.py as a solution."
        )
    trace = session.trace
    node = Detach()(trace.node_of(self)) if self._pending else None
    self._is_leaf, self._spent, self._grad_name = True, False, ""
    bump_epoch()
    if node is not None:
        self._record(trace, node)
    else:
        self._trace, self._node, self._serial = None, None, 0
    return self


METHODS: dict[str, Any] = {
    "retain_grad": retain_grad,
    "register_hook": register_hook,
    "register_post_accumulate_grad_hook": register_post_accumulate_grad_hook,
    "detach_": detach_,
}
"""What tensors offer."""
PROPERTIES: dict[str, Any] = {
    "data": property(_data, _set_data, doc=_data.__doc__),
    "grad_fn": property(_grad_fn),
    "retains_grad": property(retains_grad),
}
