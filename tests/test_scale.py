"""Long programs: no walk recurses, work grows with the length, the arena is near what is alive."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

import graphc as torch
from graphc.backends.numpy.emit import Emission
from graphc.capture import capture
from graphc.compiler import load_backend, pipeline
from graphc.ir.node import Input
from graphc.passes import run
from graphc.passes.plan_memory import ALIGNMENT
from graphc.recording import session
from graphc.threads import get_num_threads
from tests.programs import PROGRAMS

LENGTH = 20_000
ALLOWED = 1.15


def chain(length: int) -> Callable[[Any], Any]:
    """A function of so many operations, each of which needs the one before."""

    def run(x: Any) -> Any:
        y = x
        for _ in range(length // 2):
            y = torch.sin(y) + x
        return y

    return run


def by_hand(length: int, x: Any) -> tuple[Any, Any]:
    """The value of the chain and the gradient of its sum, in float64."""
    y, slope = x.astype(np.float64), np.ones_like(x, np.float64)
    for _ in range(length // 2):
        slope = np.cos(y) * slope + 1
        y = np.sin(y) + x
    return y, slope


def given() -> Any:
    return np.linspace(0.1, 0.9, 5).astype(np.float32)


@pytest.fixture
def shallow() -> Iterator[None]:
    """Within, Python's stack is too small for a walk that recurses."""
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(400)
    yield
    sys.setrecursionlimit(limit)


@pytest.mark.usefixtures("shallow")
@pytest.mark.parametrize("backend", ["", "numpy", "native"])
def test_a_chain_of_twenty_thousand_operations(backend: str) -> None:
    run = torch.compile(chain(LENGTH), backend=backend) if backend else chain(LENGTH)
    expected, _ = by_hand(LENGTH, given())
    with torch.no_grad():
        for _ in range(2):
            np.testing.assert_allclose(run(torch.tensor(given())).numpy(), expected, rtol=1e-5)


@pytest.mark.usefixtures("shallow")
@pytest.mark.parametrize("backend", ["", "numpy", "native"])
def test_a_chain_of_twenty_thousand_operations_backward(backend: str) -> None:
    forward = chain(LENGTH)

    def step(x: Any) -> Any:
        y = forward(x)
        (slope,) = torch.autograd.grad(y.sum(), x)
        return y, slope

    run = torch.compile(step, backend=backend) if backend else step
    x = torch.tensor(given(), requires_grad=True)
    y, slope = run(x)
    values, slopes = by_hand(LENGTH, given())
    np.testing.assert_allclose(y.detach().numpy(), values, rtol=1e-5)
    np.testing.assert_allclose(slope.numpy(), slopes, rtol=1e-4)


class Counter:
    """How many functions were called: work that no clock measures."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, frame: Any, event: str, argument: Any) -> None:
        self.calls += 1


def work(function: Callable[[], Any]) -> int:
    """The calls that a function comes to, those of built-in functions included."""
    counter = Counter()
    sys.setprofile(counter)
    try:
        function()
    finally:
        sys.setprofile(None)
    return counter.calls


def products(length: int) -> Callable[[Any], Any]:
    """A function of so many matrix products."""
    w = torch.tensor(np.eye(5, dtype=np.float32))

    def run(x: Any) -> Any:
        for _ in range(length):
            x = x @ w
        return x

    return run


@pytest.mark.parametrize("name", ["numpy", "native"])
@pytest.mark.parametrize("make", [chain, products])
def test_work_grows_as_the_length_does(make: Callable[[int], Any], name: str) -> None:
    backend = load_backend(name)

    def compiled(length: int) -> Callable[[], Any]:
        forward = make(length)

        def step(x: Any) -> Any:
            return torch.autograd.grad(forward(x).sum(), x)

        def write() -> None:
            x = torch.tensor(given(), requires_grad=True)
            graph = capture(step, (x,), {}, {}).graph
            backend.emit(run(graph, pipeline(backend)))

        return write

    compiled(100)()
    counts = [work(compiled(length)) for length in (500, 1000, 2000)]
    for shorter, longer in pairwise(counts):
        assert longer < 2.3 * shorter, counts


def functions_of(text: str) -> list[list[str]]:
    """The lines of each function of a C file."""
    found: list[list[str]] = []
    inside = False
    for line in text.splitlines():
        if line.endswith(") {") and not line.startswith(" "):
            found.append([])
            inside = True
        if inside:
            found[-1].append(line)
        inside = inside and line != "}"
    return found


@pytest.mark.parametrize("make", [chain, products])
def test_no_function_is_too_long_for_a_compiler(make: Callable[[int], Any]) -> None:
    """Compilers take more than twice as long for a function that is twice as long."""
    compiled = torch.compile(make(2_000), backend="native:portable")
    compiled.specialize(torch.tensor(given()))
    functions = functions_of(compiled.source())
    assert max(map(len, functions)) < 250
    calls = [sum("sin_float(" in line for line in lines) for lines in functions]
    assert max(calls) <= 40


def lower_bound(emission: Emission) -> int:
    """The largest sum of bytes that must be there at one step of the schedule.

    Found anew from what the kernels read and make: each result in the arena from the kernel that
    makes it to the last one that reads it, and the workspace of the kernel at hand.
    """
    made = emission.schedule
    outside = {*made.in_state, *made.in_output}
    alive: dict[Any, list[int]] = {}
    for step, kernel in enumerate(made.order):
        for number in range(len(kernel.types)):
            if (kernel, number) not in outside:
                alive[kernel, number] = [step, step]
        for operand in kernel.inputs:
            layout = made.layouts.get(operand)
            if layout is not None and layout.owner in alive:
                alive[layout.owner][1] = step
    roots = (*made.graph.outputs, *(value for _, value in made.graph.updates))
    for root in roots:
        layout = made.layouts.get(root)
        if layout is not None and layout.owner in alive:
            alive[layout.owner][1] = len(made.order)
    # A result may lie over an operand that dies with it: the two are counted once.
    for result, overwritten in made.shared.items():
        first, last = alive.pop(overwritten)
        alive[result] = [min(first, alive[result][0]), max(last, alive[result][1])]
    peak = 0
    for step, kernel in enumerate(made.order):
        total = sum(
            padded(x.types[number].nbytes)
            for (x, number), (first, last) in alive.items()
            if first <= step <= last
        )
        space = emission.made[kernel].workspace
        total += sum(
            padded(int(np.prod(shape)) * np.dtype(dtype).itemsize) for shape, dtype in space
        )
        peak = max(peak, total)
    return peak


def padded(nbytes: int) -> int:
    return -(-nbytes // ALIGNMENT) * ALIGNMENT


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_arena_is_near_what_is_alive_at_once(name: str) -> None:
    program = PROGRAMS[name]
    _, _, step = program.build(torch)
    compiled = torch.compile(step, backend="numpy")
    for x, y in program.batches(2):
        compiled(torch.tensor(x), torch.tensor(y))
    emission = Emission(compiled.graph, get_num_threads())
    sources = emission.sources()
    assert sources.text == compiled.source()
    bound = lower_bound(emission)
    assert 0 < bound <= sources.arena_bytes <= ALLOWED * bound
    assert sources.facts["live_peak"] == bound
    kernels = [x for x in compiled.graph.nodes if not isinstance(x.op, Input)]
    assert len(kernels) > 10


def steps_unread(
    count: int, wrap: Callable[[Any], Any], *, drop_first: bool
) -> tuple[Any, list[int]]:
    """A loop that never asks for numbers; how much was pending after each of its steps."""
    model, optimizer, _ = PROGRAMS["perceptron"].build(torch)
    call, pending = wrap(model), []
    for x, y in PROGRAMS["perceptron"].batches(count):
        if drop_first:
            optimizer.zero_grad()
        else:
            for p in model.parameters():
                p.grad = None
        loss = torch.nn.functional.cross_entropy(call(torch.tensor(x)), torch.tensor(y))
        loss.backward()
        optimizer.step()
        pending.append(len(session.trace.pending))
    return model, pending


@pytest.mark.parametrize("drop_first", [True, False])
@pytest.mark.parametrize("wrap", [lambda model: model, torch.compile], ids=["plain", "compiled"])
def test_a_loop_that_reads_nothing_is_one_program_to_a_step_or_two(
    wrap: Callable[[Any], Any], drop_first: bool
) -> None:
    session.programs.clear()
    model, pending = steps_unread(12, wrap, drop_first=drop_first)
    assert max(pending) < 3 * max(pending[:1])
    assert len(session.programs) <= 4
    read, _, step = PROGRAMS["perceptron"].build(torch)
    for x, y in PROGRAMS["perceptron"].batches(12):
        step(torch.tensor(x), torch.tensor(y)).item()
    for mine, other in zip(model.parameters(), read.parameters(), strict=True):
        np.testing.assert_allclose(
            mine.detach().numpy(), other.detach().numpy(), rtol=1e-5, atol=1e-6
        )


def test_results_that_are_collected_unread_are_many_programs() -> None:
    model, _, _ = PROGRAMS["transformer"].build(torch)
    inputs = [torch.tensor(x) for x, _ in PROGRAMS["transformer"].batches(60)]
    session.programs.clear()
    with torch.no_grad():
        kept = [model(x) for x in inputs]
        assert len(session.trace.pending) < 3000
        assert 1 <= len(session.programs) <= 3
        last = model(inputs[0]).numpy()
    np.testing.assert_allclose(kept[0].numpy(), last, rtol=1e-5, atol=1e-6)
