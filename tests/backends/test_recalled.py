"""Texts that are found again on disk, and the encoding of graphs by which they are."""

from __future__ import annotations

import math
import os
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

import graphc
from graphc.backend import Sources
from graphc.backends import recalled
from graphc.backends.cuda import CudaBackend
from graphc.backends.native import NativeBackend
from graphc.backends.native.targets import TARGETS, host
from graphc.compiler import Program
from graphc.ir.dtype import float32, float64, int32
from graphc.ir.encoding import NotEncodable, encoded
from graphc.ir.graph import Graph
from graphc.ir.node import Node, Op, Origin, const, elementwise, make_input, origin_of
from graphc.ir.types import TensorType
from graphc.ops.composite import Composite
from graphc.testing.table import table
from graphc.testing.texts import graphs
from graphc.threads import Threads
from tests.backends.native_program import run_python


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A cache of this test's own, for a package that was not changed just now."""
    monkeypatch.setenv("GRAPHC_CACHE_DIR", str(tmp_path / "graphc"))
    monkeypatch.setattr(recalled, "ROOT", str(tmp_path / "package"))
    change(tmp_path, "1", 1)
    return tmp_path / "graphc"


def change(place: Path, text: str, when: float) -> None:
    """Let the package be like this from now on."""
    source = place / "package" / "part" / "module.py"
    source.parent.mkdir(parents=True, exist_ok=True)
    source.write_text(text)
    os.utime(source, (when, when))
    recalled._state.cache_clear()


class Counting:
    """What writes a text, and how often it did."""

    def __init__(self, text: str = "text") -> None:
        self.count = 0
        self.sources = Sources(text, (), "c", 64, {"threads": 1})

    def __call__(self) -> Sources:
        self.count += 1
        return self.sources


def given(*shape: int) -> Node:
    return make_input("x", TensorType(shape, float32))


def one() -> Graph:
    x = given(4)
    return Graph((x,), (x + 1.0,))


def test_a_text_is_written_once(folder: Path) -> None:
    write = Counting()
    found = [recalled.recalled(one(), "", write) for _ in range(3)]
    assert found == [write.sources] * 3
    assert [x.facts for x in found] == [write.sources.facts] * 3
    assert write.count == 1
    recalled.recalled(one(), "of others", write)
    assert write.count == 2


def test_each_backend_has_texts_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    write = Counting()

    def count() -> int:
        """How often something was written once all of them had the program."""
        backends: list[NativeBackend | CudaBackend] = [
            NativeBackend("native", host()),
            NativeBackend("native", host(), prepares=True),
            NativeBackend("native:neon", TARGETS["neon"]),
            CudaBackend(arch="sm_80"),
            CudaBackend(arch="sm_90"),
        ]
        for backend in backends:
            backend.recalled(one(), write)
        return write.count

    assert [count(), count()] == [5, 5]
    monkeypatch.setattr(Threads, "count", Threads.count + 1)
    assert count() == 8


@pytest.mark.parametrize("broken", [b"", b"short", b"x" * 100])
def test_a_broken_file_is_written_anew(folder: Path, broken: bytes) -> None:
    write = Counting()
    recalled.recalled(one(), "", write)
    (path,) = folder.glob("*.sources")
    whole = path.read_bytes()
    path.write_bytes(broken or whole[:-1])
    assert recalled.recalled(one(), "", write) == write.sources
    assert write.count == 2
    assert path.read_bytes() == whole


def test_another_state_of_graphc_writes_anew(tmp_path: Path) -> None:
    write = Counting()

    def count(text: str, when: float) -> int:
        """How often something was written once the package is like this."""
        change(tmp_path, text, when)
        recalled.recalled(one(), "", write)
        return write.count

    assert [count("1", 1), count("1", 1), count("12", 1), count("12", 2)] == [1, 1, 2, 3]
    later = time.time()  # than this process began
    assert [count("12", later), count("12", later)] == [4, 5]
    assert count("12", 1) == 5


SECOND = """
    import graphc
    from graphc.backends.MODULE import emit
    def fail(*args, **kwargs):
        raise AssertionError("written anew")
    if FOUND:
        emit.emit = fail
    layer = graphc.nn.Linear(3, 2)
    layer.load_state_dict({"weight": graphc.ones(2, 3), "bias": graphc.zeros(2)})
    compiled = graphc.compile(layer, backend="BACKEND")
    CALL
    print(len(compiled.graph.nodes), len(compiled.source()), len(compiled.kernels))
"""
CALLS = {
    "native": "print(compiled(graphc.ones(1, 3)).tolist())",
    "cuda:sm_90": "compiled.specialize(graphc.ones(1, 3)); print(compiled.source())",
}


@pytest.mark.parametrize("backend", CALLS)
def test_a_second_process_finds_the_text(backend: str) -> None:
    code = SECOND.replace("MODULE", backend.partition(":")[0]).replace("CALL", CALLS[backend])
    code = code.replace("BACKEND", backend)
    first = run_python(code.replace("FOUND", "False")).stdout
    assert first.startswith("[[3.0, 3.0]]" if backend == "native" else "#ifndef")
    assert run_python(code.replace("FOUND", "True")).stdout == first


class Faulty(NativeBackend):
    def emit(self, graph: Graph) -> Sources:
        return super().emit(Graph(graph.inputs, graph.inputs))


def test_a_class_made_from_the_backend_has_texts_of_its_own() -> None:
    x = np.ones(4, np.float32)
    faulty = Program(one(), Faulty("native", host()))
    assert faulty.executable.bind([])(x)[0].tolist() == [1, 1, 1, 1]
    right = Program(one(), NativeBackend("native", host()))
    assert right.executable.bind([])(x)[0].tolist() == [2, 2, 2, 2]


# -- the encoding ------------------------------------------------------------------------------


def variants() -> list[Graph]:
    """Graphs of which each differs from the others in a single thing."""
    x, wide, other = given(4), make_input("x", TensorType((4,), float64)), given(5)
    labelled, apart = make_input("y", x.type), make_input("x", x.type, device="cuda:0")
    loose, needed = make_input("x", x.type, contiguous=False), given(4)
    twice = x + 1.0
    with origin_of(Origin(function="add", line=3)):
        placed = x + 1.0
    needing = make_input("x", x.type, requires_grad=True)
    return [
        Graph((x,), (x + 1.0,)),
        Graph((x,), (x + 1.0,), name="other"),
        Graph((wide,), (wide + 1.0,)),
        Graph((other,), (other + 1.0,)),
        Graph((labelled,), (labelled + 1.0,)),
        Graph((apart,), (apart + 1.0,)),
        Graph((loose,), (loose + 1.0,)),
        Graph((needing,), (needing + 1.0,)),
        Graph((x,), (x * 1.0,)),
        Graph((x,), (1.0 + x - 1.0,)),
        Graph((x,), (elementwise("add", const(1.0, float32), x),)),
        Graph((x,), (x + 0.0,)),
        Graph((x,), (x + -0.0,)),
        Graph((x,), (x + math.nan,)),
        Graph((x,), (x + math.inf,)),
        Graph((x,), (placed,)),
        Graph((x,), (twice, twice)),
        Graph((x,), (x + 1.0, x + 1.0)),
        Graph((), (x + 1.0,), (x,)),
        Graph((x, needed), (x + 1.0,)),
        Graph((needed, x), (x + 1.0,)),
        Graph((x,), (x + 1.0,), (needed,)),
        Graph((x,), (twice,), (), ((x, twice),)),
        Graph((x,), (twice,), (needed,), ((needed, twice),)),
        Graph((x,), (), (), ((x, twice),)),
        Graph((x,), (x,)),
        Graph((x,), ()),
        Graph((), (const(1, int32),)),
        Graph((), (const(True, int32) + const(0, int32),)),
    ]


def test_graphs_that_differ_are_told_apart() -> None:
    texts = [encoded(graph) for graph in variants()]
    assert texts == [encoded(graph) for graph in variants()]
    assert len(set(texts)) == len(texts)


def test_the_samples_of_every_op_are_told_apart() -> None:
    known: dict[str, str] = {}
    for row in table().values():
        for first, again in zip(graphs(row), graphs(row), strict=True):
            assert encoded(first) == encoded(again)
            assert known.setdefault(encoded(first), str(first)) == str(first)
    assert len(known) == len(set(known.values())) > 200


@dataclass(frozen=True)
class Foreign(Op):
    """An op of somebody else's, of which the files of graphc say nothing."""

    def infer(self, types: tuple[TensorType, ...]) -> TensorType:
        return types[0]


def foreign_body(x: Node) -> Node:
    return x + 1.0


def test_what_is_not_graphcs_own_is_not_kept(folder: Path) -> None:
    x = given(4)
    for op in (Foreign(), Composite("foreign", foreign_body, (), (True,))):
        node = op(x)
        graph = Graph((x,), (node,))
        with pytest.raises(NotEncodable):
            encoded(graph)
        write = Counting()
        for _ in range(2):
            assert recalled.recalled(graph, "", write) is write.sources
        assert write.count == 2
    assert not list(folder.glob("*.sources"))


def test_tuned_programs_are_measured(folder: Path) -> None:
    write = Counting()
    for backend in (NativeBackend("native", host(), is_tuned=True), CudaBackend(is_tuned=True)):
        for _ in range(2):
            backend.recalled(one(), write)
    assert write.count == 4
    for _ in range(2):
        NativeBackend("native", host()).recalled(one(), write)
    assert write.count == 5
    assert graphc.get_num_threads() > 0
