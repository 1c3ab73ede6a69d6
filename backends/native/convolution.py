"""Kernels of convolution and its two gradients."""

from __future__ import annotations

from math import prod

from graphc.backends.native.convolution_direct import Direct
from graphc.backends.native.convolution_geometry import Extents, extents
from graphc.backends.native.convolution_weights import WeightGrad
from graphc.backends.native.convolution_winograd import Winograd
from graphc.backends.native.epilogue import Epilogue
from graphc.backends.native.made import Made, Setting
from graphc.backends.native.winograd_choice import chosen_form, chosen_weights_form
from graphc.backends.native.winograd_weights import WinogradWeightGrad
from graphc.ir.node import Node
from graphc.lowering.views import Order
from graphc.ops.convolution import ConvolutionInputGrad, ConvolutionWeightGrad, Window


def preferred(node: Node) -> tuple[Order | None, ...]:
    """The best order of dimensions in memory for each operand, and for the result."""
    rank = node.inputs[0].rank
    last = (0, *range(2, rank), 1)
    few = 4
    if isinstance(node.op, ConvolutionWeightGrad):
        x = node.inputs[0]
        return (last if x.shape[1] > few else None, last, None)
    if isinstance(node.op, ConvolutionInputGrad):
        return (last, None, last)
    return (last if node.inputs[0].shape[1] > few else None, None, last)


def convolution(name: str, setting: Setting, epilogue: Epilogue | None = None) -> Made:
    """The kernel of a convolution."""
    if not prod(setting.results[0].shape):
        return Made("", ())
    x, w = setting.operands
    found = _extents(setting, x.shape, w.shape, setting.results[0].shape)
    return _made(name, setting, found, epilogue, gradient=False)


def input_grad(name: str, setting: Setting, epilogue: Epilogue | None = None) -> Made:
    """The kernel of the gradient of a convolution's input."""
    if not prod(setting.results[0].shape):
        return Made("", ())
    dy, w = setting.operands
    found = _extents(setting, setting.results[0].shape, w.shape, dy.shape)
    return _made(name, setting, found, epilogue, gradient=True)


def _made(
    name: str, setting: Setting, found: Extents, epilogue: Epilogue | None, *, gradient: bool
) -> Made:
    lines = found.gradient() if gradient else found.forward()
    form = chosen_form(setting, found, lines, gradient=gradient)
    if form is None:
        return Direct(name, setting, found, lines, epilogue, gradient=gradient).made()
    return Winograd(name, setting, found, lines, epilogue, form, gradient=gradient).made()


def weight_grad(name: str, setting: Setting, epilogue: Epilogue | None = None) -> Made:
    """The kernel of the gradient of a convolution's weights."""
    if not prod(setting.results[0].shape):
        return Made("", ())
    x, dy = setting.operands
    found = _extents(setting, x.shape, setting.results[0].shape, dy.shape)
    form = chosen_weights_form(setting, found)
    if form is None:
        return WeightGrad(name, setting, found, epilogue).made()
    return WinogradWeightGrad(name, setting, found, epilogue, form).made()


def _extents(
    setting: Setting, x: tuple[int, ...], w: tuple[int, ...], y: tuple[int, ...]
) -> Extents:
    op = setting.node.op
    assert isinstance(op, Window)
    return extents(op, x, w, y)


FINISHING = {
    "convolution": convolution,
    "convolution_input_grad": input_grad,
    "convolution_weight_grad": weight_grad,
}
"""The makers by the ops' names; what becomes of a finished block may be said by an epilogue."""
CONVOLUTION = dict(FINISHING)
