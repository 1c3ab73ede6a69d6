"""The pool of threads: right for any count, under a fork, from several threads of Python."""

from __future__ import annotations

import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from graphc.backends.native import runtime
from graphc.backends.native.compilers import compiler
from graphc.backends.native.executable import NativeExecutable
from tests.backends.native_program import executable, run_python, typed

SQUARES = """
static void square(long i) { ((float *)given[1])[i] = ((const float *)given[0])[i] * i; }
"""
MEET = """
#include <stdatomic.h>
#include <time.h>
static atomic_int present, most;
static void meet(long i) {
    (void)i;
    int found = atomic_fetch_add(&present, 1) + 1, before = atomic_load(&most);
    while (before < found && !atomic_compare_exchange_weak(&most, &before, found)) {}
    for (int wait = 0; wait < 400 && atomic_load(&most) < PEOPLE; wait++)
        nanosleep(&(struct timespec){0, 500000}, NULL);
    atomic_fetch_sub(&present, 1);
}
"""
"""A task that waits, 0.2 s at most, for so many to be run at once; most is how many ever were."""
TOGETHER = "present = most = 0; parallel(meet, PEOPLE); *(float *)given[0] = most;"


def meeting(people: int, threads: int, light: bool = False) -> NativeExecutable:
    """A program of so many tasks; it gives how many were run at once."""
    body, text = (x.replace("PEOPLE", str(people)) for x in (TOGETHER, MEET))
    return executable(body, (), (typed(),), globals=text, threads=threads, light=light)


def squares(count: int, threads: int) -> NativeExecutable:
    """A program of so many tasks."""
    type_ = typed(count)
    body = f"parallel(square, {count});"
    return executable(body, (type_,), (type_,), globals=SQUARES, threads=threads)


@pytest.mark.parametrize("threads", [1, 2, 3, 400])
def test_every_task_is_run_once(threads: int) -> None:
    for count in (0, 1, 2, 5, 1000):
        step = squares(count, threads).bind([])
        x = np.arange(count, dtype=np.float32) + 1
        for _ in range(50):
            np.testing.assert_array_equal(step(x)[0], x * np.arange(count))


def test_more_tasks_than_fit_one_job() -> None:
    count = (1 << 20) + 5
    x = np.ones(count, np.float32)
    np.testing.assert_array_equal(squares(count, 2).bind([])(x)[0], np.arange(count))


@pytest.mark.parametrize("light", [False, True])
@pytest.mark.parametrize("threads", [1, 2, 3])
def test_as_many_threads_work_as_the_program_has(threads: int, light: bool) -> None:
    for people in (1, threads, threads + 1):
        (found,) = meeting(people, threads, light).bind([])()
        assert found == min(people, threads)


def test_a_task_may_hand_out_tasks() -> None:
    text = SQUARES + "static void outer(long i) { if (i == 1) parallel(square, 100); }"
    step = executable(
        "parallel(outer, 2);", (typed(100),), (typed(100),), globals=text, threads=2
    ).bind([])
    x = np.ones(100, np.float32)
    for _ in range(200):
        np.testing.assert_array_equal(step(x)[0], np.arange(100))


def test_a_worker_that_slept_comes_back() -> None:
    step = meeting(2, 2).bind([])
    for _ in range(5):
        assert step()[0] == 2
        threading.Event().wait(0.01)


def hammered(steps: list[tuple[object, int]]) -> None:
    """Call each step 300 times, all from threads of their own."""

    def call(given: tuple[object, int]) -> None:
        step, size = given
        for number in range(300):
            x = np.full(size, number, np.float32)
            np.testing.assert_array_equal(step(x)[0], x * np.arange(size))  # type: ignore[operator]

    with ThreadPoolExecutor(len(steps)) as pool:
        list(pool.map(call, steps))


@pytest.mark.parametrize("fast", [True, False])
def test_several_threads_of_python(fast: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """One program, which has one memory, from three threads, and others beside it."""
    monkeypatch.setattr(runtime.runtime(), "is_fast", fast)
    sizes = 60, 61, 62
    if not fast:
        sizes = 70, 71, 72
    first = squares(sizes[0], 3)
    same = first.bind([])
    hammered(
        [
            (same, sizes[0]),
            (same, sizes[0]),
            (first.bind([]), sizes[0]),
            (squares(sizes[1], 2).bind([]), sizes[1]),
            (squares(sizes[2], 3).bind([]), sizes[2]),
        ]
    )


def test_other_threads_of_python_run_meanwhile() -> None:
    """A step that waits for what another thread writes into its input."""
    body = "volatile float *x = given[0]; while (*x == 0);"
    step = executable(body, (typed(),), ()).bind([])
    x = np.zeros((), np.float32)
    threading.Timer(0.05, lambda: x.fill(1)).start()
    assert step(x) == []


FORK = """
    import os, signal, threading, warnings
    import numpy as np
    from tests.backends.test_native_threads import squares
    warnings.simplefilter("ignore")
    step, other = squares(500, 3).bind([]), squares(501, 2).bind([])
    x, y = np.ones(500, np.float32), np.ones(501, np.float32)
    ended = threading.Event()

    def busy(step, x):
        while not ended.is_set():
            step(x)

    threads = [threading.Thread(target=busy, args=given) for given in ((step, x), (other, y)) * 2]
    [thread.start() for thread in threads]
    for _ in range(40):
        child = os.fork()
        if child == 0:
            signal.alarm(20)
            right = all((step(x)[0] == np.arange(500)).all() for _ in range(5))
            right &= bool((other(y)[0] == np.arange(501)).all())
            os._exit(0 if right else 1)
        assert os.waitpid(child, 0)[1] == 0
    ended.set()
    [thread.join() for thread in threads]
    assert (step(x)[0] == np.arange(500)).all()
    print("right")
"""


def test_a_fork_while_programs_run() -> None:
    """The child has neither the workers nor the threads that held the pool and the programs."""
    done = run_python(FORK)
    assert (done.stdout, done.returncode) == ("right\n", 0), done.stderr


POOL_OF_PROCESSES = """
    import multiprocessing, warnings
    import numpy as np
    from tests.backends.test_native_threads import squares
    warnings.simplefilter("ignore")
    step, x = squares(500, 2).bind([]), np.ones(500, np.float32)
    step(x)

    def total(number):
        return float(step(x * number)[0].sum())

    with multiprocessing.get_context("fork").Pool(2) as pool:
        assert pool.map(total, range(20)) == [124750.0 * n for n in range(20)]
    print("right")
"""


def test_processes_of_multiprocessing() -> None:
    done = run_python(POOL_OF_PROCESSES)
    assert (done.stdout, done.returncode) == ("right\n", 0), done.stderr


IDLE = """
    import os, time
    import numpy as np
    from tests.backends.test_native_threads import squares
    step, x = squares(500, 3).bind([]), np.ones(500, np.float32)
    step(x)
    time.sleep(0.1)
    before = sum(os.times()[:2])
    time.sleep(1)
    assert sum(os.times()[:2]) - before < 0.05
    print(len(os.listdir("/proc/self/task")))
"""


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="the system has no /proc")
def test_idle_workers_sleep() -> None:
    done = run_python(IDLE, OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS="1")
    assert (done.stdout, done.returncode) == ("3\n", 0), done.stderr


def test_signals_are_for_python() -> None:
    done = run_python(
        """
        import os, signal
        import numpy as np
        from tests.backends.test_native_threads import squares
        step, x = squares(500, 3).bind([]), np.ones(500, np.float32)
        step(x)
        seen = []
        signal.signal(signal.SIGUSR1, lambda *given: seen.append(given[0]))
        for _ in range(20):
            os.kill(os.getpid(), signal.SIGUSR1)
            step(x)
        for path in os.listdir("/proc/self/task"):
            if path != str(os.getpid()):
                lines = open(f"/proc/self/task/{path}/status").read().splitlines()
                blocked = next(x for x in lines if x.startswith("SigBlk")).split()[1]
                assert int(blocked, 16) >> (signal.SIGUSR1 - 1) & 1
        print(len(seen))
        """,
        OPENBLAS_NUM_THREADS="1",
        OMP_NUM_THREADS="1",
    )
    assert (done.stdout, done.returncode) == ("20\n", 0), done.stderr


DRIVER = """
#include <stdio.h>

enum { CALLERS = 4, ROUNDS = 400, WIDTH = 97 };
static long cells[CALLERS][WIDTH];
static void add0(long i) { cells[0][i] += i + 1; }
static void add1(long i) { cells[1][i] += i + 1; }
static void add2(long i) { cells[2][i] += i + 1; }
static void add3(long i) { cells[3][i] += i + 1; }
static const task_function adds[CALLERS] = {add0, add1, add2, add3};

static void *caller(void *given) {
    long k = (long)(intptr_t)given;
    for (long round = 0; round < ROUNDS; round++) {
        graphc_threads(1 + (int)((round + k) % 4));
        graphc_parallel(adds[k], 1 + round % WIDTH);
        if (round % 50 == 0) nanosleep(&(struct timespec){0, 300000}, NULL);
    }
    return NULL;
}

static void together(int callers) {
    pthread_t threads[CALLERS];
    for (long k = 0; k < callers; k++)
        pthread_create(&threads[k], NULL, caller, (void *)(intptr_t)k);
    for (long k = 0; k < callers; k++) pthread_join(threads[k], NULL);
}

int main(void) {
    for (int callers = 1; callers <= CALLERS; callers++) together(callers);
    for (long k = 0; k < CALLERS; k++)
        for (long i = 0; i < WIDTH; i++) {
            long times = 0;
            for (long round = 0; round < ROUNDS; round++) times += i < 1 + round % WIDTH;
            if (cells[k][i] != (CALLERS - k) * times * (i + 1)) return puts("wrong"), 1;
        }
    puts("right");
    return 0;
}
"""


def sanitized(text: str, folder: Path, kind: str) -> subprocess.CompletedProcess[str]:
    """The library with a program around it, run under a sanitizer."""
    source, program = folder / "driver.c", folder / "driver"
    source.write_text(text + DRIVER, encoding="utf-8")
    flags = ["-std=gnu11", "-O1", "-g", "-Wall", "-Wextra", "-Werror", f"-fsanitize={kind}"]
    subprocess.run(
        [*compiler().command, *flags, str(source), "-o", str(program), "-lpthread", "-ldl"],
        check=True,
    )
    return subprocess.run([program], capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.parametrize("kind", ["thread", "address,undefined"])
def test_the_pool_under_sanitizers(kind: str, tmp_path: Path) -> None:
    done = sanitized(runtime.text(), tmp_path, kind)
    assert (done.stdout, done.stderr, done.returncode) == ("right\n", "", 0)


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("&pool.done, 1, memory_order_release", "&pool.done, 1, memory_order_relaxed"),
        ("&pool.busy, 1, memory_order_acquire", "&pool.busy, 1, memory_order_relaxed"),
    ],
)
def test_a_race_in_the_pool_would_be_found(right: str, wrong: str, tmp_path: Path) -> None:
    text = runtime.text()
    assert right in text
    assert "data race" in sanitized(text.replace(right, wrong), tmp_path, "thread").stderr
