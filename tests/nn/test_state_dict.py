"""Saving and loading against PyTorch's: names, sharing, strictness, words, hooks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc
from graphc import nn
from tests.nn.peers import Program, both, both_fail, classifier
from tests.torch_peer import torch


def _saved(m: Any, **changes: Any) -> dict[str, Any]:
    """A checkpoint of the classifier, with changes; None takes a name out."""
    found = dict(classifier(m).state_dict())
    for name, value in changes.items():
        found[name.replace("__", ".")] = value
    return {name: x for name, x in found.items() if x is not None}


def _loose(m: Any) -> list[Any]:
    net = classifier(m)
    found = net.load_state_dict(_saved(m, scale=None, other=m.ones(1)), strict=False)
    return [found.missing_keys, found.unexpected_keys, repr(found)]


def _nested(m: Any) -> list[Any]:
    holder = m.nn.ModuleDict({"a": classifier(m), "b": m.nn.ReLU()})
    loaded = holder.load_state_dict(holder.state_dict())
    return [list(holder.state_dict()), repr(loaded)]


def _aliased(m: Any) -> list[Any]:
    """What is saved shares the memory, and needs no gradient."""
    net = m.nn.Linear(2, 2)
    saved, kept = net.state_dict(), net.state_dict(keep_vars=True)
    with m.no_grad():
        net.weight.fill_(7.0)
    saved["bias"].zero_()
    return [
        saved["weight"].tolist(),
        net.bias.tolist(),
        saved["weight"].requires_grad,
        kept["weight"] is net.weight,
    ]


def _assigned(m: Any) -> list[Any]:
    net = m.nn.BatchNorm1d(2)
    net.weight.requires_grad_(False)
    given = {name: m.ones(2) * i for i, name in enumerate(("weight", "bias", "running_mean"))}
    given["running_var"] = m.ones(2, dtype=m.float64)
    given["num_batches_tracked"] = m.tensor(5)
    net.load_state_dict(given, assign=True)
    return [
        [(name, x.tolist(), x.requires_grad) for name, x in net.named_parameters()],
        net.running_mean is given["running_mean"],
        str(net.running_var.dtype),
        net.num_batches_tracked.item(),
    ]


def _converted(m: Any) -> list[Any]:
    """What is loaded takes the type of what it is loaded into, and keeps its place."""
    net = m.nn.Linear(2, 1)
    weight = net.weight
    net.load_state_dict({"weight": m.ones(1, 2, dtype=m.float64), "bias": m.tensor([3])})
    return [net.weight is weight, str(net.weight.dtype), net.weight.tolist(), net.bias.tolist()]


def _old_numbers(m: Any) -> list[Any]:
    """A number that was saved as a vector of one, and statistics saved without a count."""
    net = m.nn.BatchNorm1d(2)
    given = dict(net.state_dict())
    given["num_batches_tracked"] = m.tensor([4])
    net.load_state_dict(given)
    first = net.num_batches_tracked.item()
    del given["num_batches_tracked"]
    net.load_state_dict(given)
    return [first, net.num_batches_tracked.item()]


class _Extra:
    """A module with something else to save."""

    def __call__(self, m: Any) -> list[Any]:
        class Counted(m.nn.Module):  # type: ignore[misc]
            def __init__(self, count: int) -> None:
                super().__init__()
                self.count = count

            def get_extra_state(self) -> Any:
                return {"count": self.count}

            def set_extra_state(self, state: Any) -> None:
                self.count = state["count"]

        net = m.nn.Sequential(Counted(3), m.nn.ReLU())
        other = m.nn.Sequential(Counted(0), m.nn.ReLU())
        loaded = other.load_state_dict(net.state_dict())
        left = other.load_state_dict({}, strict=False)
        return [list(net.state_dict()), other[0].count, repr(loaded), left.missing_keys]


def _hooked(m: Any) -> list[Any]:
    seen: list[Any] = []
    net = m.nn.Sequential(m.nn.Linear(2, 2))
    inner = net[0]

    def renamed(module: Any, state: Any, prefix: str, *rest: Any) -> None:
        seen.append(("loading", type(module).__name__, prefix, len(rest)))
        state[f"{prefix}bias"] = state.pop(f"{prefix}shift")

    inner.register_state_dict_pre_hook(
        lambda module, prefix, keep: seen.append(("saving", prefix, keep))
    )
    inner.register_state_dict_post_hook(
        lambda module, state, prefix, metadata: seen.append(("saved", list(state), prefix))
    )
    handle = inner.register_load_state_dict_pre_hook(renamed)
    inner.register_load_state_dict_post_hook(
        lambda module, keys: seen.append(("loaded", keys.missing_keys, keys.unexpected_keys))
    )
    saved = net.state_dict()
    net.load_state_dict({"0.weight": saved["0.weight"], "0.shift": saved["0.bias"]})
    handle.remove()
    net.load_state_dict({"0.weight": saved["0.weight"]}, strict=False)
    return seen


CASES: dict[str, Program] = {
    "loose": _loose,
    "nested": _nested,
    "aliased": _aliased,
    "assigned": _assigned,
    "converted": _converted,
    "old numbers": _old_numbers,
    "extra state": _Extra(),
    "hooks": _hooked,
}


@pytest.mark.parametrize("case", CASES)
def test_saving_and_loading(case: str) -> None:
    both(CASES[case])


WRONG: dict[str, Program] = {
    "missing": lambda m: classifier(m).load_state_dict(_saved(m, scale=None)),
    "unexpected": lambda m: classifier(m).load_state_dict(_saved(m, other=m.ones(1))),
    "unexpected below": lambda m: classifier(m).load_state_dict(_saved(m, head__1__bias=m.ones(2))),
    "both": lambda m: classifier(m).load_state_dict(
        _saved(m, scale=None, count=None, more=m.ones(1), head__weight=m.ones(1))
    ),
    "sizes": lambda m: classifier(m).load_state_dict(
        _saved(m, scale=m.ones(3), head__1__weight=m.ones(4, 2))
    ),
    "sizes, loose": lambda m: classifier(m).load_state_dict(
        _saved(m, scale=m.ones(3)), strict=False
    ),
    "no tensor": lambda m: classifier(m).load_state_dict(_saved(m, scale=[1.0, 2.0])),
    "nothing": lambda m: m.nn.Linear(2, 2).load_state_dict({}),
    "a list": lambda m: m.nn.Linear(2, 2).load_state_dict([1]),
}


@pytest.mark.parametrize("case", WRONG)
def test_errors_are_pytorchs(case: str) -> None:
    both_fail(WRONG[case])


def test_weights_of_pytorch_give_the_same_results() -> None:
    peer = classifier(torch).eval()
    saved = {name: graphc.tensor(x.numpy()) for name, x in peer.state_dict().items()}
    net = classifier(graphc).eval()
    assert repr(net.load_state_dict(saved)) == "<All keys matched successfully>"
    x = np.linspace(-1, 1, 12, dtype=np.float32).reshape(4, 3)
    np.testing.assert_allclose(
        net(graphc.tensor(x)).detach().numpy(),
        peer(torch.tensor(x)).detach().numpy(),
        rtol=1e-5,
        atol=1e-6,
    )


def test_what_was_pending_before_a_load_used_the_old_weights() -> None:
    net = nn.Linear(2, 1, bias=False)
    saved = {"weight": graphc.zeros(1, 2)}
    with graphc.no_grad():
        net.weight.fill_(1.0)
        before = net(graphc.ones(1, 2))
        net.load_state_dict(saved)
        after = net(graphc.ones(1, 2))
    assert (before.item(), after.item()) == (2.0, 0.0)


def test_a_load_reaches_a_compiled_network() -> None:
    net = nn.Linear(2, 1, bias=False)
    compiled = graphc.compile(net)
    x = graphc.ones(1, 2)
    with graphc.no_grad():
        compiled(x)
        net.load_state_dict({"weight": graphc.tensor([[3.0, 4.0]])})
        assert compiled(x).item() == 7.0
        net.load_state_dict({"weight": graphc.tensor([[1.0, 1.0]])}, assign=True)
        assert compiled(x).item() == 2.0
