"""Containers against PyTorch's: sequences and dictionaries of modules and parameters."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import pytest

import graphc
from graphc import nn
from tests.nn.peers import Program, both, both_fail


def three(m: Any) -> list[Any]:
    return [m.nn.Linear(2, 2), m.nn.ReLU(), m.nn.Linear(2, 1)]


def _sequential(m: Any) -> list[Any]:
    net = m.nn.Sequential(*three(m))
    found = [repr(net), len(net), repr(net[-1]), repr(net[:2]), repr(net[::2])]
    net.append(m.nn.Tanh()).insert(1, m.nn.Sigmoid()).extend([m.nn.GELU()])
    net[0] = m.nn.Identity()
    del net[2]
    popped = net.pop(-1)
    found += [repr(net), repr(popped), list(net.state_dict()), [type(x).__name__ for x in net]]
    named = m.nn.Sequential(OrderedDict(first=m.nn.ReLU(), last=m.nn.Tanh()))
    return [*found, repr(named), repr(named.last), repr(named[1]), repr(m.nn.Sequential())]


def _sums(m: Any) -> list[Any]:
    a, b = m.nn.Sequential(m.nn.ReLU()), m.nn.Sequential(m.nn.Tanh(), m.nn.ELU())
    found = [a + b, b * 2, 3 * a]
    a += b
    b *= 2
    return [*map(repr, found), repr(a), repr(b)]


def _deleted(m: Any) -> str:
    net = m.nn.Sequential(*three(m), *three(m))
    del net[1:4]
    return repr(net)


def _list(m: Any) -> list[Any]:
    held = m.nn.ModuleList(three(m))
    found = [repr(held), len(held), repr(held[1:]), repr(held[-1])]
    held.append(m.nn.Tanh()).extend([m.nn.ELU(), m.nn.ELU()])
    held.insert(0, m.nn.Identity())
    held[1] = m.nn.GELU()
    held += [m.nn.ReLU()]
    del held[2]
    del held[-2:]
    found += [
        repr(held),
        repr(held.pop(0)),
        repr(held + m.nn.ModuleList([m.nn.ReLU()])),
        list(held.state_dict()),
    ]
    return [*found, repr(m.nn.ModuleList()), m.nn.ReLU() in held, held[0] in held]


def _repeated(m: Any) -> str:
    blocks = [m.nn.Sequential(m.nn.Linear(2, 2), m.nn.ReLU()) for _ in range(3)]
    return repr(m.nn.ModuleList([*blocks, m.nn.Linear(2, 2), m.nn.Linear(2, 2)]))


def _dict(m: Any) -> list[Any]:
    held = m.nn.ModuleDict({"b": m.nn.ReLU(), "a": m.nn.Linear(1, 1)})
    held["c"] = m.nn.Tanh()
    held.update([("d", m.nn.ELU()), ["a", m.nn.Identity()]])
    found = [repr(held), len(held), list(held), list(held.keys()), "c" in held, "z" in held]
    popped = held.pop("b")
    del held["d"]
    found += [repr(popped), [(k, repr(x)) for k, x in held.items()], [*map(repr, held.values())]]
    held.clear()
    return [*found, repr(held), repr(m.nn.ModuleDict(OrderedDict(x=m.nn.ReLU())))]


def _parameter_list(m: Any) -> list[Any]:
    P = m.nn.Parameter
    held = m.nn.ParameterList([P(m.ones(2, 3)), m.zeros(1), P(m.ones(()), requires_grad=False)])
    held.append(P(m.ones(4))).extend([P(m.ones(5))])
    held[0] = P(m.zeros(2))
    held += [P(m.ones(6))]
    return [
        repr(held),
        len(held),
        [tuple(p.shape) for p in held],
        tuple(held[-1].shape),
        [tuple(p.shape) for p in held[1:3]],
        [(name, p.requires_grad) for name, p in held.named_parameters()],
        list(held.state_dict()),
        repr(m.nn.ParameterList([3, "text"])),
    ]


def _parameter_dict(m: Any) -> list[Any]:
    P = m.nn.Parameter
    held = m.nn.ParameterDict({"b": P(m.ones(2)), "a": m.zeros(1)})
    held["c"] = P(m.ones(3))
    held.update(OrderedDict(z=P(m.ones(1)), y=P(m.ones(2))))
    found = [repr(held), list(held), len(held), "a" in held, list(reversed(held))]
    found += [tuple(held.get("c").shape), held.get("q"), list(held.copy()), list(held.state_dict())]
    name, value = held.popitem()
    found += [name, tuple(value.shape), tuple(held.pop("b").shape), list(held.keys())]
    held.setdefault("a", P(m.ones(9)))
    held.setdefault("w", P(m.ones(9)))
    other = m.nn.ParameterDict({"n": P(m.ones(1))})
    found += [list(held | other), list(other | held), [tuple(x.shape) for x in held.values()]]
    held |= other
    del held["a"]
    found += [list(held), [k for k, _ in held.items()]]
    held.clear()
    return [*found, len(held), list(m.nn.ParameterDict().fromkeys(["u", "v"], 1))]


CASES: dict[str, Program] = {
    "Sequential": _sequential,
    "Sequential, sums": _sums,
    "Sequential, deleted": _deleted,
    "ModuleList": _list,
    "ModuleList, repeated": _repeated,
    "ModuleDict": _dict,
    "ParameterList": _parameter_list,
    "ParameterDict": _parameter_dict,
}


@pytest.mark.parametrize("case", CASES)
def test_containers(case: str) -> None:
    both(CASES[case])


WRONG: dict[str, Program] = {
    "index": lambda m: m.nn.Sequential(*three(m))[3],
    "negative index": lambda m: m.nn.ModuleList(three(m))[-4],
    "setting out of range": lambda m: m.nn.Sequential().__setitem__(0, m.nn.ReLU()),
    "no module": lambda m: m.nn.Sequential(3),
    "no module in a list": lambda m: m.nn.ModuleList([m.nn.ReLU(), "x"]),
    "no iterable": lambda m: m.nn.ModuleList().extend(m.nn.ReLU()),
    "adding a list": lambda m: m.nn.Sequential(m.nn.ReLU()) + m.nn.ModuleList(),
    "times nothing": lambda m: m.nn.Sequential(m.nn.ReLU()) * 0,
    "times a half": lambda m: m.nn.Sequential(m.nn.ReLU()) * 0.5,
    "inserting far away": lambda m: m.nn.Sequential(m.nn.ReLU()).insert(5, m.nn.ReLU()),
    "calling a list": lambda m: m.nn.ModuleList(three(m))(m.ones(1, 2)),
    "calling a dictionary": lambda m: m.nn.ModuleDict()(m.ones(1, 2)),
    "missing key": lambda m: m.nn.ModuleDict()["a"],
    "key that is a method": lambda m: m.nn.ModuleDict({"keys": m.nn.ReLU()}),
    "pairs": lambda m: m.nn.ModuleDict([("a", m.nn.ReLU(), 3)]),
    "no pairs": lambda m: m.nn.ModuleDict(3),
    "calling parameters": lambda m: m.nn.ParameterList()(1),
    "parameters out of range": lambda m: m.nn.ParameterList([m.ones(1)])[1],
    "parameters from a tensor": lambda m: m.nn.ParameterList().extend(m.nn.Parameter(m.ones(2))),
    "missing parameter": lambda m: m.nn.ParameterDict()["a"],
    "calling a dictionary of parameters": lambda m: m.nn.ParameterDict()(1),
}


@pytest.mark.parametrize("case", WRONG)
def test_errors_are_pytorchs(case: str) -> None:
    both_fail(WRONG[case])


def test_a_key_that_is_a_number() -> None:
    with pytest.raises(TypeError, match="cannot be used as a key as it is not a string"):
        nn.ParameterDict()[1] = graphc.ones(1)  # type: ignore[index]


def test_a_compiled_network_follows_its_lists() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = nn.ModuleList([nn.Identity()])

        def forward(self, x: Any) -> Any:
            for layer in self.layers:
                x = layer(x)
            return x

    class Twice(nn.Module):
        def forward(self, x: Any) -> Any:
            return 2 * x

    net = Net()
    compiled = graphc.compile(net)
    x = graphc.ones(2)
    assert compiled(x).tolist() == [1.0, 1.0]
    net.layers.extend([Twice(), Twice()])
    assert compiled(x).tolist() == [4.0, 4.0]
    del net.layers[1]
    assert compiled(x).tolist() == [2.0, 2.0]
