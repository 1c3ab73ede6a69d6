"""The way into a compiled program: arrays of every type and memory order, state, errors, memory."""

from __future__ import annotations

import gc
import os
import timeit
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graphc.backends.native import executable as module
from graphc.backends.native import runtime
from graphc.backends.native.executable import NativeExecutable
from graphc.backends.native.targets import TARGETS, is_runnable
from graphc.errors import GraphcRuntimeError
from graphc.ir.dtype import DTYPES, DType, float32, int64
from tests.backends.native_program import executable, run_python, sources, typed

COPY = "memcpy(given[1], given[0], {});"
ADD = """
    const float *x = given[0];
    float *total = state[0], *out = given[1];
    for (int i = 0; i < 6; i++) out[i] = total[i] += x[i];
"""
SIX = typed(2, 3)
FUNCTIONS = pytest.mark.parametrize("way", ["function"], indirect=True)
"""For what is promised only where steps are function objects."""


@pytest.fixture(params=["function", "fallback"], autouse=True)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Everything holds for steps made by the library and for those through ctypes."""
    if request.param == "fallback":
        shared = runtime.runtime()
        monkeypatch.setattr(shared, "is_fast", False)
        monkeypatch.setattr(module, "LOADED", weakref.WeakValueDictionary())
    return str(request.param)


def numbers(*shape: int, dtype: DType = float32) -> Any:
    """Small whole numbers, which every type has."""
    size = int(np.prod(shape))
    return (np.arange(size) % 2).reshape(shape).astype(dtype.numpy)


def test_this_interpreter_has_function_objects(way: str) -> None:
    step = executable(COPY.format(24), (SIX,), (SIX,)).bind([])
    assert (type(step).__name__ == "builtin_function_or_method") == (way == "function")


@pytest.mark.parametrize("dtype", DTYPES, ids=lambda dtype: dtype.name)
def test_every_element_type(dtype: DType) -> None:
    type_ = typed(4, 5, dtype=dtype)
    step = executable(COPY.format(type_.nbytes), (type_,), (type_,)).bind([])
    array = numbers(4, 5, dtype=dtype)
    (found,) = step(array)
    assert found.dtype == dtype.numpy
    assert found.shape == (4, 5)
    np.testing.assert_array_equal(found, array)


def test_arrays_without_elements_or_dimensions() -> None:
    types = typed(0, 3), typed(), typed(0, 3)
    body = "*(float *)given[3] = 2 * *(float *)given[1];"
    step = executable(body, types, (typed(), typed(3, 0))).bind([])
    empty = np.empty((0, 3), np.float32)
    number, none = step(empty, np.array(21, np.float32), empty)
    assert number.shape == ()
    assert number == 42
    assert none.shape == (3, 0)


def misaligned(array: Any) -> Any:
    """The same numbers at an odd address."""
    memory = np.empty(array.nbytes + 8, np.uint8)
    start = 1 - memory.ctypes.data % 2
    found = memory[start : start + array.nbytes].view(array.dtype).reshape(array.shape)
    found[...] = array
    assert not found.flags.aligned
    return found


@pytest.mark.parametrize("dtype", [x for x in DTYPES if x.itemsize > 1], ids=lambda x: x.name)
def test_inputs_in_any_memory(dtype: DType) -> None:
    type_ = typed(2, 3, dtype=dtype)
    step = executable(COPY.format(type_.nbytes), (type_,), (type_,)).bind([])
    right = numbers(2, 3, dtype=dtype)
    for array in (
        np.asfortranarray(right),
        np.stack([right, right], axis=-1)[..., 1],
        right[::-1, ::-1].copy()[::-1, ::-1],
        np.broadcast_to(right[:1], (2, 3)),
        misaligned(right),
    ):
        np.testing.assert_array_equal(step(array)[0], array)


def test_an_input_in_other_memory_is_updated() -> None:
    body = "float *x = given[0]; for (int i = 0; i < 6; i++) x[i] *= 2;"
    step = executable(body, (SIX, SIX), (), written_inputs=(0,)).bind([])
    array, other = numbers(3, 4)[:, :2].T, numbers(3, 2).T
    before = array.copy()
    assert step(array, other) == []
    np.testing.assert_array_equal(array, before * 2)
    straight = np.ones((2, 3), np.float32)
    step(straight, other)
    assert (straight == 2).all()


def test_state_is_updated_in_place() -> None:
    program = executable(ADD, (SIX,), (SIX,), state=(SIX,), written=(0,))
    first, second = np.zeros((2, 3), np.float32), np.ones((2, 3), np.float32)
    steps = program.bind([first]), program.bind([second])
    x = numbers(2, 3)
    for step in (*steps, steps[0]):
        step(x)
    np.testing.assert_array_equal(first, 2 * x)
    np.testing.assert_array_equal(second, 1 + x)


@pytest.mark.parametrize("written", [(), (0,)])
def test_state_in_other_memory(written: tuple[int, ...]) -> None:
    program = executable(ADD, (SIX,), (SIX,), state=(SIX,), written=written)
    state = np.zeros((3, 4), np.float32).T[1:3]
    step = program.bind([state])
    x = numbers(2, 3)
    state[0, 0] = 7
    right = state + x
    np.testing.assert_array_equal(step(x)[0], right)
    np.testing.assert_array_equal(state, right if written else right - x)


CHECK = """
    int64_t x = *(int64_t *)given[0];
    if (x) { *value = 10 * x; return x; }
"""
ERRORS = (
    ("IndexError", "index {} is out of range", "gather_0"),
    ("ValueError", "{} is not {}", "gather_1"),
    ("ZeroDivisionError", "no number", "divide_2"),
)


@pytest.mark.parametrize("light", [False, True])
def test_a_failed_check_raises(light: bool) -> None:
    one = typed(dtype=int64)
    step = executable(CHECK, (one,), (one,), errors=ERRORS, light=light).bind([])
    for number, (kind, text) in enumerate(
        ((IndexError, "index 10 is out of range"), (ValueError, "20 is not 20"))
    ):
        with pytest.raises(kind) as caught:
            step(np.array(number + 1))
        assert str(caught.value) == text
        assert vars(caught.value)["kernel"] == ERRORS[number][2]
    with pytest.raises(ZeroDivisionError, match=r"^no number$"):
        step(np.array(3))
    assert len(step(np.array(0))) == 1


def test_a_wrong_number_of_arrays_is_an_error() -> None:
    step = executable(COPY.format(24), (SIX,), (SIX,)).bind([])
    with pytest.raises(TypeError, match="the program takes 1 arrays, not 2"):
        step(numbers(2, 3), numbers(2, 3))
    with pytest.raises(TypeError, match="not 0"):
        step()


def test_what_cannot_be_an_array_is_an_error() -> None:
    class Broken:
        def __array__(self, *_: object, **__: object) -> Any:
            raise RuntimeError("nothing here")

    step = executable(COPY.format(24), (SIX, SIX), (SIX,)).bind([])
    with pytest.raises((RuntimeError, AttributeError)):
        step(numbers(3, 2).T, Broken())


def test_results_outlive_later_steps() -> None:
    for size in (1, 1 << 19):
        type_ = typed(size)
        step = executable(COPY.format(type_.nbytes), (type_,), (type_,)).bind([])
        held = [step(np.full(size, i, np.float32))[0] for i in range(8)]
        assert [float(x[-1]) for x in held] == list(range(8))
        views = [step(np.full(size, i, np.float32))[0][-1:] for i in range(8)]
        assert [float(x[0]) for x in views] == list(range(8))


@FUNCTIONS
def test_memory_of_results_is_used_again() -> None:
    type_ = typed(1 << 19)
    step = executable(COPY.format(type_.nbytes), (type_,), (type_,)).bind([])
    x = np.zeros(1 << 19, np.float32)
    addresses = {step(x)[0].ctypes.data for _ in range(20)}
    held = None
    for _ in range(20):
        held = step(x)[0]
        addresses.add(held.ctypes.data)
    assert len(addresses) <= 3


def test_a_result_that_was_changed_is_not_given_out_again() -> None:
    step = executable(COPY.format(24), (SIX,), (SIX,)).bind([])
    x = numbers(2, 3)
    for _ in range(4):
        found = step(x)[0]
        found.flags.writeable = False
        del found
        found = step(x)[0]
        found.resize((6, 1), refcheck=False)
        del found
        (found,) = step(x)
        assert found.flags.writeable
        assert found.shape == (2, 3)
        del found


def test_arrays_stay_while_a_step_holds_them() -> None:
    program = executable(ADD, (SIX,), (SIX,), state=(SIX,), written=(0,))
    state = np.zeros((2, 3), np.float32)
    alive = weakref.ref(state)
    step = program.bind([state])
    del state, program
    gc.collect()
    assert alive() is not None
    np.testing.assert_array_equal(step(numbers(2, 3))[0], numbers(2, 3))
    del step
    gc.collect()
    assert alive() is None


def libraries() -> int:
    """How many compiled programs this process has in its memory."""
    lines = Path("/proc/self/maps").read_text(encoding="utf-8").splitlines()
    return len({line.split()[-1] for line in lines if line.endswith(".so") and "/graphc" in line})


def resident() -> int:
    """Bytes of memory in use."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * 4096


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="the system has no /proc")
def test_a_program_goes_with_its_last_step(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Twelve programs of 16 MB each, their memory written to, one after the other."""
    monkeypatch.setenv("GRAPHC_CACHE_DIR", str(tmp_path / "graphc"))
    arena = "static unsigned char arena[1 << 24];"
    # Neither the library that programs share nor what other tests left is to be counted.
    runtime.runtime()
    gc.collect()
    before, memory, files = libraries(), 0, 0
    for number in range(12):
        program = executable(f"memset(arena, {number}, sizeof arena);", (), (SIX,), globals=arena)
        step = program.bind([])
        step()
        assert libraries() == before + 1
        del program
        step()
        del step
        gc.collect()
        assert libraries() == before
        if number == 3:
            memory, files = resident(), len(os.listdir("/proc/self/fd"))
    assert resident() < memory + (1 << 24)
    assert len(os.listdir("/proc/self/fd")) == files


def test_equal_programs_share_one_library() -> None:
    """They have one memory, so that no two of them may run at once."""
    given = sources(COPY.format(24), (SIX,), (SIX,))
    first, second = NativeExecutable(given), NativeExecutable(given)
    assert first.loaded is second.loaded


def test_steps_do_not_leak_references() -> None:
    step = executable(COPY.format(24), (SIX, SIX), (SIX, SIX)).bind([])
    x, odd = numbers(2, 3), numbers(3, 2).T
    step(x, odd)
    gc.collect()
    before = len(gc.get_objects())
    for _ in range(100):
        step(x, odd)
        with pytest.raises(TypeError):
            step(x)
    gc.collect()
    assert len(gc.get_objects()) < before + 50


@FUNCTIONS
def test_a_call_costs_little() -> None:
    step = executable("", (SIX, SIX, SIX), (SIX,), light=True).bind([])
    x = numbers(2, 3)
    each = min(timeit.repeat(lambda: step(x, x, x), number=2000, repeat=30)) / 2000
    assert each < 2e-6, f"{each * 1e9:.0f} ns"


def test_a_program_for_another_machine_is_refused() -> None:
    foreign = next(name for name, target in TARGETS.items() if not is_runnable(target))
    with pytest.raises(GraphcRuntimeError, match=f"cannot run programs for '{foreign}'"):
        executable("", (), (SIX,), target=foreign)


def test_the_end_of_the_interpreter_is_quiet() -> None:
    done = run_python(
        """
        from tests.backends.native_program import executable, typed
        step = executable("", (typed(2),), (typed(2),)).bind([])
        import numpy as np
        kept = step(np.zeros(2, np.float32))
        """
    )
    assert (done.returncode, done.stderr) == (0, "")
