"""Windows against PyTorch."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import pytest

import graphc
from tests.tensor.programs import check, lines
from tests.torch_peer import torch

import_module(f"{torch.__name__}.signal.windows")
CALLS = lines("""
W.bartlett(M, **k)
W.blackman(M, **k)
W.cosine(M, **k)
W.exponential(M, **k)
W.exponential(M, tau=3.0, **k)
W.gaussian(M, **k)
W.gaussian(M, std=2.5, **k)
W.general_cosine(M, a=[0.46, 0.23, 0.31], **k)
W.general_hamming(M, alpha=0.6, **k)
W.hamming(M, **k)
W.hann(M, **k)
W.kaiser(M, **k)
W.kaiser(M, beta=3.0, **k)
W.nuttall(M, **k)
""")
OTHERS = lines("""
W.exponential(6, center=1.0, sym=False)
W.exponential(6, center=1.0)
W.exponential(6, tau=0.0)
W.gaussian(6, std=-1.0)
W.kaiser(6, beta=-1.0)
W.hann(-1)
W.hann(5, dtype=torch.float16)
W.hann(5, dtype=torch.int64)
W.general_cosine(5, a=[])
W.general_cosine(5, a=3)
W.hann(5, requires_grad=True)
""")


@pytest.mark.parametrize("size", [0, 1, 2, 7, 8])
@pytest.mark.parametrize("sym", [True, False])
@pytest.mark.parametrize("call", CALLS)
def test_window(call: str, sym: bool, size: int) -> None:
    for dtype in ("float32", "float64"):
        given = f"k = dict(sym={sym}, dtype=torch.{dtype})"
        check(f"W, M = torch.signal.windows, {size}\n{given}\n{call}", rounding=10)


@pytest.mark.parametrize("call", OTHERS)
def test_settings(call: str) -> None:
    def program(m: Any) -> Any:
        return eval(call, {"W": m.signal.windows, "torch": m}).detach()

    check(program)


def test_names_are_pytorchs() -> None:
    assert sorted(graphc.signal.windows.__all__) == sorted(torch.signal.windows.__all__)
