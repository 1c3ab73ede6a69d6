"""One step of a recurrent network as the user calls it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from graphc.errors import GraphcRuntimeError
from graphc.functions.linear import linear
from graphc.ir.node import Node, elementwise
from graphc.ops.function import function
from graphc.ops.parts import equal_parts

States = tuple[Node, ...]
Cell = Callable[[Node, Node, States], States]
"""The states after a step: of what input and hidden state bring to the gates, and the states."""


def _tanh(driven: Node, recurrent: Node, states: States) -> States:
    return (elementwise("tanh", driven + recurrent),)


def _relu(driven: Node, recurrent: Node, states: States) -> States:
    return (elementwise("relu", driven + recurrent),)


def _lstm(driven: Node, recurrent: Node, states: States) -> States:
    """c' = σ(f) · c + σ(i) · tanh(g), h' = σ(o) · tanh(c')"""
    i, f, g, o = equal_parts(driven + recurrent, 4)
    kept = elementwise("sigmoid", f) * states[1]
    cell = kept + elementwise("sigmoid", i) * elementwise("tanh", g)
    return elementwise("sigmoid", o) * elementwise("tanh", cell), cell


def _gru(driven: Node, recurrent: Node, states: States) -> States:
    """h' = n + σ(z) · (h - n), n = tanh(nₓ + σ(r) · nₕ)"""
    (reset, update, new), (own_reset, own_update, own_new) = (
        equal_parts(x, 3) for x in (driven, recurrent)
    )
    reset = elementwise("sigmoid", reset + own_reset)
    update = elementwise("sigmoid", update + own_update)
    proposed = elementwise("tanh", new + reset * own_new)
    return (proposed + update * (states[0] - proposed),)


CELLS: dict[str, Cell] = {"RNN_TANH": _tanh, "RNN_RELU": _relu, "LSTM": _lstm, "GRU": _gru}


def _check(x: Node, states: Sequence[Node], w_ih: Node, w_hh: Node) -> None:
    if x.shape[1] != w_ih.shape[1]:
        raise GraphcRuntimeError(
            f"input has inconsistent input_size: got {x.shape[1]} expected {w_ih.shape[1]}"
        )
    for i, state in enumerate(states):
        if state.shape[0] != x.shape[0]:
            raise GraphcRuntimeError(
                f"Input batch size {x.shape[0]} doesn't match hidden{i} batch size {state.shape[0]}"
            )
        if state.shape[1] != w_hh.shape[1]:
            raise GraphcRuntimeError(
                f"hidden{i} has inconsistent hidden_size: got {state.shape[1]}, expected "
                f"{w_hh.shape[1]}"
            )


def _step(mode: str, x: Node, states: Sequence[Node], *weights: Node | None) -> States:
    w_ih, w_hh, b_ih, b_hh = weights
    assert w_ih is not None
    assert w_hh is not None
    _check(x, states, w_ih, w_hh)
    driven, recurrent = linear(x, w_ih, b_ih), linear(states[0], w_hh, b_hh)
    return CELLS[mode](driven, recurrent, tuple(states))


@function(method=False, grad_name="TanhBackward0")
def rnn_tanh_cell(
    input: Node,
    hx: Node,
    w_ih: Node,
    w_hh: Node,
    b_ih: Node | None = None,
    b_hh: Node | None = None,
) -> Node:
    """tanh(x · w_ihᵀ + b_ih + h · w_hhᵀ + b_hh)"""
    return _step("RNN_TANH", input, [hx], w_ih, w_hh, b_ih, b_hh)[0]


@function(method=False, grad_name="ReluBackward0")
def rnn_relu_cell(
    input: Node,
    hx: Node,
    w_ih: Node,
    w_hh: Node,
    b_ih: Node | None = None,
    b_hh: Node | None = None,
) -> Node:
    """max(x · w_ihᵀ + b_ih + h · w_hhᵀ + b_hh, 0)"""
    return _step("RNN_RELU", input, [hx], w_ih, w_hh, b_ih, b_hh)[0]


@function(method=False, grad_name="AddBackward0")
def gru_cell(
    input: Node,
    hx: Node,
    w_ih: Node,
    w_hh: Node,
    b_ih: Node | None = None,
    b_hh: Node | None = None,
) -> Node:
    """The hidden state of a gated recurrent unit after a step."""
    return _step("GRU", input, [hx], w_ih, w_hh, b_ih, b_hh)[0]


def _lstm_names(*args: Any, **kwargs: Any) -> tuple[str, str]:
    return "MulBackward0", "AddBackward0"


@function(method=False, grad_name=_lstm_names)
def lstm_cell(
    input: Node,
    hx: Sequence[Node],
    w_ih: Node,
    w_hh: Node,
    b_ih: Node | None = None,
    b_hh: Node | None = None,
) -> tuple[Node, ...]:
    """The hidden state and the cell of a long short-term memory after a step."""
    if len(hx) != 2:
        raise GraphcRuntimeError("lstm_cell expects two hidden states")
    return _step("LSTM", input, hx, w_ih, w_hh, b_ih, b_hh)
