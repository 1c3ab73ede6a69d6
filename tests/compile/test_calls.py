"""Calls of compiled functions: what they take and give, when they compile anew and when not."""

from __future__ import annotations

from collections import OrderedDict, defaultdict, namedtuple
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pytest

import graphc as torch
from graphc import compiled as compiled_module
from graphc import nn


class Counted:
    """A function that knows how often its Python code has run."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        self.calls = 0

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self.calls += 1
        return self.function(*args, **kwargs)


def reasons(fast: Any) -> list[str]:
    """Why each compilation was needed."""
    return [line.rpartition(":")[0] for line in fast.compilations]


def test_a_known_signature_does_no_tracing() -> None:
    double = Counted(lambda x: x * 2)
    fast = torch.compile(double)
    for number in range(4):
        assert fast(torch.full((3,), float(number))).tolist() == [2.0 * number] * 3
    assert double.calls == 1
    assert reasons(fast) == ["first call"]


def test_each_shape_and_type_has_a_program_of_its_own() -> None:
    double = Counted(lambda x: x * 2)
    fast = torch.compile(double)
    given = [torch.ones(3), torch.ones(4), torch.ones(3, dtype=torch.int64), torch.ones(3, 1)]
    for _ in range(2):
        for x in given:
            y = fast(x)
            assert (y.dtype, y.shape) == (x.dtype, x.shape)
    assert double.calls == 4
    assert reasons(fast) == [
        "first call",
        "new arguments f32[4]",
        "new arguments i64[3]",
        "new arguments f32[3, 1]",
    ]
    assert [len(s.captured.graph.inputs) for s in fast.specializations] == [1] * 4


def test_memory_in_another_order_is_another_signature() -> None:
    fast = torch.compile(lambda x: x * 2 + 1)
    x = torch.arange(6.0).reshape(2, 3)
    for _ in range(2):
        np.testing.assert_array_equal(fast(x.T).numpy(), x.numpy().T * 2 + 1)
        np.testing.assert_array_equal(fast(x.T.contiguous()).numpy(), x.numpy().T * 2 + 1)
    assert len(fast.compilations) == 2


def test_plain_values_are_part_of_the_signature() -> None:
    scale = Counted(lambda x, by, shift=0.0: x * by + shift)
    fast = torch.compile(scale)
    x = torch.ones(2)
    assert fast(x, 2).tolist() == [2.0, 2.0]
    assert fast(x, 3).tolist() == [3.0, 3.0]
    assert fast(x, by=3, shift=1.5).tolist() == [4.5, 4.5]
    assert fast(x, shift=1.5, by=3).tolist() == [4.5, 4.5]
    assert fast(x, 2).tolist() == [2.0, 2.0]
    assert scale.calls == 3


def test_numbers_that_compare_equal_but_are_not_the_same() -> None:
    kinds = torch.compile(lambda x, k: x / k)
    x = torch.ones(1)
    assert kinds(x, 0.0).tolist() == [float("inf")]
    assert kinds(x, -0.0).tolist() == [float("-inf")]
    again = Counted(lambda x, k: x + (2 if k is True else 3 if isinstance(k, float) else k))
    fast = torch.compile(again)
    assert [fast(x, k).item() for k in (1, True, 1.0)] == [2.0, 3.0, 4.0]
    nan = float("nan")
    kinds(x, nan)
    count = len(kinds.compilations)
    kinds(x, float("nan"))
    assert len(kinds.compilations) == count


def test_an_element_type_by_default_and_grad_mode_are_looked_at() -> None:
    fast = torch.compile(lambda n: torch.zeros(2) + n)
    w = torch.ones(2, requires_grad=True)
    assert fast(1).dtype is torch.float32
    torch.set_default_dtype(torch.float64)
    try:
        assert fast(1).dtype is torch.float64
    finally:
        torch.set_default_dtype(torch.float32)
    assert reasons(fast) == ["first call", "another default dtype"]
    double = torch.compile(lambda x: x * 2)
    assert double(w).requires_grad
    with torch.no_grad():
        assert not double(w).requires_grad
    assert reasons(double) == ["first call", "another recording of gradients"]


def test_a_tensor_that_needs_a_gradient_is_another_signature() -> None:
    double = Counted(lambda x: x * 2)
    fast = torch.compile(double)
    x = torch.ones(2)
    assert not fast(x).requires_grad
    assert fast(x.requires_grad_()).requires_grad
    assert double.calls == 2


class Pair(NamedTuple):
    left: Any
    right: Any


def test_arguments_may_be_nested() -> None:
    def total(batch: Any, *rest: Any, **named: Any) -> Any:
        assert isinstance(batch["pair"], Pair)
        assert isinstance(batch["ordered"], OrderedDict)
        x = batch["pair"].left + batch["pair"].right[0] * batch["pair"].right[1]
        x = x + batch["ordered"]["a"] + batch["none"] if batch["none"] else x
        return x + rest[0][0] + named["last"]["x"]

    counted = Counted(total)
    fast = torch.compile(counted)
    one = torch.ones(2)

    def batch(k: float) -> Any:
        inner = OrderedDict(a=one)
        return {"pair": Pair(one * k, [one, 2.0]), "ordered": inner, "none": None, "s": "text"}

    for k in (1.0, 2.0):
        assert fast(batch(k), (one,), last={"x": one}).tolist() == [k + 4] * 2
    assert counted.calls == 1


def test_structures_with_the_same_leaves_are_kept_apart() -> None:
    fast = torch.compile(lambda x: len(x["a"]))
    one = torch.ones(1)
    assert fast({"a": {}, "b": one}) == 0
    assert fast({"a": {"b": one}}) == 1
    assert fast({"a": (one, one)}) == 2


def test_results_may_be_nested() -> None:
    def parts(x: Any) -> Any:
        ordered = OrderedDict(first=x, second=None)
        grouped = defaultdict(list, {"k": [x + 1]})
        return {
            "pair": Pair(x * 2, "name"),
            "list": [x + 1, (x + 2, 3), []],
            "ordered": ordered,
            "grouped": grouped,
            "top": x.topk(1),
            "none": None,
            1: 2.5,
        }

    fast = torch.compile(parts)
    for k in (1.0, 2.0):
        found = fast(torch.full((2,), k))
        assert list(found) == ["pair", "list", "ordered", "grouped", "top", "none", 1]
        assert isinstance(found["pair"], Pair)
        assert found["pair"].left.tolist() == [2 * k] * 2
        assert found["pair"].right == "name"
        assert found["list"][0].tolist() == [k + 1] * 2
        assert found["list"][1][0].tolist() == [k + 2] * 2
        assert found["list"][1][1:] == (3,)
        assert found["list"][2] == []
        assert isinstance(found["ordered"], OrderedDict)
        assert isinstance(found["grouped"], defaultdict)
        assert found["grouped"]["new"] == []
        assert found["top"].values.tolist() == [k]
        assert (found["none"], found[1]) == (None, 2.5)
    assert len(fast.compilations) == 1


def test_one_tensor_in_two_places_of_the_result_stays_one() -> None:
    @torch.compile
    def twice(x: Any) -> Any:
        y = x * 2
        return y, {"again": y}

    first, second = twice(torch.ones(2))
    assert first is second["again"]


def test_an_argument_that_is_returned_is_the_argument() -> None:
    @torch.compile
    def same(x: Any, y: Any) -> Any:
        y.add_(1)
        return x, y, x + y

    x, y = torch.ones(2), torch.ones(2)
    first, second, third = same(x, y)
    assert first is x and second is y
    assert y.tolist() == [2.0, 2.0]
    assert third.tolist() == [3.0, 3.0]


def test_no_result_at_all() -> None:
    seen = torch.zeros(2)

    @torch.compile
    def note(x: Any) -> None:
        seen.copy_(x * 2)

    assert note(torch.ones(2)) is None
    assert seen.tolist() == [2.0, 2.0]
    empty = torch.compile(lambda: ())
    assert empty() == ()


def test_numpy_arrays_are_taken() -> None:
    fast = torch.compile(lambda x, more: x @ more["w"])
    x, w = np.arange(6.0).reshape(2, 3), np.ones((3, 2))
    y = fast(x, {"w": w})
    assert y.dtype is torch.float64
    np.testing.assert_array_equal(y.numpy(), x @ w)
    np.testing.assert_array_equal(fast(torch.tensor(x), {"w": w}).numpy(), x @ w)
    assert len(fast.compilations) == 1


def test_an_array_that_is_written_to() -> None:
    fast = torch.compile(lambda x: x.mul_(2))
    x = np.ones(3)
    fast(x)
    fast(x)
    assert x.tolist() == [4.0] * 3


def test_arrays_that_are_no_tensors_are_refused() -> None:
    fast = torch.compile(lambda x: x)
    with pytest.raises(TypeError, match=r"can't convert np\.ndarray of type"):
        fast(np.array([None]))
    with pytest.raises(TypeError, match="takes tensors, numpy arrays and plain values, not"):
        fast({1, 2})


def test_one_tensor_given_twice() -> None:
    @torch.compile
    def both(x: Any, y: Any) -> Any:
        x.add_(1)
        return x * y

    x, y = torch.ones(2), torch.ones(2)
    assert both(x, y).tolist() == [2.0, 2.0]
    assert both(x, x).tolist() == [9.0, 9.0]
    assert x.tolist() == [3.0, 3.0]
    assert both(y, torch.ones(2)).tolist() == [2.0, 2.0]


def test_pending_tensors_are_computed_first() -> None:
    fast = torch.compile(lambda x: x + 1)
    for k in (1.0, 2.0):
        x = torch.full((2, 3), k) * 2
        assert fast(x.T).tolist() == [[2 * k + 1] * 2] * 3
    assert len(fast.compilations) == 1


def test_the_number_of_programs_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled_module, "LIMIT", 3)
    fast = torch.compile(Counted(lambda x: x + 1))
    for n in (1, 2, 3):
        fast(torch.ones(n))
    fast(torch.ones(1))
    fast(torch.ones(4))
    assert [s.types[0].shape for s in fast.specializations] == [(3,), (1,), (4,)]
    fast(torch.ones(1))
    assert len(fast.compilations) == 4
    fast(torch.ones(2))
    assert len(fast.compilations) == 5
    assert len(fast.specializations) == 3


def test_an_example_is_no_call() -> None:
    w = torch.ones(2)
    fast = torch.compile(lambda x: w.add_(x), torch.ones(2))
    assert w.tolist() == [1.0, 1.0]
    fast.specialize(torch.ones(1))
    assert w.tolist() == [1.0, 1.0]
    fast(torch.ones(2))
    assert w.tolist() == [2.0, 2.0]
    assert len(fast.compilations) == 2


class Scaler:
    """An object with compiled methods."""

    def __init__(self, by: float) -> None:
        self.by = by
        self.model = nn.Linear(2, 2)
        self.calls = 0

    @torch.compile
    def scaled(self, x: Any) -> Any:
        self.calls += 1
        return x * self.by

    @torch.compile
    def summed(self, x: Any, *, bias: float = 0.0) -> Any:
        return self.model(x).sum() + bias


def test_methods_of_a_class() -> None:
    one, two = Scaler(2.0), Scaler(3.0)
    x = torch.ones(2)
    for _ in range(2):
        assert one.scaled(x).tolist() == [2.0, 2.0]
        assert two.scaled(x).tolist() == [3.0, 3.0]
    assert (one.calls, two.calls) == (1, 1)
    one.by = 4.0
    assert one.scaled(x).tolist() == [4.0, 4.0]
    assert reasons(Scaler.scaled)[-1] == "Scaler.by is 4.0, no longer 2.0"
    assert "model.weight" in str(one.scaled.graph) or one.scaled.graph.outputs
    with torch.no_grad():
        expected = one.model(x).sum() + 1.5
        assert one.summed(x, bias=1.5).item() == pytest.approx(expected.item())
    assert "state %weight: f32[2, 2]" in str(one.summed.graph)


def test_a_bound_method() -> None:
    scaler = Scaler(2.0)
    fast = torch.compile(scaler.summed.__func__.target.__get__(scaler))
    with torch.no_grad():
        x = torch.ones(2)
        assert fast(x).item() == pytest.approx(scaler.model(x).sum().item())
    assert "state %weight: f32[2, 2]" in str(fast.graph)


def test_the_forward_of_a_module() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = nn.Linear(2, 1)

        @torch.compile
        def forward(self, x: Any) -> Any:
            return self.inner(x) * 2

    net = Net()
    x = torch.ones(1, 2)
    expected = net.inner(x).item() * 2
    assert net(x).item() == pytest.approx(expected)
    net(x).sum().backward()
    assert net.inner.weight.grad is not None
    gradient = net.inner.weight.grad
    assert gradient is not None
    assert gradient.tolist() == [[2.0, 2.0]]


def test_objects_without_a_hash_are_known_by_identity() -> None:
    @dataclass
    class Config:
        by: float

    fast = torch.compile(lambda x, config: x * config.by)
    config, x = Config(2.0), torch.ones(1)
    assert fast(x, config).item() == 2.0
    config.by = 3.0
    assert fast(x, config).item() == 3.0
    assert fast(x, Config(2.0)).item() == 2.0
    assert len(fast.compilations) == 3


def test_a_compiled_function_within_another() -> None:
    inner = Counted(lambda x: x * 2)
    fast = torch.compile(inner)
    outer = torch.compile(lambda x: fast(x) + fast(x + 1))
    for _ in range(2):
        assert outer(torch.ones(2)).tolist() == [6.0, 6.0]
    assert inner.calls == 2
    assert fast.compilations == []
    assert outer.source().count("static void step(") == 1
    again = torch.compile(torch.compile(frozen_linear()))
    assert again(torch.ones(1, 2)).shape == (1, 2)


def frozen_linear() -> Any:
    return nn.Linear(2, 2).requires_grad_(False)


def test_results_of_a_call_are_never_overwritten_by_the_next() -> None:
    fast = torch.compile(lambda x: (x * 2, (x + 1).T))
    x = torch.arange(6.0).reshape(2, 3)
    first = fast(x)
    kept = [t.tolist() for t in first]
    fast(x + 10)
    assert [t.tolist() for t in first] == kept


Point = namedtuple("Point", "x y")


def test_results_keep_types_that_are_made_of_their_parts() -> None:
    fast = torch.compile(lambda x: (x.shape, Point(x * 2, 1), x.size(0)))
    shape, point, size = fast(torch.ones(2, 3))
    assert isinstance(shape, torch.Size) and shape == (2, 3)
    assert type(point) is Point and point.y == 1
    assert size == 2
