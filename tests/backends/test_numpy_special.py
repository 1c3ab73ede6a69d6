"""Convolution and pooling of the numpy backend, rendered and run, against PyTorch."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np
import pytest

from graphc.backends.numpy import special
from tests.backends.special_runner import FLOATS, close, random, rubbish, run

torch = pytest.importorskip("torch", reason="the peers extra compares the kernels with PyTorch")
functional = torch.nn.functional

CONVOLUTIONS = [
    # x, w, stride, padding, dilation, groups
    ((2, 3, 9), (4, 3, 3), (1,), (0,), (1,), 1),
    ((3, 4, 10), (6, 2, 3), (2,), (1,), (2,), 2),
    ((5, 1, 28, 28), (8, 1, 3, 3), (1, 1), (0, 0), (1, 1), 1),
    ((2, 3, 9, 7), (4, 3, 3, 2), (1, 1), (1, 0), (1, 1), 1),
    ((3, 3, 17, 19), (8, 3, 7, 7), (2, 2), (3, 3), (1, 1), 1),
    ((2, 4, 11, 12), (6, 2, 3, 3), (2, 3), (1, 2), (2, 1), 2),
    ((2, 6, 8, 8), (6, 1, 3, 3), (1, 1), (1, 1), (1, 1), 6),
    ((2, 6, 8, 8), (12, 1, 3, 3), (2, 2), (1, 1), (1, 1), 6),
    ((2, 8, 9, 9), (5, 8, 1, 1), (1, 1), (0, 0), (1, 1), 1),
    ((2, 8, 9, 9), (6, 4, 1, 1), (1, 1), (0, 0), (1, 1), 2),
    ((2, 8, 5, 5), (5, 8, 1, 1), (1, 1), (0, 0), (1, 1), 1),
    ((2, 8, 9, 9), (5, 8, 1, 1), (2, 2), (0, 0), (1, 1), 1),
    ((2, 3, 12, 12), (8, 3, 4, 4), (4, 4), (0, 0), (1, 1), 1),
    ((1, 2, 5, 6, 7), (4, 2, 3, 2, 3), (1, 1, 1), (1, 0, 1), (1, 1, 1), 1),
    ((3, 4, 6, 6, 7), (4, 2, 2, 3, 3), (2, 1, 2), (0, 1, 1), (1, 2, 1), 2),
    ((1, 1, 4, 4), (1, 1, 4, 4), (1, 1), (0, 0), (1, 1), 1),
]


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("parts", [1, 2])
@pytest.mark.parametrize("limit", [4 << 20, 3000])
@pytest.mark.parametrize("case", CONVOLUTIONS)
def test_convolution_and_gradients(
    case: Any, limit: int, parts: int, dtype: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_module(f"{special.__name__}.convolution"), "SCRATCH_LIMIT", limit)
    x_shape, w_shape, stride, padding, dilation, groups = case
    settings: dict[str, Any] = {
        "stride": stride,
        "padding": padding,
        "dilation": dilation,
        "groups": groups,
    }
    x, w = random(x_shape, dtype), random(w_shape, dtype, 1)
    tx, tw = torch.tensor(x, requires_grad=True), torch.tensor(w, requires_grad=True)
    op = [functional.conv1d, functional.conv2d, functional.conv3d][len(stride) - 1]
    expected = op(tx, tw, **settings)
    out = rubbish(tuple(expected.shape), dtype)
    run(special.convolution("kernel", x_shape, w_shape, dtype, **settings, parts=parts), x, w, out)
    close(out, expected)
    dy = random(out.shape, dtype, 2)
    expected.backward(torch.tensor(dy))
    dx, dw = rubbish(x_shape, dtype), rubbish(w_shape, dtype)
    run(
        special.convolution_input_grad(
            "kernel", dy.shape, w_shape, x_shape, dtype, **settings, parts=parts
        ),
        dy, w, dx,
    )  # fmt: skip
    close(dx, tx.grad)
    run(
        special.convolution_weight_grad(
            "kernel", x_shape, dy.shape, w_shape, dtype, **settings, parts=parts
        ),
        x, dy, dw,
    )  # fmt: skip
    close(dw, tw.grad, 5)


@pytest.mark.parametrize("output_padding", [(0, 0), (1, 0)])
def test_transposed_convolution(output_padding: tuple[int, int]) -> None:
    x, w = random((2, 6, 5, 7), "float64"), random((6, 4, 3, 3), "float64", 1)
    settings: dict[str, Any] = {
        "stride": (2, 3),
        "padding": (1, 0),
        "dilation": (1, 2),
        "groups": 2,
    }
    expected = functional.conv_transpose2d(
        torch.tensor(x), torch.tensor(w), **settings, output_padding=output_padding
    )
    out = rubbish(tuple(expected.shape), "float64")
    run(
        special.convolution_input_grad(
            "kernel", x.shape, w.shape, out.shape, "float64", **settings
        ),
        x, w, out,
    )  # fmt: skip
    close(out, expected)


def test_convolution_half_sums_in_float32() -> None:
    x, w = random((2, 64, 8, 8), "float16"), random((8, 64, 3, 3), "float16", 1)
    settings: dict[str, Any] = {
        "stride": (1, 1),
        "padding": (1, 1),
        "dilation": (1, 1),
        "groups": 1,
    }
    out = rubbish((2, 8, 8, 8), "float16")
    run(special.convolution("kernel", x.shape, w.shape, "float16", **settings), x, w, out)
    expected = functional.conv2d(torch.tensor(x).float(), torch.tensor(w).float(), padding=1)
    close(out, expected.half())


def test_convolution_scratch_is_bounded() -> None:
    rendered = special.convolution(
        "kernel", (64, 32, 26, 26), (64, 32, 3, 3), "float32",
        stride=(1, 1), padding=(0, 0), dilation=(1, 1), groups=1,
    )  # fmt: skip
    for shape, dtype in rendered.scratch:
        assert np.prod(shape) * np.dtype(dtype).itemsize <= 4 << 20


POOLS = [
    # x, kernel, stride, padding, dilation, ceil mode
    ((2, 3, 9), (3,), (2,), (1,), (1,), True),
    ((2, 3, 8, 8), (2, 2), (2, 2), (0, 0), (1, 1), False),
    ((2, 3, 9, 7), (2, 2), (2, 2), (0, 0), (1, 1), True),
    ((2, 3, 9, 7), (3, 3), (2, 2), (1, 1), (1, 1), False),
    ((2, 3, 9, 7), (3, 2), (1, 3), (1, 0), (2, 3), False),
    ((2, 3, 10, 11), (4, 3), (3, 2), (2, 1), (1, 2), True),
    ((2, 3, 12, 13), (12, 12), (1, 1), (6, 6), (1, 1), False),
    ((2, 2, 5, 6, 7), (2, 3, 2), (2, 1, 2), (1, 0, 1), (1, 1, 1), True),
    ((16, 32, 24, 24), (2, 2), (2, 2), (0, 0), (1, 1), False),
]


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("fill", ["normal", "ties", "nan", "lowest"])
@pytest.mark.parametrize("case", POOLS)
def test_max_pool(case: Any, fill: str, dtype: str) -> None:
    shape, kernel, stride, padding, dilation, ceil_mode = case
    x = random(shape, dtype)
    if fill == "ties":
        x = np.round(x)
    elif fill == "nan":
        x[np.random.default_rng(1).random(shape) < 0.3] = np.nan
    elif fill == "lowest":
        x[np.random.default_rng(1).random(shape) < 0.9] = -np.inf
    settings: dict[str, Any] = {
        "kernel": kernel,
        "stride": stride,
        "padding": padding,
        "dilation": dilation,
    }
    tx = torch.tensor(x, requires_grad=True)
    op = [functional.max_pool1d, functional.max_pool2d, functional.max_pool3d][len(kernel) - 1]
    values, indices = op(
        tx, kernel, stride, padding, dilation, ceil_mode=ceil_mode, return_indices=True
    )
    ours, places = rubbish(tuple(values.shape), dtype), rubbish(tuple(values.shape), "int64")
    run(special.max_pool("kernel", shape, dtype, ceil_mode=ceil_mode, **settings), x, ours, places)
    np.testing.assert_array_equal(ours, values.detach().numpy())
    np.testing.assert_array_equal(places, indices.numpy())
    alone = rubbish(ours.shape, dtype)
    rendered = special.max_pool(
        "kernel", shape, dtype, ceil_mode=ceil_mode, indices=False, **settings
    )
    run(rendered, x, alone)
    np.testing.assert_array_equal(alone, ours)
    dy = random(ours.shape, dtype, 3)
    values.backward(torch.tensor(dy))
    dx = rubbish(shape, dtype)
    run(special.max_pool_grad("kernel", shape, ours.shape[2:], dtype, **settings), dy, places, dx)
    close(dx, tx.grad)


# PyTorch's avg_pool1d takes no divisor_override.
AVERAGES = [
    (case, override)
    for case in POOLS
    for override in (None, 5)
    if set(case[4]) == {1} and (override is None or len(case[1]) > 1)
]


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("include", [True, False])
@pytest.mark.parametrize(("case", "override"), AVERAGES)
def test_average_pool(case: Any, override: int | None, include: bool, dtype: str) -> None:
    shape, kernel, stride, padding, _, ceil_mode = case
    x = random(shape, dtype)
    tx = torch.tensor(x, requires_grad=True)
    op = [functional.avg_pool1d, functional.avg_pool2d, functional.avg_pool3d][len(kernel) - 1]
    more = {} if len(kernel) == 1 else {"divisor_override": override}
    expected = op(tx, kernel, stride, padding, ceil_mode, include, **more)
    settings: dict[str, Any] = {
        "kernel": kernel, "stride": stride, "padding": padding,
        "count_include_pad": include, "divisor_override": override,
    }  # fmt: skip
    out = rubbish(tuple(expected.shape), dtype)
    run(special.average_pool("kernel", shape, dtype, ceil_mode=ceil_mode, **settings), x, out)
    close(out, expected)
    dy = random(out.shape, dtype, 3)
    expected.backward(torch.tensor(dy))
    dx = rubbish(shape, dtype)
    run(special.average_pool_grad("kernel", shape, out.shape[2:], dtype, **settings), dy, dx)
    close(dx, tx.grad)
