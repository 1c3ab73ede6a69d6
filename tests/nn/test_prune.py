"""Pruned parameters against PyTorch."""

from __future__ import annotations

import copy
from importlib import import_module
from typing import Any

import pytest

from tests.nn.peers import both, both_fail
from tests.tensor.programs import check
from tests.torch_peer import torch

import_module(f"{torch.nn.utils.__name__}.prune")  # which PyTorch does not do by itself


def layer(m: Any) -> Any:
    made = m.nn.Conv2d(3, 4, 2)
    with m.no_grad():
        made.weight.copy_((m.arange(48.0) * 7 % 11 - 5 + m.arange(48.0) / 100).reshape(4, 3, 2, 2))
        made.bias.copy_(m.tensor([3.0, -1.0, 2.0, -4.0]))
    return made


def state(x: Any) -> Any:
    return [list(x.state_dict().items()), [k for k, _ in x.named_parameters()], repr(x)]


PROGRAMS = {
    "identity": lambda m, p, x: p.identity(x, "weight"),
    "smallest": lambda m, p, x: p.l1_unstructured(x, "weight", 0.3),
    "smallest, counted": lambda m, p, x: p.l1_unstructured(x, "bias", amount=2),
    "none": lambda m, p, x: p.l1_unstructured(x, "bias", amount=0),
    "by scores": lambda m, p, x: p.l1_unstructured(
        x, "bias", 2, importance_scores=m.tensor([1.0, 4.0, 2.0, 3.0])
    ),
    "slices": lambda m, p, x: p.ln_structured(x, "weight", 0.5, n=2, dim=0),
    "slices of inputs": lambda m, p, x: p.ln_structured(x, "weight", 1, n=1, dim=-3),
    "slices, infinity": lambda m, p, x: p.ln_structured(x, "weight", 1, n=float("inf"), dim=1),
    "mask": lambda m, p, x: p.custom_from_mask(x, "bias", m.tensor([1, 0, 1, 0])),
    "twice": lambda m, p, x: p.l1_unstructured(p.l1_unstructured(x, "weight", 0.2), "weight", 5),
    "slices, then elements": lambda m, p, x: p.l1_unstructured(
        p.ln_structured(x, "weight", 1, 2, 1), "weight", 0.25
    ),
    "elements, then slices": lambda m, p, x: p.ln_structured(
        p.ln_structured(p.l1_unstructured(x, "weight", 3), "weight", 1, 2, 0), "weight", 1, 1, 0
    ),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_pruning(name: str) -> None:
    def program(m: Any) -> Any:
        prune, x = m.nn.utils.prune, layer(m)
        found = PROGRAMS[name](m, prune, x)
        images = m.linspace(-1, 1, 2 * 3 * 4 * 4).reshape(2, 3, 4, 4)
        out = x(images)
        out.square().sum().backward()
        grads = [(k, p.grad) for k, p in x.named_parameters()]
        before = state(x)
        pruned = [prune.is_pruned(x), prune.is_pruned(m.nn.Sequential(x)), found is x]
        part = "weight" if "weight_orig" in x._parameters else "bias"
        pruned += [prune.remove(x, part) is x, prune.is_pruned(x)]
        return before, out.detach(), grads, pruned, state(x), x(images).detach()

    check(program, rounding=10)


def test_masks_follow_the_originals() -> None:
    def program(m: Any) -> Any:
        x = m.nn.utils.prune.l1_unstructured(layer(m), "bias", 2)
        with m.no_grad():
            x.bias_orig.fill_(7.0)
        again = copy.deepcopy(x)
        x(m.ones(1, 3, 2, 2))
        return x.bias.detach(), again.bias_mask

    check(program)


@pytest.mark.parametrize("amount", [0.4, 6])
def test_all_at_once(amount: Any) -> None:
    def program(m: Any) -> Any:
        prune, x, y = m.nn.utils.prune, layer(m), layer(m)
        prune.custom_from_mask(y, "bias", m.tensor([1.0, 0, 0, 1]))
        places = [(x, "weight"), (x, "bias"), (y, "bias")]
        prune.global_unstructured(
            places,
            pruning_method=prune.L1Unstructured,
            importance_scores={(x, "bias"): m.tensor([9.0, 9, 9, 9])},
            amount=amount,
        )
        return state(x), state(y)

    check(program)


def test_random_ones_leave_out_as_many() -> None:
    def program(m: Any) -> Any:
        prune, x, y = m.nn.utils.prune, layer(m), layer(m)
        prune.random_unstructured(x, "weight", amount=0.25)
        prune.random_unstructured(x, "bias", amount=1)
        prune.random_structured(y, "weight", amount=2, dim=0)
        whole = [int(s.min().item() == s.max().item()) for s in y.weight_mask]
        return [int(t.sum().item()) for t in (x.weight_mask, x.bias_mask, y.weight_mask)], whole

    both(program)


def test_methods_of_the_users_own() -> None:
    def program(m: Any) -> Any:
        prune, x = m.nn.utils.prune, layer(m)

        class EverySecond(prune.BasePruningMethod):  # type: ignore[misc,name-defined]
            PRUNING_TYPE = "unstructured"

            def compute_mask(self, t: Any, default_mask: Any) -> Any:
                mask = default_mask.clone()
                mask.view(-1)[::2] = 0
                return mask

        EverySecond.apply(x, "bias")
        EverySecond.apply(x, "bias")
        (hook,) = x._forward_pre_hooks.values()
        pruned = prune.L1Unstructured(2).prune(m.tensor([3.0, -1.0, 2.0, 0.5]))
        return x.bias.detach(), type(hook).__name__, len(hook), pruned

    check(program)


@pytest.mark.parametrize(
    "program",
    [
        lambda m, p, x: p.l1_unstructured(x, "bias", 5),
        lambda m, p, x: p.l1_unstructured(x, "bias", 1.5),
        lambda m, p, x: p.l1_unstructured(x, "bias", -1),
        lambda m, p, x: p.l1_unstructured(x, "bias", "a"),
        lambda m, p, x: p.l1_unstructured(x, "bias", 1, importance_scores=m.ones(3)),
        lambda m, p, x: p.ln_structured(x, "bias", 1, 2, 0),
        lambda m, p, x: p.ln_structured(x, "weight", 1, 2, 4),
        lambda m, p, x: p.custom_from_mask(x, "bias", m.ones(3)),
        lambda m, p, x: p.remove(x, "bias"),
        lambda m, p, x: p.global_unstructured(3, p.L1Unstructured, amount=1),
        lambda m, p, x: p.global_unstructured([(x, "bias")], p.L1Unstructured, 3, amount=1),
        lambda m, p, x: p.PruningContainer().add_pruning_method(3),
    ],
)
def test_errors(program: Any) -> None:
    both_fail(lambda m: program(m, m.nn.utils.prune, layer(m)))
