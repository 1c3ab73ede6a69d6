"""Indexing, scans, sorting and random numbers of the numpy backend, against PyTorch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from graphc.backends.numpy import special
from tests.backends.special_runner import FLOATS, close, random, rubbish, run

torch = pytest.importorskip("torch", reason="the peers extra compares the kernels with PyTorch")
functional = torch.nn.functional

GATHERS = [((5, 7), (5, 3), 1), ((5, 7), (2, 7), 0), ((4, 5, 6), (3, 9, 6), 1), ((6,), (20,), 0),
           ((3, 4, 5, 2), (3, 4, 8, 2), 2), ((3, 4, 5, 2), (2, 4, 5, 1), -2)]  # fmt: skip


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("case", GATHERS)
def test_gather_and_scatter(case: Any, dtype: str) -> None:
    shape, index_shape, axis = case
    x, source = random(shape, dtype), random(index_shape, dtype, 1)
    index = np.random.default_rng(2).integers(0, shape[axis], index_shape)
    tx, ti, ts = torch.tensor(x), torch.tensor(index), torch.tensor(source)
    out = rubbish(index_shape, dtype)
    run(special.gather("kernel", shape, index_shape, dtype, axis=axis), x, index, out)
    np.testing.assert_array_equal(out, tx.gather(axis, ti).numpy())
    settings: dict[str, Any] = {"axis": axis, "accumulate": True}
    out = rubbish(shape, dtype)
    added = special.scatter("kernel", shape, index_shape, dtype, base=True, **settings)
    run(added, x, source, index, out)
    close(out, tx.scatter_add(axis, ti, ts))
    alone = special.scatter("kernel", shape, index_shape, dtype, base=False, **settings)
    run(alone, source, index, out)
    close(out, torch.zeros_like(tx).scatter_add(axis, ti, ts))
    settings["accumulate"] = False
    put = special.scatter("kernel", shape, index_shape, dtype, base=True, **settings)
    run(put, x, source, index, out)
    close(out, tx.scatter(axis, ti, ts))
    index.reshape(-1)[0] = shape[axis]
    with pytest.raises(RuntimeError) as theirs:
        tx.scatter(axis, torch.tensor(index), ts)
    for rendered in (added, put):
        with pytest.raises(RuntimeError) as ours:
            run(rendered, x, source, index, out)
        assert str(ours.value) == str(theirs.value)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("tokens", [(4, 9), (4, 600)])
def test_embedding(tokens: tuple[int, int], dtype: str) -> None:
    table, dy = random((65, 24), dtype), random((*tokens, 24), dtype, 1)
    ids = np.random.default_rng(2).integers(0, 65, tokens)
    rendered = special.take("kernel", table.shape, ids.shape, dtype)
    out = rubbish(dy.shape, dtype)
    run(rendered, table, ids, out)
    np.testing.assert_array_equal(out, table[ids])
    for padding in (None, int(ids[0, 0])):
        tt = torch.tensor(table, requires_grad=True)
        functional.embedding(torch.tensor(ids), tt, padding).backward(torch.tensor(dy))
        grad = special.embedding_grad("kernel", ids.shape, table.shape, dtype, padding_idx=padding)
        total = rubbish(table.shape, dtype)
        run(grad, dy, ids, total)
        close(total, tt.grad)
    for bad in (65, -1):
        ids[1, 1] = bad
        with pytest.raises(IndexError, match="index out of range in self"):
            run(rendered, table, ids, out)
        with pytest.raises(IndexError, match="index out of range in self"):
            run(grad, dy, ids, total)


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_index_select(axis: int) -> None:
    x, index = random((4, 5, 6), "float32"), np.array([3, 0, 3, 1, 2, 2, 0])
    expected = torch.index_select(torch.tensor(x), axis, torch.tensor(index)).numpy()
    out = rubbish(expected.shape, "float32")
    run(special.take("kernel", x.shape, index.shape, "float32", axis=axis), x, index, out)
    np.testing.assert_array_equal(out, expected)


def test_embedding_grad_of_half_sums_in_float32() -> None:
    ids, dy = np.zeros(4096, np.int64), np.full((4096, 2), 0.1, np.float16)
    out = rubbish((3, 2), "float16")
    run(special.embedding_grad("kernel", ids.shape, out.shape, "float16"), dy, ids, out)
    np.testing.assert_allclose(out[0], 409.5, rtol=1e-3)


INDICES: list[Any] = [
    # x, index shapes
    ((5, 6, 7), [(4,)]),
    ((5, 6, 7), [(4,), (4,)]),
    ((5, 6, 7), [None, (2, 3), (3,)]),
    ((5, 6, 7), [(4,), None, (3, 1)]),
    ((5, 6, 7), [None, None, (9,)]),
    ((5, 6, 7, 2), [None, (3, 2), (1, 2)]),
    ((5,), [(40,)]),
]


@pytest.mark.parametrize("case", INDICES)
@pytest.mark.parametrize("whole", [True, False])
def test_index_and_index_put(case: Any, whole: bool) -> None:
    shape, index_shapes = case
    generator = np.random.default_rng(3)
    indices = [
        None if sizes is None else generator.integers(-shape[axis], shape[axis], sizes)
        for axis, sizes in enumerate(index_shapes)
    ]
    arrays = [index for index in indices if index is not None]
    theirs = [slice(None) if index is None else torch.tensor(index) for index in indices]
    x = random(shape, "float64")
    expected = torch.tensor(x)[tuple(theirs)]
    assert special.indexed_shape(shape, index_shapes)[0] == tuple(expected.shape)
    out = rubbish(tuple(expected.shape), "float64")
    run(special.index("kernel", shape, index_shapes, "float64"), x, *arrays, out)
    np.testing.assert_array_equal(out, expected.numpy())
    source = random(out.shape if whole else out.shape[-1:], "float64", 4)
    for accumulate in (True, False):
        result = rubbish(shape, "float64")
        run(
            special.index_put(
                "kernel", shape, index_shapes, source.shape, "float64", accumulate=accumulate
            ),
            x, source, *arrays, result,
        )  # fmt: skip
        if accumulate:
            nones = [None if index is None else torch.tensor(index) for index in indices]
            wanted = torch.ops.aten.index_put(torch.tensor(x), nones, torch.tensor(source), True)
        else:
            copy = x.copy()
            copy[tuple(slice(None) if i is None else i for i in indices)] = source
            wanted = torch.tensor(copy)
        close(result, wanted)


def test_an_index_out_of_range_is_pytorch_s_error() -> None:
    x, index = random((4, 5), "float64"), np.array([1, 7, 9])
    with pytest.raises(IndexError) as theirs:
        torch.tensor(x)[:, torch.tensor(index)]
    shapes = (None, index.shape)
    read = special.index("kernel", x.shape, shapes, "float64")
    written = special.index_put("kernel", x.shape, shapes, (), "float64", accumulate=False)
    for rendered, operands in ((read, (x, index)), (written, (x, np.array(0.5), index))):
        with pytest.raises(IndexError) as ours:
            run(rendered, *operands, rubbish((4, 3), "float64"))
        assert str(ours.value) == str(theirs.value)


@pytest.mark.parametrize("dtype", [*FLOATS, "int64"])
@pytest.mark.parametrize("axis", [0, 1, -1])
def test_cumulative(axis: int, dtype: str) -> None:
    x = (random((4, 5, 6) if axis else (9, 3, 100), "float64") * 3).astype(dtype)
    for product, op in ((False, torch.cumsum), (True, torch.cumprod)):
        out = rubbish(x.shape, dtype)
        run(special.cumulative("kernel", x.shape, dtype, axis=axis, product=product), x, out)
        np.testing.assert_allclose(out, op(torch.tensor(x), axis).numpy(), 1e-5, 1e-5)


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "uint8", "bool"])
@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("case", [((7,), 0), ((300, 400), -1), ((4, 50, 6), 1), ((30, 5), 0)])
def test_sort(case: Any, descending: bool, dtype: str) -> None:
    shape, axis = case
    x = np.round(random(shape, "float64") * 4)
    if dtype.startswith("float"):
        x[np.random.default_rng(1).random(shape) < 0.1] = np.nan
    elif dtype != "int64":
        x = np.abs(x)
    x = x.astype(dtype)
    expected = torch.sort(torch.tensor(x), dim=axis, descending=descending, stable=True)
    values, indices = rubbish(shape, dtype), rubbish(shape, "int64")
    run(special.sort("kernel", shape, dtype, axis=axis, descending=descending), x, values, indices)
    np.testing.assert_array_equal(values, expected.values.numpy())
    np.testing.assert_array_equal(indices, expected.indices.numpy())
    alone = rubbish(shape, "int64")
    run(special.argsort("kernel", shape, dtype, axis=axis, descending=descending), x, alone)
    np.testing.assert_array_equal(alone, indices)


@pytest.mark.parametrize("largest", [False, True])
def test_top_k_of_equals_keeps_the_first(largest: bool) -> None:
    x = np.random.default_rng(0).integers(0, 9, (70, 2000)).astype(np.float32)
    x[0, 3], x[1, ::5] = np.nan, np.nan
    values, indices = rubbish((70, 11), "float32"), rubbish((70, 11), "int64")
    settings: dict[str, Any] = {"axis": 1, "count": 11, "largest": largest}
    run(special.top_k("kernel", x.shape, "float32", **settings), x, values, indices)
    expected = torch.sort(torch.tensor(x), dim=1, descending=largest, stable=True)
    np.testing.assert_array_equal(values, expected.values[:, :11].numpy())
    np.testing.assert_array_equal(indices, expected.indices[:, :11].numpy())


@pytest.mark.parametrize("largest", [False, True])
@pytest.mark.parametrize("case", [((70,), 0, 5), ((3, 40, 6), 1, 40), ((9, 5000), -1, 7)])
def test_top_k(case: Any, largest: bool) -> None:
    shape, axis, count = case
    x = random(shape, "float32")
    x.reshape(-1)[3] = np.nan
    expected = torch.topk(torch.tensor(x), count, axis, largest=largest)
    values = rubbish(tuple(expected.values.shape), "float32")
    indices = rubbish(values.shape, "int64")
    run(
        special.top_k("kernel", shape, "float32", axis=axis, count=count, largest=largest),
        x, values, indices,
    )  # fmt: skip
    np.testing.assert_array_equal(values, expected.values.numpy())
    np.testing.assert_array_equal(indices, expected.indices.numpy())


def words_of(seed: int, start: int, count: int) -> list[int]:
    """The stream's words, one counter at a time, straight from the definition."""
    words: list[int] = []
    for counter in range(start, start + -(-count // 4)):
        lane = [counter % 2**32, counter % 2**64 >> 32, 0, 0]
        for turn in range(10):
            key = [
                (part + turn * step) % 2**32
                for part, step in ((seed % 2**32, 0x9E3779B9), ((seed >> 32) % 2**32, 0xBB67AE85))
            ]
            first, second = lane[0] * 0xD2511F53, lane[2] * 0xCD9E8D57
            lane = [
                (second >> 32) ^ lane[1] ^ key[0], second % 2**32,
                (first >> 32) ^ lane[3] ^ key[1], first % 2**32,
            ]  # fmt: skip
        words += lane
    return words[:count]


def test_philox_known_answer() -> None:
    # The first vector of Random123's kat_vectors for philox4x32, 10 rounds.
    out = rubbish((4,), "uint32")
    run(special.philox("kernel", 4), np.zeros(2, np.int64), out)
    assert [f"{word:08x}" for word in out] == ["6627e8d5", "e169c58d", "bc57ac4c", "9b00dbd8"]


@pytest.mark.parametrize("seed", [0, 1234567890123456789, -5])
@pytest.mark.parametrize("offset", [0, 2**32 - 3, 2**63 - 1])
@pytest.mark.parametrize("count", [1, 7, 1001])
def test_philox_stream(count: int, offset: int, seed: int) -> None:
    state = np.array([seed, offset], np.int64)
    out = rubbish((count,), "uint32")
    run(special.philox("kernel", count, offset=11), state, out)
    assert out.tolist() == words_of(seed, offset + 11, count)


@pytest.mark.parametrize("parts", [1, 2, 3])
def test_philox_does_not_depend_on_the_workers(parts: int) -> None:
    state, count = np.array([42, 7], np.int64), 100_001
    one, several = rubbish((count,), "uint32"), rubbish((count,), "uint32")
    run(special.philox("kernel", count, parts=1), state, one)
    run(special.philox("kernel", count, parts=parts), state, several)
    np.testing.assert_array_equal(one, several)
    assert one[40_000:40_004].tolist() == words_of(42, 7 + 10_000, 4)


def test_uniform() -> None:
    state, count = np.array([3, 5], np.int64), 70_001
    single, double = rubbish((count,), "float32"), rubbish((count,), "float64")
    run(special.uniform("kernel", count, "float32"), state, single)
    run(special.uniform("kernel", count, "float64"), state, double)
    w = np.array(words_of(3, 5, 2 * count), np.uint64)
    np.testing.assert_array_equal(single, (w[:count] >> 8) / 2**24)
    high, low = w[0::2] >> 5, w[1::2] >> 6
    np.testing.assert_array_equal(double, (high * 2.0**26 + low) * 2.0**-53)
    assert abs(double.mean() - 0.5) < 0.005 and single.max() < 1


@pytest.mark.parametrize("count", [1, 2, 5, 70_001])
@pytest.mark.parametrize("dtype", FLOATS)
def test_normal(dtype: str, count: int) -> None:
    out = rubbish((count,), dtype)
    run(special.normal("kernel", count, dtype), np.array([3, 5], np.int64), out)
    w = np.array(words_of(3, 5, 4 * count + 4), np.uint64)
    if dtype == "float32":
        u, v = ((w[0::2] >> 8) + 1) / 2**24, (w[1::2] >> 8) / 2**24
    else:
        both = ((w[0::2] >> 5) * 2.0**26 + (w[1::2] >> 6)) * 2.0**-53
        u, v = 1 - both[0::2], both[1::2]
    radius, angle = np.sqrt(-2 * np.log(u)), 2 * np.pi * v
    pairs = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
    np.testing.assert_allclose(out, pairs.reshape(-1)[:count], rtol=2e-5, atol=2e-6)
    if count > 10_000:
        assert abs(out.mean()) < 0.02 and abs(out.std() - 1) < 0.02


@pytest.mark.parametrize("bounds", [(0, 10), (-7, 3), (0, 2**32), (-(2**62), 2**62), (5, 6)])
def test_integers(bounds: tuple[int, int]) -> None:
    low, high = bounds
    count, size = 1003, high - low
    out = rubbish((count,), "int64")
    run(special.integers("kernel", count, low, high), np.array([9, 1], np.int64), out)
    w = words_of(9, 1, 2 * count)
    narrow = [low + (word * size >> 32) for word in w[:count]]
    wide = [low + (a + b * 2**32) % size for a, b in zip(w[0::2], w[1::2], strict=True)]
    assert out.tolist() == (narrow if size <= 2**32 else wide)


@pytest.mark.parametrize("count", [1, 6, 50_000])
def test_permutation(count: int) -> None:
    out = rubbish((count,), "int64")
    run(special.permutation("kernel", count), np.array([9, 1], np.int64), out)
    np.testing.assert_array_equal(np.sort(out), np.arange(count))
    w = np.array(words_of(9, 1, 2 * count), np.uint64)
    keys = w[0::2] + (w[1::2] << np.uint64(32))
    np.testing.assert_array_equal(out, np.argsort(keys, kind="stable"))
