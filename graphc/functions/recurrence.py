"""A recurrent network over whole sequences: each layer and direction is one composite.

Rows are ordered by time: those of the first step, then those of the second, and so on. A step
never has more rows than the one before, so that sequences of several lengths fit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from graphc.autodiff import gradients as differentiate
from graphc.functions.linear import linear
from graphc.functions.neural import masked_by_noise
from graphc.functions.recurrent_cells import CELLS, States
from graphc.ir.dtype import float32
from graphc.ir.node import Item, Node, grad_mode
from graphc.ir.types import TensorType, Types
from graphc.ops.composite import Border, Composite
from graphc.ops.elementwise import sum_to
from graphc.ops.function import function
from graphc.ops.matmul import transposed
from graphc.ops.movement import Concat, permute, reshape
from graphc.ops.parts import parts
from graphc.ops.precision import multiplied

Weights = Sequence[Node | None]
"""Of a layer and direction: w_ih, w_hh, b_ih, b_hh and w_hr."""


def _joined(pieces: Sequence[Node], dim: int = 0) -> Node:
    return pieces[0] if len(pieces) == 1 else Concat(dim)(*pieces)


class Unrolled:
    """The steps of a recurrence, one after the other, and where they use its weights."""

    def __init__(
        self, mode: str, w_hh: Node, b_hh: Node | None, w_hr: Node | None, starts: States
    ) -> None:
        self.mode, self.starts = mode, starts
        self.weights = (w_hh, b_hh, w_hr)
        self.gates: list[tuple[Node, Node]] = []
        """Each hidden state, and what it brings to the gates."""
        self.projections: list[tuple[Node, Node]] = []
        """Each hidden state before and after it is projected."""

    def step(self, driven: Node, states: States) -> States:
        """The states after a step; ``driven`` is what the input brings to the gates."""
        w_hh, b_hh, w_hr = self.weights
        recurrent = linear(states[0], w_hh, b_hh)
        self.gates.append((states[0], recurrent))
        hidden, *others = CELLS[self.mode](driven, recurrent, states)
        if w_hr is None:
            return hidden, *others
        projected = linear(hidden, w_hr)
        self.projections.append((hidden, projected))
        return projected, *others

    def forward(self, steps: Sequence[Node]) -> tuple[Node, ...]:
        """The hidden states and the last states; sequences that end leave theirs behind."""
        states, outputs = self.starts, []
        left: list[list[Node]] = [[] for _ in states]
        for driven in steps:
            count, before = driven.shape[0], states[0].shape[0]
            if count < before:
                cuts = [parts(x, 0, (count, before - count)) for x in states]
                states = tuple(going for going, _ in cuts)
                for held, (_, ended) in zip(left, cuts, strict=True):
                    held.insert(0, ended)
            states = self.step(driven, states)
            outputs.append(states[0])
        ends = (_joined([x, *held]) for x, held in zip(states, left, strict=True))
        return _joined(outputs), *ends

    def backward(self, steps: Sequence[Node]) -> tuple[Node, ...]:
        """The same from the last step on; sequences join where they end."""
        counts = [0, *(x.shape[0] for x in reversed(steps))]
        growth = [b - a for a, b in pairwise(counts)]
        joining = zip(*(parts(x, 0, [n for n in growth if n]) for x in self.starts), strict=True)
        states, outputs = next(joining), []
        for number, driven in enumerate(reversed(steps)):
            if number and growth[number]:
                pairs = zip(states, next(joining), strict=True)
                states = tuple(_joined(pair) for pair in pairs)
            states = self.step(driven, states)
            outputs.append(states[0])
        return _joined(outputs[::-1]), *states


def _unrolled(
    driven: Node,
    w_hh: Node,
    b_hh: Node | None,
    w_hr: Node | None,
    *starts: Node | None,
    mode: str,
    counts: tuple[int, ...],
    reverse: bool,
    uses: list[Unrolled] | None = None,
) -> tuple[Node, ...]:
    """The hidden states in rows, and the states after the last step."""
    given = tuple(x for x in starts if x is not None)
    unrolled = Unrolled(mode, w_hh, b_hh, w_hr, given)
    if uses is not None:
        uses.append(unrolled)
    steps = parts(driven, 0, counts)
    return unrolled.backward(steps) if reverse else unrolled.forward(steps)


@dataclass(frozen=True)
class Recurrence(Composite):
    """One layer in one direction, given what the inputs of all steps bring to the gates."""

    def infer(self, types: tuple[TensorType, ...]) -> Types:
        driven, *states = types[0], *types[sum(self.present[:4]) :]
        hidden = TensorType((driven.shape[0], states[0].shape[1]), driven.dtype)
        return hidden, *states

    def grad(self, node: Node, *gradients: Node | None) -> tuple[Node | None, ...]:
        """Through all steps; that of a weight is one product over all of them."""
        options: dict[str, Any] = dict(self.options)
        uses: list[Unrolled] = []
        with grad_mode(True):
            borders = [Border()(x) for x in node.inputs]
            left = iter(borders)
            operands = [next(left) if given else None for given in self.present]
            results = self.body(*operands, **options, uses=uses)
        assert isinstance(results, tuple)
        (unrolled,) = uses
        gates, projections = unrolled.gates, unrolled.projections
        driven, *starts = borders[0], *borders[sum(self.present[:4]) :]
        inner = [y for _, y in (*gates, *projections)]
        found = differentiate(results, gradients, [driven, *starts, *inner])
        of_operands, of_inner = found[: -len(inner)], found[-len(inner) :]
        weight, bias = _of_weights(gates, of_inner[: len(gates)], unrolled.weights[1])
        shrink, _ = _of_weights(projections, of_inner[len(gates) :], None)
        flows = (of_operands[0], weight, bias, shrink, *of_operands[1:])
        given = (*self.present[:4], *(x for x in self.present[4:] if x))
        return tuple(x for x, there in zip(flows, given, strict=True) if there)


def _of_weights(
    uses: Sequence[tuple[Node, Node]], found: Sequence[Node | None], bias: Node | None
) -> tuple[Node | None, Node | None]:
    """The gradients of a weight and its bias, given the operands and gradients of all products."""
    pairs = [(x, dy) for (x, _), dy in zip(uses, found, strict=True) if dy is not None]
    if not pairs:
        return None, None
    operands, flows = zip(*pairs, strict=True)
    dy = _joined(flows)
    weight = multiplied(transposed(dy), _joined(operands))
    return weight, None if bias is None else sum_to(dy, bias.shape)


def _names(
    input: Node, counts: Any, starts: Any, weights: Any, noise: Any, mode: str, *rest: Any
) -> tuple[str, ...]:
    _, directions, batch_first = rest
    return _output_name(input, counts, weights, mode, directions, batch_first), *(
        "StackBackward0" for _ in starts
    )


def _output_name(
    input: Node, counts: Any, weights: Any, mode: str, directions: int, batch_first: bool
) -> str:
    if batch_first:
        return f"TransposeBackward{int(mode != 'LSTM')}"
    if directions == 2 or counts is not None:
        return "CatBackward0"
    fused = mode == "LSTM" and input.dtype is float32 and weights[0][4] is None
    return "MkldnnRnnLayerBackward0" if fused else "StackBackward0"


@function(method=False, namespace=False, grad_name=_names)
def recurrent(
    input: Node,
    counts: tuple[int, ...] | None,
    starts: Any,
    weights: Any,
    noise: Any,
    mode: str,
    dropout: float,
    directions: int,
    batch_first: bool,
) -> tuple[Node, ...]:
    """The outputs of the last layer, and the last states of all layers and directions.

    The input is ``[steps, batch, features]``, or rows of which each step has one of ``counts``.
    ``noise`` decides which outputs of each layer but the last are dropped.
    """
    x = permute(input, (1, 0, 2)) if batch_first else input
    rows, steps = x, counts
    if steps is None:
        steps = (x.shape[1],) * x.shape[0]
        rows = reshape(x, (x.shape[0] * x.shape[1], x.shape[2]))
    begins = [parts(x, 0, (1,) * x.shape[0]) for x in starts]
    ends: list[list[Node]] = []
    for layer in range(len(weights) // directions):
        if layer and noise:
            rows = masked_by_noise(rows, noise[layer - 1], dropout)
        outputs = []
        for direction in range(directions):
            place = layer * directions + direction
            given = [reshape(x[place], x[place].shape[1:]) for x in begins]
            output, *last = _layer(rows, weights[place], given, mode, steps, direction == 1)
            outputs.append(output)
            ends.append(last)
        rows = _joined(outputs, 1)
    states = [
        _joined([reshape(x, (1, *x.shape)) for x in piece]) for piece in zip(*ends, strict=True)
    ]
    if counts is None:
        rows = reshape(rows, (*x.shape[:2], rows.shape[1]))
    return permute(rows, (1, 0, 2)) if batch_first else rows, *states


def _layer(
    rows: Node,
    weights: Weights,
    starts: list[Node],
    mode: str,
    counts: tuple[int, ...],
    reverse: bool,
) -> tuple[Node, ...]:
    w_ih, w_hh, b_ih, b_hh, w_hr = weights
    assert w_ih is not None
    if b_ih is not None and b_hh is not None and mode != "GRU":
        b_ih, b_hh = b_ih + b_hh, None  # added to all steps at once
    driven = linear(rows, w_ih, b_ih)
    operands = [driven, w_hh, b_hh, w_hr, *starts]
    given = tuple(x for x in operands if x is not None)
    present = tuple(x is not None for x in operands)
    options = (("counts", counts), ("mode", mode), ("reverse", reverse))
    node = Recurrence("recurrence", _unrolled, options, present)(*given)
    return tuple(Item(i)(node) for i in range(len(node.types)))
