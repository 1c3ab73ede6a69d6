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
from graphc.backends.native import NativeBackend, recalled
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
    found = [recalled.recalled(one(), 2, host(), write) for _ in range(3)]
    assert found == [write.sources] * 3
    assert [x.facts for x in found] == [write.sources.facts] * 3
    assert write.count == 1
    recalled.recalled(one(), 1, host(), write)
    recalled.recalled(one(), 2, TARGETS["neon"], write)
    assert write.count == 3
    recalled.recalled(one(), 2, host(), write, prepares=True)
    assert write.count == 4


@pytest.mark.parametrize("broken", [b"", b"short", b"x" * 100])
def test_a_broken_file_is_written_anew(folder: Path, broken: bytes) -> None:
    write = Counting()
    recalled.recalled(one(), 2, host(), write)
    (path,) = folder.glob("*.sources")
    whole = path.read_bytes()
    path.write_bytes(broken or whole[:-1])
    assert recalled.recalled(one(), 2, host(), write) == write.sources
    assert write.count == 2
    assert path.read_bytes() == whole


def test_another_state_of_graphc_writes_anew(tmp_path: Path) -> None:
    write = Counting()

    def count(text: str, when: float) -> int:
        """How often something was written once the package is like this."""
        change(tmp_path, text, when)
        recalled.recalled(one(), 2, host(), write)
        return write.count

    assert [count("1", 1), count("1", 1), count("12", 1), count("12", 2)] == [1, 1, 2, 3]
    later = time.time()  # than this process began
    assert [count("12", later), count("12", later)] == [4, 5]
    assert count("12", 1) == 5


SECOND = """
    import graphc
    from graphc.backends.native import emit, recalled
    from graphc.passes import fuse
    def fail(*args):
        raise AssertionError("written anew")
    if FOUND:
        emit.emit = fail
    layer = graphc.nn.Linear(3, 2)
    layer.load_state_dict({"weight": graphc.ones(2, 3), "bias": graphc.zeros(2)})
    compiled = graphc.compile(layer, backend="native")
    print(compiled(graphc.ones(1, 3)).tolist())
    print(len(compiled.graph.nodes), len(compiled.source))
"""


def test_a_second_process_finds_the_text() -> None:
    first = run_python(SECOND.replace("FOUND", "False")).stdout
    assert first.splitlines()[0] == "[[3.0, 3.0]]"
    assert run_python(SECOND.replace("FOUND", "True")).stdout == first


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
            assert recalled.recalled(graph, 1, host(), write) is write.sources
        assert write.count == 2
    assert not list(folder.glob("*.sources"))


def test_tuned_programs_are_measured(folder: Path) -> None:
    write = Counting()
    for _ in range(2):
        NativeBackend("native", host(), is_tuned=True).recalled(one(), write)
    assert write.count == 2
    for _ in range(2):
        NativeBackend("native", host()).recalled(one(), write)
    assert write.count == 3
    assert graphc.get_num_threads() > 0
