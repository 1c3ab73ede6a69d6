"""Connectionist temporal classification: the likelihood of all alignments of two sequences."""

from __future__ import annotations

from math import inf

from graphc.functions.pieces import cut
from graphc.ir.dtype import int64
from graphc.ir.node import Node, cast, const, elementwise, grad_mode
from graphc.ops.creation import Arange
from graphc.ops.elementwise import And, Ne, equal, where
from graphc.ops.function import function
from graphc.ops.indexing import Gather
from graphc.ops.movement import Concat, Pad, expand, full, reshape, zeros
from graphc.ops.parts import parts
from graphc.ops.reduce import Sum, mean
from graphc.ops.sloped import sloped


def _name(
    log_probs: Node,
    targets: Node,
    inputs: Node,
    lengths: Node,
    blank: int,
    reduction: str,
    *rest: bool,
) -> str:
    if reduction != "none":
        return f"{reduction.capitalize()}Backward0"
    zero_infinity, batched = rest
    if not batched:
        return "SqueezeBackward1"
    return "WhereBackward0" if zero_infinity else "CtcLossBackward0"


@function(method=False, namespace=False, grad_name=_name)
def alignment_loss(
    log_probs: Node,
    targets: Node,
    input_lengths: Node,
    target_lengths: Node,
    blank: int,
    reduction: str,
    zero_infinity: bool,
    batched: bool,
) -> Node:
    """-ln Σ of the probabilities of all ways to reach ``targets``, ``[n, s]``, from the input.

    A way says at each step a class or ``blank``; repeated classes and blanks are left out.
    """
    steps = log_probs.shape[0]
    labels = _with_blanks(targets, target_lengths, blank)
    emitted = Gather(2)(log_probs, expand(labels, (steps, *labels.shape)))
    reached = _forward(emitted, labels, input_lengths, target_lengths, blank)
    loss = -_log_sum(*_last_two(reached, target_lengths))
    loss = loss + _as_of_softmax(log_probs, input_lengths)
    if zero_infinity:
        loss = where(equal(loss, const(inf, loss.dtype)), 0.0, loss)
    if reduction == "mean":
        counts = elementwise("maximum", target_lengths, 1)
        return reshape(mean(loss / cast(counts, loss.dtype), (0,)), ())
    if reduction == "sum":
        return reshape(Sum((0,))(loss), ())
    return loss if batched else reshape(loss, ())


def _column(x: Node) -> Node:
    return reshape(x, (x.type.size, 1))


def _with_blanks(targets: Node, lengths: Node, blank: int) -> Node:
    """The targets with a blank before, between and after them."""
    batch, count = targets.shape
    number = Arange(0, 1, count, int64)()
    kept = where(number < _column(lengths), cast(targets, int64), const(blank, int64))
    blanks = full((batch, count, 1), const(blank, int64))
    both = reshape(Concat(2)(blanks, reshape(kept, (batch, count, 1))), (batch, 2 * count))
    return Concat(1)(both, full((batch, 1), const(blank, int64)))


def _moved(x: Node, by: int) -> Node:
    """The elements of a row ``by`` places on, what comes in being impossible."""
    return cut(Pad((0, by), (0, 0), -inf)(x), 1, 0, x.shape[1])


def _forward(emitted: Node, labels: Node, inputs: Node, lengths: Node, blank: int) -> Node:
    """The logarithm of the probability to stand at each label after the last step."""
    steps, batch, count = emitted.shape
    place = Arange(0, 1, count, int64)()
    certain = const(0.0, emitted.dtype)
    reached = expand(where(equal(place, const(0, int64)), certain, -inf), (batch, count))
    start = And()(place < 2, place <= _column(lengths) * 2)
    skips = _may_skip(labels, blank)
    for step, one in enumerate(parts(emitted, 0, (1,) * steps)):
        likely = reshape(one, (batch, count))
        if step == 0:
            after = where(start, likely, -inf)
        else:
            skipped = where(skips, _moved(reached, 2), -inf)
            after = _log_sum(reached, _moved(reached, 1), skipped) + likely
        reached = where(_column(inputs) > step, after, reached)
    return reached


def _may_skip(labels: Node, blank: int) -> Node:
    """Whether a label may follow the one two places before it, with no blank between."""
    count = labels.shape[1]
    if count < 3:
        return Ne()(labels, labels)
    later = cut(labels, 1, 2, count)
    other = And()(Ne()(later, cut(labels, 1, 0, count - 2)), Ne()(later, const(blank, int64)))
    never = Ne()(cut(labels, 1, 0, 2), cut(labels, 1, 0, 2))
    return Concat(1)(never, other)


def _last_two(reached: Node, lengths: Node) -> tuple[Node, Node]:
    """The states in which a way may end: at the last label or at the blank after it."""
    last = _column(lengths) * 2
    before = where(last > 0, last + -1, 0)
    at_blank, at_label = (Gather(1)(reached, place) for place in (last, before))
    at_label = where(last > 0, at_label, -inf)
    return reshape(at_blank, lengths.shape), reshape(at_label, lengths.shape)


def _log_sum(*terms: Node) -> Node:
    """ln Σ exp(x), with a gradient of zero where all terms are -∞."""
    with grad_mode(False):
        largest = terms[0]
        for x in terms[1:]:
            largest = elementwise("maximum", largest, x)
        nothing = equal(largest, const(-inf, largest.dtype))
        base = where(nothing, 0.0, largest)
    total = elementwise("exp", terms[0] - base)
    for x in terms[1:]:
        total = total + elementwise("exp", x - base)
    return where(nothing, -inf, elementwise("log", where(nothing, 1.0, total)) + base)


def _as_of_softmax(log_probs: Node, inputs: Node) -> Node:
    """Zero, with the gradient that PyTorch adds because probabilities come from a softmax."""
    steps, batch, _ = log_probs.shape
    step = reshape(Arange(0, 1, steps, int64)(), (steps, 1, 1))
    during = step < reshape(inputs, (1, batch, 1))
    slope = where(during, elementwise("exp", log_probs), 0.0)
    return reshape(Sum((0, 2))(sloped(zeros(log_probs.type), log_probs, slope)), (batch,))
