"""Which products of float32 may be computed in tf32: PyTorch's settings, and what they reach."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

import graphc as torch
import graphc.nn.functional as F
from graphc.backends import find
from graphc.recording import session


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    yield
    torch.set_float32_matmul_precision("highest")
    torch.backends.cudnn.allow_tf32 = True


def test_defaults() -> None:
    assert torch.get_float32_matmul_precision() == "highest"
    assert torch.backends.cuda.matmul.allow_tf32 is False
    assert torch.backends.cudnn.allow_tf32 is True


def test_the_settings_of_products_are_one() -> None:
    torch.set_float32_matmul_precision("medium")
    assert torch.backends.cuda.matmul.allow_tf32 is True
    torch.backends.cuda.matmul.allow_tf32 = False
    assert torch.get_float32_matmul_precision() == "highest"
    torch.backends.cuda.matmul.allow_tf32 = True
    assert torch.get_float32_matmul_precision() == "high"
    with pytest.raises(RuntimeError, match="Invalid matmul precision: low"):
        torch.set_float32_matmul_precision("low")
    unknown = "allow_tf23"
    with pytest.raises(AttributeError):
        setattr(torch.backends.cudnn, unknown, True)


def test_a_compiled_function_follows_them() -> None:
    """Its gradients too; what was compiled before is found again."""
    w = torch.ones(3, 3, requires_grad=True)

    @torch.compile
    def step(x: torch.Tensor) -> None:
        (x @ w).sum().backward()

    x = torch.ones(2, 3)
    step(x)
    assert "tf32" not in str(step.graph)
    torch.set_float32_matmul_precision("high")
    step(x)
    assert "matmul[tf32=True]" in str(step.graph)
    torch.set_float32_matmul_precision("highest")
    step(x)
    assert "tf32" not in str(step.graph)


def test_plain_programs_follow_them() -> None:
    """The same call on the same tensors is recorded anew."""
    x = torch.ones(1, 2, 2)

    def recorded() -> list[str]:
        return [str(session.trace.node_of(y).op) for y in (x @ x, F.conv1d(x, x))]

    product, convolution = recorded()
    assert product == "matmul"
    assert convolution.endswith("groups=1, tf32=True]")
    torch.backends.cudnn.allow_tf32 = False
    torch.set_float32_matmul_precision("high")
    product, convolution = recorded()
    assert product == "matmul[tf32=True]"
    assert convolution.endswith("groups=1]")


def test_attention_follows_them() -> None:
    """By what it was recorded with, not by what is set when it is compiled."""
    x = torch.ones(1, 4, 8)

    def step() -> Any:
        return torch.compile(lambda y: F.scaled_dot_product_attention(y, y, y))

    plain = step()
    plain(x)
    assert "tf32" not in str(plain.graph)
    torch.set_float32_matmul_precision("high")
    lower = step()
    lower(x)
    assert "tf32=True" in str(lower.graph)


def test_the_generated_text_says_what_is_done() -> None:
    x = torch.ones(64, 64)

    def text() -> str:
        step = torch.compile(lambda y: y @ y)
        step(x)
        return find("cuda").emit(step.graph).text

    assert "a thread" in text()
    torch.set_float32_matmul_precision("high")
    assert "on tensor cores in tf32" in text()


def test_switches_of_programs_for_pytorch() -> None:
    """What programs set and ask before anything else."""
    torch.backends.cudnn.benchmark = True
    torch.backends.cudnn.deterministic = True
    assert torch.backends.cudnn.benchmark
    assert torch.backends.cuda.is_built()
    assert not torch.backends.mps.is_available()
    assert not torch.backends.cudnn.is_available()
    assert torch.backends.cudnn.version() is None
    torch.backends.cudnn.benchmark = torch.backends.cudnn.deterministic = False
