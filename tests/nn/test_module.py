"""Module against PyTorch's: members, attributes, modes, casts, copies, text."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest

import graphc
from graphc import nn
from tests.nn.peers import Program, both, both_fail, classifier


def shapes(named: Any) -> list[Any]:
    return [(name, tuple(x.shape), str(x.dtype), x.requires_grad) for name, x in named]


MEMBERS: dict[str, Program] = {
    "named_parameters": lambda m: shapes(classifier(m).named_parameters()),
    "named_parameters, prefix": lambda m: shapes(classifier(m).named_parameters("model", False)),
    "named_buffers": lambda m: shapes(classifier(m).named_buffers()),
    "named_buffers, own": lambda m: shapes(classifier(m).named_buffers(recurse=False)),
    "named_modules": lambda m: [
        (name, type(x).__name__) for name, x in classifier(m).named_modules()
    ],
    "named_children": lambda m: [name for name, _ in classifier(m).named_children()],
    "children": lambda m: [type(x).__name__ for x in classifier(m).children()],
    "modules": lambda m: [type(x).__name__ for x in classifier(m).modules()],
    "state_dict": lambda m: list(classifier(m).state_dict()),
    "state_dict, prefix": lambda m: list(classifier(m).state_dict(prefix="model.")),
    "dir": lambda m: [
        name
        for name in dir(classifier(m))
        if name in ("scale", "blocks", "count", "forward", "none", "0")
    ],
    "parts": lambda m: [
        type(classifier(m).get_submodule("blocks.0.norm")).__name__,
        tuple(classifier(m).get_parameter("head.1.weight").shape),
        tuple(classifier(m).get_buffer("blocks.0.norm.running_var").shape),
    ],
    "repr": lambda m: repr(classifier(m)),
    "shared": lambda m: _shared(m),
}


def _shared(m: Any) -> list[Any]:
    """Of what is held twice, the first name counts."""
    net = m.nn.Module()
    net.a = m.nn.Linear(2, 2)
    net.b = net.a
    net.c = m.nn.Linear(2, 2, bias=False)
    net.c.weight = net.a.weight
    return [
        [name for name, _ in net.named_parameters()],
        [name for name, _ in net.named_parameters(remove_duplicate=False)],
        [name for name, _ in net.named_modules(remove_duplicate=False)],
        list(net.state_dict()),
        len(list(net.parameters())),
        repr(net),
    ]


@pytest.mark.parametrize("case", MEMBERS)
def test_members(case: str) -> None:
    both(MEMBERS[case])


def _replacing(m: Any) -> list[Any]:
    net = classifier(m)
    net.scale = m.nn.Parameter(m.zeros(3))
    net.count = m.ones(4)
    net.cache = None
    net.head = None
    net.blocks = m.nn.Identity()
    net.added = m.nn.Parameter(m.ones(1), requires_grad=False)
    net.plain = m.ones(2)
    net.none = m.nn.Parameter(m.ones(1))
    net.seen = m.nn.Buffer(m.ones(1), persistent=False)
    del net.nothing
    return [
        shapes(net.named_parameters()),
        shapes(net.named_buffers()),
        list(net.state_dict()),
        [name for name, _ in net.named_children()],
        net.head is None,
        hasattr(net, "nothing"),
        sorted(name for name in vars(net) if not name.startswith("_")),
    ]


def _kinds(m: Any) -> list[Any]:
    """A name changes its kind when something of another kind is assigned to it."""
    net = m.nn.Module()
    net.x = m.nn.Linear(1, 1)
    net.x = m.nn.Parameter(m.ones(1))
    first = [list(net._modules), list(net._parameters)]
    net.y = m.nn.Parameter(m.ones(1))
    net.y = None
    net.z = 3
    net.z = m.nn.ReLU()
    return [*first, list(net._parameters), net.y, list(net._modules)]


def _adding(m: Any) -> list[Any]:
    net = m.nn.Module()
    net.add_module("a", m.nn.ReLU())
    net.register_module("b", None)
    net.set_submodule("a", m.nn.Tanh())
    return [repr(net), list(net._modules)]


ATTRIBUTES: dict[str, Program] = {"replacing": _replacing, "kinds": _kinds, "adding": _adding}


@pytest.mark.parametrize("case", ATTRIBUTES)
def test_attributes(case: str) -> None:
    both(ATTRIBUTES[case])


class _Early:
    """Assigning before ``Module.__init__``."""

    def __init__(self, kind: str) -> None:
        self.kind = kind

    def __call__(self, m: Any) -> Any:
        kind = self.kind

        class Early(m.nn.Module):  # type: ignore[misc]
            def __init__(self) -> None:
                if kind == "buffer":
                    self.register_buffer("x", m.ones(1))
                elif kind == "registered":
                    self.register_parameter("x", None)
                else:
                    self.x = m.nn.Parameter(m.ones(1)) if kind == "parameter" else m.nn.ReLU()

        return Early()


WRONG: dict[str, Program] = {
    "no forward": lambda m: m.nn.Module()(1),
    "no attribute": lambda m: m.nn.Linear(2, 2).wieght,
    "a tensor as parameter": lambda m: setattr(m.nn.Linear(2, 2), "weight", m.ones(2, 2)),
    "a number as module": lambda m: setattr(m.nn.Sequential(m.nn.ReLU()), "0", 3),
    "a list as buffer": lambda m: setattr(m.nn.BatchNorm1d(2), "running_mean", [0.0]),
    "early parameter": _Early("parameter"),
    "early module": _Early("module"),
    "early buffer": _Early("buffer"),
    "early registration": _Early("registered"),
    "buffer's name": lambda m: m.nn.Module().register_buffer("a.b", m.ones(1)),
    "buffer without a name": lambda m: m.nn.Module().register_buffer("", m.ones(1)),
    "buffer twice": lambda m: m.nn.Linear(2, 2).register_buffer("weight", m.ones(1)),
    "buffer of numbers": lambda m: m.nn.Module().register_buffer("a", 3.0),
    "buffer's number": lambda m: m.nn.Module().register_buffer(3, m.ones(1)),
    "parameter's name": lambda m: m.nn.Module().register_parameter("a.b", None),
    "parameter of numbers": lambda m: m.nn.Module().register_parameter("a", m.ones(1)),
    "parameter that is a method": lambda m: m.nn.Module().register_parameter("train", None),
    "module's name": lambda m: m.nn.Module().add_module("a.b", m.nn.ReLU()),
    "module without a name": lambda m: m.nn.Module().add_module("", m.nn.ReLU()),
    "module that is none": lambda m: m.nn.Module().add_module("a", 3),
    "module that is a method": lambda m: m.nn.Module().add_module("train", m.nn.ReLU()),
    "mode": lambda m: m.nn.Module().train("yes"),
    "type": lambda m: m.nn.Linear(2, 2).to(m.int64),
    "no submodule": lambda m: classifier(m).get_submodule("head.7"),
    "no module": lambda m: classifier(m).get_submodule("scale"),
    "no parameter": lambda m: classifier(m).get_parameter("head.1.bais"),
    "none of the parameters": lambda m: classifier(m).get_parameter("count"),
    "none of the buffers": lambda m: classifier(m).get_buffer("scale"),
    "arguments": lambda m: m.nn.Module(3),
    "named arguments": lambda m: m.nn.Module(size=3),
    "deleting nothing": lambda m: delattr(m.nn.Linear(2, 2), "wieght"),
}


@pytest.mark.parametrize("case", WRONG)
def test_errors_are_pytorchs(case: str) -> None:
    both_fail(WRONG[case])


def _modes(m: Any) -> list[Any]:
    net = classifier(m)
    found = [net.eval() is net, [x.training for x in net.modules()]]
    net.head.train()
    return [*found, [x.training for x in net.modules()], net.train().training]


def _applied(m: Any) -> list[str]:
    seen: list[str] = []
    net = classifier(m)
    assert net.apply(lambda x: seen.append(type(x).__name__)) is net
    return seen


def _frozen(m: Any) -> list[Any]:
    net = classifier(m)
    net.requires_grad_(False)
    frozen = [p.requires_grad for p in net.parameters()]
    net.head.requires_grad_()
    return [frozen, [p.requires_grad for p in net.parameters()]]


def _cleared(m: Any) -> list[Any]:
    net = m.nn.Linear(2, 1)
    net(m.ones(3, 2)).sum().backward()
    net.zero_grad(set_to_none=False)
    zeros = [p.grad.tolist() for p in net.parameters()]
    net.zero_grad()
    return [zeros, [p.grad is None for p in net.parameters()]]


WALKS: dict[str, Program] = {
    "modes": _modes,
    "apply": _applied,
    "requires_grad_": _frozen,
    "zero_grad": _cleared,
}


@pytest.mark.parametrize("case", WALKS)
def test_walks(case: str) -> None:
    both(WALKS[case])


CASTS: dict[str, Any] = {
    "half": lambda m, net: net.half(),
    "bfloat16": lambda m, net: net.bfloat16(),
    "double": lambda m, net: net.double(),
    "float": lambda m, net: net.double().float(),
    "type": lambda m, net: net.type(m.float64),
    "to a type": lambda m, net: net.to(m.float16),
    "to a device": lambda m, net: net.to("cpu"),
    "to both": lambda m, net: net.to("cpu", m.float64),
    "to named": lambda m, net: net.to(device="cpu", dtype=m.float64),
    "to another's": lambda m, net: net.to(m.ones(1, dtype=m.float64)),
    "cpu": lambda m, net: net.cpu(),
}


@pytest.mark.parametrize("case", CASTS)
def test_casts(case: str) -> None:
    def cast(m: Any) -> list[Any]:
        net = classifier(m)
        weight = net.scale
        weight.grad = m.ones(2)
        same = CASTS[case](m, net) is net
        found = shapes([*net.named_parameters(), *net.named_buffers()])
        return [same, found, net.scale is weight, str(net.scale.grad.dtype)]

    both(cast)


def test_a_cast_network_computes_in_its_type() -> None:
    net = nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4), nn.Linear(4, 1))
    x = graphc.randn(5, 3)
    expected = net(x).detach().numpy()
    for name, tolerance in (("double", 1e-5), ("bfloat16", 0.1), ("half", 0.01)):
        other = getattr(copy.deepcopy(net), name)()
        result = other(x.to(other[0].weight.dtype))
        assert result.dtype is other[0].weight.dtype
        np.testing.assert_allclose(result.detach().float().numpy(), expected, atol=tolerance)
        result.sum().backward()
        assert other[0].weight.grad.dtype is other[0].weight.dtype


class Scaled(nn.Module):
    """Defined where pickle finds it."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(2, 2)
        self.again = self.inner
        self.register_buffer("steps", graphc.zeros(1), persistent=False)
        self.settings = {"scale": 2.0}

    def forward(self, x: Any) -> Any:
        return self.inner(x) * self.settings["scale"]


@pytest.mark.parametrize("way", ["copy", "pickle"])
def test_copies_are_independent(way: str) -> None:
    net = Scaled()
    net.inner.weight.requires_grad_(False)
    net.steps.add_(3)
    other = copy.deepcopy(net) if way == "copy" else pickle.loads(pickle.dumps(net))
    x = graphc.randn(3, 2)
    assert (other(x) == net(x)).all()
    assert other.again is other.inner
    assert other.steps.tolist() == [3.0]
    assert not other.inner.weight.requires_grad
    assert other.inner.bias.requires_grad
    assert isinstance(other.inner.weight, nn.Parameter)
    with graphc.no_grad():
        other.inner.weight.zero_()
    other.settings["scale"] = 0.0
    assert net.inner.weight.abs().sum().item() > 0
    assert net.settings["scale"] == 2.0
    other(x).sum().backward()
    assert net.inner.bias.grad is None


def test_a_shallow_copy_shares_its_parameters() -> None:
    net = nn.Linear(2, 2)
    other = copy.copy(net)
    assert other.weight is net.weight
    assert other.training


def test_empty_memory() -> None:
    def program(package: Any) -> Any:
        module = package.nn.BatchNorm1d(3).double()
        assert module.to_empty(device="cpu") is module
        return [
            (name, tuple(x.shape), str(x.dtype), x.requires_grad)
            for name, x in module.state_dict(keep_vars=True).items()
        ]

    both(program)
