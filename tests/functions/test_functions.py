"""Every function of the table against PyTorch: value, type, shape, history, gradient, errors."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

import graphc
from graphc.ops.function import FUNCTIONS
from tests.functions.calls import Call, Operand
from tests.functions.runs import attempt, check_gradients, check_same, check_written, made
from tests.functions.table import FUNCTIONAL, TABLE
from tests.torch_peer import own_kernels, torch

Forms = tuple[Callable[..., Any], Callable[..., Any]]


def cases(table: dict[str, list[Call]], mark: str = "") -> list[Any]:
    """Every call of a table, named by itself."""
    return [
        pytest.param(name, call, id=f"{name}{mark}({call})")
        for name, calls in table.items()
        for call in calls
    ]


OWN = {f.name: f for f in FUNCTIONS.values() if f.namespace or f.method or f.inplace}
"""What the package's namespace and tensors have."""
IN_PLACE = {
    name: [c for c in calls if c.in_place and isinstance(c.args[0], Operand)]
    for name, calls in TABLE.items()
    if OWN[name].inplace
}


def method(name: str) -> Callable[..., Any]:
    """The call of a method on the first argument."""

    def call(x: Any, *args: Any, **kwargs: Any) -> Any:
        return getattr(x, name)(*args, **kwargs)

    return call


def forms(name: str, call: Call) -> Iterable[Forms]:
    """All that a user may call by this name, on graphc and on PyTorch."""
    f = OWN[name]
    if f.namespace:
        yield getattr(graphc, name), getattr(torch, name)
    if f.method and call.args and isinstance(call.args[0], Operand):
        yield method(name), method(name)


def check(call: Call, mine: Callable[..., Any], peer: Callable[..., Any]) -> None:
    """Both do the same: with the result, the operands, the gradients, or an error."""
    given = made(graphc, call, gradients=True), made(torch, call, gradients=True)
    ours, theirs = attempt(mine, *given[0]), attempt(peer, *given[1])
    check_same(ours, theirs, call)
    if theirs.error is None:
        check_written(given)
        check_gradients(ours, theirs, given, call)


@pytest.mark.parametrize(("name", "call"), cases(TABLE))
def test_function(name: str, call: Call) -> None:
    for mine, peer in forms(name, call):
        check(call, mine, peer)


@pytest.mark.parametrize(("name", "call"), cases(FUNCTIONAL))
def test_functional(name: str, call: Call) -> None:
    with own_kernels():
        check(call, getattr(graphc.nn.functional, name), getattr(torch.nn.functional, name))


@pytest.mark.parametrize(("name", "call"), cases(IN_PLACE, "_"))
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


ELSEWHERE = {
    "gumbel_softmax": "tests/test_functions_neural.py",
    "multi_head_attention_forward": "tests/nn/test_transformer.py",
    "pdist": "tests/functions/test_choices.py",
    "ctc_loss": "tests/nn/test_ctc.py",
    **dict.fromkeys(
        [
            "affine_grid",
            "embedding_bag",
            "grid_sample",
            "max_unpool1d",
            "max_unpool2d",
            "max_unpool3d",
        ],
        "tests/nn/test_bags.py",
    ),
    **dict.fromkeys(
        [
            "fractional_max_pool2d",
            "fractional_max_pool2d_with_indices",
            "fractional_max_pool3d",
            "fractional_max_pool3d_with_indices",
            "upsample",
            "upsample_bilinear",
            "upsample_nearest",
        ],
        "tests/nn/test_resizes.py",
    ),
}
"""Functions of ``nn.functional`` that are no matter of a single call, and what tests them."""


@pytest.mark.parametrize("name", ELSEWHERE)
def test_the_others_are_called_elsewhere(name: str) -> None:
    assert f"{name}(" in (Path(__file__).parents[2] / ELSEWHERE[name]).read_text()


def test_every_function_is_called() -> None:
    assert sorted(OWN.keys() - TABLE.keys()) == []
    assert sorted(set(graphc.nn.functional.__all__) - {*FUNCTIONAL, *ELSEWHERE}) == []


@pytest.mark.parametrize("name", [name for name, f in OWN.items() if f.namespace or f.method])
def test_forms_are_pytorchs(name: str) -> None:
    for mine, peer in ((graphc, torch), (graphc.Tensor, torch.Tensor)):
        for form in (name, f"{name}_"):
            assert hasattr(mine, form) == hasattr(peer, form), f"{peer.__name__}.{form}"
