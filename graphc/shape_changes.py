"""Other shapes in place: the handle becomes a view of what it was, and no number is written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import prod
from typing import Any

import numpy as np

from graphc.arguments import checked
from graphc.changes import bump_epoch
from graphc.errors import GraphcRuntimeError
from graphc.functions.operands import c_type
from graphc.functions.shaping import Extents
from graphc.in_place import check_leaf
from graphc.ir.node import recording
from graphc.lift import lift
from graphc.memory import replace as replace_memory
from graphc.ops.function import FUNCTIONS
from graphc.recording import root_of, session
from graphc.storage import Storage
from graphc.tensor import Tensor, bare, from_storage

_STATE = (
    "_storage",
    "_node",
    "_serial",
    "_pending",
    "_trace",
    "_is_leaf",
    "_spent",
    "_grad_name",
    "_home",
    "_base",
    "_chain",
    "_seen",
    "_rewritten",
    "_error",
)
"""What a handle stands for, and how it came to that."""


def _squeezed(dim: Any = None) -> int:
    """PyTorch's number of the step: with no dimension, one, or several."""
    return 3 if dim is None else 4 if isinstance(dim, int) else 5


_GRAD_NAMES: dict[str, Callable[..., str]] = {
    "squeeze": lambda *dim: f"SqueezeBackward{_squeezed(*dim)}",
    "unsqueeze": lambda *dim: "UnsqueezeBackward1",
    "t": lambda *dims: "TBackward0",
    "transpose": lambda *dims: "TransposeBackward1",
}


def become(tensor: Tensor, look: Callable[[Tensor], Tensor]) -> Tensor:
    """Let ``tensor`` be the view that ``look`` gives of it.

    Views that there are of it then look into what it was, which a handle of its own stands for.
    """
    trace = session.trace
    if trace.capturing and tensor._storage is not None:
        raise GraphcRuntimeError(
            "a compiled function cannot change the shape of a tensor that there is outside"
        )
    was_pending = tensor._pending
    source = tensor if tensor._base is not None else _root(tensor)
    state = vars(look(source))
    for name in _STATE:
        vars(tensor).pop(name, None)
    vars(tensor).update({name: state[name] for name in _STATE if name in state})
    if tensor._pending and not was_pending:
        trace.wait(tensor)
    root = root_of(tensor)
    (tensor if root is None else root)._writes += 1
    tensor._seen = tensor._version
    bump_epoch()
    return tensor


def _root(tensor: Tensor) -> Tensor:
    """A handle on what ``tensor`` stands for."""
    root = bare()
    fields = vars(tensor)
    vars(root).update({x: fields[x] for x in (*_STATE, "_writes", "_name") if x in fields})
    if root._pending:
        session.trace.wait(root)
    return root


def _changing(name: str, form: str) -> Callable[..., Tensor]:
    """The method ``name``, which makes a tensor what the function ``form`` gives of it."""
    lifted = lift(replace(FUNCTIONS[form], name=name), method=True)
    grad_name = _GRAD_NAMES.get(form, _GRAD_NAMES["transpose"])

    def method(self: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        if form == "t" and self.ndim > 2:
            raise GraphcRuntimeError(
                f"t_() expects a tensor with <= 2 dimensions, but self is {self.ndim}D"
            )
        if recording.grad_enabled:
            check_leaf(self)
        elif self._is_leaf and self._requires_grad:
            replace_memory(self, lifted(self.detach(), *args, **kwargs))
            return self
        become(self, lambda x: lifted(x, *args, **kwargs))
        if self.requires_grad:
            self._grad_name, self._rewritten = grad_name(*args, *kwargs.values()), False
        return self

    method.__name__ = method.__qualname__ = name
    method.__doc__ = f"``{form}``, in place: the memory stays, the shape changes."
    return method


def resize_(self: Tensor, size: Extents, *, memory_format: Any = None) -> Tensor:
    """The elements in the order of memory in another shape; those that there were not are zero."""
    shape = (size,) if isinstance(size, int) else tuple(size)
    if self.requires_grad:
        raise GraphcRuntimeError("cannot resize variables that require grad")
    if any(n < 0 for n in shape):
        raise GraphcRuntimeError("numel: integer multiplication overflow")
    if shape == self.shape:
        return self
    count, own = prod(shape), self._type.size
    if count <= own and self.is_contiguous():
        return become(self, lambda x: x.view(-1)[:count].view(shape))
    array = np.zeros(count, self.dtype.numpy)
    elements = self._value().ravel(order="K")[:count]
    array[: elements.size] = elements
    made = Storage(array.reshape(shape), device=self._place)
    replace_memory(self, from_storage(made))
    return self


def resize_as_(input: Tensor, the_template: Tensor, *, memory_format: Any = None) -> Tensor:
    """``resize_`` to the shape of another tensor."""
    return resize_(input, tuple(the_template.shape))


def set_(self: Tensor, source: Tensor | None = None) -> Tensor:
    """The memory of another tensor from now on; no element without one."""
    if recording.grad_enabled:
        check_leaf(self)
    if source is None:
        empty = np.empty(0, self.dtype.numpy)
        source = from_storage(Storage(empty, device=self._place))
    if source.dtype is not self.dtype:
        raise GraphcRuntimeError(
            f"Could not set tensor of type {c_type(source.dtype)} to a tensor of type "
            f"{c_type(self.dtype)}"
        )
    replace_memory(self, source)
    return self


NAMESPACE: dict[str, Any] = {"resize_as_": checked(resize_as_)}
"""What the package offers by name."""
METHODS: dict[str, Any] = {
    **{
        f"{form}_": _changing(f"{form}_", form)
        for form in ("squeeze", "unsqueeze", "t", "transpose", "swapaxes", "swapdims")
    },
    **{f.__name__: checked(f, method=True) for f in (resize_, resize_as_, set_)},
}
"""What tensors offer."""
