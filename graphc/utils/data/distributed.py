"""The share of a data set that one of several processes takes."""

from __future__ import annotations

from collections.abc import Iterator, Sized
from typing import Any

from graphc.errors import GraphcRuntimeError, GraphcValueError
from graphc.random import Generator
from graphc.sampling import randperm
from graphc.utils.data.sampler import Sampler


class DistributedSampler(Sampler[int]):
    """Every ``num_replicas``-th sample from the ``rank``-th on, in an order of each epoch's own.

    All processes take as many: the last samples are left out with ``drop_last``, and otherwise
    the first ones taken again.

    Raises:
        GraphcRuntimeError: how many processes there are, or which one this is, was not said.
        GraphcValueError: there is no such process.
    """

    def __init__(
        self,
        dataset: Any,
        num_replicas: int | None = None,
        rank: int | None = None,
        shuffle: bool = True,
        seed: int = 0,
        drop_last: bool = False,
    ) -> None:
        if num_replicas is None or rank is None:
            raise GraphcRuntimeError("Requires distributed package to be available")
        if not 0 <= rank < num_replicas:
            raise GraphcValueError(
                f"Invalid rank {rank}, rank should be in the interval [0, {num_replicas - 1}]"
            )
        self.dataset: Sized = dataset
        self.num_replicas, self.rank, self.epoch = num_replicas, rank, 0
        self.shuffle, self.seed, self.drop_last = shuffle, seed, drop_last
        count = len(self.dataset)
        self.num_samples = count // num_replicas if drop_last else -(-count // num_replicas)
        self.total_size = self.num_samples * num_replicas

    def __iter__(self) -> Iterator[int]:
        numbers = list(range(len(self.dataset)))
        if self.shuffle:
            generator = Generator().manual_seed(self.seed + self.epoch)
            numbers = randperm(len(numbers), generator=generator).tolist()
        if numbers:
            numbers *= -(-self.total_size // len(numbers))
        return iter(numbers[self.rank : self.total_size : self.num_replicas])

    def __len__(self) -> int:
        return self.num_samples

    def set_epoch(self, epoch: int) -> None:
        """Take another order from now on."""
        self.epoch = epoch
