"""Complex numbers on a device: views, writes, copies, steps and whole trainings."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc
from tests.complex.programs import PROGRAMS, Program
from tests.complex.test_programs import trained


@pytest.fixture(autouse=True)
def exactly() -> Any:
    """Convolutions are computed as on the CPU."""
    before = graphc.backends.cudnn.allow_tf32
    graphc.backends.cudnn.allow_tf32 = False
    yield
    graphc.backends.cudnn.allow_tf32 = before


@pytest.mark.parametrize("name", ["complex64", "complex128"])
def test_views_writes_and_copies(name: str) -> None:
    dtype = getattr(graphc, name)
    z = graphc.tensor([[1 + 2j, 3 - 4j], [0.5j, 1]], dtype=dtype, device="cuda")
    z.real[0] = 7.0
    z[1] = 1j
    assert z.cpu().tolist() == [[7 + 2j, 7 - 4j], [1j, 1j]]
    assert z.T.contiguous().tolist() == [[7 + 2j, 1j], [7 - 4j, 1j]]
    assert z.T.imag.tolist() == [[2, 1], [-4, 1]]
    assert (z * z.conj()).real.tolist() == [[53, 65], [1, 1]]
    pairs = graphc.arange(8.0, device="cuda").reshape(2, 2, 2)
    graphc.view_as_complex(pairs)[:, 1].mul_(1j)
    assert pairs.tolist() == [[[0, 1], [-3, 2]], [[4, 5], [-7, 6]]]


def test_compiled_steps_keep_complex_state() -> None:
    state = graphc.tensor([1j, 2], device="cuda")

    @graphc.compile
    def step(x: Any) -> Any:
        state.mul_(x)
        return state + x, state.abs()

    x = graphc.tensor([1 + 1j, 2], device="cuda")
    for expected in ([-1 + 1j, 4], [-2, 8], [-2 - 2j, 16]):
        total, _ = step(x)
        assert state.tolist() == expected
        assert total.tolist() == [a + b for a, b in zip(expected, x.tolist(), strict=True)]


def test_transforms() -> None:
    x = graphc.randn(3, 100, dtype=graphc.float64)
    found = graphc.fft.fft(x.cuda())
    np.testing.assert_allclose(found.cpu().numpy(), np.fft.fft(x.numpy()), atol=1e-10)
    again = graphc.fft.irfft(graphc.fft.rfft(x.cuda()))
    np.testing.assert_allclose(again.cpu().numpy(), x.numpy(), atol=1e-12)


@pytest.mark.parametrize("program", PROGRAMS.values(), ids=PROGRAMS)
def test_training(program: Program) -> None:
    graphc.manual_seed(0)
    losses, start, after = trained(graphc, program, None)
    found, _, parameters = trained(graphc, program, start, "cuda")
    np.testing.assert_allclose(found, losses, rtol=2e-4, atol=2e-5)
    for name, expected in after.items():
        np.testing.assert_allclose(parameters[name], expected, rtol=2e-3, atol=2e-3)
