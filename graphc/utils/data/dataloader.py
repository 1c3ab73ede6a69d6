"""DataLoader: batches of a data set, one after the other."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterable, Iterator
from itertools import repeat
from typing import Any, Generic, Self, TypeVar

from graphc import cuda
from graphc.errors import GraphcTypeError, GraphcValueError
from graphc.random import Generator
from graphc.utils.data.collate import default_collate, default_convert
from graphc.utils.data.dataset import Dataset, IterableDataset
from graphc.utils.data.fetch import Source
from graphc.utils.data.sampler import (
    BatchSampler,
    RandomSampler,
    Sampler,
    SequentialSampler,
    drawn_seed,
)

T_co = TypeVar("T_co", covariant=True)

FIXED = frozenset(
    ("batch_size", "batch_sampler", "sampler", "drop_last", "dataset", "persistent_workers")
)
"""What cannot be changed once a loader is made."""


class _Forever(Sampler[None]):
    """Says again and again that another sample is wanted."""

    def __iter__(self) -> Iterator[None]:
        return repeat(None)


class DataLoader(Generic[T_co]):
    """Batches of a data set, in order, shuffled or as a sampler says."""

    _ready = False

    def __init__(
        self,
        dataset: Dataset[T_co],
        batch_size: int | None = 1,
        shuffle: bool | None = None,
        sampler: Iterable[Any] | None = None,
        batch_sampler: Iterable[Any] | None = None,
        num_workers: int = 0,
        collate_fn: Callable[[Any], Any] | None = None,
        pin_memory: bool = False,
        drop_last: bool = False,
        timeout: float = 0,
        worker_init_fn: Callable[[int], None] | None = None,
        multiprocessing_context: Any = None,
        generator: Generator | None = None,
        *,
        prefetch_factor: int | None = None,
        persistent_workers: bool = False,
        pin_memory_device: str = "",
        in_order: bool = True,
    ) -> None:
        _check_workers(num_workers, timeout, prefetch_factor, persistent_workers)
        self.dataset: Any = dataset
        self.num_workers = num_workers
        self.prefetch_factor = prefetch_factor
        if num_workers and prefetch_factor is None:
            self.prefetch_factor = 2
        self.pin_memory, self.pin_memory_device = pin_memory, pin_memory_device
        self.timeout, self.worker_init_fn = timeout, worker_init_fn
        self.multiprocessing_context = _context(multiprocessing_context, num_workers)
        self.in_order, self.persistent_workers = in_order, persistent_workers
        self._iterable = isinstance(dataset, IterableDataset)
        if self._iterable:
            _check_iterable(shuffle, sampler, batch_sampler)
        batch_size, drop_last = _check_batches(
            batch_size, bool(shuffle), sampler, batch_sampler, drop_last
        )
        sampler = sampler if sampler is not None else self._usual_sampler(shuffle, generator)
        if batch_size is not None and batch_sampler is None:
            batch_sampler = BatchSampler(sampler, batch_size, drop_last)
        self.batch_size, self.drop_last, self.sampler = batch_size, drop_last, sampler
        self.batch_sampler, self.generator = batch_sampler, generator
        usual = default_convert if batch_sampler is None else default_collate
        self.collate_fn = collate_fn if collate_fn is not None else usual
        self._workers: Any = None
        self._told_length: int | None = None
        self._ready = True
        self.check_worker_number_rationality()

    def _usual_sampler(self, shuffle: bool | None, generator: Generator | None) -> Sampler[Any]:
        if self._iterable:
            return _Forever()
        return (
            RandomSampler(self.dataset, generator=generator)
            if shuffle
            else SequentialSampler(self.dataset)
        )

    def __setattr__(self, name: str, value: Any) -> None:
        if self._ready and name in FIXED:
            raise GraphcValueError(
                f"{name} attribute should not be set after {type(self).__name__} is initialized"
            )
        super().__setattr__(name, value)

    @property
    def _index_sampler(self) -> Iterable[Any]:
        """The numbers of each batch, or of each sample where samples are not batched."""
        return self.sampler if self.batch_sampler is None else self.batch_sampler

    @property
    def _source(self) -> Source:
        batched = self.batch_sampler is not None
        return Source(self.dataset, self._iterable, batched, self.collate_fn, self.drop_last)

    def __iter__(self) -> Batches:
        return Batches(self)

    def __len__(self) -> int:
        if not self._iterable:
            return len(self._index_sampler)  # type: ignore[arg-type]
        count = self._told_length = len(self.dataset)
        if self.batch_size is None:
            return count
        return count // self.batch_size if self.drop_last else -(-count // self.batch_size)

    def check_worker_number_rationality(self) -> None:
        """Warn where there are more workers than processors."""
        bound = hasattr(os, "sched_getaffinity")
        count = len(os.sched_getaffinity(0)) if bound else os.cpu_count()
        if count is None or self.num_workers <= count:
            return
        warnings.warn(
            f"This DataLoader will create {self.num_workers} worker processes in total. Our "
            f"suggested max number of worker in current system is {count}"
            f"{'' if bound else ' (`cpuset` is not taken into account)'}, which is smaller than "
            "what this DataLoader is going to create. Please be aware that excessive worker "
            "creation might get DataLoader running slow or even freeze, lower the worker number "
            "to avoid potential slowness/freeze if necessary.",
            stacklevel=3,
        )


class Batches:
    """One pass over the batches of a loader."""

    def __init__(self, loader: DataLoader[Any]) -> None:
        self.loader, self.yielded = loader, 0
        if loader.pin_memory and not cuda.is_available():
            warnings.warn(
                "'pin_memory' argument is set as true but no accelerator is found, then device "
                "pinned memory won't be used.",
                stacklevel=3,
            )
        self.numbers = iter(loader._index_sampler)
        base_seed = drawn_seed(loader.generator)
        self.workers: Any = None
        if not loader.num_workers:
            self.fetch = loader._source.fetcher()
        else:
            self.workers = self._started(base_seed)

    def _started(self, base_seed: int) -> Any:
        from graphc.utils.data.parallel import Workers

        loader = self.loader
        if not loader.persistent_workers:
            return Workers(loader, base_seed)
        if loader._workers is None:
            loader._workers = Workers(loader, base_seed)
        else:
            loader._workers.restart()
        return loader._workers

    def __iter__(self) -> Self:
        return self

    def __len__(self) -> int:
        return len(self.loader._index_sampler)  # type: ignore[arg-type]

    def __next__(self) -> Any:
        batch = self.fetch(next(self.numbers)) if self.workers is None else self._from_workers()
        self.yielded += 1
        told = self.loader._told_length
        if self.loader._iterable and told is not None and self.yielded > told:
            warnings.warn(
                f"Length of IterableDataset {self.loader.dataset} was reported to be {told}"
                f"(when accessing len(dataloader)), but {self.yielded} samples have been "
                "fetched. ",
                stacklevel=2,
            )
        return batch

    def _from_workers(self) -> Any:
        try:
            return self.workers.next()
        except StopIteration:
            if not self.loader.persistent_workers:
                self.workers.close()
            raise


def _check_workers(workers: int, timeout: float, prefetch: int | None, persistent: bool) -> None:
    if workers < 0:
        raise GraphcValueError(
            "num_workers option should be non-negative; use num_workers=0 to disable "
            "multiprocessing."
        )
    if timeout < 0:
        raise GraphcValueError("timeout option should be non-negative")
    if not workers and prefetch is not None:
        raise GraphcValueError(
            "prefetch_factor option could only be specified in multiprocessing."
            "let num_workers > 0 to enable multiprocessing, otherwise set prefetch_factor to None."
        )
    if prefetch is not None and prefetch < 0:
        raise GraphcValueError("prefetch_factor option should be non-negative")
    if persistent and not workers:
        raise GraphcValueError("persistent_workers option needs num_workers > 0")


def _check_iterable(shuffle: Any, sampler: Any, batch_sampler: Any) -> None:
    for name, value, usual in (
        ("shuffle", shuffle, (False, None)),
        ("sampler", sampler, (None,)),
        ("batch_sampler", batch_sampler, (None,)),
    ):
        if value not in usual:
            raise GraphcValueError(
                f"DataLoader with IterableDataset: expected unspecified {name} option, but got "
                f"{name}={value}"
            )


def _check_batches(
    batch_size: int | None, shuffle: bool, sampler: Any, batch_sampler: Any, drop_last: bool
) -> tuple[int | None, bool]:
    """The size of batches, and whether a last one that is smaller is left out."""
    if sampler is not None and shuffle:
        raise GraphcValueError("sampler option is mutually exclusive with shuffle")
    if batch_sampler is not None:
        if batch_size != 1 or shuffle or sampler is not None or drop_last:
            raise GraphcValueError(
                "batch_sampler option is mutually exclusive with batch_size, shuffle, sampler, "
                "and drop_last"
            )
        return None, False
    if batch_size is None and drop_last:
        raise GraphcValueError(
            "batch_size=None option disables auto-batching and is mutually exclusive with drop_last"
        )
    return batch_size, drop_last


def _context(given: Any, workers: int) -> Any:
    """The way in which processes are started, as multiprocessing has it."""
    if given is None:
        return None
    if not workers:
        raise GraphcValueError(
            "multiprocessing_context can only be used with multi-process loading "
            f"(num_workers > 0), but got num_workers={workers}"
        )
    import multiprocessing
    from multiprocessing.context import BaseContext

    if isinstance(given, str):
        known = multiprocessing.get_all_start_methods()
        if given not in known:
            raise GraphcValueError(
                "multiprocessing_context option should specify a valid start method in "
                f"{known!r}, but got multiprocessing_context={given!r}"
            )
        return multiprocessing.get_context(given)
    if not isinstance(given, BaseContext):
        raise GraphcTypeError(
            "multiprocessing_context option should be a valid context object or a string "
            f"specifying the start method, but got multiprocessing_context={given}"
        )
    return given
