"""Lazy layers against PyTorch: what they are before and after their first call."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import pytest

import graphc
from tests.nn.peers import both, both_fail
from tests.tensor.programs import check
from tests.torch_peer import torch

LAYERS: dict[str, tuple[Callable[[Any], Any], tuple[int, ...]]] = {
    "LazyLinear": (lambda nn: nn.LazyLinear(4), (2, 3, 5)),
    "LazyLinear bias": (lambda nn: nn.LazyLinear(4, bias=False), (2, 5)),
    "LazyConv1d": (lambda nn: nn.LazyConv1d(4, 3), (2, 2, 8)),
    "LazyConv2d": (lambda nn: nn.LazyConv2d(4, 3, padding=1, groups=2, bias=False), (2, 6, 5, 5)),
    "LazyConv2d alone": (lambda nn: nn.LazyConv2d(4, (3, 1), stride=2), (3, 5, 5)),
    "LazyConv3d": (lambda nn: nn.LazyConv3d(2, 2), (1, 3, 4, 4, 4)),
    "LazyConvTranspose1d": (lambda nn: nn.LazyConvTranspose1d(4, 3), (2, 2, 8)),
    "LazyConvTranspose2d": (lambda nn: nn.LazyConvTranspose2d(4, 3, 2, groups=2), (2, 6, 5, 5)),
    "LazyConvTranspose3d": (lambda nn: nn.LazyConvTranspose3d(2, 2), (1, 3, 4, 4, 4)),
    "LazyBatchNorm1d": (lambda nn: nn.LazyBatchNorm1d(), (4, 3)),
    "LazyBatchNorm2d": (lambda nn: nn.LazyBatchNorm2d(affine=False), (4, 3, 2, 2)),
    "LazyBatchNorm3d": (
        lambda nn: nn.LazyBatchNorm3d(track_running_stats=False),
        (2, 3, 2, 2, 2),
    ),
    "LazyInstanceNorm1d": (lambda nn: nn.LazyInstanceNorm1d(), (4, 3, 5)),
    "LazyInstanceNorm2d": (lambda nn: nn.LazyInstanceNorm2d(bias=False), (4, 3, 2, 2)),
    "LazyInstanceNorm3d": (lambda nn: nn.LazyInstanceNorm3d(), (2, 3, 2, 2, 2)),
}


def fill(m: Any, layer: Any) -> None:
    with m.no_grad():
        for i, p in enumerate(layer.parameters()):
            p.copy_(m.linspace(-1, 1 + i, p.numel()).reshape(p.shape))


@pytest.mark.parametrize("name", LAYERS)
def test_the_first_call_makes_the_layer(name: str) -> None:
    make, shape = LAYERS[name]

    def program(m: Any) -> Any:
        layer = make(m.nn)
        before: list[Any] = [repr(layer), {k: repr(v) for k, v in layer.state_dict().items()}]
        before += [layer.has_uninitialized_params(), len(layer._forward_pre_hooks)]
        x = m.arange(float(torch.Size(shape).numel())).reshape(shape).cos()
        layer(x)
        after = [type(layer).__name__, repr(layer), len(layer._forward_pre_hooks)]
        kinds = [(k, type(v).__name__) for k, v in layer.named_parameters()]
        fill(m, layer)
        out = layer(x)
        if kinds:
            out.square().sum().backward()
        grads = [p.grad for p in layer.parameters()]
        return before, after, kinds, out.detach(), grads, list(layer.state_dict().items())

    check(program, rounding=10)


def test_casts_go_before_the_first_call() -> None:
    def program(m: Any) -> Any:
        net = m.nn.Sequential(m.nn.LazyLinear(3), m.nn.LazyBatchNorm1d(), m.nn.Linear(3, 2))
        net.double()
        lazily = [str(t.dtype) for t in net.state_dict().values()]
        net(m.ones(4, 5, dtype=m.float64))
        return lazily, [(k, str(v.dtype), tuple(v.shape)) for k, v in net.state_dict().items()]

    both(program)


def test_states_are_loaded_before_and_after() -> None:
    def program(m: Any) -> Any:
        full = m.nn.Linear(5, 4)
        fill(m, full)
        lazy = m.nn.LazyLinear(4)
        lazy.load_state_dict(full.state_dict())
        still = type(lazy).__name__, lazy.has_uninitialized_params()
        out = lazy(m.ones(2, 5))
        other = m.nn.LazyLinear(4)
        other.load_state_dict(m.nn.LazyLinear(4).state_dict())
        return still, out, type(lazy).__name__, repr(lazy), other.has_uninitialized_params()

    check(program)


def test_copies_are_lazy_too() -> None:
    def program(m: Any) -> Any:
        lazy = m.nn.LazyLinear(4, dtype=m.float64)
        again = copy.deepcopy(lazy)
        lazy(m.ones(2, 3, dtype=m.float64))
        p = pickle.loads(pickle.dumps(m.nn.UninitializedParameter(requires_grad=False)))
        return (
            repr(again.weight),
            str(again.weight.dtype),
            tuple(lazy.weight.shape),
            p.requires_grad,
        )

    both(program)


@pytest.mark.parametrize(
    "program",
    [
        lambda m: m.nn.LazyLinear(3).weight.shape,
        lambda m: m.nn.Linear(2, 3).load_state_dict(m.nn.LazyLinear(3).state_dict()),
        lambda m: m.nn.LazyConv1d(3, 2)(m.ones(3)),
        lambda m: m.nn.LazyConv1d(4, 2, groups=2)(m.ones(3, 3)),
        lambda m: m.nn.modules.lazy.LazyModuleMixin.initialize_parameters(m.nn.LazyLinear(2)),
    ],
)
def test_errors(program: Any) -> None:
    both_fail(program)


def test_what_is_not_there_cannot_be_used() -> None:
    lazy = graphc.nn.LazyLinear(3)
    with pytest.raises(ValueError, match="Attempted to use an uninitialized parameter"):
        lazy.weight + 1
    assert graphc.nn.parameter.is_lazy(lazy.weight)


def test_a_compiled_first_call() -> None:
    net = graphc.nn.Sequential(graphc.nn.LazyLinear(3), graphc.nn.ReLU(), graphc.nn.LazyLinear(2))
    compiled = graphc.compile(net)
    x = graphc.ones(4, 5)
    with graphc.no_grad():
        first, again, plain = compiled(x), compiled(x), net(x)
    assert graphc.equal(first, again)
    assert graphc.equal(again, plain)
    assert net[0].weight.abs().max().item() > 0


def test_layers_of_the_users_own() -> None:
    def program(m: Any) -> Any:
        mixin, linear = m.nn.modules.lazy.LazyModuleMixin, m.nn.Linear

        class Scale(mixin, m.nn.Module):  # type: ignore[misc,valid-type]
            def __init__(self) -> None:
                super().__init__()
                self.factor = m.nn.UninitializedParameter()
                self.seen = m.nn.UninitializedBuffer()
                self.inner = linear(2, 2)

            def initialize_parameters(self, x: Any) -> None:
                self.factor.materialize(x.shape[1:])
                self.seen.materialize((1,))
                with m.no_grad():
                    self.factor.fill_(2)
                    self.seen.zero_()

            def forward(self, x: Any) -> Any:
                return x * self.factor

        scale = Scale()
        before = [k for k, _ in scale.named_buffers()]
        return before, scale(m.ones(2, 3)), type(scale).__name__, len(list(scale.parameters()))

    check(program)
