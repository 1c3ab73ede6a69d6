"""The pipeline: passes from graph to graph, in one ordered tuple."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from graphc.errors import VerificationError
from graphc.ir.graph import Graph
from graphc.passes.fold_constants import fold_constants
from graphc.passes.fuse import fuse
from graphc.passes.merge_equal import merge_equal
from graphc.passes.open_composites import open_composites
from graphc.passes.simplify import simplify

Pass = Callable[[Graph], Graph]

PASSES: tuple[Pass, ...] = (
    open_composites,
    simplify,
    fold_constants,
    merge_equal,
    simplify,
    merge_equal,
    fuse,
)


def run(graph: Graph, passes: Sequence[Pass] = PASSES, *, dump: Path | None = None) -> Graph:
    """``graph`` after ``passes``; each must leave a graph that verifies."""
    for number, step in enumerate(passes, start=1):
        graph = step(graph)
        try:
            graph.verify()
        except VerificationError as error:
            error.add_note(f"after the pass {step.__name__}:\n{graph}")
            raise
        if dump is not None:
            (dump / f"{number:02}-{step.__name__}.txt").write_text(f"{graph}\n", encoding="utf-8")
    return graph
