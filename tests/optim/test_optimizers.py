"""Optimizers against PyTorch's: the same steps, state and words, and no needless programs."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import graphc
from graphc.recording import session
from tests.optim.training import (
    STEPS,
    Make,
    batches,
    network,
    same_state,
    same_weights,
    stepper,
    torch,
    train,
)

SETTINGS: dict[str, tuple[str, dict[str, Any]]] = {
    "sgd": ("SGD", {"lr": 0.1}),
    "sgd, decay": ("SGD", {"lr": 0.1, "weight_decay": 0.1}),
    "sgd, momentum": ("SGD", {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.01}),
    "sgd, nesterov": ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True}),
    "sgd, dampened": ("SGD", {"lr": 0.1, "momentum": 0.9, "dampening": 0.3}),
    "sgd, maximize": ("SGD", {"lr": 0.01, "momentum": 0.5, "maximize": True}),
    "adam": ("Adam", {"lr": 0.01}),
    "adam, betas": ("Adam", {"lr": 0.01, "betas": (0.3, 0.8), "eps": 1e-3}),
    "adam, decay": ("Adam", {"lr": 0.01, "weight_decay": 0.1}),
    "adam, amsgrad": ("Adam", {"lr": 0.01, "amsgrad": True, "maximize": True}),
    "adam, decoupled": (
        "Adam",
        {"lr": 0.01, "decoupled_weight_decay": True, "weight_decay": 0.1},
    ),
    "adamw": ("AdamW", {"lr": 0.01}),
    "adamw, amsgrad": ("AdamW", {"lr": 0.01, "weight_decay": 0.2, "amsgrad": True}),
    "adamw, no decay": ("AdamW", {"lr": 0.01, "weight_decay": 0.0, "maximize": True}),
    "rmsprop": ("RMSprop", {"lr": 0.01}),
    "rmsprop, centered": (
        "RMSprop",
        {"centered": True, "momentum": 0.9, "weight_decay": 0.1, "alpha": 0.4},
    ),
    "rmsprop, maximize": ("RMSprop", {"lr": 0.001, "momentum": 0.5, "maximize": True}),
    "adagrad": ("Adagrad", {"lr": 0.05}),
    "adagrad, slower": (
        "Adagrad",
        {"lr_decay": 0.1, "weight_decay": 0.1, "initial_accumulator_value": 0.2},
    ),
    "nadam": ("NAdam", {}),
    "nadam, decay": ("NAdam", {"lr": 0.01, "weight_decay": 0.1, "momentum_decay": 0.05}),
    "nadam, decoupled": (
        "NAdam",
        {"weight_decay": 0.1, "decoupled_weight_decay": True, "maximize": True},
    ),
    "radam": ("RAdam", {"lr": 0.01}),
    "radam, decay": ("RAdam", {"lr": 0.01, "betas": (0.8, 0.9), "weight_decay": 0.1}),
    "radam, decoupled": (
        "RAdam",
        {"weight_decay": 0.1, "decoupled_weight_decay": True, "maximize": True},
    ),
    "adamax": ("Adamax", {"lr": 0.01}),
    "adamax, decay": ("Adamax", {"weight_decay": 0.1, "betas": (0.5, 0.7), "maximize": True}),
    "adadelta": ("Adadelta", {}),
    "adadelta, decay": ("Adadelta", {"lr": 0.5, "rho": 0.6, "weight_decay": 0.1}),
    "adadelta, maximize": ("Adadelta", {"eps": 1e-4, "maximize": True}),
    "asgd": ("ASGD", {"lr": 0.1}),
    "asgd, averaged": ("ASGD", {"lr": 0.1, "lambd": 0.01, "alpha": 0.5, "t0": 2}),
    "asgd, decay": ("ASGD", {"weight_decay": 0.1, "maximize": True}),
    "rprop": ("Rprop", {}),
    "rprop, bounds": (
        "Rprop",
        {"lr": 0.05, "etas": (0.3, 1.5), "step_sizes": (0.02, 0.06), "maximize": True},
    ),
    "adafactor": ("Adafactor", {}),
    "adafactor, decay": ("Adafactor", {"lr": 0.1, "weight_decay": 0.1, "maximize": True}),
    "adafactor, settings": (
        "Adafactor",
        {"lr": 0.5, "beta2_decay": -0.5, "eps": (1e-3, 0.01), "d": 2.0},
    ),
}


def maker(case: str) -> Make:
    """The optimizer of a case for all parameters of a network."""
    name, settings = SETTINGS[case]
    return lambda package, net: getattr(package.optim, name)(net.parameters(), **settings)


@pytest.mark.parametrize("compiled", [False, True], ids=["plain", "compiled"])
@pytest.mark.parametrize("case", SETTINGS)
def test_a_training_goes_as_in_pytorch(case: str, compiled: bool) -> None:
    losses, net, optimizer = train(graphc, maker(case), compiled=compiled)
    expected, peer, its = train(torch, maker(case))
    np.testing.assert_allclose(losses, expected, rtol=1e-5)
    same_weights(net, peer)
    same_state(optimizer, its)
    assert repr(optimizer) == repr(its)


MUON: dict[str, dict[str, Any]] = {
    "muon": {"lr": 0.05},
    "plain momentum": {"lr": 0.05, "nesterov": False, "momentum": 0.5, "weight_decay": 0.0},
    "matched": {"lr": 0.05, "adjust_lr_fn": "match_rms_adamw", "ns_steps": 3},
    "coefficients": {"lr": 0.05, "ns_coefficients": (2.0, -1.5, 0.5), "ns_steps": 8, "eps": 1e-3},
}


def exact_muon(start: Any, gradients: list[Any], given: dict[str, Any]) -> Any:
    """Where a matrix goes, in double precision."""
    settings = {"momentum": 0.95, "weight_decay": 0.1, "ns_steps": 5, "eps": 1e-7, **given}
    a, b, c = settings.get("ns_coefficients", (3.4445, -4.7750, 2.0315))
    x, buffer, momentum = start.copy(), np.zeros_like(start), settings["momentum"]
    rows, columns = start.shape
    ratio = (
        0.2 * max(rows, columns) ** 0.5
        if "adjust_lr_fn" in given
        else max(1, rows / columns) ** 0.5
    )
    for g in gradients:
        buffer = momentum * buffer + (1 - momentum) * g
        o = momentum * buffer + (1 - momentum) * g if settings.get("nesterov", True) else buffer
        o = o.T / max(np.linalg.norm(o), settings["eps"])
        for _ in range(settings["ns_steps"]):
            gram = o.T @ o
            o = a * o + o @ (b * gram + c * gram @ gram)
        x = x * (1 - settings["lr"] * settings["weight_decay"]) - settings["lr"] * ratio * o.T
    return x


@pytest.mark.parametrize("shape", [(8, 6), (6, 8), (5, 5)])
@pytest.mark.parametrize("case", MUON)
def test_muon_is_as_close_as_pytorch(case: str, shape: tuple[int, int]) -> None:
    """Both make each step orthogonal in bfloat16, whose rounding the iteration magnifies."""
    rng = np.random.default_rng(0)
    start, *gradients = rng.standard_normal((4, *shape)).astype("float32")
    errors, optimizers = [], []
    for package in (graphc, torch):
        p = package.nn.Parameter(package.tensor(start))
        optimizer = package.optim.Muon([p], **MUON[case])
        for g in gradients:
            p.grad = package.tensor(g)
            optimizer.step()
        wanted = exact_muon(start.astype(float), [g.astype(float) for g in gradients], MUON[case])
        errors.append(np.abs(p.detach().numpy() - wanted).max())
        optimizers.append(optimizer)
    mine, peer = errors
    assert mine < 1.5 * peer < 1.5 * 0.02
    assert repr(optimizers[0]) == repr(optimizers[1])
    a, b = ([list(x) for x in o.state.values()] for o in optimizers)
    assert a == b == [["momentum_buffer"]]


def test_a_compiled_step_of_muon_is_the_plain_one() -> None:
    def matrices(package: Any, net: Any) -> Any:
        return package.optim.Muon([p for p in net.parameters() if p.ndim == 2], lr=0.05)

    (plain, net, _), (compiled, same, _) = (
        train(graphc, matrices, compiled=x) for x in (False, True)
    )
    np.testing.assert_allclose(plain, compiled, rtol=1e-6)
    same_weights(net, same)
    assert plain[-1] < 0.7 * plain[0]


def two_groups(package: Any, net: Any) -> Any:
    first, last = net[0], net[2]
    return package.optim.AdamW(
        [
            {"params": first.parameters(), "lr": 0.05, "betas": (0.8, 0.9)},
            {"params": [last.weight], "weight_decay": 0.0},
            {"params": last.bias, "amsgrad": True},
        ],
        lr=0.01,
    )


@pytest.mark.parametrize("compiled", [False, True], ids=["plain", "compiled"])
def test_groups_have_settings_of_their_own(compiled: bool) -> None:
    losses, net, optimizer = train(graphc, two_groups, compiled=compiled)
    expected, peer, its = train(torch, two_groups)
    np.testing.assert_allclose(losses, expected, rtol=1e-5)
    same_weights(net, peer)
    same_state(optimizer, its)


@pytest.mark.parametrize("compiled", [False, True], ids=["plain", "compiled"])
@pytest.mark.parametrize("case", ["sgd, momentum", "adam, decay", "adamw", "rmsprop"])
def test_another_rate_needs_no_other_program(case: str, compiled: bool) -> None:
    counts: list[int] = []

    def slower(optimizer: Any, number: int) -> None:
        counts.append(len(session.programs))
        for group in optimizer.param_groups:
            group["lr"] *= 0.5 if number % 2 else 1.5
        if number == 5:
            optimizer.param_groups[0].update(lr=0.0)

    losses, net, _ = train(graphc, maker(case), compiled=compiled, before=slower)
    expected, peer, _ = train(torch, maker(case), before=slower)
    np.testing.assert_allclose(losses, expected, rtol=1e-5)
    same_weights(net, peer)
    assert len(set(counts[2:STEPS])) == 1


def test_a_compiled_step_follows_its_settings() -> None:
    def change(optimizer: Any, number: int) -> None:
        group = optimizer.param_groups[0]
        group["betas"] = (0.9 - 0.05 * number, 0.999)
        group["weight_decay"] = 0.1 * (number % 3)
        if number == 6:
            group["maximize"] = True

    expected, peer, _ = train(torch, maker("adam"), before=change)
    for compiled in (False, True):
        losses, net, _ = train(graphc, maker("adam"), compiled=compiled, before=change)
        np.testing.assert_allclose(losses, expected, rtol=1e-5)
        same_weights(net, peer)


def test_a_number_that_varies_becomes_an_input() -> None:
    net = network(graphc)
    optimizer = graphc.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    step = graphc.compile(stepper(graphc, net, optimizer))
    for number, (x, y) in enumerate(batches()):
        optimizer.param_groups[0]["momentum"] = 0.9 - 0.01 * number
        step(graphc.tensor(x), graphc.tensor(y))
    assert len(step.compilations) == 2


@pytest.mark.parametrize("compiled", [False, True], ids=["plain", "compiled"])
def test_the_rate_may_be_a_tensor(compiled: bool) -> None:
    def make(package: Any, net: Any) -> Any:
        return package.optim.Adam(net.parameters(), lr=package.tensor(0.01))

    def slower(optimizer: Any, number: int) -> None:
        optimizer.param_groups[0]["lr"].mul_(0.8)

    losses, net, _ = train(graphc, make, compiled=compiled, before=slower)
    expected, peer, _ = train(torch, make, before=slower)
    np.testing.assert_allclose(losses, expected, rtol=1e-5)
    same_weights(net, peer)


@pytest.mark.parametrize("dtype", ["float64", "float16", "bfloat16"])
@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("SGD", {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.1}),
        ("AdamW", {"lr": 0.01, "eps": 1e-4}),
        ("NAdam", {"lr": 0.01, "eps": 1e-4}),
        ("ASGD", {"lr": 0.1, "t0": 1}),
        ("Rprop", {"lr": 0.1}),
    ],
)
def test_other_types_of_numbers(name: str, settings: dict[str, Any], dtype: str) -> None:
    tolerance = {"float64": 1e-12, "float16": 3e-3, "bfloat16": 3e-2}[dtype]
    found = []
    for package in (graphc, torch):
        start = np.linspace(-1, 1, 7)
        p = package.nn.Parameter(package.tensor(start).to(getattr(package, dtype)))
        optimizer = getattr(package.optim, name)([p], **settings)
        for i in range(4):
            p.grad = package.tensor(np.cos(start * (i + 1))).to(getattr(package, dtype))
            optimizer.step()
        assert str(p.dtype) == f"torch.{dtype}"
        found.append(p.detach().to(package.float64).numpy())
    mine, peer = found
    np.testing.assert_allclose(mine, peer, rtol=tolerance, atol=tolerance)


def resting(package: Any, net: Any) -> Any:
    net[0].weight.requires_grad_(False)
    return package.optim.Adam(net.parameters(), lr=0.01)


@pytest.mark.parametrize("compiled", [False, True], ids=["plain", "compiled"])
def test_a_parameter_without_gradient_is_left_alone(compiled: bool) -> None:
    def wake(optimizer: Any, number: int) -> None:
        frozen = optimizer.param_groups[0]["params"][0]
        frozen.requires_grad_(number in (2, 3, 6))

    _, net, optimizer = train(graphc, resting, compiled=compiled, before=wake)
    _, peer, its = train(torch, resting, before=wake)
    same_weights(net, peer)
    same_state(optimizer, its)
    counts = [optimizer.state[p]["step"].item() for p in net.parameters()]
    assert counts == [3, STEPS, STEPS, STEPS]


@pytest.mark.parametrize("compiled", [False, True], ids=["plain", "compiled"])
def test_groups_may_be_added_later(compiled: bool) -> None:
    def make(package: Any, net: Any) -> Any:
        optimizer = package.optim.Adam(net[0].parameters(), lr=0.01)
        optimizer.later = net[2].parameters()
        return optimizer

    def add(optimizer: Any, number: int) -> None:
        if number == 3:
            optimizer.add_param_group({"params": optimizer.later, "lr": 0.002})

    _, net, optimizer = train(graphc, make, compiled=compiled, before=add)
    _, peer, its = train(torch, make, before=add)
    same_weights(net, peer)
    same_state(optimizer, its)


def test_a_closure_computes_the_loss_anew() -> None:
    def losses(package: Any) -> list[float]:
        net = network(package)
        optimizer = package.optim.SGD(net.parameters(), lr=0.1, momentum=0.5)
        x, y = map(package.tensor, batches(1)[0])

        def closure() -> Any:
            optimizer.zero_grad()
            loss = package.nn.functional.cross_entropy(net(x), y)
            loss.backward()
            return loss

        with package.no_grad():
            return [optimizer.step(closure).item() for _ in range(4)]

    found = losses(graphc)
    np.testing.assert_allclose(found, losses(torch), rtol=1e-5)
    assert found[3] < found[0]


SAVED = (
    "sgd, momentum",
    "adam, amsgrad",
    "adamw",
    "rmsprop, centered",
    "adagrad",
    "nadam",
    "radam",
    "adamax",
    "adadelta",
    "asgd, averaged",
    "rprop",
    "adafactor",
)


@pytest.fixture(params=SAVED)
def trained(request: Any) -> Iterator[tuple[Make, Any, Any, Any, Any]]:
    make = maker(request.param)
    _, net, optimizer = train(graphc, make)
    _, peer, its = train(torch, make)
    yield make, net, optimizer, peer, its


def _goes_on(make: Make, net: Any, optimizer: Any, peer: Any, its: Any) -> None:
    """Both trainings, continued, still agree."""
    step, other = stepper(graphc, net, optimizer), stepper(torch, peer, its)
    for x, y in batches(4):
        mine = step(graphc.tensor(x), graphc.tensor(y)).item()
        np.testing.assert_allclose(mine, other(torch.tensor(x), torch.tensor(y)).item(), rtol=1e-5)
    same_weights(net, peer)


def test_a_saved_state_goes_on(trained: Any) -> None:
    make, net, optimizer, peer, its = trained
    fresh = make(graphc, net)
    fresh.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    _goes_on(make, net, fresh, peer, its)
    same_state(fresh, its)


def test_the_state_of_pytorch_goes_on(trained: Any) -> None:
    make, net, _, peer, its = trained
    saved = its.state_dict()
    for state in saved["state"].values():
        state.update({name: graphc.tensor(x.numpy().copy()) for name, x in state.items()})
    fresh = make(graphc, net)
    fresh.load_state_dict(saved)
    its.load_state_dict(
        {
            **saved,
            "state": {
                number: {name: torch.tensor(x.numpy().copy()) for name, x in state.items()}
                for number, state in saved["state"].items()
            },
        }
    )
    _goes_on(make, net, fresh, peer, its)


def test_a_pickled_optimizer_goes_on_with_its_network(trained: Any) -> None:
    make, net, optimizer, peer, its = trained
    net, optimizer = pickle.loads(pickle.dumps((net, optimizer)))
    _goes_on(make, net, optimizer, peer, its)


def test_a_copied_optimizer_goes_on_with_its_network(trained: Any) -> None:
    make, net, optimizer, peer, its = trained
    net, optimizer = copy.deepcopy((net, optimizer))
    _goes_on(make, net, optimizer, peer, its)


def test_a_loaded_state_reaches_a_compiled_step() -> None:
    make = maker("adam")
    _, _, saved = train(graphc, make)
    net = network(graphc)
    optimizer = make(graphc, net)
    step = graphc.compile(stepper(graphc, net, optimizer))
    peer = network(torch)
    its = make(torch, peer)
    other = stepper(torch, peer, its)
    _, _, theirs = train(torch, make)
    for number, (x, y) in enumerate(batches()):
        if number == 4:
            optimizer.load_state_dict(saved.state_dict())
            its.load_state_dict(theirs.state_dict())
        mine = step(graphc.tensor(x), graphc.tensor(y)).item()
        np.testing.assert_allclose(mine, other(torch.tensor(x), torch.tensor(y)).item(), rtol=1e-5)
    same_state(optimizer, its)
    assert len(step.compilations) == 2
