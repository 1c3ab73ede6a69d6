"""What runs in a process that loads batches for another one."""

from __future__ import annotations

import os
import pickle
import random
from dataclasses import dataclass
from queue import Empty
from traceback import format_exc
from typing import Any

import numpy as np

from graphc.random import manual_seed
from graphc.running import close
from graphc.threads import set_num_threads
from graphc.utils.data.fetch import Fetch, Source

PATIENCE = 5.0
"""Seconds after which a process that waits looks whether the other one is still there."""


@dataclass(frozen=True, slots=True)
class WorkerInfo:
    """Which worker this process is, of how many."""

    id: int
    num_workers: int
    seed: int
    dataset: Any


class _Here:
    """The worker that this process is, if it is one."""

    info: WorkerInfo | None = None


def get_worker_info() -> WorkerInfo | None:
    """Which worker this process is, or None in the main process."""
    return _Here.info


@dataclass(frozen=True)
class Ended:
    """The worker's iterable data set has come to its end."""

    worker: int


@dataclass(frozen=True)
class Again:
    """Begin another pass."""


class _KeyErrorMessage(str):
    """Printed as it is, where a KeyError prints the repr of its argument."""

    def __repr__(self) -> str:
        return str(self)


@dataclass(frozen=True)
class Failure:
    """An exception in a worker, to be raised in the main process."""

    kind: type[BaseException]
    text: str
    worker: int

    def reraise(self) -> None:
        """Raise an exception of the same kind, which tells where the first one came from."""
        message: str = (
            f"Caught {self.kind.__name__} in DataLoader worker process {self.worker}.\n"
            f"Original {self.text}"
        )
        if self.kind is KeyError:
            message = _KeyErrorMessage(message)
        try:
            error = self.kind(message)
        except Exception:
            raise RuntimeError(message) from None
        raise error


def _failure(error: Exception, worker: int) -> Failure:
    return Failure(type(error), format_exc(), worker)


@dataclass(frozen=True)
class Job:
    """What a worker is started with."""

    source: Source
    requests: Any
    """A queue of numbered requests; None ends the work."""
    results: Any
    done: Any
    """An event: the main process asks for nothing more."""
    base_seed: int
    init: Any
    worker: int
    workers: int


def _seed(job: Job) -> int:
    """Seed all generators of this process."""
    seed = job.base_seed + job.worker
    random.seed(seed)
    manual_seed(seed)
    entropy = [job.worker, job.base_seed & 0xFFFFFFFF, job.base_seed >> 32, 0]
    np.random.seed(np.random.SeedSequence(entropy).generate_state(4))
    return seed


def work(job: Job) -> None:
    """Answer requests until there are no more."""
    set_num_threads(1)
    seed = _seed(job)
    _Here.info = WorkerInfo(job.worker, job.workers, seed, job.source.dataset)
    try:
        _answer(job, _started(job))
    except KeyboardInterrupt:
        return
    if job.done.is_set():
        job.results.cancel_join_thread()
        job.results.close()


def _started(job: Job) -> Fetch | Failure:
    try:
        if job.init is not None:
            job.init(job.worker)
        return job.source.fetcher()
    except Exception as error:
        return _failure(error, job.worker)


def _answer(job: Job, fetch: Fetch | Failure) -> None:
    parent, ended = os.getppid(), False
    while os.getppid() == parent:
        try:
            request = job.requests.get(timeout=PATIENCE)
        except Empty:
            continue
        if request is None:
            return
        if isinstance(request, Again):
            job.results.put((request, None))
            fetch, ended = job.source.fetcher(), False
        elif not (job.done.is_set() or ended):
            number, indices = request
            answer = _fetched(job, fetch, pickle.loads(indices))
            ended = isinstance(answer, Ended)
            job.results.put((number, answer))


def _fetched(job: Job, fetch: Fetch | Failure, indices: Any) -> Any:
    if isinstance(fetch, Failure):
        return fetch
    try:
        answer = fetch(indices)
        close()  # The queue sends from a thread of its own, where nothing can be computed.
        return answer
    except StopIteration as error:
        return Ended(job.worker) if job.source.iterable else _failure(error, job.worker)
    except Exception as error:
        return _failure(error, job.worker)
