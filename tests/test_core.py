"""The plain loop: what is recorded becomes one program, found again at the next step."""

from __future__ import annotations

import numpy as np

from graphc.autograd import no_grad
from graphc.compiled import compile
from graphc.factories import full
from graphc.recording import session
from graphc.storage import Storage
from graphc.surface import LIFTED
from graphc.tensor import Tensor, from_storage


def given(array: object, *, requires_grad: bool = False) -> Tensor:
    return from_storage(Storage(np.array(array, np.float32))).requires_grad_(requires_grad)


def regression() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    rng = np.random.default_rng(0)
    return (
        given(rng.normal(size=(3, 4)), requires_grad=True),
        given(np.zeros(3), requires_grad=True),
        given(rng.normal(size=(5, 4))),
        given(rng.normal(size=(5, 3))),
    )


def one_step(w: Tensor, b: Tensor, x: Tensor, y: Tensor) -> Tensor:
    w.grad = b.grad = None
    error = LIFTED["linear"](x, w, b) - y
    loss: Tensor = (error * error).mean()
    loss.backward()
    with no_grad():
        for p in (w, b):
            assert p.grad is not None
            p.sub_(p.grad * 0.1)
    return loss


def by_hand(steps: int) -> tuple[list[float], np.ndarray]:
    w, b, x, y = (np.array(t._value(), np.float64) for t in regression())
    losses = []
    for _ in range(steps):
        error = x @ w.T + b - y
        losses.append((error**2).mean())
        gradient = 2 * error / error.size
        w, b = w - 0.1 * gradient.T @ x, b - 0.1 * gradient.sum(0)
    return losses, w


def test_a_plain_step_is_one_cached_program() -> None:
    w, b, x, y = regression()
    expected, weights = by_hand(6)
    losses = [one_step(w, b, x, y).item() for _ in range(2)]
    programs, remembered = len(session.programs), len(session.memo)
    losses += [one_step(w, b, x, y).item() for _ in range(4)]
    assert (len(session.programs), len(session.memo)) == (programs, remembered)
    np.testing.assert_allclose(losses, expected, rtol=1e-5)
    np.testing.assert_allclose(w._value(), weights, rtol=1e-5, atol=1e-7)


def test_a_compiled_step_equals_the_plain_one() -> None:
    w, b, x, y = regression()
    step = compile(lambda x, y: one_step(w, b, x, y))
    losses = [step(x, y).item() for _ in range(6)]
    expected, weights = by_hand(6)
    np.testing.assert_allclose(losses, expected, rtol=1e-5)
    np.testing.assert_allclose(w._value(), weights, rtol=1e-5, atol=1e-7)
    assert len(step.compilations) == 1


def test_a_tensor_filled_with_a_varying_number_makes_no_new_program() -> None:
    session.memo.clear()
    session.programs.clear()
    values = [float(LIFTED["sin"](full((3,), i / 10)).sum()) for i in range(6)]
    known = len(session.programs)
    values += [float(LIFTED["sin"](full((3,), i / 10)).sum()) for i in range(6, 12)]
    assert len(session.programs) <= known
    np.testing.assert_allclose(values, 3 * np.sin(np.arange(12) / 10), rtol=1e-6)
