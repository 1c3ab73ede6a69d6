"""The compiler, the cache of what it makes, and what is said where something is missing."""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import graphc
from graphc import backends
from graphc.backends import disk
from graphc.backends.native import compilers, runtime
from graphc.backends.native.build import Build
from graphc.backends.native.compilers import compiler
from graphc.backends.native.executable import NativeExecutable
from graphc.backends.native.flags import FLAGS
from graphc.backends.native.library import FUNCTIONS, HELPERS, prelude
from graphc.backends.native.targets import host
from graphc.errors import GraphcRuntimeError, GraphcValueError
from tests.backends.native_program import executable, run_python, sources, typed

ONE = typed()


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A cache of this test's own."""
    monkeypatch.setenv("GRAPHC_CACHE_DIR", str(tmp_path / "graphc"))
    return tmp_path / "graphc"


def answer(number: int) -> str:
    """A step that gives a number."""
    return f"*(float *)given[0] = {number};"


def value(program: NativeExecutable) -> float:
    """The number that it gives."""
    return float(program.bind([])()[0])


# -- compilers -------------------------------------------------------------------------------


def fake(path: Path, script: str) -> None:
    """A program that stands where a compiler is looked for."""
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!{sys.executable}\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def counting(path: Path) -> None:
    """A compiler that hands on to the one there is, and notes each time it is started."""
    real = compilers.compiler().command
    lines = [
        "import os, sys",
        f"print('started', file=open({str(path)!r} + '.log', 'a'))",
        f"os.environ['PATH'] = {os.environ['PATH']!r}",
        f"os.execv({real[0]!r}, [*{real!r}, *sys.argv[1:]])",
    ]
    fake(path, "\n".join(lines))


def test_the_search_goes_through_the_names_in_order(tmp_path: Path) -> None:
    for name in ("clang", "gcc"):
        fake(tmp_path / name, "")
    found = [x.name for x in compilers.candidates(str(tmp_path))]
    assert [x for x in found if x != "ziglang"] == ["gcc", "clang"]


def test_a_broken_compiler_falls_through(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fake(tmp_path / "bin" / "cc", "import sys; sys.exit('no headers here')")
    fake(tmp_path / "bin" / "gcc", "")  # makes nothing
    counting(tmp_path / "bin" / "clang")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    assert compilers.compiler().command == (str(tmp_path / "bin" / "clang"),)
    said = backends.status()["native"]
    assert "does not work: no headers here" in said
    assert re.search(r"gcc \(.*\) does not work: what it makes cannot be loaded", said)
    assert value(executable(answer(3), (), (ONE,))) == 3


def test_what_is_known_of_a_compiler_is_not_asked_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    where = tmp_path / "bin" / "cc"
    counting(where)
    log = Path(f"{where}.log")
    monkeypatch.setenv("PATH", str(where.parent))
    script = "from graphc.backends.native.compilers import compiler; print(compiler().command[0])"
    for _ in range(2):
        assert run_python(script).stdout.strip() == str(where)
        assert len(log.read_text().splitlines()) == 2  # a version, a sample
    os.utime(where, ns=(1, 1))
    assert run_python(script).stdout.strip() == str(where)
    assert len(log.read_text().splitlines()) == 4


@pytest.mark.parametrize("text", ["", "[]", '{"/bin/sh x": 3}', '{"/bin/sh x": []}'])
def test_a_broken_record_of_compilers_is_written_anew(folder: Path, text: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / "compilers.json").write_text(text)
    compilers._search.cache_clear()
    assert compilers.explanation()[0]
    assert all(len(x) == 2 for x in json.loads((folder / "compilers.json").read_text()).values())


WITHOUT = """
    import graphc
    from graphc.backends.native import compilers
    compilers.find_spec = lambda name: None
    assert graphc.backends.find("auto").name == "numpy"
    print(graphc.backends.status()["native"])
    print(graphc.compile(lambda x: x + 1)(graphc.ones(2)).tolist())
    graphc.compile(lambda x: x + 1, backend="native")(graphc.ones(2))
"""


def test_without_a_compiler_numpy_is_taken_and_native_says_why(tmp_path: Path) -> None:
    done = run_python(WITHOUT, PATH=str(tmp_path))
    status, numbers = done.stdout.splitlines()
    assert status == f"does not work: no C compiler; {compilers.ADVICE}"
    assert numbers == "[2.0, 2.0]"
    last = done.stderr.splitlines()[-1]
    assert last.startswith("graphc.errors.GraphcRuntimeError: the backend 'native' needs a C comp")
    assert '`pip install "graphc[native]"`' in last


def test_auto_takes_native() -> None:
    assert backends.find("auto") is backends.find("native")
    found = backends.status()
    assert found["native"].startswith("taken by auto: works with ")
    assert found["numpy"] == "works"


def test_targets_are_backends_by_name() -> None:
    found = backends.find("native:portable")
    assert found.name == "native:portable"
    assert found is backends.find("native:portable")
    with pytest.raises(GraphcValueError, match="unknown target 'abacus': there are avx512, avx2"):
        backends.find("native:abacus")
    x = graphc.ones(3)
    step = graphc.compile(lambda x: x * 2, backend=f"native:{host().name}")
    assert step(x).tolist() == [2, 2, 2]
    assert f"for {host().name}" in step.source()


def test_a_compiler_of_the_package_ziglang_is_spelled_to() -> None:
    zig = compilers.Compiler("ziglang", ("zig", "cc"), "1")
    assert zig.spelled(["-O3", "-march=x86-64-v3"]) == ["-O3", "-mcpu=x86_64_v3"]
    assert zig.spelled(["-O3"]) == ["-mcpu=baseline", "-O3"]
    assert compilers.Compiler("cc", ("cc",), "1").spelled(["-O3"]) == ["-O3"]


def test_clang_is_not_told_what_only_gcc_knows() -> None:
    of_gcc = ["-O3", "-fno-loop-unroll-and-jam"]
    assert compilers.Compiler("cc", ("cc",), "cc (Debian) 12.2.0").spelled(of_gcc) == of_gcc
    assert compilers.Compiler("cc", ("cc",), "Apple clang version 15").spelled(of_gcc) == ["-O3"]
    assert compilers.Compiler("ziglang", ("zig", "cc"), "").spelled(of_gcc)[1:] == ["-O3"]


# -- compiling -------------------------------------------------------------------------------


def test_a_compiler_failure_shows_its_message_and_the_source(folder: Path) -> None:
    runtime.runtime()  # which is compiled beside a process's first program
    given = sources("no_such_function(3) +;", (), (ONE,))
    for _ in range(2):
        with pytest.raises(GraphcRuntimeError) as caught:
            NativeExecutable(given)
        text = str(caught.value)
        path = Path(re.search(r"could not compile (.*\.c)\n", text)[1])  # type: ignore[index]
        assert path.parent == folder
        assert path.read_text(encoding="utf-8") == given.text
        assert "error: expected expression before" in text
        assert "the command was: " in text
    assert not list(folder.glob("building-*"))


def test_parts_are_compiled_at_once_and_linked(folder: Path) -> None:
    first = sources(
        "*(float *)given[0] = twice(4) + thrice(5);",
        (),
        (ONE,),
        globals="int twice(int), thrice(int);",
    )
    parts = (
        first.text,
        "int twice(int x) { return 2 * x; }",
        "int thrice(int x) { return 3 * x; }",
    )
    first.facts["parts"] = parts
    assert value(NativeExecutable(first)) == 23
    kept = sorted(x.read_text(encoding="utf-8") for x in folder.glob("*.?.c"))
    assert kept == sorted(parts)
    first.facts["parts"] = (*parts[:2], "int thrice(int x) { return y; }")
    with pytest.raises(GraphcRuntimeError, match=r"could not compile .*\.2\.c"):
        NativeExecutable(first)
    first.facts["parts"] = parts[:2]
    with pytest.raises(GraphcRuntimeError, match=r"could not|cannot be loaded.*thrice"):
        NativeExecutable(first)


def test_another_compiler_or_flag_makes_another_entry() -> None:
    found = compilers.compiler()
    other = compilers.Compiler(found.name, found.command, "another version")
    keys = {
        Build(texts, flags, compiler).key
        for texts in (["a", "b"], ["ab"], ["a"])
        for flags in ([], ["-O3"])
        for compiler in (found, other)
    }
    assert len(keys) == 12


# -- the cache -------------------------------------------------------------------------------


def entries(folder: Path) -> list[Path]:
    """The shared objects in a cache."""
    return sorted(folder.glob("*.so"))


def build(number: int) -> Path:
    """A small library, compiled or found."""
    return Build([f"int number(void) {{ return {number}; }}"], [], compilers.compiler()).path()


def test_a_second_process_finds_what_the_first_compiled(folder: Path) -> None:
    script = """
        import subprocess
        import graphc.kernels_templates
        from tests.backends.native_program import executable, typed
        if {warm}:
            subprocess.Popen = graphc.kernels_templates.environment = None
        print(executable("*(float *)given[0] = 5;", (), (typed(),)).bind([])())
    """
    first = run_python(script.format(warm=False))
    assert first.returncode == 0, first.stderr
    assert len(entries(folder)) == 2
    second = run_python(script.format(warm=True))
    assert (second.stdout, second.stderr) == (first.stdout, "")


@pytest.mark.parametrize("damage", ["cut", "changed", "empty", "unsummed", "missing"])
def test_a_broken_entry_is_rebuilt(folder: Path, damage: str) -> None:
    path = build(1)
    whole = path.read_bytes()
    if damage == "missing":
        path.unlink()
    elif damage == "unsummed":
        path.with_suffix(".sum").write_bytes(b"\xff")
    else:
        changed = bytes([*whole[:300], whole[300] ^ 1, *whole[301:]])
        path.write_bytes({"cut": whole[:500], "changed": changed, "empty": b""}[damage])
    assert build(1) == path
    assert path.read_bytes() == whole
    assert disk.find(path.stem) == path


def test_the_cache_is_bounded(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    paths = [build(number) for number in range(3)]
    each = sum(x.stat().st_size for x in folder.glob(f"{paths[0].stem}.*"))
    for age, path in zip((30, 20, 10), paths, strict=True):
        for file in folder.glob(f"{path.stem}.*"):
            os.utime(file, (time.time() - age, time.time() - age))
    build(0)  # used again: no longer the oldest
    monkeypatch.setattr(disk, "LIMIT", 3 * each + each // 2)
    paths.append(build(3))
    assert entries(folder) == sorted([paths[0], paths[2], paths[3]])
    assert not list(folder.glob(f"{paths[1].stem}.*"))
    assert sum(x.stat().st_size for x in folder.iterdir()) <= disk.LIMIT


def test_what_a_killed_process_left_is_removed(folder: Path) -> None:
    build(0)
    old, new = disk.building(), disk.building()
    (old / "library.so").write_bytes(b"half")
    os.utime(old, (1, 1))
    build(1)
    assert not old.exists()
    assert new.exists()


RACE = """
    from tests.backends.native_program import executable, typed
    for number in range(4):
        found = executable(f"*(float *)given[0] = {number};", (), (typed(),)).bind([])()
        assert float(found[0]) == number, found
"""


def test_several_processes_share_the_cache(folder: Path) -> None:
    with ThreadPoolExecutor() as pool:
        done = list(pool.map(run_python, [RACE] * 4))
    assert [x.returncode for x in done] == [0] * 4, done
    assert len(entries(folder)) == 5
    assert all(disk.find(path.stem) for path in entries(folder))
    assert not list(folder.glob("building-*"))


def test_a_folder_that_cannot_be_written_is_replaced(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("GRAPHC_CACHE_DIR", str(tmp_path / "file" / "graphc"))
    assert value(executable(answer(8), (), (ONE,))) == 8
    temporary = disk.folder()
    assert temporary.name.startswith("graphc-")
    done = run_python(
        """
        from graphc.backends import disk
        print(disk.folder())
        """
    )
    assert not Path(done.stdout.strip()).exists()


@pytest.mark.parametrize(
    ("platform", "environment", "expected"),
    [
        ("linux", {"XDG_CACHE_HOME": "/caches"}, "/caches/graphc"),
        ("linux", {}, "/me/.cache/graphc"),
        ("darwin", {}, "/me/Library/Caches/graphc"),
        ("win32", {"LOCALAPPDATA": "/local"}, "/local/graphc"),
        ("linux", {"GRAPHC_CACHE_DIR": "/here", "XDG_CACHE_HOME": "/caches"}, "/here"),
    ],
)
def test_the_cache_is_where_the_system_keeps_caches(
    monkeypatch: pytest.MonkeyPatch, platform: str, environment: dict[str, str], expected: str
) -> None:
    for name in ("GRAPHC_CACHE_DIR", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    for name, given in environment.items():
        monkeypatch.setenv(name, given)
    monkeypatch.setenv("HOME", "/me")
    monkeypatch.setattr(sys, "platform", platform)
    assert disk.wished_folder() == Path(expected)


def test_a_failure_names_the_line_of_the_program() -> None:
    step = graphc.compile(lambda table, index: table[index], backend="native")
    table = graphc.tensor(np.arange(4.0))
    assert float(step(table, graphc.tensor(2))) == 2
    with pytest.raises(IndexError, match=r"(?s)out of .*\n  in .*test_native_build\.py"):
        step(table, graphc.tensor(7))


def test_shared_functions_compile_without_warnings(tmp_path: Path) -> None:
    source = tmp_path / "functions.c"
    source.write_text(prelude({*HELPERS, *FUNCTIONS}), encoding="utf-8")
    asked = ("-Wall", "-Wextra", "-Werror", "-Wno-unused", "-Wno-unused-parameter", "-fsyntax-only")
    command = [*compiler().command, *compiler().spelled(FLAGS), *asked, str(source)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
