"""Tensors given to numpy and to others that take memory by DLPack, and what numpy gives back."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.errors import GraphcBufferError
from graphc.from_data import from_numpy
from graphc.running import let_go
from graphc.storage import Array
from graphc.tensor import Tensor


def array(self: Tensor, dtype: Any = None, copy: bool | None = None) -> Array:
    """The memory as numpy sees it, or a copy where another type or a copy is asked for."""
    found = self.numpy()
    if dtype is not None:
        found = found.astype(dtype, copy=False)
    return found.copy() if copy else found


def array_wrap(
    self: Tensor, array: Any, context: Any = None, return_scalar: bool = False
) -> Tensor:
    """What a function of numpy gives for tensors, as a tensor; truth values as bytes."""
    made = np.asarray(array)
    return from_numpy(made.astype(np.uint8) if made.dtype == bool else made)


def dlpack(self: Tensor, **settings: Any) -> Any:
    """The memory as a DLPack capsule."""
    if self.requires_grad:
        raise GraphcBufferError("Can't export tensors that require gradient, use tensor.detach()")
    settings.pop("stream", None)
    self._value()
    assert self._storage is not None
    let_go(self._storage)
    self._storage.root.shared = True  # a capsule holds the memory itself
    return self._storage.array.__dlpack__(**settings)


def dlpack_device(self: Tensor) -> tuple[int, int]:
    """Kind and number of the device by DLPack's numbers: (1, 0) is the CPU."""
    return (1, 0)


METHODS: dict[str, Any] = {
    "__array__": array,
    "__array_wrap__": array_wrap,
    "__dlpack__": dlpack,
    "__dlpack_device__": dlpack_device,
}
"""What tensors offer."""
