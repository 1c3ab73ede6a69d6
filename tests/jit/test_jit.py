"""``jit``: programs that script and trace, against PyTorch."""

from __future__ import annotations

import math
import warnings
from typing import Any

import pytest

import graphc
from tests.tensor.programs import check
from tests.torch_peer import torch

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    theirs = torch.jit


def test_a_scripted_function_and_its_gradient() -> None:
    def gelu(m: Any) -> Any:
        def bias_gelu(bias: Any, y: Any) -> Any:
            x = bias + y
            return x * 0.5 * (1.0 + m.erf(x / math.sqrt(2)))

        # PyTorch's scripting reads no closures; this is its program without the decorator.
        call = m.jit.script(bias_gelu) if m is graphc else bias_gelu
        x, b = (m.linspace(-2, n, 6, requires_grad=True) for n in (1, 3))
        call(b, x).square().sum().backward()
        return x.grad, b.grad

    check(gelu)


def test_decorators_give_back_what_they_are_given() -> None:
    def f(x: Any) -> Any:
        return x

    jit = graphc.jit
    for decorate in (jit.script, jit.unused, jit.export, jit.script_if_tracing, jit.interface):
        assert decorate(f) is f
    assert jit.ignore(f) is jit.ignore(drop=True)(f) is jit.script_method(f) is f
    net = graphc.nn.Linear(2, 2)
    assert jit.script(net) is net
    assert jit.freeze(net.eval()) is jit.optimize_for_inference(net) is net
    assert jit.annotate(list[int], [1]) == [1]
    assert not jit.is_scripting()
    assert not jit.is_tracing()


def test_a_script_module() -> None:
    def program(m: Any) -> Any:
        base: Any = m.nn.Module if m is torch else m.jit.ScriptModule
        method: Any = m.jit.script_method if m is graphc else lambda f: f

        class Cell(base):  # type: ignore[misc]
            __constants__ = ("size",)

            def __init__(self) -> None:
                super().__init__()
                self.size = 3
                self.weight = m.nn.Parameter(m.arange(6.0).reshape(2, 3))

            @method  # type: ignore[untyped-decorator]
            def forward(self, x: Any, state: Any) -> Any:
                return m.tanh(x @ self.weight + state)

        cell = Cell()
        out = cell(m.ones(2), m.zeros(3))
        out.sum().backward()
        return out, cell.weight.grad, list(cell.state_dict())

    check(program)


def test_traced_functions_and_modules() -> None:
    def program(m: Any) -> Any:
        net = m.nn.Linear(3, 2)
        with m.no_grad():
            net.weight.fill_(0.5)
            net.bias.fill_(1.0)
        x = m.arange(6.0).reshape(2, 3)
        traced = m.jit.trace(net, x)
        f = m.jit.trace(lambda a, b: a * b + 1, (x, x))
        whole = m.jit.trace_module(net, {"forward": x})
        (traced(x + 1) + whole(x)).sum().backward()
        return traced(x + 1).detach(), f(x, x + 2), net.weight.grad, list(traced.state_dict())

    check(program)


def test_tracing_compiles_at_once() -> None:
    x = graphc.ones(3)
    traced = graphc.jit.trace(lambda a: a * 2, x)
    assert len(traced.compilations) == 1
    assert traced(x).tolist() == [2.0, 2.0, 2.0]
    assert len(traced.compilations) == 1
    by_name = graphc.jit.trace(lambda a: a * 2, example_kwarg_inputs={"a": x})
    assert by_name(a=x).tolist() == [2.0, 2.0, 2.0]


def test_tasks() -> None:
    check(lambda m: m.jit.wait(m.jit.fork(m.add, m.ones(2), m.ones(2))))


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ([1, 2], list[int]),
        ([1, 2.0], list[int]),
        ({"a": 1}, dict[str, int]),
        ({"a": 1}, dict[str, float]),
        ((1, "a"), tuple[int, str]),
        ((1, "a"), tuple[int]),
        (None, int | None),
        ("a", int | None),
        (3, int),
        ([[1], [2]], list[list[int]]),
        ([1], (dict[str, int], list[int])),
        ([1], list),
    ],
)
def test_kinds(value: Any, kind: Any) -> None:
    check(lambda m: m.jit.isinstance(value, kind), says=False)


def test_what_cannot_be_meant_says_what_can() -> None:
    net = graphc.nn.Linear(2, 2)
    with pytest.raises(NotImplementedError, match=r"graphc\.save\(module\.state_dict\(\), f\)"):
        graphc.jit.save(net, "net.pt")
    with pytest.raises(NotImplementedError, match="load_state_dict"):
        graphc.jit.load("net.pt")
    with pytest.raises(RuntimeError, match="modules in eval mode"):
        graphc.jit.freeze(net)


def test_names_are_pytorchs() -> None:
    for name in graphc.jit.__all__:
        assert hasattr(theirs, name), name
