"""The loss of sequences that are not aligned with their targets, against PyTorch's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc
from tests.nn.peers import both
from tests.torch_peer import compare, integers, normal, torch

STEPS, BATCH, CLASSES = 8, 4, 5
SCORES = normal(STEPS, BATCH, CLASSES)
TARGETS = 1 + integers(CLASSES - 1, BATCH, 4)
INPUTS, LENGTHS = [8, 6, 5, 8], [3, 2, 0, 4]
REPEATED = np.array([[1, 1, 1, 2], [2, 2, 3, 3], [1, 2, 1, 2], [4, 4, 4, 4]])


def loss(m: Any, scores: Any, targets: Any, *lengths: Any, **settings: Any) -> Any:
    probabilities = scores.log_softmax(-1)
    return m.nn.functional.ctc_loss(probabilities, targets, *lengths, **settings)


CASES: dict[str, dict[str, Any]] = {
    "mean": {},
    "sum": {"reduction": "sum"},
    "none": {"reduction": "none"},
    "no infinity": {"reduction": "none", "zero_infinity": True},
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("repeated", [False, True], ids=["targets", "repeated"])
def test_losses(case: str, repeated: bool) -> None:
    targets = REPEATED if repeated else TARGETS

    def call(m: Any, scores: Any, targets: Any) -> Any:
        return loss(m, scores, targets, INPUTS, LENGTHS, **CASES[case])

    compare(call, (graphc, torch), [SCORES, targets])


def test_the_gradient_of_probabilities_is_pytorchs() -> None:
    logs = SCORES - np.log(np.exp(SCORES).sum(-1, keepdims=True))
    compare(
        lambda m, logs: m.nn.functional.ctc_loss(logs, m.tensor(TARGETS), INPUTS, LENGTHS),
        (graphc, torch),
        [logs],
    )


def test_another_blank() -> None:
    targets = np.where(TARGETS == 2, 0, TARGETS)
    compare(
        lambda m, scores, targets: loss(m, scores, targets, INPUTS, LENGTHS, blank=2),
        (graphc, torch),
        [SCORES, targets],
    )


def test_targets_one_after_the_other() -> None:
    targets = np.concatenate([row[:n] for row, n in zip(TARGETS, LENGTHS, strict=True)])
    for lengths in (lambda m: (INPUTS, LENGTHS), lambda m: (m.tensor(INPUTS), m.tensor(LENGTHS))):
        compare(
            lambda m, scores, targets, given=lengths: loss(m, scores, targets, *given(m)),
            (graphc, torch),
            [SCORES, targets],
        )


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_one_sequence(reduction: str) -> None:
    compare(
        lambda m, scores, targets: loss(
            m, scores, targets, m.tensor(7), m.tensor(4), reduction=reduction
        ),
        (graphc, torch),
        [SCORES[:, 0], TARGETS[0]],
    )


def test_a_target_that_does_not_fit() -> None:
    for settings in ({"zero_infinity": True}, {}):

        def program(m: Any, settings: Any = settings) -> Any:
            scores, targets = m.tensor(SCORES), m.tensor(REPEATED)
            lengths = [3, 8, 8, 8], [3, 2, 0, 4]
            return repr(loss(m, scores, targets, *lengths, reduction="none", **settings))

        both(program)


def test_nothing_to_read() -> None:
    def program(m: Any) -> Any:
        found = loss(m, m.tensor(SCORES), m.tensor(TARGETS), [0, 8, 8, 0], [0, 2, 0, 1])
        each = loss(
            m, m.tensor(SCORES), m.tensor(TARGETS), [0, 8, 8, 0], [0, 2, 0, 1], reduction="none"
        )
        return found.item(), [x + 0.0 for x in each.tolist()][::3]

    both(program)


def test_as_a_module() -> None:
    def program(m: Any) -> Any:
        layer = m.nn.CTCLoss(blank=1, reduction="sum", zero_infinity=True)
        targets = m.tensor(np.where(TARGETS == 1, 0, TARGETS))
        logs = m.tensor(SCORES).log_softmax(-1)
        return repr(layer), round(layer(logs, targets, INPUTS, LENGTHS).item(), 9)

    both(program)


def test_a_model_learns_to_spell() -> None:
    graphc.manual_seed(0)
    net = graphc.nn.Linear(3, CLASSES)
    optimizer = graphc.optim.Adam(net.parameters(), lr=0.1)
    x = graphc.tensor(normal(STEPS, BATCH, 3, dtype="float32"))
    losses = []
    for _ in range(20):
        optimizer.zero_grad()
        value = loss(graphc, net(x), graphc.tensor(TARGETS), INPUTS, LENGTHS)
        value.backward()
        optimizer.step()
        losses.append(value.item())
    assert losses[-1] < 0.8 * losses[0]


WRONG: dict[str, Callable[[Any, Any, Any], Any]] = {
    "reduction": lambda m, x, y: loss(m, x, y, INPUTS, LENGTHS, reduction="max"),
    "blank": lambda m, x, y: loss(m, x, y, INPUTS, LENGTHS, blank=5),
    "input": lambda m, x, y: loss(m, x, y, [9, 6, 5, 8], LENGTHS),
    "count of inputs": lambda m, x, y: loss(m, x, y, [8, 6, 5], LENGTHS),
    "count of targets": lambda m, x, y: loss(m, x, y, INPUTS, [3, 2, 0]),
    "target": lambda m, x, y: loss(m, x, y, INPUTS, [3, 2, 0, 5]),
    "targets": lambda m, x, y: loss(m, x, y.reshape(-1), INPUTS, LENGTHS),
    "type of lengths": lambda m, x, y: loss(m, x, y, m.ones(4), m.tensor(LENGTHS)),
    "type": lambda m, x, y: m.nn.functional.ctc_loss(x.long(), y, INPUTS, LENGTHS),
    "rank": lambda m, x, y: loss(m, x[0, 0], y, INPUTS, LENGTHS),
}


@pytest.mark.parametrize("case", WRONG)
def test_errors_are_pytorchs(case: str) -> None:
    with pytest.raises(Exception) as theirs:
        WRONG[case](torch, torch.tensor(SCORES), torch.tensor(TARGETS))
    with pytest.raises(type(theirs.value)) as ours:
        WRONG[case](graphc, graphc.tensor(SCORES), graphc.tensor(TARGETS))
    assert str(theirs.value) in str(ours.value)
