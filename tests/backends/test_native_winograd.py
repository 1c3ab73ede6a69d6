"""Convolution by Winograd's method in generated C: every form, by PyTorch and the direct one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from graphc.backends.native.convolution_direct import Direct
from graphc.backends.native.convolution_geometry import Extents, Line, extents
from graphc.backends.native.convolution_weights import WeightGrad
from graphc.backends.native.convolution_winograd import Winograd
from graphc.backends.native.epilogue import Epilogue
from graphc.backends.native.made import Made, Maker, Setting
from graphc.backends.native.targets import TARGETS
from graphc.backends.native.winograd_choice import chosen_form, chosen_weights_form
from graphc.backends.native.winograd_forms import FORMS, LARGE_FORM, SMALL_FORM, Form
from graphc.backends.native.winograd_weights import WinogradWeightGrad
from graphc.ir.dtype import float32
from graphc.lowering.operands import Operand
from graphc.lowering.views import dense
from graphc.ops.convolution import (
    Convolution,
    ConvolutionInputGrad,
    ConvolutionWeightGrad,
    Window,
)
from tests.backends.native_alone import Array
from tests.backends.native_convolutions import FINISH, HERE, Shape, draw, laid, ops, wanted
from tests.backends.native_samples import Use, node_of, run_all, use_of

Made_by = Callable[[str, Setting, Epilogue | None], Made]

SETTINGS: list[tuple[Shape, Shape, int]] = [
    # x, w, padding
    ((2, 16, 9, 11), (32, 16, 3, 3), 1),
    ((1, 8, 4, 4), (16, 8, 3, 3), 1),
    ((3, 24, 13, 6), (20, 24, 3, 3), 0),
    ((2, 13, 10, 10), (7, 13, 3, 3), 2),
    ((1, 32, 7, 7), (64, 32, 3, 3), 1),
    ((5, 40, 2, 2), (33, 40, 3, 3), 1),
    ((1, 3, 17, 23), (16, 3, 3, 3), 4),
    ((2, 64, 30, 28), (48, 64, 3, 3), 1),
]
SIZES = pytest.mark.parametrize("form", FORMS, ids=[f"tiles_of_{x.size}" for x in FORMS])


def found_lines(setting: Setting) -> tuple[Extents, list[Line], bool]:
    """The extents and dimensions of a convolution, and whether it is a gradient."""
    op = setting.node.op
    assert isinstance(op, Window)
    a, w, y = (x.shape for x in (*setting.operands, *setting.results))
    is_gradient = isinstance(op, ConvolutionInputGrad)
    found = extents(op, y, w, a) if is_gradient else extents(op, a, w, y)
    return found, found.gradient() if is_gradient else found.forward(), is_gradient


def by(form: Form | None) -> Made_by:
    """A maker of this form, or of the direct one."""

    def maker(name: str, setting: Setting, epilogue: Epilogue | None = None) -> Made:
        found, lines, gradient = found_lines(setting)
        if form is None:
            return Direct(name, setting, found, lines, epilogue, gradient=gradient).made()
        return Winograd(name, setting, found, lines, epilogue, form, gradient=gradient).made()

    return maker


def weights_by(form: Form) -> Made_by:
    """A maker of the gradient of weights by this form."""

    def maker(name: str, setting: Setting, epilogue: Epilogue | None = None) -> Made:
        (x, dy), (w,) = setting.operands, setting.results
        op = setting.node.op
        assert isinstance(op, ConvolutionWeightGrad)
        shape = setting.node.shape if epilogue is not None else w.shape
        found = extents(op, x.shape, shape, dy.shape)
        return WinogradWeightGrad(name, setting, found, epilogue, form).made()

    return maker


def both(x: Shape, w: Shape, padding: int) -> Iterator[tuple[Window, Shape, Shape]]:
    """The convolution and its data gradient, with the shapes of their operands."""
    yield from list(ops(x, w, ((1, 1), (padding, padding), (1, 1), 1)))[:2]


def check_tiles(form: Form, op: Window, a: Array, b: Array, found: Array) -> None:
    """Raise an AssertionError where sums are off by more than roundings of their tiles' terms."""
    sizes = wanted(op, abs(a), abs(b))
    size = form.size
    for h in range(0, sizes.shape[2], size):
        for v in range(0, sizes.shape[3], size):
            tile = sizes[:, :, h : h + size, v : v + size]
            tile[...] = tile.max((2, 3), keepdims=True)
    error = abs(found - wanted(op, a, b))
    assert (error <= 16 * np.finfo(np.float32).eps * sizes).all(), f"{op}: off by {error.max()}"


@pytest.mark.parametrize("order", ["C", "channels"])
@pytest.mark.parametrize("target", HERE)
@SIZES
def test_sums(form: Form, target: str, order: str, tmp_path: Path) -> None:
    found = []
    for number, setting in enumerate(SETTINGS):
        for op, *shapes in both(*setting):
            a, b = (draw(shape, number + 50 * i) for i, shape in enumerate(shapes))
            a = laid(a, order)
            use = use_of(by(form), node_of(op, a, b), a, b, order=order, threads=1 + number % 3)
            found.append((op, replace(use, settled=(False, number % 2 == 0))))
    run_all([each for _, each in found], tmp_path, TARGETS[target])
    for op, each in found:
        a, b = each.operands
        check_tiles(form, op, a, b, each.results[0])


@SIZES
def test_operands_that_are_views(form: Form, tmp_path: Path) -> None:
    found = []
    for number, setting in enumerate(SETTINGS):
        for op, *shapes in both(*setting):
            a, b = (draw(shape, number + i) for i, shape in enumerate(shapes))
            stepped = np.repeat(np.repeat(laid(a, "channels"), 2, 2), 3, 3)[:, :, ::2, ::3]
            turned = np.flip(laid(np.flip(a), "channels"))
            for view in (stepped, turned):
                weights = np.flip(np.flip(b).copy())
                found.append((op, use_of(by(form), node_of(op, view, weights), view, weights)))
    run_all([each for _, each in found], tmp_path)
    for op, each in found:
        a, b = each.operands
        check_tiles(form, op, a, b, each.results[0])


def _finishing(form: Form, rows: int, columns: int, by: Callable[[Form], Made_by] = by) -> Maker:
    def maker(name: str, setting: Setting) -> Made:
        text = FINISH.format(name=name, rows=rows, columns=columns, kind="float")
        product = setting.node.type
        result = Operand(product.shape, dense(product.shape), product.dtype)
        alone = replace(setting, operands=setting.operands[:2], results=(result,), settled=())
        epilogue = Epilogue(text, ("const float *bias", "float *out"), ("bias", "out"))
        return by(form)(name, alone, epilogue)

    return maker


@pytest.mark.parametrize("target", HERE)
@SIZES
def test_every_element_is_finished_once(form: Form, target: str, tmp_path: Path) -> None:
    found: list[tuple[Window, Use, Array]] = []
    for number, setting in enumerate(SETTINGS):
        for op, *shapes in both(*setting):
            a, b = (draw(shape, number + 50 * i) for i, shape in enumerate(shapes))
            node = node_of(op, laid(a, "channels"), b)
            columns, rows = node.shape[1], int(np.prod(node.shape[2:]))
            out = draw(np.moveaxis(np.empty(node.shape), 1, -1).shape, 7)
            operands = [laid(a, "channels"), b, draw((columns,), 8)]
            maker = _finishing(form, rows, columns)
            found.append((op, Use(maker, node, operands, [out], 1 + number % 3), out.copy()))
    run_all([each for _, each, _ in found], tmp_path, TARGETS[target])
    for op, each, before in found:
        a, b, bias = each.operands
        product = np.moveaxis(wanted(op, a, b), 1, -1)
        right = before + np.maximum(product + bias, 0)
        np.testing.assert_allclose(each.results[0], right, rtol=3e-4, atol=3e-4)


@pytest.mark.parametrize("target", HERE)
def test_errors_are_at_most_three_times_those_of_the_direct_form(
    target: str, tmp_path: Path
) -> None:
    found: list[tuple[str, Use]] = []
    for channels, size in ((64, 24), (256, 12)):
        x = draw((2, channels, size, size), channels)
        w = draw((64, channels, 3, 3), channels + 1)
        for sign in ("any", "positive"):
            given = laid(abs(x) if sign == "positive" else x, "channels")
            op = Convolution((1, 1), (1, 1), (1, 1), 1)
            for form in (None, *FORMS):
                use = use_of(by(form), node_of(op, given, w), given, w, order="channels")
                found.append((f"{channels} {sign}", use))
    run_all([use for _, use in found], tmp_path, TARGETS[target])
    errors: dict[str, list[float]] = {}
    for which, use in found:
        assert isinstance(use.node.op, Convolution)
        right = wanted(use.node.op, *use.operands)
        errors.setdefault(which, []).append(float(abs(use.results[0] - right).max()))
    for which, (direct, small, large) in errors.items():
        assert small <= direct, (which, direct, small)
        assert large <= 3 * direct, (which, direct, large)


def weight_uses(form: Form, order: str) -> list[tuple[Window, Use]]:
    """The gradients of the weights of all settings."""
    found = []
    for number, (x, w, padding) in enumerate([*SETTINGS, ((40, 7, 12, 9), (18, 7, 3, 3), 1)]):
        op, *shapes = list(ops(x, w, ((1, 1), (padding, padding), (1, 1), 1)))[2]
        a, b = (laid(draw(shape, number + 50 * i), order) for i, shape in enumerate(shapes))
        node = node_of(op, a, b)
        found.append((op, use_of(weights_by(form), node, a, b, threads=1 + number % 3)))
    return found


@pytest.mark.parametrize("order", ["C", "channels"])
@pytest.mark.parametrize("target", HERE)
@SIZES
def test_weights(form: Form, target: str, order: str, tmp_path: Path) -> None:
    found = weight_uses(form, order)
    run_all([each for _, each in found], tmp_path, TARGETS[target])
    for op, each in found:
        a, b = each.operands
        # All sums of a channel with a channel come from the same terms, transformed.
        sizes = wanted(op, abs(a), abs(b)).max((2, 3), keepdims=True)
        error = abs(each.results[0] - wanted(op, a, b))
        assert (error <= 16 * np.finfo(np.float32).eps * sizes).all(), f"off by {error.max()}"


@SIZES
def test_every_weight_is_finished_once(form: Form, tmp_path: Path) -> None:
    found: list[tuple[Window, Use, Array]] = []
    for op, use in weight_uses(form, "channels"):
        rows, columns = use.node.shape[0], int(np.prod(use.node.shape[1:]))
        out = draw(use.node.shape, 7)
        operands = [*use.operands, draw((columns,), 8)]
        maker = _finishing(form, rows, columns, weights_by)
        found.append((op, Use(maker, use.node, operands, [out], use.threads), out.copy()))
    run_all([each for _, each, _ in found], tmp_path)
    for op, each, before in found:
        a, b, bias = each.operands
        product = wanted(op, a, b)
        right = before + np.maximum(product + bias.reshape(product.shape[1:]), 0)
        np.testing.assert_allclose(each.results[0], right, rtol=3e-4, atol=3e-4)


@pytest.mark.parametrize("target", HERE)
def test_errors_of_weights_are_at_most_three_times_those_of_the_direct_form(
    target: str, tmp_path: Path
) -> None:
    uses = []
    for channels, size in ((64, 24), (32, 12)):
        x, dy = (laid(draw((4, channels, size, size), channels + i), "channels") for i in (0, 1))
        op = ConvolutionWeightGrad((1, 1), (1, 1), (1, 1), 1, (3, 3))
        makers: list[Maker] = [_direct_weights, *(weights_by(form) for form in FORMS)]
        uses += [use_of(maker, node_of(op, x, dy), x, dy) for maker in makers]
    run_all(uses, tmp_path, TARGETS[target])
    for first in (0, 3):
        right = wanted(op, *uses[first].operands)
        direct, *others = (abs(use.results[0] - right).max() for use in uses[first : first + 3])
        assert max(others) <= 3 * direct, (direct, others)


def _direct_weights(name: str, setting: Setting) -> Made:
    op = setting.node.op
    assert isinstance(op, Window)
    x, dy, dw = (each.shape for each in (*setting.operands, *setting.results))
    return WeightGrad(name, setting, extents(op, x, dw, dy), None).made()


@pytest.mark.parametrize("value", [np.nan, np.inf])
@SIZES
def test_what_is_no_number_reaches_its_tiles_only(form: Form, value: float, tmp_path: Path) -> None:
    clean = laid(draw((2, 16, 20, 20), 0), "channels")
    x, w = clean.copy(), draw((16, 16, 3, 3), 1)
    x[1, 3, 9, 10] = value
    op = Convolution((1, 1), (1, 1), (1, 1), 1)
    uses = [
        use_of(by(form), node_of(op, each, w), each, w, order="channels") for each in (clean, x)
    ]
    run_all(uses, tmp_path)
    right, found = (use.results[0] for use in uses)
    size = form.size
    touched = np.zeros((20, 20), bool)
    for h in range(8, 11):
        for v in range(9, 12):
            assert not np.isfinite(found[1, :, h, v]).any()
            a, b = h // size * size, v // size * size
            touched[a : a + size, b : b + size] = True
    np.testing.assert_array_equal(found[0], right[0])
    np.testing.assert_array_equal(found[1][:, ~touched], right[1][:, ~touched])


def test_the_number_of_threads_does_not_change_sums(tmp_path: Path) -> None:
    x, w = laid(draw((2, 64, 30, 28), 0), "channels"), draw((96, 64, 3, 3), 1)
    op = Convolution((1, 1), (1, 1), (1, 1), 1)
    for form in FORMS:
        uses = [
            use_of(by(form), node_of(op, x, w), x, w, order="channels", threads=threads)
            for threads in (1, 2, 3, 8)
        ]
        run_all(uses, tmp_path)
        for use in uses[1:]:
            np.testing.assert_array_equal(use.results[0], uses[0].results[0])


def chosen(
    x: Shape, w: Shape, *, settled: bool = True, stride: int = 1, groups: int = 1
) -> Form | None:
    """The form that the cost model takes for a convolution."""
    op = Convolution((stride, stride), (1, 1), (1, 1), groups)
    y = (x[0], w[0], *op.output_sizes(x[2:], w[2:]))
    x_, w_, y_ = (Operand(shape, dense(shape), float32) for shape in (x, w, y))
    node = node_of(op, np.empty(x, np.float32), np.empty(w, np.float32))
    setting = Setting(node, (x_, w_), (y_,), 2, TARGETS["avx2"], settled=(False, settled))
    found, lines, gradient = found_lines(setting)
    return chosen_form(setting, found, lines, gradient=gradient)


def test_the_form_that_is_chosen() -> None:
    assert chosen((1, 64, 56, 56), (64, 64, 3, 3)) is LARGE_FORM
    assert chosen((1, 512, 7, 7), (512, 512, 3, 3)) is SMALL_FORM
    # The transformation of so many weights would cost more than it saves.
    assert chosen((1, 512, 7, 7), (512, 512, 3, 3), settled=False) is None
    assert chosen((8, 1, 28, 28), (32, 1, 3, 3)) is None
    assert chosen((1, 64, 56, 56), (64, 64, 3, 3), stride=2) is None
    assert chosen((1, 64, 56, 56), (64, 32, 3, 3), groups=2) is None
    assert chosen((1, 64, 56, 56), (64, 64, 5, 5)) is None


def test_the_form_that_is_chosen_for_weights() -> None:
    def chosen(x: Shape, dy: Shape, stride: int = 1) -> Form | None:
        op = ConvolutionWeightGrad((stride, stride), (1, 1), (1, 1), 1, (3, 3))
        w = (dy[1], x[1], 3, 3)
        operands = [Operand(shape, dense(shape), float32) for shape in (x, dy, w)]
        node = node_of(op, np.empty(x, np.float32), np.empty(dy, np.float32))
        setting = Setting(node, tuple(operands[:2]), (operands[2],), 2, TARGETS["avx2"])
        return chosen_weights_form(setting, extents(op, x, w, dy))

    assert chosen((8, 64, 56, 56), (8, 64, 56, 56)) is LARGE_FORM
    # So many sums take longer to visit than to add up.
    assert chosen((8, 512, 2, 2), (8, 512, 2, 2)) is None
    assert chosen((8, 64, 56, 56), (8, 64, 28, 28), stride=2) is None
