"""Numbers written at once, outside any program: initial values, checkpoints, casts of modules."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.errors import GraphcRuntimeError
from graphc.ir.dtype import DType
from graphc.ir.node import origin_of, recording
from graphc.marks import ToDevice
from graphc.origins import here
from graphc.recording import Detach, session
from graphc.running import let_go
from graphc.storage import Array, Storage
from graphc.tensor import Tensor, bare, bump_epoch, from_storage, wrap


def overwrite(tensor: Tensor, values: Any) -> None:
    """Write ``values`` into the memory of ``tensor`` now.

    What is pending and reads that memory is computed before; what was computed from it can no
    longer be differentiated, as after any write in place.
    """
    tensor._memory()
    storage, base = tensor._storage, tensor._base
    assert storage is not None
    if base is not None and (base._storage is None or base._storage.root is not storage.root):
        array = np.empty(storage.array.shape, storage.array.dtype)
        array[...] = values
        made = Storage(array, device=storage.device)
        tensor._assign(session.trace.leaf(made, None, ""))
        return
    let_go(storage)
    storage.array[...] = values
    storage.root.writes += 1


def is_known(tensor: Tensor) -> bool:
    """Whether the numbers can be read at no cost."""
    storage = tensor._storage
    settled = not tensor._pending and storage is not None and storage.device == "cpu"
    base = tensor._base
    return settled and (base is None or not base._pending) and not session.trace.capturing


def zeros_like(tensor: Tensor) -> Tensor:
    """A tensor of zeros of the type and on the device of ``tensor``, which is not recorded."""
    found = tensor._type
    return from_storage(Storage(np.zeros(found.shape, found.dtype.numpy), device=tensor._place))


def full(shape: tuple[int, ...], value: complex, dtype: DType, device: str = "cpu") -> Tensor:
    """A tensor of one number, which is not recorded."""
    return from_storage(Storage(np.full(shape, value, dtype.numpy), device=device))


def converted(tensor: Tensor, dtype: DType) -> Tensor:
    """The numbers of ``tensor`` in another element type; ``tensor`` itself if it has that one."""
    if tensor.dtype is dtype:
        return tensor
    array: Array = tensor._value().astype(dtype.numpy)
    return from_storage(Storage(array, device=tensor._place))


def on_device(tensor: Tensor, device: str) -> Tensor:
    """``tensor`` on ``device``: itself if it is there, otherwise a copy, recorded where it must."""
    if tensor._place == device:
        return tensor
    trace, storage = session.trace, tensor._storage
    if not (trace.capturing or tensor._pending or tensor.requires_grad) and storage is not None:
        return from_storage(Storage(tensor._memory(), device=device))
    source = trace.node_of(tensor)
    key = ("to_device", device, source, recording.grad_enabled)
    node = trace.memo.get(key)
    if node is None:
        with origin_of(here("to")):
            node = trace.memo[key] = ToDevice(device)(source)
    return wrap(node, trace, "ToCopyBackward0")


def detached(tensor: Tensor) -> Tensor:
    """Another handle on the memory of ``tensor``, which needs no gradient."""
    trace, handle = session.trace, bare()
    root = tensor if tensor._base is None else tensor._base
    handle._base, handle._chain, handle._seen = root, (*tensor._chain, Detach()), root._version
    if not (tensor._pending or root._pending):
        tensor._memory()
        handle._storage = tensor._storage
        return handle
    source = trace.node_of(tensor)
    node = trace.memo.get(("view", Detach(), source))
    if node is None:
        node = trace.memo["view", Detach(), source] = Detach()(source)
    handle._record(trace, node)
    return handle


def _write_over(tensor: Tensor, source: Tensor) -> None:
    if tensor._type != source._type:
        raise GraphcRuntimeError(
            f"data of a tensor {tensor._type} cannot become {source._type} in a compiled function"
        )
    detached(tensor)._assign(session.trace.node_of(detached(source)))


def replace(tensor: Tensor, source: Tensor) -> None:
    """Let ``tensor`` hold the memory of ``source`` from now on: ``tensor.data = source``.

    A compiled function knows no other memory: it writes the numbers of ``source``.
    """
    if session.trace.capturing:
        _write_over(tensor, source)
        return
    tensor._memory()
    source._memory()
    assert source._storage is not None
    source._storage.share_with(tensor, source if source._base is None else source._base)
    tensor._storage = source._storage
    tensor._node, tensor._serial, tensor._home = None, 0, None
    tensor._base, tensor._chain = None, ()
    tensor._writes += 1
    bump_epoch()
