"""A pass over a data set whose batches are fetched by other processes."""

from __future__ import annotations

import pickle
from itertools import cycle
from queue import Empty
from typing import TYPE_CHECKING, Any

from graphc.utils.data.worker import PATIENCE, Again, Ended, Failure, Job, work

if TYPE_CHECKING:
    from graphc.utils.data.dataloader import DataLoader

MISSING = object()


class Workers:
    """The processes of a loader, and what they were asked for."""

    def __init__(self, loader: DataLoader[Any], base_seed: int) -> None:
        self.loader = loader
        self.batches: Any = iter(())
        self.closed = False
        context = loader.multiprocessing_context or _context()
        self.results, self.done = context.Queue(), context.Event()
        self.requests: list[Any] = []
        self.processes: list[Any] = []
        for worker in range(loader.num_workers):
            requests = context.Queue()
            requests.cancel_join_thread()
            job = Job(
                loader._source,
                requests,
                self.results,
                self.done,
                base_seed,
                loader.worker_init_fn,
                worker,
                loader.num_workers,
            )
            process = context.Process(target=work, args=(job,), daemon=True)
            process.start()
            self.requests.append(requests)
            self.processes.append(process)
        self._begin()

    def restart(self) -> None:
        """Begin another pass with the same processes."""
        for requests in self.requests:
            requests.put(Again())
        waiting = len(self.requests)
        while waiting:
            waiting -= isinstance(self._received()[0], Again)
        self._begin()

    def _begin(self) -> None:
        self.batches = iter(self.loader._index_sampler)
        self.asked = self.given = 0
        """How many batches were asked for, and how many were handed on."""
        self.owners: dict[int, int] = {}
        """Who was asked for which batch that has not been handed on."""
        self.arrived: dict[int, Any] = {}
        self.active = [True] * len(self.processes)
        self.turns = cycle(range(len(self.processes)))
        for _ in range((self.loader.prefetch_factor or 1) * len(self.processes)):
            self._ask()

    def _ask(self) -> None:
        """Ask the next worker in turn for the next batch."""
        if not any(self.active):
            return
        indices = next(self.batches, MISSING)
        if indices is MISSING:
            return
        worker = next(i for i in self.turns if self.active[i])
        # Pickled here: the queue does it in a thread of its own, where no tensor can be computed.
        self.requests[worker].put((self.asked, pickle.dumps(indices)))
        self.owners[self.asked] = worker
        self.asked += 1

    def next(self) -> Any:
        """The next batch. Raises StopIteration after the last one."""
        while True:
            self._skip_what_nobody_fetches()
            if self.given == self.asked:
                raise StopIteration
            if self.given in self.arrived:
                return self._hand_on(self.given)
            number, answer = self._received()
            if isinstance(answer, Ended):
                self.active[answer.worker] = False
                self._ask()
                continue
            self.arrived[number] = answer
            if not self.loader.in_order:
                return self._hand_on(number)

    def _skip_what_nobody_fetches(self) -> None:
        while self.given < self.asked and self.given not in self.arrived:
            owner = self.owners.get(self.given)
            if owner is not None and self.active[owner]:
                return
            self.owners.pop(self.given, None)
            self.given += 1

    def _hand_on(self, number: int) -> Any:
        answer = self.arrived.pop(number)
        del self.owners[number]
        if number == self.given:
            self.given += 1
        self._ask()
        if isinstance(answer, Failure):
            answer.reraise()
        return answer

    def _received(self) -> tuple[Any, Any]:
        limit = self.loader.timeout
        while True:
            try:
                return self.results.get(timeout=limit or PATIENCE)  # type: ignore[no-any-return]
            except Empty:
                self._check_alive()
                if limit:
                    raise RuntimeError(f"DataLoader timed out after {limit} seconds") from None

    def _check_alive(self) -> None:
        dead = [
            str(process.pid)
            for process, active in zip(self.processes, self.active, strict=True)
            if active and not process.is_alive()
        ]
        if dead:
            raise RuntimeError(f"DataLoader worker (pid(s) {', '.join(dead)}) exited unexpectedly")

    def close(self) -> None:
        """End the processes."""
        if self.closed:
            return
        self.closed = True
        self.done.set()
        for requests in self.requests:
            requests.put(None)
        for process in self.processes:
            process.join(timeout=PATIENCE)
        for requests in self.requests:
            requests.cancel_join_thread()
            requests.close()
        for process in self.processes:
            if process.is_alive():
                process.terminate()
                process.join(timeout=PATIENCE)

    def __del__(self) -> None:
        if hasattr(self, "processes"):
            self.close()


def _context() -> Any:
    """Forked processes, where there are such: they need no copy of the data set."""
    import multiprocessing

    methods = multiprocessing.get_all_start_methods()
    return multiprocessing.get_context("fork" if "fork" in methods else None)
