"""Loops over large spaces: cut into tasks, in lanes, in blocks, over views, in place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc
from graphc import nn
from graphc.backends import find
from graphc.backends.native.loops import Writer
from graphc.backends.native.targets import TARGETS, Target
from graphc.lowering.kernel import Access, Axis, Kernel, Load, Store, Sweep, Value
from graphc.nn import functional as F
from graphc.testing.programs import run_uses, use
from graphc.testing.table import samples_of

Function = Callable[..., Any]


def normal(*shape: int) -> graphc.Tensor:
    rng = np.random.default_rng(sum(shape))
    found: graphc.Tensor = graphc.from_numpy(rng.standard_normal(shape, dtype=np.float32))
    return found


def gradient(function: Function) -> Function:
    """The gradient of the sum of squares of a function of one tensor."""

    def found(x: graphc.Tensor) -> Any:
        x = x.detach().requires_grad_()
        y = function(x)
        return graphc.autograd.grad((y * y).sum(), x)[0]

    return found


WEIGHT, BIAS = normal(768), normal(768)
PROGRAMS: dict[str, tuple[Function, tuple[int, ...]]] = {
    "chain": (lambda x: graphc.tanh(x * 1.5 + 0.25) * graphc.sigmoid(x), (300, 1001)),
    "softmax": (lambda x: F.softmax(x, -1), (257, 768)),
    "softmax over columns": (lambda x: F.softmax(x, 0), (300, 777)),
    "large columns": (lambda x: (F.softmax(x, 0), (x * x).sum(0)), (300, 1003)),
    "large even columns": (lambda x: (F.softmax(x, 0), (x * x).sum(0)), (300, 1536)),
    "softmax in the middle": (lambda x: F.softmax(x, 1), (16, 30, 200)),
    "log softmax, gradient": (gradient(lambda x: F.log_softmax(x, -1)), (257, 1000)),
    "layer norm": (lambda x: F.layer_norm(x, (768,), WEIGHT, BIAS), (200, 768)),
    "layer norm, gradient": (
        gradient(lambda x: F.layer_norm(x, (768,), WEIGHT, BIAS)),
        (200, 768),
    ),
    "batch norm": (lambda x: F.batch_norm(x, None, None, training=True), (9, 20, 30, 31)),
    "batch norm, gradient": (
        gradient(lambda x: F.batch_norm(x, None, None, training=True)),
        (9, 20, 30, 31),
    ),
    "group norm": (lambda x: F.group_norm(x, 4), (9, 20, 30, 31)),
    "sums": (lambda x: (x.sum(), x.sum(0), x.sum(1), (x * x).mean((0, 2))), (64, 33, 65)),
    "extremes": (lambda x: (x.amax(0), x.amin(-1), x.amax(), (x > 2).any(1)), (300, 1003)),
    "long sums": (lambda x: (x.sum(), (x * x).sum(1), graphc.exp(x).sum()), (60, 8192)),
    "products": (lambda x: (1 + x * 1e-3).prod(0), (300, 1003)),
    "transposed": (lambda x: (x.t() + x.t().flip(0)) * 2, (400, 300)),
    "slices": (lambda x: x[::2, 3:] * x[1::2, :-3] + x[0, 3:], (400, 300)),
    "ranges": (lambda x: x * graphc.arange(1003) + graphc.arange(300).unsqueeze(1), (300, 1003)),
    "halves": (lambda x: F.softmax(x.to(graphc.bfloat16), -1).float(), (200, 500)),
    "doubles": (lambda x: F.layer_norm(x.double(), (1000,)), (200, 1000)),
    "wide rows": (lambda x: F.softmax(x, -1), (3, 70_000)),
    "one row": (lambda x: F.softmax(x, -1), (30_000,)),
    "empty": (lambda x: (x * 2, x.sum(1)), (3, 0)),
}


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("name", PROGRAMS)
def test_large_spaces(name: str, threads: int) -> None:
    function, shape = PROGRAMS[name]
    x = normal(*shape)
    before = graphc.get_num_threads()
    graphc.set_num_threads(threads)
    try:
        found = graphc.compile(function, backend="native")(x)
        again = graphc.compile(function, backend="native")(x)
    finally:
        graphc.set_num_threads(before)
    wanted = graphc.compile(function, backend="numpy")(x)
    for a, b, c in zip(_all(found), _all(again), _all(wanted), strict=True):
        assert np.array_equal(a, b), "the same program gives the same bits"
        np.testing.assert_allclose(
            a, c, rtol=2e-5, atol=2e-5 * max(1.0, float(np.abs(c).max(initial=0)))
        )


@pytest.mark.parametrize("target", TARGETS)
def test_large_arrays_are_asked_for_ahead(target: str) -> None:
    """Where the target wants it: what is read and what is written, and nothing that is small."""
    asked = prefetches(300_000, TARGETS[target])
    assert len(asked) == (8 if TARGETS[target].ahead else 0)
    assert sum(line.endswith(", 1);") for line in asked) == len(asked) // 2
    assert not prefetches(3000, TARGETS[target])


def prefetches(count: int, target: Target) -> list[str]:
    """What is asked for ahead by the loop that copies so many elements."""
    value = Value("x0", graphc.float32, False)
    source, copy = (Access(i, (1,), graphc.float32) for i in range(2))
    sweep = Sweep((), (Load(value, source), Store(value, copy)))
    writer = Writer(Kernel((Axis(count, False),), (sweep,), ()), ("a", "out"), {}, target=target)
    writer.write()
    return [line for line in writer.lines.text if "__builtin_prefetch" in line]


def _all(results: Any) -> list[np.ndarray[Any, Any]]:
    found = results if isinstance(results, tuple) else (results,)
    return [x.detach().numpy() for x in found]


@pytest.mark.parametrize("optimizer", ["SGD", "Adam", "AdamW", "RMSprop"])
def test_state_is_updated_in_place(optimizer: str) -> None:
    """Parameters and the optimizer's state are written over where they lie."""

    def trained(backend: str) -> list[np.ndarray[Any, Any]]:
        graphc.manual_seed(0)
        model = nn.Sequential(nn.Linear(64, 300), nn.ReLU(), nn.Linear(300, 7)).double()
        update = getattr(graphc.optim, optimizer)(model.parameters(), lr=1e-2)
        x, y = normal(50, 64).double(), normal(50, 7).double()

        def step(x: graphc.Tensor, y: graphc.Tensor) -> graphc.Tensor:
            update.zero_grad()
            loss = F.mse_loss(model(x), y)
            loss.backward()
            update.step()
            return loss

        compiled = graphc.compile(step, backend=backend)
        losses = [compiled(x, y).item() for _ in range(5)]
        return [np.array(losses), *(p.detach().numpy() for p in model.parameters())]

    for a, b in zip(trained("native"), trained("numpy"), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", ["sum", "prod"])
def test_registers_of_the_x87_are_left_empty(name: str) -> None:
    """A compiler may move half a vector through one of them, and libraries then compute nan."""
    uses = [use(x, i) for i, x in enumerate(samples_of(name, "int16"))]
    run_uses(find("native:portable"), uses)
    assert np.longdouble(2) * np.longdouble(3) == 6
