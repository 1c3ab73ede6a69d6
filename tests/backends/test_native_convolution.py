"""Kernels of convolution and its gradients in generated C, against the table and PyTorch."""

from __future__ import annotations

import ctypes
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from graphc.backends.native.convolution import CONVOLUTION, FINISHING, preferred
from graphc.backends.native.epilogue import Epilogue
from graphc.backends.native.made import Made, Maker, Setting
from graphc.backends.native.targets import TARGETS, host
from graphc.lowering.operands import Operand
from graphc.lowering.views import dense
from graphc.ops.convolution import (
    Convolution,
    ConvolutionWeightGrad,
    Window,
)
from tests.backends.native_alone import Array, library_of
from tests.backends.native_convolutions import FINISH, HERE, Shape, draw, laid, ops, wanted
from tests.backends.native_samples import (
    Use,
    check_samples,
    node_of,
    run_all,
    text_of,
    use_of,
)

SETTINGS: list[tuple[Shape, Shape, tuple[Shape, Shape, Shape, int]]] = [
    # x, w; stride, padding, dilation, groups
    ((2, 3, 29), (7, 3, 4), ((1,), (2,), (1,), 1)),
    ((3, 10, 31), (6, 5, 3), ((3,), (0,), (2,), 2)),
    ((2, 1, 28, 28), (32, 1, 3, 3), ((1, 1), (0, 0), (1, 1), 1)),
    ((1, 3, 33, 30), (16, 3, 7, 7), ((2, 2), (3, 3), (1, 1), 1)),
    ((3, 24, 13, 11), (40, 24, 3, 3), ((1, 1), (1, 1), (1, 1), 1)),
    ((2, 32, 14, 14), (48, 32, 3, 3), ((2, 2), (1, 1), (1, 1), 1)),
    ((2, 16, 9, 9), (33, 16, 1, 1), ((1, 1), (0, 0), (1, 1), 1)),
    ((2, 16, 9, 10), (8, 16, 1, 1), ((2, 3), (0, 0), (1, 1), 1)),
    ((1, 5, 12, 17), (9, 5, 2, 3), ((5, 4), (1, 0), (1, 1), 1)),
    ((2, 6, 15, 14), (10, 6, 3, 2), ((2, 1), (2, 3), (3, 2), 1)),
    ((2, 12, 8, 9), (18, 4, 3, 3), ((1, 2), (1, 1), (1, 1), 3)),
    ((1, 64, 6, 5), (64, 16, 3, 3), ((1, 1), (1, 1), (1, 1), 4)),
    ((2, 32, 11, 10), (32, 1, 3, 3), ((1, 1), (1, 1), (1, 1), 32)),
    ((2, 21, 12, 9), (21, 1, 3, 5), ((2, 3), (1, 2), (1, 1), 21)),
    ((2, 7, 9, 9), (14, 1, 3, 3), ((1, 1), (1, 1), (1, 1), 7)),
    ((1, 4, 5, 7, 6), (6, 4, 2, 3, 2), ((1, 1, 1), (0, 1, 1), (1, 1, 1), 1)),
    ((2, 4, 6, 7, 9), (4, 2, 3, 2, 3), ((2, 1, 3), (1, 0, 1), (1, 2, 1), 2)),
    ((2, 8, 1, 1), (20, 8, 3, 3), ((1, 1), (1, 1), (1, 1), 1)),
    ((0, 3, 5, 5), (4, 3, 3, 3), ((1, 1), (1, 1), (1, 1), 1)),
]


def check_sums(op: Window, a: Array, b: Array, found: Array, right: Array) -> None:
    """Raise an AssertionError where sums are off by more than roundings of their terms."""
    sizes = wanted(op, abs(a.astype(np.float64)), abs(b.astype(np.float64)))
    dtype = found.dtype
    exact = np.float64 if dtype == np.float64 else np.float32
    allowed = 16 * np.finfo(exact).eps * sizes
    if dtype.itemsize == 2:
        rounding = 2.0**-11 if dtype == np.float16 else 2.0**-8
        allowed = allowed + rounding * abs(right) + 2.0**-25
    error = abs(found.astype(np.float64) - right)
    assert (error <= allowed).all(), f"{op}: off by {error.max()}"


def uses(dtype: str, order: str) -> list[tuple[Window, Use]]:
    """All settings in an element type and an order of dimensions, for one to three threads."""
    found = []
    for number, setting in enumerate(SETTINGS):
        for op, *shapes in ops(*setting):
            a, b = (draw(shape, number + 50 * i, dtype) for i, shape in enumerate(shapes))
            is_weight = isinstance(op, ConvolutionWeightGrad)
            operands = laid(a, order), laid(b, order) if is_weight else b
            node = node_of(op, *operands)
            result = "C" if is_weight else order
            maker = CONVOLUTION[op.name]
            found.append((op, use_of(maker, node, *operands, order=result, threads=1 + number % 3)))
    return found


@pytest.mark.parametrize(
    ("dtype", "order"),
    [
        ("float16", "C"),
        ("bfloat16", "channels"),
        ("float32", "C"),
        ("float32", "channels"),
        ("float64", "channels"),
    ],
)
@pytest.mark.parametrize("target", HERE)
def test_samples(target: str, dtype: str, order: str, tmp_path: Path) -> None:
    assert check_samples(dict(CONVOLUTION), dtype, tmp_path, TARGETS[target], order)


@pytest.mark.parametrize(
    ("target", "dtype", "order"),
    [
        *((x, "float32", order) for x in HERE for order in ("C", "channels")),
        (HERE[0], "float64", "channels"),
        (HERE[0], "bfloat16", "C"),
    ],
)
def test_settings(target: str, dtype: str, order: str, tmp_path: Path) -> None:
    found = uses(dtype, order)
    run_all([each for _, each in found], tmp_path, TARGETS[target])
    for op, each in found:
        a, b = each.operands
        check_sums(op, a, b, each.results[0], wanted(op, a, b))


def test_operands_in_different_orders(tmp_path: Path) -> None:
    found = []
    for number, setting in enumerate(SETTINGS[2:6]):
        for op, *shapes in ops(*setting):
            a, b = (draw(shape, number + i) for i, shape in enumerate(shapes))
            operands = laid(a, "channels"), np.flip(np.flip(b).copy())
            node = node_of(op, *operands)
            found.append((op, use_of(CONVOLUTION[op.name], node, *operands)))
    run_all([each for _, each in found], tmp_path)
    for op, each in found:
        a, b = each.operands
        check_sums(op, a, b, each.results[0], wanted(op, a, b))


def test_the_order_of_tasks_does_not_matter(tmp_path: Path) -> None:
    """Also that the tasks of a stage write to memory of their own."""
    big = [
        ((4, 32, 20, 20), (32, 32, 3, 3), ((1, 1), (1, 1), (1, 1), 1)),
        ((8, 1, 28, 28), (32, 1, 3, 3), ((1, 1), (0, 0), (1, 1), 1)),
        ((2, 32, 28, 28), (48, 32, 3, 3), ((2, 2), (1, 1), (1, 1), 1)),
    ]
    for setting in big:
        for op, *shapes in ops(*setting):
            operands = [draw(shape, i) for i, shape in enumerate(shapes)]
            node = node_of(op, *operands)
            both = []
            for backwards in (False, True):
                each = use_of(CONVOLUTION[op.name], node, *operands, threads=2)
                _run_in_order(each, tmp_path, backwards)
                both.append(each.results[0])
            a, b = operands
            check_sums(op, a, b, both[0], wanted(op, a, b))
            np.testing.assert_array_equal(both[0], both[1])


def test_settled_weights_are_packed_apart(tmp_path: Path) -> None:
    """What is made of them reads nothing else, and nothing after it reads them."""
    for number, setting in enumerate(SETTINGS[:-1]):
        for op, *shapes in list(ops(*setting))[:2]:
            a, b = (draw(shape, number + i) for i, shape in enumerate(shapes))
            use = use_of(CONVOLUTION[op.name], node_of(op, a, b), a, b)
            use = replace(use, settled=(False, True))
            _run_prepared(use, tmp_path)
            check_sums(op, a, b, use.results[0], wanted(op, a, b))


def _run_prepared(use: Use, folder: Path) -> None:
    """Run what prepares without the first operand and the result, and the rest without weights."""
    made = use.made("kernel", host())
    first = [x for x in made.stages if x.prepares]
    rest = [x for x in made.stages if not x.prepares]
    assert first and made.kept
    count = len(use.operands) + 1
    text = text_of([replace(made, stages=tuple(x)) for x in (first, rest)], [count] * 2)
    text = text.replace(made.text, "", 1)
    library = library_of(text, folder, host())
    work = [np.full(n + 64, 255, np.uint8) for n in made.workspace]
    spaces = [-(-x.ctypes.data // 64) * 64 for x in work]
    x, w, y = (each.ctypes.data for each in (*use.operands, *use.results))
    library.run0((ctypes.c_void_p * (count + len(work)))(None, w, None, *spaces))
    for i, each in enumerate(work):
        if i not in made.kept:
            each[...] = 255
    library.run1((ctypes.c_void_p * (count + len(work)))(x, None, y, *spaces))


def _run_in_order(use: Use, folder: Path, backwards: bool) -> None:
    made = use.made("kernel", host())
    assert all(stage.tasks > 1 for stage in made.stages if stage.function == "kernel")
    text = text_of([made], [len(use.operands) + 1])
    if backwards:
        for stage in made.stages:
            loop = f"for (long i = 0; i < {stage.tasks}; i++) {stage.function}("
            assert loop in text
            turned = f"for (long i = {stage.tasks}; i-- > 0;) {stage.function}("
            text = text.replace(loop, turned)
    work = [np.full(n + 64, 255, np.uint8) for n in made.workspace]
    addresses = [x.ctypes.data for x in (*use.operands, *use.results)]
    addresses += [-(-x.ctypes.data // 64) * 64 for x in work]
    library = library_of(text, folder, host())
    library.run0((ctypes.c_void_p * len(addresses))(*addresses))


# -- what becomes of finished blocks -------------------------------------------------------------


def _finishing(op: Window, rows: int, columns: int, kind: str) -> Maker:
    """A maker that adds what ``FINISH`` makes of the product to the result."""

    def maker(name: str, setting: Setting) -> Made:
        text = FINISH.format(name=name, rows=rows, columns=columns, kind=kind)
        parameters = (f"const {kind} *bias", f"{kind} *out")
        product = setting.node.type
        result = Operand(product.shape, dense(product.shape), product.dtype)
        alone = replace(setting, operands=setting.operands[:2], results=(result,))
        return FINISHING[op.name](name, alone, Epilogue(text, parameters, ("bias", "out")))

    return maker


@pytest.mark.parametrize(
    ("target", "dtype"), [*((x, "float32") for x in HERE), (HERE[0], "float64")]
)
def test_every_element_is_finished_once(target: str, dtype: str, tmp_path: Path) -> None:
    kind = {"float32": "float", "float64": "double"}[dtype]
    found: list[tuple[Window, Use, Array]] = []
    for number, setting in enumerate(SETTINGS):
        for op, *shapes in ops(*setting):
            a, b = (draw(shape, number + 50 * i, dtype) for i, shape in enumerate(shapes))
            node = node_of(op, laid(a, "channels"), b)
            matrix = np.moveaxis(np.empty(node.shape), 1, -1)
            is_weight = isinstance(op, ConvolutionWeightGrad)
            shape = node.shape if is_weight else matrix.shape
            columns = int(np.prod(node.shape[1:])) if is_weight else node.shape[1]
            rows = int(np.prod(node.shape[:1] if is_weight else node.shape[2:]))
            out = draw(shape, 7, dtype)
            operands = [laid(a, "channels"), b, draw((columns,), 8, dtype)]
            maker = _finishing(op, rows, columns, kind)
            found.append((op, Use(maker, node, operands, [out], 1 + number % 3), out.copy()))
    run_all([each for _, each, _ in found], tmp_path, TARGETS[target])
    for op, each, before in found:
        a, b, bias = each.operands
        product = wanted(op, a, b)
        if isinstance(op, ConvolutionWeightGrad):
            bias = bias.reshape(product.shape[1:])
        else:
            product = np.moveaxis(product, 1, -1)
        right = before + np.maximum(product + bias, 0)
        tolerance = 1e-11 if dtype == "float64" else 3e-4
        np.testing.assert_allclose(each.results[0], right, rtol=tolerance, atol=tolerance)


def test_identical_convolutions_have_identical_text() -> None:
    x, w = draw((1, 8, 6, 6), 0), draw((8, 8, 3, 3), 1)
    op = Convolution((1, 1), (1, 1), (1, 1), 1)
    node = node_of(op, x, w)
    texts = {use_of(CONVOLUTION[op.name], node, x, w).made("kernel", host()).text for _ in range(2)}
    assert len(texts) == 1


def test_preferred_orders() -> None:
    last = (0, 2, 3, 1)
    setting = ((1, 1), (1, 1), (1, 1), 1)
    orders = {}
    for channels in (3, 16):
        for op, *shapes in ops((2, channels, 8, 8), (16, channels, 3, 3), setting):
            orders[op.name, channels] = preferred(node_of(op, *(draw(s, 0) for s in shapes)))
    assert orders["convolution", 16] == (last, None, last)
    assert orders["convolution", 3] == (None, None, last)
    assert orders["convolution_input_grad", 16] == (last, None, last)
    assert orders["convolution_weight_grad", 16] == (last, last, None)
    assert orders["convolution_weight_grad", 3] == (None, last, None)
