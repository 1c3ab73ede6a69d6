"""Data sets, samplers and loaders against PyTorch's; numbers are drawn by graphc's generator."""

from __future__ import annotations

import collections
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import graphc
from graphc.utils.data import worker
from tests.nn.peers import both, both_fail
from tests.torch_peer import torch

Program = Callable[[Any, Any], Any]
"""What it returns over a package and its ``utils.data`` has no tensors in it."""


def squares(data: Any, count: int = 7) -> Any:
    """A data set of numbers with their squares."""

    class Squares(data.Dataset):  # type: ignore[misc]
        def __getitem__(self, index: int) -> tuple[int, float]:
            if index >= count:
                raise IndexError(index)
            return index, float(index * index)

        def __len__(self) -> int:
            return count

    return Squares()


def counting(data: Any, count: int = 7) -> Any:
    """An iterable data set, of which each of several workers takes its share."""

    class Counting(data.IterableDataset):  # type: ignore[misc]
        def __iter__(self) -> Iterator[int]:
            info = data.get_worker_info()
            start, step = (0, 1) if info is None else (info.id, info.num_workers)
            return iter(range(start, count, step))

        def __len__(self) -> int:
            return count

    return Counting()


def tensors(m: Any) -> Any:
    """A data set of rows and their numbers."""
    return m.utils.data.TensorDataset(m.arange(20.0).reshape(10, 2), m.arange(10))


Point = collections.namedtuple("Point", "x y")

COLLATED: dict[str, Callable[[Any], Any]] = {
    "numbers": lambda m: [1, 2, 3],
    "floats": lambda m: [1.0, 2.5],
    "truth": lambda m: [True, False],
    "text": lambda m: ["a", "b"],
    "bytes": lambda m: [b"a", b"b"],
    "tensors": lambda m: [m.ones(2), m.zeros(2)],
    "scalars": lambda m: [m.tensor(1), m.tensor(2)],
    "arrays": lambda m: [np.ones(2), np.zeros(2)],
    "single precision": lambda m: [np.float32(1), np.float32(2)],
    "numpy integers": lambda m: [np.int32(1), np.int32(2)],
    "numpy truth": lambda m: [np.bool_(True), np.bool_(False)],
    "tuples": lambda m: [(1, 2.0), (3, 4.0)],
    "lists": lambda m: [[1, m.ones(1)], [3, m.zeros(1)]],
    "dictionaries": lambda m: [{"a": 1, "b": [1.0, "x"]}, {"a": 2, "b": [3.0, "y"]}],
    "ordered": lambda m: [collections.OrderedDict(a=1), collections.OrderedDict(a=2)],
    "named": lambda m: [Point(1, 2.0), Point(3, 4.0)],
    "gradients": lambda m: [m.ones(2, requires_grad=True), m.zeros(2)],
    "unequal": lambda m: [[1, 2], [3]],
    "unequal tensors": lambda m: [m.ones(2), m.ones(3)],
    "objects": lambda m: [object(), object()],
    "nothing": lambda m: [None, None],
    "array of text": lambda m: [np.array(["a"])],
}


@pytest.mark.parametrize("case", COLLATED)
def test_collate(case: str) -> None:
    def program(m: Any) -> Any:
        return repr(m.utils.data.default_collate(COLLATED[case](m)))

    try:
        program(torch)
    except (TypeError, RuntimeError):
        both_fail(program)
    else:
        both(program)


@pytest.mark.parametrize("case", [case for case in COLLATED if "unequal" not in case])
def test_convert(case: str) -> None:
    if case not in ("objects",):
        both(lambda m: repr([m.utils.data.default_convert(x) for x in COLLATED[case](m)]))


DATASETS: dict[str, Program] = {
    "tensors": lambda m, d: [repr(x) for x in (tensors(m)[3], tensors(m)[1:3], len(tensors(m)))],
    "tensors of several sizes": lambda m, d: d.TensorDataset(m.ones(2), m.ones(3)),
    "joined": lambda m, d: [(squares(d) + squares(d, 3))[i] for i in (0, 6, 7, 9, -1, -10)],
    "joined's length": lambda m, d: len(squares(d) + squares(d, 3)),
    "joined's sizes": lambda m, d: d.ConcatDataset([squares(d), squares(d)]).cumulative_sizes,
    "joined, too far": lambda m, d: (squares(d) + squares(d))[-15],
    "nothing joined": lambda m, d: d.ConcatDataset([]),
    "iterables joined": lambda m, d: d.ConcatDataset([counting(d)]),
    "chained": lambda m, d: list(counting(d, 2) + counting(d, 3)),
    "chained's length": lambda m, d: len(d.ChainDataset([counting(d, 2), counting(d, 3)])),
    "chained with others": lambda m, d: list(d.ChainDataset([squares(d)])),
    "subset": lambda m, d: [d.Subset(squares(d), [4, 2])[i] for i in (0, 1, -1)],
    "subset's batch": lambda m, d: d.Subset(squares(d), [4, 2, 6]).__getitems__([2, 0]),
    "subset of a subset": lambda m, d: d.Subset(d.Subset(squares(d), [4, 2, 6]), [2])[0],
    "side by side": lambda m, d: d.StackDataset(squares(d), squares(d))[2],
    "side by side, named": lambda m, d: d.StackDataset(a=squares(d), b=squares(d))[2],
    "side by side, batch": lambda m, d: d.StackDataset(
        a=squares(d), b=d.Subset(squares(d), range(6, -1, -1))
    ).__getitems__([1, 2]),
    "side by side, of several sizes": lambda m, d: d.StackDataset(squares(d), squares(d, 2)),
    "nothing side by side": lambda m, d: d.StackDataset(),
    "no samples": lambda m, d: d.Dataset()[0],
    "split": lambda m, d: list(map(len, d.random_split(squares(d, 10), [3, 7]))),
    "split by shares": lambda m, d: list(map(len, d.random_split(squares(d, 11), [0.5, 0.3, 0.2]))),
    "split, too much": lambda m, d: d.random_split(squares(d), [3, 3]),
    "split, wrong share": lambda m, d: d.random_split(squares(d), [1.2, -0.2]),
}


def same_or_both_fail(call: Program) -> None:
    """The program returns the same over both packages, or raises the same error."""

    def program(m: Any) -> Any:
        return call(m, m.utils.data)

    try:
        program(torch)
    except Exception:
        both_fail(program)
    else:
        both(program)


@pytest.mark.parametrize("case", DATASETS)
def test_datasets(case: str) -> None:
    same_or_both_fail(DATASETS[case])


def test_an_empty_split_warns() -> None:
    for m in (graphc, torch):
        with pytest.warns(UserWarning, match="Length of split at index 1 is 0"):
            m.utils.data.random_split(squares(m.utils.data, 1), [0.5, 0.5])


def test_a_split_deals_out_every_sample_once() -> None:
    data: Any = graphc.utils.data
    graphc.manual_seed(3)
    parts = data.random_split(range(100), [30, 70])
    assert sorted(x for part in parts for x in part) == list(range(100))
    assert parts[0].indices != list(range(30))
    graphc.manual_seed(3)
    assert data.random_split(range(100), [0.3, 0.7])[0].indices == parts[0].indices
    seeded = [data.random_split(range(9), [4, 5], graphc.Generator().manual_seed(1)) for _ in "ab"]
    assert seeded[0][0].indices == seeded[1][0].indices


def test_a_subset_with_other_samples_says_how_batches_are_made() -> None:
    def program(m: Any) -> Any:
        class Negative(m.utils.data.Subset):  # type: ignore[misc]
            def __getitem__(self, index: int) -> int:
                return -int(super().__getitem__(index))

        return Negative(range(3), [0])

    both_fail(program)


SAMPLERS: dict[str, Program] = {
    "in order": lambda m, d: list(d.SequentialSampler(range(4))),
    "batches": lambda m, d: list(d.BatchSampler(d.SequentialSampler(range(7)), 3, False)),
    "whole batches": lambda m, d: list(d.BatchSampler(d.SequentialSampler(range(7)), 3, True)),
    "of an iterable": lambda m, d: list(d.BatchSampler(range(4), 2, True)),
    "lengths": lambda m, d: [len(d.BatchSampler(range(7), 3, x)) for x in (True, False)],
    "random, lengths": lambda m, d: [
        len(d.RandomSampler(range(5))),
        len(list(d.RandomSampler(range(5), num_samples=13))),
        len(list(d.RandomSampler(range(5), replacement=True, num_samples=40))),
        len(list(d.SubsetRandomSampler([3, 4]))),
        len(d.WeightedRandomSampler([1.0, 2.0], 9)),
    ],
    "permutations": lambda m, d: [
        sorted(d.RandomSampler(range(9))),
        sorted(d.RandomSampler(range(9), num_samples=18)),
        sorted(d.SubsetRandomSampler([4, 2, 8])),
        sorted(d.WeightedRandomSampler([1.0, 0.0, 1.0], 2, replacement=False)),
        set(d.WeightedRandomSampler([0.0, 1.0, 0.0], 9)),
    ],
    "abstract": lambda m, d: iter(d.Sampler()),
    "no samples": lambda m, d: d.RandomSampler([]),
    "samples": lambda m, d: d.RandomSampler(range(3), num_samples=0),
    "replacement": lambda m, d: d.RandomSampler(range(3), replacement=1),
    "batch size": lambda m, d: d.BatchSampler(range(3), 0, False),
    "batch size's type": lambda m, d: d.BatchSampler(range(3), True, False),
    "drop last": lambda m, d: d.BatchSampler(range(3), 1, 1),
    "weights": lambda m, d: d.WeightedRandomSampler([[1.0]], 1),
    "weighted samples": lambda m, d: d.WeightedRandomSampler([1.0], 0),
    "weighted replacement": lambda m, d: d.WeightedRandomSampler([1.0], 1, 1),
}


@pytest.mark.parametrize("case", SAMPLERS)
def test_samplers(case: str) -> None:
    same_or_both_fail(SAMPLERS[case])


def test_weights_are_kept_in_proportion() -> None:
    graphc.manual_seed(0)
    drawn = list(graphc.utils.data.WeightedRandomSampler([1.0, 3.0], 4000))
    assert abs(sum(drawn) / 4000 - 0.75) < 0.03


LOADERS: dict[str, Program] = {
    "usual": lambda m, d: list(map(repr, d.DataLoader(squares(d)))),
    "batches": lambda m, d: list(map(repr, d.DataLoader(squares(d), 3))),
    "whole batches": lambda m, d: list(map(repr, d.DataLoader(squares(d), 3, drop_last=True))),
    "tensors": lambda m, d: list(map(repr, d.DataLoader(tensors(m), batch_size=4))),
    "tensors from the end": lambda m, d: list(
        map(repr, d.DataLoader(tensors(m), sampler=[-1, 2, -3], batch_size=2))
    ),
    "tensors, too far": lambda m, d: list(d.DataLoader(tensors(m), sampler=[10])),
    "subset of tensors": lambda m, d: list(
        map(repr, d.DataLoader(d.Subset(tensors(m), [5, 1, 9]), batch_size=2))
    ),
    "tensors with gradients": lambda m, d: repr(
        next(iter(d.DataLoader(d.TensorDataset(m.ones(3, requires_grad=True)), 2)))
    ),
    "single samples": lambda m, d: list(map(repr, d.DataLoader(tensors(m), batch_size=None))),
    "own collation": lambda m, d: list(d.DataLoader(squares(d), 3, collate_fn=lambda x: x)),
    "sampler": lambda m, d: list(map(repr, d.DataLoader(squares(d), 2, sampler=[5, 3, 1]))),
    "batch sampler": lambda m, d: list(
        map(repr, d.DataLoader(squares(d), batch_sampler=[[5, 3], [1]]))
    ),
    "iterable": lambda m, d: list(map(repr, d.DataLoader(counting(d), 3))),
    "iterable, whole": lambda m, d: list(map(repr, d.DataLoader(counting(d), 3, drop_last=True))),
    "iterable, single": lambda m, d: list(map(repr, d.DataLoader(counting(d), batch_size=None))),
    "lengths": lambda m, d: [
        len(d.DataLoader(squares(d), 3)),
        len(d.DataLoader(squares(d), 3, drop_last=True)),
        len(d.DataLoader(counting(d), 3)),
        len(d.DataLoader(counting(d), 3, drop_last=True)),
        len(d.DataLoader(counting(d), None)),
        len(iter(d.DataLoader(squares(d), 2))),
    ],
    "attributes": lambda m, d: [
        getattr(d.DataLoader(squares(d), 3), name)
        for name in ("batch_size", "drop_last", "num_workers", "prefetch_factor", "timeout")
    ],
    "twice": lambda m, d: [list(map(repr, loader)) for loader in [d.DataLoader(squares(d), 4)] * 2],
    "list": lambda m, d: list(map(repr, d.DataLoader([1.0, 2.0, 3.0], 2))),
    "dictionary": lambda m, d: list(map(repr, d.DataLoader({0: {"a": 1}, 1: {"a": 2}}, 2))),
    "shuffled iterable": lambda m, d: d.DataLoader(counting(d), shuffle=True),
    "sampled iterable": lambda m, d: d.DataLoader(counting(d), sampler=[1]),
    "batched iterable": lambda m, d: d.DataLoader(counting(d), batch_sampler=[[1]]),
    "sampler and shuffle": lambda m, d: d.DataLoader(squares(d), sampler=[1], shuffle=True),
    "batch sampler and size": lambda m, d: d.DataLoader(squares(d), 2, batch_sampler=[[1]]),
    "no batches to drop": lambda m, d: d.DataLoader(squares(d), None, drop_last=True),
    "workers": lambda m, d: d.DataLoader(squares(d), num_workers=-1),
    "timeout": lambda m, d: d.DataLoader(squares(d), timeout=-1),
    "prefetch": lambda m, d: d.DataLoader(squares(d), prefetch_factor=2),
    "negative prefetch": lambda m, d: d.DataLoader(squares(d), num_workers=1, prefetch_factor=-1),
    "persistent": lambda m, d: d.DataLoader(squares(d), persistent_workers=True),
    "context": lambda m, d: d.DataLoader(squares(d), multiprocessing_context="fork"),
    "fixed": lambda m, d: setattr(d.DataLoader(squares(d)), "batch_size", 2),
    "not fixed": lambda m, d: setattr(d.DataLoader(squares(d)), "collate_fn", 2),
    "batch size": lambda m, d: d.DataLoader(squares(d), 0),
}


@pytest.mark.parametrize("case", LOADERS)
def test_loaders(case: str) -> None:
    same_or_both_fail(LOADERS[case])


def test_shuffling_is_reproducible() -> None:
    data: Any = graphc.utils.data
    loader = data.DataLoader(range(20), batch_size=6, shuffle=True)

    def epoch() -> list[int]:
        return [x for batch in loader for x in batch.tolist()]

    graphc.manual_seed(5)
    first, second = epoch(), epoch()
    graphc.manual_seed(5)
    assert (epoch(), epoch()) == (first, second)
    assert sorted(first) == sorted(second) == list(range(20))
    assert first != second
    own = [graphc.Generator().manual_seed(2) for _ in range(2)]
    orders = [[x.item() for x in data.DataLoader(range(9), shuffle=True, generator=g)] for g in own]
    assert orders[0] == orders[1]


def test_a_batch_of_what_is_pending() -> None:
    def program(m: Any) -> Any:
        class Scaled(m.utils.data.Dataset):  # type: ignore[misc]
            rows = m.arange(12.0).reshape(4, 3)

            def __getitem__(self, index: int) -> Any:
                return self.rows[index] / 255 - 0.5, m.tensor(index)

            def __len__(self) -> int:
                return 4

        return [repr(batch) for batch in m.utils.data.DataLoader(Scaled(), 3)]

    both(program)


def test_batches_do_not_share_the_memory_of_the_data_set() -> None:
    rows = graphc.arange(6.0).reshape(3, 2)
    (batch,) = next(iter(graphc.utils.data.DataLoader(graphc.utils.data.TensorDataset(rows), 2)))
    batch.add_(100)
    assert rows.tolist() == [[0, 1], [2, 3], [4, 5]]


def test_pinned_memory_is_not_there() -> None:
    for m in (graphc, torch):
        with pytest.warns(UserWarning, match="no accelerator is found"):
            list(m.utils.data.DataLoader([1], pin_memory=True))


def test_a_length_that_is_wrong() -> None:
    for m in (graphc, torch):

        class Short(m.utils.data.IterableDataset):  # type: ignore[misc,name-defined]
            def __iter__(self) -> Iterator[int]:
                return iter(range(3))

            def __len__(self) -> int:
                return 2

        loader = m.utils.data.DataLoader(Short(), batch_size=None)
        assert len(loader) == 2
        with pytest.warns(UserWarning, match="was reported to be 2"):
            list(loader)


def in_workers(m: Any, call: Callable[[Any], Any], dataset: Any, **options: Any) -> list[Any]:
    loader = m.utils.data.DataLoader(dataset, num_workers=2, **options)
    return [call(batch) for batch in loader]


PARALLEL: dict[str, Callable[[Any], Any]] = {
    "numbers": lambda m: in_workers(m, repr, squares(m.utils.data), batch_size=2),
    "tensors": lambda m: in_workers(m, repr, tensors(m), batch_size=3, prefetch_factor=1),
    "fewer than workers": lambda m: in_workers(m, repr, squares(m.utils.data, 1)),
    "iterable": lambda m: in_workers(m, repr, counting(m.utils.data), batch_size=2),
    "iterable, whole": lambda m: in_workers(
        m, repr, counting(m.utils.data), batch_size=2, drop_last=True
    ),
    "own collation": lambda m: in_workers(m, repr, squares(m.utils.data), collate_fn=list),
    "computed in a worker": lambda m: in_workers(
        m, repr, tensors(m), batch_size=3, collate_fn=lambda rows: m.stack([x for x, _ in rows]) + 1
    ),
    "asked for by computed numbers": lambda m: in_workers(
        m, repr, tensors(m), sampler=m.arange(4) * 2, collate_fn=lambda rows: rows[0][0]
    ),
    "time enough": lambda m: in_workers(m, repr, squares(m.utils.data), timeout=60),
}


@pytest.mark.parametrize("case", PARALLEL)
def test_workers_fetch_the_same_batches(case: str) -> None:
    both(PARALLEL[case])


def test_workers_stay_for_the_next_pass() -> None:
    def program(m: Any) -> Any:
        data = m.utils.data
        seen = []
        for dataset in (squares(data, 5), counting(data, 5)):
            loader = data.DataLoader(dataset, 2, num_workers=2, persistent_workers=True)
            seen += [[repr(batch) for batch in loader] for _ in range(3)]
            next(iter(loader))  # a pass that is broken off
            seen.append([repr(batch) for batch in loader])
        return seen

    both(program)


def test_batches_out_of_order() -> None:
    data: Any = graphc.utils.data
    loader = data.DataLoader(range(9), num_workers=2, in_order=False)
    assert sorted(batch.item() for batch in loader) == list(range(9))


def test_what_a_worker_knows_of_itself() -> None:
    def program(m: Any) -> Any:
        data = m.utils.data
        started: list[int] = []

        class Told(data.Dataset):  # type: ignore[misc,name-defined]
            def __getitem__(self, index: int) -> tuple[int, ...]:
                info = data.get_worker_info()
                return index, info.id, info.num_workers, len(info.dataset), *started

            def __len__(self) -> int:
                return 4

        loader = data.DataLoader(Told(), num_workers=2, worker_init_fn=started.append)
        return [[x.item() for x in batch] for batch in loader], data.get_worker_info()

    both(program)


def test_workers_draw_numbers_of_their_own() -> None:
    class Drawn(graphc.utils.data.Dataset[Any]):
        def __getitem__(self, index: int) -> Any:
            return graphc.rand(()), np.random.rand(), graphc.initial_seed()

        def __len__(self) -> int:
            return 4

    def numbers() -> list[Any]:
        graphc.manual_seed(1)
        loader = graphc.utils.data.DataLoader(Drawn(), num_workers=2)
        return [[x.item() for x in batch] for batch in loader]

    first = numbers()
    assert first == numbers()
    assert len({x for x, _, _ in first}) == len({y for _, y, _ in first}) == 4
    assert first[1][2] - first[0][2] == 1


def test_numpy_is_seeded_as_in_pytorch() -> None:
    generate_state: Any = torch.utils.data._utils.worker._generate_state

    for number, seed in ((0, 1), (3, 2**40 + 5)):
        entropy = [number, seed & 0xFFFFFFFF, seed >> 32, 0]
        found = np.random.SeedSequence(entropy).generate_state(4).tolist()
        assert found == generate_state(seed, number)


FAILING: dict[str, Callable[[], BaseException]] = {
    "value": lambda: ValueError("no such sample"),
    "key": lambda: KeyError("name"),
    "own": lambda: UnicodeDecodeError("utf-8", b"", 0, 1, "broken"),
}


@pytest.mark.parametrize("case", FAILING)
def test_an_error_in_a_worker_is_raised(case: str) -> None:
    kinds = []
    for m in (graphc, torch):

        class Failing(m.utils.data.Dataset):  # type: ignore[misc,name-defined]
            def __getitem__(self, index: int) -> int:
                raise FAILING[case]()

            def __len__(self) -> int:
                return 4

        with pytest.raises(Exception, match="in DataLoader worker process 0") as found:
            list(m.utils.data.DataLoader(Failing(), num_workers=1))
        assert f"Caught {type(FAILING[case]()).__name__}" in str(found.value)
        assert "Original Traceback" in str(found.value)
        kinds.append(type(found.value))
    assert kinds[0] is kinds[1]


def test_a_worker_that_cannot_be_started_says_so() -> None:
    def fail(number: int) -> None:
        raise ValueError("not today")

    for m in (graphc, torch):
        with pytest.raises(ValueError, match="not today"):
            list(m.utils.data.DataLoader([1], num_workers=1, worker_init_fn=fail))


SLOW = """
import os, sys, time, graphc
class Bad(graphc.utils.data.Dataset):
    def __getitem__(self, index):
        {}
    def __len__(self):
        return 1
try:
    list(graphc.utils.data.DataLoader(Bad(), num_workers=1, timeout={}))
except RuntimeError as error:
    print(error)
"""


@pytest.mark.parametrize(
    ("what", "limit", "message"),
    [
        ("time.sleep(60)", 0.5, "DataLoader timed out after 0.5 seconds"),
        ("os._exit(1)", 20, "exited unexpectedly"),
    ],
)
def test_a_worker_that_gives_no_answer(what: str, limit: float, message: str) -> None:
    program = SLOW.format(what, limit)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert message in done.stdout, done.stderr


def test_more_workers_than_processors_warn(monkeypatch: Any) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0}, raising=False)
    with pytest.warns(UserWarning, match="suggested max number of worker in current system is 1,"):
        loader: Any = graphc.utils.data.DataLoader
        loader([1], num_workers=2)


def test_importing_loads_nothing_heavy() -> None:
    program = "import sys, graphc; print('multiprocessing' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.strip() == "False"
    assert worker.get_worker_info() is None


@pytest.mark.parametrize("drop_last", [False, True])
@pytest.mark.parametrize("count", [0, 1, 7, 8, 10])
def test_shares_of_processes(count: int, drop_last: bool) -> None:
    for rank in range(3):
        found = []
        for data in (graphc.utils.data, torch.utils.data):
            settings = {"num_replicas": 3, "rank": rank, "shuffle": False, "drop_last": drop_last}
            if count or drop_last:
                sampler = data.DistributedSampler(range(count), **settings)
                found.append((list(sampler), len(sampler)))
        assert found[:1] == found[1:]


def test_shares_are_shuffled_alike() -> None:
    def drawn(epoch: int) -> list[list[int]]:
        shares = []
        for rank in range(2):
            sampler = graphc.utils.data.DistributedSampler(range(8), num_replicas=2, rank=rank)
            sampler.set_epoch(epoch)
            shares.append(list(sampler))
        return shares

    assert sorted(x for share in drawn(0) for x in share) == list(range(8))
    assert drawn(0) == drawn(0) != drawn(1)
    with pytest.raises(ValueError, match="Invalid rank 2"):
        graphc.utils.data.DistributedSampler(range(8), num_replicas=2, rank=2)
    with pytest.raises(RuntimeError, match="Requires distributed package"):
        graphc.utils.data.DistributedSampler(range(8))
