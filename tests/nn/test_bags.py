"""Bags of embeddings, unpooling and the sampling of images against PyTorch's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc
from tests.nn.peers import both
from tests.torch_peer import compare, integers, normal, same, torch

TABLE = normal(6, 3)
WORDS, BEGINS = integers(6, 9), np.array([0, 2, 2, 5])
Call = Callable[..., Any]

BAGS: dict[str, dict[str, Any]] = {
    "usual": {},
    "sum": {"mode": "sum"},
    "max": {"mode": "max"},
    "last offset": {"include_last_offset": True},
    "padding": {"padding_idx": 2},
    "padding, sum": {"padding_idx": -1, "mode": "sum"},
    "padding, max": {"padding_idx": 2, "mode": "max"},
}


def bag(m: Any, words: Any, begins: Any, table: Any, **settings: Any) -> Any:
    return m.nn.functional.embedding_bag(words, table, begins, **settings)


@pytest.mark.parametrize("case", BAGS)
def test_bags_of_several_sizes(case: str) -> None:
    begins = np.array([0, 2, 2, 5, 9]) if case == "last offset" else BEGINS

    def call(m: Any, words: Any, begins: Any, table: Any) -> Any:
        return bag(m, words, begins, table, **BAGS[case])

    compare(call, (graphc, torch), [WORDS, begins, TABLE])


@pytest.mark.parametrize("case", [case for case in BAGS if case != "last offset"])
def test_bags_of_one_size(case: str) -> None:
    def call(m: Any, words: Any, table: Any) -> Any:
        return bag(m, words, None, table, **BAGS[case])

    compare(call, (graphc, torch), [WORDS.reshape(3, 3), TABLE])


def test_bags_with_weights() -> None:
    def call(m: Any, words: Any, begins: Any, table: Any, weights: Any) -> Any:
        return bag(m, words, begins, table, per_sample_weights=weights, mode="sum")

    compare(call, (graphc, torch), [WORDS, BEGINS, TABLE, normal(9, seed=1)])
    compare(
        lambda m, words, table, weights: bag(
            m, words, None, table, per_sample_weights=weights, mode="sum"
        ),
        (graphc, torch),
        [WORDS.reshape(3, 3), TABLE, normal(3, 3, seed=1)],
    )


def test_gradients_are_divided_by_how_often_a_row_is_named() -> None:
    gradients = []
    for by_frequency in (False, True):
        table = graphc.tensor(TABLE, requires_grad=True)
        words, begins = graphc.tensor(WORDS), graphc.tensor(BEGINS)
        result = bag(graphc, words, begins, table, mode="sum", scale_grad_by_freq=by_frequency)
        (result**2).sum().backward()
        assert table.grad is not None
        gradients.append(table.grad.numpy())
    counts = np.maximum(np.bincount(WORDS, minlength=6), 1)[:, None]
    np.testing.assert_allclose(gradients[1], gradients[0] / counts)


def test_long_rows_are_shortened_in_place() -> None:
    tables = []
    for m in (graphc, torch):
        layer = m.nn.EmbeddingBag.from_pretrained(m.tensor(TABLE), max_norm=1.0, mode="sum")
        layer(m.tensor([[1, 2]]))
        assert not layer.weight.requires_grad
        tables.append(layer.weight)
    same(tables[0], tables[1])
    assert np.linalg.norm(tables[0].numpy()[2]) < 1.001


BAG_LAYERS: dict[str, Callable[[Any], Any]] = {
    "EmbeddingBag": lambda nn: nn.EmbeddingBag(6, 3),
    "EmbeddingBag, settings": lambda nn: nn.EmbeddingBag(
        6, 3, max_norm=2.0, norm_type=1.0, scale_grad_by_freq=True, mode="sum", padding_idx=-2
    ),
    "MaxUnpool1d": lambda nn: nn.MaxUnpool1d(2),
    "MaxUnpool2d": lambda nn: nn.MaxUnpool2d(2, stride=(2, 1), padding=1),
    "MaxUnpool3d": lambda nn: nn.MaxUnpool3d((3, 2, 2), 2),
    "CTCLoss": lambda nn: nn.CTCLoss(1, "sum"),
}


@pytest.mark.parametrize("case", BAG_LAYERS)
def test_layers_print_as_in_pytorch(case: str) -> None:
    assert repr(BAG_LAYERS[case](graphc.nn)) == repr(BAG_LAYERS[case](torch.nn))


def test_the_row_of_padding_is_zero() -> None:
    layer = graphc.nn.EmbeddingBag(6, 3, padding_idx=-2)
    assert layer.padding_idx == 4
    assert not layer.weight[4].any()
    assert layer.weight[3].all()
    result = layer(graphc.tensor([4, 4, 3]), graphc.tensor([0, 2]))
    np.testing.assert_array_equal(
        result.detach().numpy(), [[0, 0, 0], layer.weight[3].detach().numpy()]
    )


POOLS: dict[str, tuple[int, tuple[int, ...], dict[str, Any], Any]] = {
    "1d": (1, (2, 3, 8), {"kernel_size": 2}, None),
    "1d, no batch": (1, (3, 9), {"kernel_size": 3, "stride": 2}, None),
    "2d": (2, (2, 3, 6, 8), {"kernel_size": 2}, None),
    "2d, larger": (2, (2, 3, 7, 5), {"kernel_size": (3, 2), "stride": 2}, (7, 5)),
    "2d, whole size": (2, (1, 2, 5, 5), {"kernel_size": 2}, (1, 2, 5, 5)),
    "2d, padded": (2, (3, 6, 6), {"kernel_size": 3, "stride": 3, "padding": 1}, (6, 6)),
    "3d": (3, (1, 2, 4, 4, 6), {"kernel_size": (2, 2, 3)}, None),
}


@pytest.mark.parametrize("case", POOLS)
def test_unpooling_undoes_pooling(case: str) -> None:
    dims, shape, settings, size = POOLS[case]

    def call(m: Any, x: Any) -> Any:
        nn = m.nn
        pooled, places = getattr(nn, f"MaxPool{dims}d")(**settings, return_indices=True)(x)
        return getattr(nn, f"MaxUnpool{dims}d")(**settings)(pooled, places, output_size=size)

    compare(call, (graphc, torch), [normal(*shape)])


GRIDS = {
    "2d": (normal(2, 3, 4, 5), normal(2, 3, 6, 2, seed=1)),
    "3d": (normal(2, 2, 3, 4, 5), normal(2, 2, 3, 2, 3, seed=1)),
    "narrow": (normal(1, 2, 1, 5), normal(1, 3, 2, 2, seed=1)),
}


@pytest.mark.parametrize("align", [True, False], ids=["corners", "pixels"])
@pytest.mark.parametrize("padding", ["zeros", "border", "reflection"])
@pytest.mark.parametrize("mode", ["bilinear", "nearest", "bicubic"])
@pytest.mark.parametrize("case", GRIDS)
def test_images_at_places(case: str, mode: str, padding: str, align: bool) -> None:
    if case == "3d" and mode == "bicubic":
        return  # PyTorch has no such mode; that it says so is tested below
    compare(
        lambda m, x, grid: m.nn.functional.grid_sample(x, grid, mode, padding, align),
        (graphc, torch),
        list(GRIDS[case]),
    )


@pytest.mark.parametrize("align", [True, False], ids=["corners", "pixels"])
@pytest.mark.parametrize("size", [(2, 3, 4, 5), (2, 1, 1, 3), (2, 1, 3, 4, 5)])
def test_grids_of_affine_maps(size: tuple[int, ...], align: bool) -> None:
    dims = len(size) - 2
    if align and 1 in size[2:]:
        with pytest.warns(UserWarning, match="for unit-size grids when align_corners=True"):
            graphc.nn.functional.affine_grid(graphc.ones(2, 2, 3), size, True)
        return
    compare(
        lambda m, theta: m.nn.functional.affine_grid(theta, size, align),
        (graphc, torch),
        [normal(2, dims, dims + 1)],
    )


def test_a_turned_image() -> None:
    turn = np.array([[[0.6, -0.8, 0.1], [0.8, 0.6, -0.2]]])

    def call(m: Any, x: Any, theta: Any) -> Any:
        with pytest.warns(UserWarning, match="Default grid_sample and affine_grid behavior"):
            grid = m.nn.functional.affine_grid(theta, x.shape)
        return m.nn.functional.grid_sample(x, grid, align_corners=False)

    compare(call, (graphc, torch), [normal(1, 2, 5, 6), turn])


def test_what_a_result_comes_from() -> None:
    def program(m: Any) -> Any:
        f, x = m.nn.functional, m.ones(1, 1, 4, 4, requires_grad=True)
        theta = m.ones(1, 2, 3, requires_grad=True)
        pooled, places = f.max_pool2d(x, 2, return_indices=True)
        results = [
            f.grid_sample(x, m.zeros(1, 2, 2, 2), align_corners=True),
            f.affine_grid(theta, (1, 1, 2, 2), align_corners=True),
            f.max_unpool2d(pooled, places, 2),
            f.max_unpool1d(pooled[0], places[0] * 0, 2),
            f.max_unpool3d(pooled, places * 0, (1, 2, 2)),
            bag(m, m.tensor([[0]]), None, m.ones(2, 2, requires_grad=True)),
        ]
        return [repr(x).split("grad_fn=")[-1] for x in results]

    both(program)


def grid(m: Any, x: Any, places: Any, **settings: Any) -> Any:
    return m.nn.functional.grid_sample(x, places, **{"align_corners": True, **settings})


WRONG: dict[str, Callable[[Any], Any]] = {
    "offsets missing": lambda m: bag(m, m.tensor([0]), None, m.ones(2, 2)),
    "offsets given": lambda m: bag(m, m.tensor([[0]]), m.tensor([0]), m.ones(2, 2)),
    "offsets' rank": lambda m: bag(m, m.tensor([0]), m.tensor([[0]]), m.ones(2, 2)),
    "first offset": lambda m: bag(m, m.tensor([0, 1]), m.tensor([1]), m.ones(2, 2)).sum(),
    "last offset": lambda m: bag(m, m.tensor([0, 1]), m.tensor([0, 3]), m.ones(2, 2)).sum(),
    "words' rank": lambda m: bag(m, m.tensor(0), m.tensor([0]), m.ones(2, 2)),
    "words' type": lambda m: bag(m, m.tensor([0.5]), m.tensor([0]), m.ones(2, 2)),
    "table's rank": lambda m: bag(m, m.tensor([0]), m.tensor([0]), m.ones(2)),
    "mode": lambda m: bag(m, m.tensor([[0]]), None, m.ones(2, 2), mode="min"),
    "frequency": lambda m: bag(
        m, m.tensor([[0]]), None, m.ones(2, 2), mode="max", scale_grad_by_freq=True
    ),
    "weights": lambda m: bag(m, m.tensor([[0]]), None, m.ones(2, 2), per_sample_weights=m.ones(2)),
    "weights' mode": lambda m: bag(
        m, m.tensor([[0]]), None, m.ones(2, 2), per_sample_weights=m.ones(1, 1)
    ),
    "weights' type": lambda m: bag(
        m,
        m.tensor([[0]]),
        None,
        m.ones(2, 2),
        per_sample_weights=m.ones(1, 1, dtype=m.float64),
        mode="sum",
    ),
    "padding": lambda m: bag(m, m.tensor([[0]]), None, m.ones(2, 2), padding_idx=2),
    "layer's padding": lambda m: m.nn.EmbeddingBag(2, 2, padding_idx=2),
    "unpooled size": lambda m: m.nn.functional.max_unpool2d(
        m.ones(1, 2, 2), m.zeros(1, 2, 2).long(), 2, output_size=(9, 9)
    ),
    "unpooled dimensions": lambda m: m.nn.functional.max_unpool2d(
        m.ones(1, 2, 2), m.zeros(1, 2, 2).long(), 2, output_size=(4,)
    ),
    "unpooled indices": lambda m: m.nn.functional.max_unpool2d(
        m.ones(1, 2, 2), m.zeros(1, 2, 1).long(), 2
    ),
    "unpooled indices' type": lambda m: m.nn.functional.max_unpool2d(
        m.ones(1, 2, 2), m.zeros(1, 2, 2), 2
    ),
    "unpooled rank": lambda m: m.nn.functional.max_unpool2d(m.ones(2, 2), m.zeros(2, 2).long(), 2),
    "unpooled place": lambda m: m.nn.functional.max_unpool2d(
        m.ones(1, 1, 1), m.tensor([[[4]]]), 2
    ).sum(),
    "sampling mode": lambda m: grid(m, m.ones(1, 1, 2, 2), m.ones(1, 1, 1, 2), mode="cubic"),
    "sampling padding": lambda m: grid(
        m, m.ones(1, 1, 2, 2), m.ones(1, 1, 1, 2), padding_mode="wrap"
    ),
    "sampling batch": lambda m: grid(m, m.ones(2, 1, 2, 2), m.ones(1, 1, 1, 2)),
    "sampling places": lambda m: grid(m, m.ones(1, 1, 2, 2), m.ones(1, 1, 1, 3)),
    "sampling type": lambda m: grid(m, m.ones(1, 1, 2, 2), m.ones(1, 1, 1, 2, dtype=m.float64)),
    "sampling nothing": lambda m: grid(m, m.ones(1, 1, 0, 2), m.ones(1, 1, 1, 2)),
    "sampling volumes": lambda m: grid(
        m, m.ones(1, 1, 2, 2, 2), m.ones(1, 1, 1, 1, 3), mode="bicubic"
    ),
    "affine maps": lambda m: m.nn.functional.affine_grid(m.ones(2, 2, 4), (2, 1, 2, 2), False),
    "affine types": lambda m: m.nn.functional.affine_grid(
        m.ones(1, 2, 3).long(), (1, 1, 2, 2), False
    ),
    "affine size": lambda m: m.nn.functional.affine_grid(m.ones(1, 2, 3), (1, 1, 2), False),
    "affine batch": lambda m: m.nn.functional.affine_grid(m.ones(2, 2, 3), (1, 1, 2, 2), False),
    "affine nothing": lambda m: m.nn.functional.affine_grid(m.ones(1, 2, 3), (1, 1, 0, 2), False),
}


@pytest.mark.parametrize("case", WRONG)
def test_errors_are_pytorchs(case: str) -> None:
    with pytest.raises(Exception) as theirs:
        WRONG[case](torch)
    with pytest.raises(type(theirs.value)) as ours:
        float(WRONG[case](graphc))
    assert str(theirs.value).split("\n")[0] in str(ours.value)
