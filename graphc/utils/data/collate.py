"""Samples put together as a batch."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, MutableMapping, MutableSequence, Sequence
from typing import Any

import numpy as np

from graphc.errors import GraphcRuntimeError, GraphcTypeError
from graphc.from_data import as_tensor, tensor
from graphc.ir.dtype import float64
from graphc.recording import session
from graphc.storage import Storage
from graphc.surface import LIFTED
from graphc.tensor import Tensor, from_storage

TEXT = (str, bytes)


def _stacked(batch: Sequence[Tensor]) -> Tensor:
    """Tensors along a new first dimension; of numbers that are there, without recording it."""
    first = batch[0]
    recorded = session.trace.capturing or any(x.requires_grad for x in batch)
    if recorded or any(x.shape != first.shape or x.dtype is not first.dtype for x in batch):
        result: Tensor = LIFTED["stack"](list(batch))
        return result
    return from_storage(Storage(np.stack([x._value() for x in batch]), device=str(first.device)))


def _unfit(kind: Any) -> GraphcTypeError:
    return GraphcTypeError(
        "default_collate: batch must contain tensors, numpy arrays, numbers, dicts or lists; "
        f"found {kind}"
    )


def default_collate(batch: Sequence[Any]) -> Any:
    """One batch of the samples: tensors and numbers stacked, containers gone into."""
    first = batch[0]
    if isinstance(first, Tensor):
        return _stacked(batch)
    if isinstance(first, np.ndarray):
        if first.dtype.kind in "SaUO":
            raise _unfit(first.dtype)
        return _stacked([as_tensor(x) for x in batch])
    if isinstance(first, np.bool_ | np.number):
        return as_tensor(np.stack(list(batch)))
    if isinstance(first, float):
        return tensor(list(batch), dtype=float64)
    if isinstance(first, int):
        return tensor(list(batch))
    if isinstance(first, TEXT):
        return batch
    if isinstance(first, Mapping):
        return _mapped(first, lambda key: default_collate([sample[key] for sample in batch]))
    if isinstance(first, tuple) and hasattr(first, "_fields"):
        return type(first)(*map(default_collate, zip(*batch, strict=False)))
    if isinstance(first, Sequence):
        if any(len(sample) != len(first) for sample in batch):
            raise GraphcRuntimeError("each element in list of batch should be of equal size")
        columns = [default_collate(column) for column in zip(*batch, strict=True)]
        return columns if isinstance(first, tuple) else _listed(first, columns)
    raise _unfit(type(first))


def default_convert(data: Any) -> Any:
    """A sample with its arrays as tensors."""
    if isinstance(data, Tensor):
        return data
    if isinstance(data, np.ndarray | np.generic):
        return data if data.dtype.kind in "SaUO" else as_tensor(data)
    if isinstance(data, Mapping):
        return _mapped(data, lambda key: default_convert(data[key]))
    if isinstance(data, tuple) and hasattr(data, "_fields"):
        return type(data)(*map(default_convert, data))
    if isinstance(data, Sequence) and not isinstance(data, TEXT):
        made = [default_convert(x) for x in data]
        return made if isinstance(data, tuple) else _listed(data, made)
    return data


def _mapped(like: Any, value: Callable[[Any], Any]) -> Any:
    """A mapping of the kind of ``like`` with other values, or a dictionary where that fails."""
    made = {key: value(key) for key in like}
    try:
        if not isinstance(like, MutableMapping):
            return type(like)(made)
        clone = copy.copy(like)
        clone.update(made)
        return clone
    except TypeError:
        return made


def _listed(like: Any, values: list[Any]) -> Any:
    """A sequence of the kind of ``like`` with other elements, or a list where that fails."""
    try:
        if not isinstance(like, MutableSequence):
            return type(like)(values)
        clone = copy.copy(like)
        for i, value in enumerate(values):
            clone[i] = value
        return clone
    except TypeError:
        return values
