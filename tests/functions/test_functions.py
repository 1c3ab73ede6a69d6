"""Every function of the table against PyTorch: value, type, shape, history, gradient, errors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import graphc
from graphc.ops.function import FUNCTIONS
from tests.functions.calls import Call, Operand
from tests.functions.runs import attempt, check_gradients, check_same, made
from tests.functions.table import TABLE
from tests.torch_peer import torch

CASES = [
    pytest.param(name, call, id=f"{name}({call})")
    for name, calls in TABLE.items()
    for call in calls
]
IN_PLACE = [
    pytest.param(name, call, id=f"{name}_({call})")
    for name, calls in TABLE.items()
    for call in calls
    if FUNCTIONS[name].inplace and call.in_place and isinstance(call.args[0], Operand)
]
HOMES = frozenset(
    f"graphc.functions.{module}"
    for module in [
        "algebra",
        "arithmetic",
        "comparison",
        "counting",
        "diagonals",
        "einsum",
        "extremes",
        "joining",
        "linear",
        "pieces",
        "pointwise",
        "reduction",
        "selection",
        "shaping",
        "transcendental",
        "variance",
    ]
)


def method(name: str) -> Callable[..., Any]:
    """The call of a method on the first argument."""

    def call(x: Any, *args: Any, **kwargs: Any) -> Any:
        return getattr(x, name)(*args, **kwargs)

    return call


def forms(name: str, call: Call) -> list[tuple[Callable[..., Any], Callable[..., Any]]]:
    """All that a user may call by this name, on graphc and on PyTorch."""
    f = FUNCTIONS[name]
    found: list[tuple[Any, Any]] = []
    if f.namespace:
        found.append((getattr(graphc, name), getattr(torch, name)))
    if f.functional and not f.namespace:
        peers = torch.nn.functional
        found.append((getattr(graphc.nn.functional, name), getattr(peers, name)))
    if f.method and isinstance(call.args[0], Operand):
        found.append((method(name), method(name)))
    return found


@pytest.mark.parametrize(("name", "call"), CASES)
def test_function(name: str, call: Call) -> None:
    for ours, theirs in forms(name, call):
        given = made(graphc, call, gradients=True), made(torch, call, gradients=True)
        mine, peer = attempt(ours, *given[0]), attempt(theirs, *given[1])
        check_same(mine, peer, call)
        if peer.error is None:
            check_gradients(mine, peer, given, call)


@pytest.mark.parametrize(("name", "call"), IN_PLACE)
def test_in_place(name: str, call: Call) -> None:
    def write(x: Any, *args: Any, **kwargs: Any) -> Any:
        target = x.clone()
        result = getattr(target, f"{name}_")(*args, **kwargs)
        assert result is target
        return result

    # PyTorch lets integers need a gradient once floats that need one were written to them.
    gradients = call.args[0].floating
    given = made(graphc, call, gradients=gradients), made(torch, call, gradients=gradients)
    mine, peer = (attempt(write, *arguments) for arguments in given)
    check_same(mine, peer, call, in_place=True)
    if peer.error is None:
        check_gradients(mine, peer, given, call)


def test_every_function_is_called() -> None:
    declared = {
        name
        for name, f in FUNCTIONS.items()
        if f.call.__module__ in HOMES and (f.method or f.namespace or f.functional or f.inplace)
    }
    assert not declared - TABLE.keys()
