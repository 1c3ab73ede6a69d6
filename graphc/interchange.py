"""Tensors given to numpy and to others that take memory by DLPack, and what numpy gives back."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.errors import GraphcBufferError, GraphcRuntimeError
from graphc.from_data import from_numpy
from graphc.running import let_go
from graphc.storage import Array
from graphc.tensor import Tensor
from graphc.typename import typename


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
    return _given_away(self).__dlpack__(**settings)


def _given_away(x: Tensor) -> Any:
    """The array of a tensor, for somebody who holds the memory itself from now on."""
    x._memory()
    assert x._storage is not None
    let_go(x._storage)
    x._storage.root.shared = True
    return x._storage.array


def dlpack_device(self: Tensor) -> tuple[int, int]:
    """Kind and number of the device by DLPack's numbers: (1, 0) is the CPU, (2, 0) cuda:0."""
    found = self.device
    return (1, 0) if found.type == "cpu" else (2, found.index or 0)


def cuda_array_interface(self: Tensor) -> dict[str, Any]:
    """The memory on a CUDA device, for CuPy, Numba, PyTorch and others (version 3)."""
    if self.device.type != "cuda":
        raise AttributeError(
            "Can't get __cuda_array_interface__ on non-CUDA tensor type: "
            f"{typename(self)}. If CUDA data is required use tensor.cuda() to copy tensor to "
            "device memory."
        )
    if self.requires_grad:
        raise GraphcRuntimeError(
            "Can't get __cuda_array_interface__ on Variable that requires grad. If gradients "
            "aren't required, use var.detach() to get Variable that doesn't require grad."
        )
    found: dict[str, Any] = _given_away(self).__cuda_array_interface__
    return found


METHODS: dict[str, Any] = {
    "__array__": array,
    "__array_wrap__": array_wrap,
    "__dlpack__": dlpack,
    "__dlpack_device__": dlpack_device,
}
"""What tensors offer."""
PROPERTIES: dict[str, Any] = {"__cuda_array_interface__": property(cuda_array_interface)}
