"""Batches from a data set."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from graphc.memory import is_known
from graphc.storage import Storage
from graphc.tensor import Tensor, from_storage
from graphc.utils.data.collate import default_collate
from graphc.utils.data.dataset import Subset, TensorDataset

Fetch = Callable[[Any], Any]
"""Given the numbers of a batch or of one sample, the batch. Raises StopIteration at the end."""


@dataclass(frozen=True)
class Source:
    """A data set and how its samples become batches."""

    dataset: Any
    iterable: bool
    batched: bool
    """Whether samples are put together here, or come as they are."""
    collate: Callable[[Any], Any]
    drop_last: bool

    def fetcher(self) -> Fetch:
        """What fetches the batches of one pass."""
        return _Iterated(self) if self.iterable else self._indexed

    def _indexed(self, numbers: Any) -> Any:
        if not self.batched:
            return self.collate(self.dataset[numbers])
        rows = _rows(self.dataset, numbers) if self.collate is default_collate else None
        if rows is not None:
            return rows
        if getattr(self.dataset, "__getitems__", None):
            return self.collate(self.dataset.__getitems__(numbers))
        return self.collate([self.dataset[number] for number in numbers])


class _Iterated:
    """Fetches what an iterable data set gives next."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.samples = iter(source.dataset)
        self.ended = False

    def __call__(self, numbers: Any) -> Any:
        source = self.source
        if self.ended:
            raise StopIteration
        if not source.batched:
            return source.collate(next(self.samples))
        data = []
        for _ in numbers:
            try:
                data.append(next(self.samples))
            except StopIteration:
                self.ended = True
                break
        if not data or (source.drop_last and len(data) < len(numbers)):
            raise StopIteration
        return source.collate(data)


def _rows(dataset: Any, numbers: Any) -> list[Tensor] | None:
    """The batch of a data set that is made of tensors whose numbers are there, each at once."""
    while type(dataset) is Subset:
        numbers, dataset = [dataset.indices[number] for number in numbers], dataset.dataset
    if type(dataset) is not TensorDataset:
        return None
    count = len(dataset)
    if not all(type(number) is int and -count <= number < count for number in numbers):
        return None
    if any(x.requires_grad or not is_known(x) for x in dataset.tensors):
        return None
    pairs = ((x._value()[numbers], str(x.device)) for x in dataset.tensors)
    return [from_storage(Storage(array, device=device)) for array, device in pairs]
