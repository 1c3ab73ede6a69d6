"""Errors: raised at the user's own line, in PyTorch's words, with operation and operands."""

from __future__ import annotations

import re
import traceback
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc
from graphc import nn
from tests.torch_peer import torch

F = nn.functional
DEEP = 7
"""Frames that may stand between the user's line and the end of a traceback."""


def model(package: Any) -> Any:
    """Layers of which the last one does not fit."""
    parts = package.nn
    return parts.Sequential(parts.Linear(3, 5), parts.ReLU(), parts.Linear(6, 1))


WRONG: dict[str, Callable[[Any], Any]] = {
    "broadcast": lambda m: m.ones(2) + m.ones(3),
    "product": lambda m: m.ones(2, 3) @ m.ones(2, 3),
    "product of types": lambda m: m.ones(2, 2) @ m.ones(2, 2, dtype=m.float64),
    "batched product": lambda m: m.bmm(m.ones(2, 3, 4), m.ones(2, 3, 4)),
    "linear": lambda m: m.nn.functional.linear(m.ones(2, 3), m.ones(4, 5)),
    "model": lambda m: model(m)(m.ones(1, 3)),
    "convolution": lambda m: m.nn.Conv2d(3, 4, 3)(m.ones(1, 2, 5, 5)),
    "layer norm": lambda m: m.nn.LayerNorm(4)(m.ones(2, 3)),
    "batch norm": lambda m: m.nn.BatchNorm1d(3)(m.ones(2, 4)),
    "view": lambda m: m.ones(6).view(4, 2),
    "view of other memory": lambda m: (m.ones(2, 3) * 2).T.view(6),
    "reshape": lambda m: m.ones(2).reshape(3),
    "expand": lambda m: m.ones(2).expand(3),
    "cat": lambda m: m.cat([m.ones(2, 2), m.ones(3, 3)]),
    "stack": lambda m: m.stack([m.ones(2), m.ones(3)]),
    "dimension": lambda m: m.ones(2).sum(3),
    "index": lambda m: m.ones(3)[5],
    "indices": lambda m: m.ones(3)[0, 0],
    "index of a write": lambda m: m.ones(3).__setitem__(7, 1.0),
    "written shape": lambda m: m.ones(2).add_(m.ones(3, 1)),
    "written type": lambda m: m.ones(2, dtype=m.int64).add_(1.5),
    "written leaf": lambda m: m.ones(2, requires_grad=True).add_(1),
    "backward of many": lambda m: (m.ones(2, requires_grad=True) * 2).backward(),
    "backward of nothing": lambda m: m.ones(2).sum().backward(),
    "backward of another shape": lambda m: (m.ones(2, requires_grad=True) * 2).backward(m.ones(3)),
    "missing gradient": lambda m: m.autograd.grad(
        m.ones(2, requires_grad=True).sum(), m.ones(2, requires_grad=True)
    ),
    "integers' gradient": lambda m: m.ones(2, dtype=m.int64).requires_grad_(),
    "kind": lambda m: m.add(m.ones(2), "text"),
    "too few": lambda m: m.add(m.ones(2)),
    "classes": lambda m: m.nn.functional.cross_entropy(m.ones(2, 3), m.ones(3, dtype=m.int64)),
    "integer power": lambda m: m.ones(2, dtype=m.int64) ** -1,
    "one number": lambda m: m.ones(3).item(),
    "truth": lambda m: bool(m.ones(3)),
    "numpy": lambda m: m.ones(3, requires_grad=True).numpy(),
    "device": lambda m: m.ones(3, device="nowhere"),
    "embedding": lambda m: m.nn.functional.embedding(m.ones(2), m.ones(3, 4)),
}
"""Programs that fail in the same way in both packages."""
OWN_WORDS = {"embedding", "device", "too few", "convolution", "kind"}
"""Where PyTorch's words name things that are not here: other kinds of devices, C++ signatures."""


def failure(program: Callable[[], Any], kind: type[BaseException] = Exception) -> Any:
    with pytest.raises(kind) as caught:
        program()
    return caught.value


def line_of(program: Callable[..., Any]) -> str:
    return f"test_errors.py:{program.__code__.co_firstlineno}"


def operation(error: Exception) -> str:
    """The line of a message that says which operation it was, on what."""
    (found,) = re.findall(r"\n  in (.*), test_errors\.py:\d+$", str(error))
    return str(found)


def depth_below(error: BaseException, file: str = __file__) -> int:
    """How many frames stand below the user's own line."""
    frames = traceback.extract_tb(error.__traceback__)
    return [frame.filename == file for frame in reversed(frames)].index(True)


@pytest.mark.parametrize("case", WRONG)
def test_an_error_is_pytorchs_at_the_users_line(case: str) -> None:
    program = WRONG[case]
    theirs = failure(lambda: program(torch))
    ours = failure(lambda: program(graphc), graphc.GraphcError)
    kind = RuntimeError if isinstance(theirs, NotImplementedError) else type(theirs)
    assert isinstance(ours, kind)
    if case not in OWN_WORDS:
        words = str(theirs).split("\n")[0].rstrip(".")
        assert words in str(ours)
    first = program.__code__.co_firstlineno
    lines = {f"test_errors.py:{first + extra}" for extra in range(4)}
    assert any(str(ours).endswith(line) for line in lines), str(ours)
    assert depth_below(ours) <= DEEP
    assert ours.__cause__ is None and ours.__suppress_context__


@pytest.mark.parametrize("case", WRONG)
def test_an_error_while_compiling_is_the_same(case: str) -> None:
    program = WRONG[case]
    plain = failure(lambda: program(graphc))
    compiled = failure(lambda: graphc.compile(lambda: program(graphc))())
    assert type(compiled) is type(plain)
    if case not in ("one number", "truth"):
        assert str(compiled) == str(plain)
    assert depth_below(compiled) <= DEEP


@pytest.mark.parametrize(
    ("case", "expected"),
    [
        ("broadcast", "add(f32[2], f32[3])"),
        ("product of types", "matmul(f32[2, 2], f64[2, 2])"),
        ("linear", "linear(f32[2, 3], f32[4, 5])"),
        ("cat", "cat([f32[2, 2], f32[3, 3]])"),
        ("view", "view(f32[6], [4, 2])"),
        ("backward of many", "backward(f32[2])"),
        ("written shape", "add_(f32[2], f32[3, 1])"),
        ("indices", "getitem(f32[3], [0, 0])"),
        ("kind", "add(f32[2], 'text')"),
        ("one number", "item(f32[3])"),
    ],
)
def test_an_error_names_the_operation_and_its_operands(case: str, expected: str) -> None:
    assert operation(failure(lambda: WRONG[case](graphc))) == expected


def test_a_layer_that_does_not_fit_is_named_with_where_its_input_came_from() -> None:
    wrong = model(graphc)
    message = str(failure(lambda: wrong(graphc.ones(1, 3)), RuntimeError))
    assert message.splitlines()[0] == (
        "wrong.2 (Linear(6, 1)): expects last dimension 6, got (1, 5) from wrong.1 (ReLU): "
        "mat1 and mat2 shapes cannot be multiplied (1x5 and 6x1)"
    )
    assert message.splitlines()[1].startswith(
        "  in linear(f32[1, 5], f32[1, 6], f32[1]), test_errors.py:"
    )


class Inner(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(3, 5)
        self.second = nn.Linear(4, 2)

    def forward(self, x: Any) -> Any:
        return self.second(self.first(x))


class Outer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.ModuleList([nn.Identity(), Inner()])

    def forward(self, x: Any) -> Any:
        for block in self.blocks:
            x = block(x)
        return x


@pytest.mark.parametrize("compiled", [False, True])
def test_the_path_within_nested_modules(compiled: bool) -> None:
    net = Outer()

    def call(x: Any) -> Any:
        return graphc.compile(net)(x) if compiled else net(x)

    message = str(failure(lambda: call(graphc.ones(2, 3)), RuntimeError))
    assert message.startswith(
        "net.blocks.1.second (Linear(4, 2)): expects last dimension 4, got (2, 5) "
        "from net.blocks.1.first (Linear(3, 5)): "
    )
    line = Inner.forward.__code__.co_firstlineno + 1
    assert message.endswith(f"test_errors.py:{line}")


def test_a_module_of_another_root_is_not_given_a_path_of_this_one() -> None:
    inner = model(graphc)
    failure(lambda: inner(graphc.ones(1, 3)))
    outer = nn.Sequential(inner)
    message = str(failure(lambda: outer(graphc.ones(1, 3))))
    assert message.startswith("outer.0.2 (Linear(6, 1)): expects last dimension 6, got (1, 5) ")
    assert "outer.1" not in message


def test_an_error_within_a_compiled_step_names_the_users_line() -> None:
    net = model(graphc)
    optimizer = graphc.optim.SGD(net.parameters(), lr=0.1)

    def step(x: Any) -> Any:
        optimizer.zero_grad()
        return net(x)

    error = failure(lambda: graphc.compile(step)(graphc.ones(1, 3)), graphc.GraphcError)
    line = step.__code__.co_firstlineno + 2
    assert str(error).endswith(f"test_errors.py:{line}")
    assert str(error).startswith("net.2 (Linear(6, 1)): expects last dimension 6")


def test_an_error_is_raised_when_the_operation_is_recorded() -> None:
    x = graphc.ones(2, 3) * 2
    y = graphc.ones(4, 5)
    reached: list[int] = []

    def program() -> None:
        reached.append(1)
        x @ y
        reached.append(2)

    error = failure(program, RuntimeError)
    assert reached == [1]
    assert "mat1 and mat2 shapes cannot be multiplied (2x3 and 4x5)" in str(error)
    np.testing.assert_array_equal((x + 1).numpy(), np.full((2, 3), 3.0))


def test_an_index_that_only_numbers_show_to_be_wrong() -> None:
    table = nn.Embedding(3, 2)

    def lookup(i: Any) -> Any:
        return table(i).sum()

    for call in (lookup, graphc.compile(lookup)):
        with graphc.no_grad(), pytest.raises(IndexError) as caught:
            call(graphc.tensor([1, 5])).item()
        error = caught.value
        assert isinstance(error, graphc.GraphcError)
        assert str(error).startswith("index out of range in self\n  in ")
        assert line_of(lookup).split(":")[0] in str(error)
        assert f":{lookup.__code__.co_firstlineno + 1}" in str(error)


def test_an_unknown_backend() -> None:
    error = failure(lambda: graphc.compile(model(graphc), backend="none"), ValueError)
    assert isinstance(error, graphc.GraphcError)
    assert str(error).startswith("unknown backend 'none': there are native, numpy")


def test_a_changed_set_of_parameters_that_does_not_fit_a_saved_state() -> None:
    net = nn.Linear(2, 2)
    saved = graphc.optim.Adam(net.parameters()).state_dict()
    other = graphc.optim.Adam([*net.parameters(), nn.Parameter(graphc.ones(1))])
    error = failure(lambda: other.load_state_dict(saved), ValueError)
    assert isinstance(error, graphc.GraphcError)
    assert "doesn't match the size" in str(error)


def test_missing_parameters_of_a_saved_model() -> None:
    saved = {"weight": graphc.ones(3, 3), "more": graphc.ones(1)}
    ours = failure(lambda: nn.Linear(2, 2).load_state_dict(saved), RuntimeError)
    state = {"weight": torch.ones(3, 3), "more": torch.ones(1)}
    theirs = failure(lambda: torch.nn.Linear(2, 2).load_state_dict(state), RuntimeError)
    assert str(ours) == str(theirs)


def test_operators_leave_what_they_do_not_take_to_python() -> None:
    theirs = failure(lambda: torch.ones(2) + "text", TypeError)
    ours = failure(lambda: graphc.ones(2) + "text", TypeError)
    assert str(ours) == str(theirs)


def test_an_error_can_be_caught_and_the_program_goes_on() -> None:
    w = graphc.ones(2, requires_grad=True)
    y = w * 2
    failure(lambda: y + graphc.ones(3), RuntimeError)
    y.sum().backward()
    assert w.grad is not None
    assert w.grad.tolist() == [2.0, 2.0]


def test_a_modules_own_check_names_the_module() -> None:
    net = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm2d(3))
    error = failure(lambda: net(graphc.ones(2, 2)), ValueError)
    assert isinstance(error, graphc.GraphcError)
    first, second = str(error).splitlines()
    assert first == str(failure(lambda: torch.nn.BatchNorm2d(3)(torch.ones(2, 3))))
    assert second.startswith("  in net.1 (BatchNorm2d(3, ")
    assert "(f32[2, 3]), test_errors.py:" in second
