"""Parametrized tensors against PyTorch: what is computed, held, trained, copied and put back."""

from __future__ import annotations

import copy
import pickle
import warnings
from typing import Any

import numpy as np
import pytest

import graphc
from tests.nn.peers import both, both_fail
from tests.nn.test_normalized_weights import Layer, pair, same_state, trained
from tests.tensor.programs import check
from tests.torch_peer import torch


def norms(m: Any) -> Any:
    return m.nn.utils.parametrizations


def kinds(m: Any) -> Any:
    """Parametrizations of a package."""
    module = m.nn.Module

    class Symmetric(module):  # type: ignore[misc,valid-type]
        def forward(self, x: Any) -> Any:
            return x.triu() + x.triu(1).mT

        def right_inverse(self, x: Any) -> Any:
            return x.triu()

    class Doubled(module):  # type: ignore[misc,valid-type]
        def forward(self, x: Any) -> Any:
            return x * 2

    class Outer(module):  # type: ignore[misc,valid-type]
        def forward(self, x: Any, y: Any) -> Any:
            return x.unsqueeze(-1) * y.unsqueeze(-2)

        def right_inverse(self, z: Any) -> Any:
            return z[:, 0].clone(), z[0].clone()

    class Wrong(module):  # type: ignore[misc,valid-type]
        def __init__(self, forward: Any, inverse: Any = lambda x: x) -> None:
            super().__init__()
            self.forward_, self.inverse = forward, inverse

        def forward(self, x: Any) -> Any:
            return self.forward_(x)

        def right_inverse(self, x: Any) -> Any:
            return self.inverse(x)

    return Symmetric, Doubled, Outer, Wrong


def square(m: Any) -> Any:
    layer = m.nn.Linear(3, 3)
    with m.no_grad():
        layer.weight.copy_(m.arange(9.0).reshape(3, 3) - 3)
        layer.bias.fill_(0.5)
    return layer


def test_one_original() -> None:
    def program(m: Any) -> Any:
        P, (Symmetric, *_) = m.nn.utils.parametrize, kinds(m)
        layer = square(m)
        before = layer.weight
        assert P.register_parametrization(layer, "weight", Symmetric()) is layer
        assert layer.parametrizations.weight.original is before
        layer(m.ones(2, 3)).square().sum().backward()
        found = [layer.weight, before.grad, list(layer.state_dict())]
        layer.weight = m.arange(9.0).reshape(3, 3)
        found += [layer.weight, repr(layer), P.is_parametrized(layer)]
        found += [P.is_parametrized(layer, "bias"), P.type_before_parametrizations(layer).__name__]
        return found

    check(program)


def test_several_in_a_row() -> None:
    def program(m: Any) -> Any:
        P, (Symmetric, Doubled, *_) = m.nn.utils.parametrize, kinds(m)
        layer = square(m)
        layer.eval()
        P.register_parametrization(layer, "weight", Doubled())
        P.register_parametrization(layer, "weight", Symmetric())
        P.register_parametrization(layer, "bias", Doubled())
        with P.cached():
            same = layer.weight is layer.weight
        again = copy.deepcopy(layer)
        with m.no_grad():
            layer.parametrizations.weight.original.zero_()
        trains = [x.training for x in layer.modules()]
        return same, layer.weight is layer.weight, again.weight, layer.bias, trains

    check(program)


def test_several_originals() -> None:
    def program(m: Any) -> Any:
        P, (_, _, Outer, _) = m.nn.utils.parametrize, kinds(m)
        layer = P.register_parametrization(square(m), "weight", Outer())
        layer.weight.sum().backward()
        grads = [p.grad for p in layer.parametrizations.weight.parameters()]
        layer.weight = m.ones(3, 3)
        names = [k for k, _ in layer.named_parameters()]
        value = layer.weight
        P.remove_parametrizations(layer, "weight")
        return grads, names, value, layer.weight, type(layer).__name__, list(layer.state_dict())

    check(program)


@pytest.mark.parametrize("leave", [True, False])
def test_removal(leave: bool) -> None:
    def program(m: Any) -> Any:
        P, (_, Doubled, *_) = m.nn.utils.parametrize, kinds(m)
        layer = square(m)
        layer.register_buffer("shift", m.ones(3))
        before = layer.weight
        for name in ("weight", "shift"):
            P.register_parametrization(layer, name, Doubled())
        P.remove_parametrizations(layer, "weight", leave_parametrized=leave)
        half = type(layer).__name__, layer.weight is before, layer.weight
        P.remove_parametrizations(layer, "shift", leave_parametrized=leave)
        whole = type(layer).__name__, layer.shift, list(layer.state_dict()), repr(layer)
        return half, whole, hasattr(layer, "parametrizations")

    check(program)


def test_transfer() -> None:
    def program(m: Any) -> Any:
        P, (_, Doubled, Outer, _) = m.nn.utils.parametrize, kinds(m)
        source, target, plain = (square(m) for _ in range(3))
        P.register_parametrization(source, "weight", Outer())
        P.register_parametrization(source, "bias", Doubled())
        P.transfer_parametrizations_and_params(source, target)
        P.transfer_parametrizations_and_params(plain, target)
        return target.weight, target.bias, list(target.state_dict())

    check(program)


WRONG = {
    "no tensor": ((lambda x: 3,), False),
    "type": ((lambda x: x.double(),), False),
    "shape": ((lambda x: x[0],), False),
    "inverse": ((lambda x: x, lambda x: 3), False),
    "inverse type": ((lambda x: x, lambda x: x.double()), True),
    "inverse parts": ((lambda x: x, lambda x: [1, 2]), True),
}


@pytest.mark.parametrize("name", WRONG)
@pytest.mark.parametrize("again", [False, True])
def test_errors_of_kinds(name: str, again: bool) -> None:
    def program(m: Any) -> Any:
        P, (_, Doubled, _, Wrong) = m.nn.utils.parametrize, kinds(m)
        layer = square(m)
        if again:
            P.register_parametrization(layer, "weight", Doubled())
        arguments, unsafe = WRONG[name]
        P.register_parametrization(layer, "weight", Wrong(*arguments), unsafe=unsafe and not again)

    both_fail(program)


@pytest.mark.parametrize(
    "program",
    [
        lambda m: m.nn.utils.parametrize.register_parametrization(square(m), "w", m.nn.ReLU()),
        lambda m: m.nn.utils.parametrize.remove_parametrizations(square(m), "weight"),
        lambda m: m.nn.utils.parametrize.ParametrizationList([], m.ones(2)),
        lambda m: pickle.dumps(norms(m).weight_norm(square(m))),
        lambda m: setattr(
            m.nn.utils.parametrize.register_parametrization(square(m), "bias", kinds(m)[1]()),
            "bias",
            m.ones(3),
        ),
        lambda m: m.nn.utils.parametrize.remove_parametrizations(
            norms(m).weight_norm(square(m)), "weight", leave_parametrized=False
        ),
        lambda m: norms(m).spectral_norm(square(m), "w"),
        lambda m: norms(m).orthogonal(square(m), "bias"),
        lambda m: norms(m).orthogonal(square(m), orthogonal_map="x"),
        lambda m: setattr(norms(m).orthogonal(square(m)), "weight", m.ones(2, 3)),
        lambda m: setattr(
            norms(m).orthogonal(square(m), use_trivialization=False), "weight", m.ones(3, 3)
        ),
        lambda m: norms(m).spectral_norm(square(m), dim=2),
        lambda m: norms(m).spectral_norm(square(m), n_power_iterations=0),
    ],
)
def test_errors(program: Any) -> None:
    both_fail(program)


LAYERS: dict[str, tuple[Layer, tuple[int, ...]]] = {
    "spectral": (lambda m: norms(m).spectral_norm(m.nn.Linear(4, 3)), (5, 4)),
    "spectral convolution": (
        lambda m: norms(m).spectral_norm(m.nn.Conv2d(2, 3, 3), n_power_iterations=3, eps=1e-6),
        (2, 2, 5, 5),
    ),
    "spectral transposed": (
        lambda m: norms(m).spectral_norm(m.nn.ConvTranspose1d(2, 3, 2)),
        (2, 2, 5),
    ),
    "spectral vector": (lambda m: norms(m).spectral_norm(m.nn.Linear(4, 3), "bias"), (5, 4)),
    "lengths": (lambda m: norms(m).weight_norm(m.nn.Linear(4, 3)), (5, 4)),
    "lengths of columns": (lambda m: norms(m).weight_norm(m.nn.Conv1d(2, 3, 2), dim=1), (1, 2, 5)),
    "length": (lambda m: norms(m).weight_norm(m.nn.Linear(4, 3), dim=None), (5, 4)),
    "orthogonal": (lambda m: norms(m).orthogonal(m.nn.Linear(4, 4)), (5, 4)),
    "orthogonal rows": (lambda m: norms(m).orthogonal(m.nn.Linear(4, 3)), (5, 4)),
    "orthogonal columns": (lambda m: norms(m).orthogonal(m.nn.Linear(3, 4), "weight"), (5, 3)),
    "rotated": (
        lambda m: norms(m).orthogonal(m.nn.Linear(3, 4), orthogonal_map="matrix_exp"),
        (5, 3),
    ),
    "Cayley": (lambda m: norms(m).orthogonal(m.nn.Linear(4, 3), orthogonal_map="cayley"), (5, 4)),
    "reflected": (
        lambda m: norms(m).orthogonal(m.nn.Linear(4, 3), use_trivialization=False),
        (5, 4),
    ),
}


@pytest.mark.parametrize("compiled", (False, True), ids=("plain", "compiled"))
@pytest.mark.parametrize("name", LAYERS)
def test_training(name: str, compiled: bool) -> None:
    make, shape = LAYERS[name]
    mine, theirs = pair(make)
    ours = trained(graphc, mine, shape, graphc.compile(mine) if compiled else mine)
    np.testing.assert_allclose(ours, trained(torch, theirs, shape, theirs), rtol=1e-4)
    same_state(mine, theirs)


def test_states_of_the_hook_are_loaded() -> None:
    def program(m: Any) -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            old = m.nn.utils.weight_norm(square(m))
        new = norms(m).weight_norm(m.nn.Linear(3, 3))
        return str(new.load_state_dict(old.state_dict())), new.weight.detach()

    check(program)


@pytest.mark.parametrize("trivial", [True, False])
def test_orthogonal_matrices_are_assigned(trivial: bool) -> None:
    def program(m: Any) -> Any:
        layer = m.nn.Linear(3, 3, bias=False)
        with m.no_grad():
            layer.weight.copy_((m.arange(9.0) * 7 % 11).reshape(3, 3))
        form = {"orthogonal_map": "householder", "use_trivialization": trivial}
        norms(m).orthogonal(layer, **form)
        first = layer.weight.detach()
        layer.weight = m.tensor([[0.0, 1, 0], [1, 0, 0], [0, 0, -1]])
        return first, layer.weight.detach(), repr(layer), list(layer.state_dict())

    check(program, rounding=10)


def test_the_first_steps_are_near_the_singular_vectors() -> None:
    def program(m: Any) -> Any:
        layer = norms(m).spectral_norm(square(m)).eval()
        return round(m.linalg.matrix_norm(layer.weight, 2).item(), 4), repr(layer)

    both(program)
