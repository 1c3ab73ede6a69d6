"""What kernels may take of a processor, by their template: ``python -m tests.cuda.bounds``.

As a program, all samples of the conformance kit's table are compiled and held to it.
"""

from __future__ import annotations

import re
import sys
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from math import prod
from pathlib import Path
from string import digits
from typing import Any
from unittest.mock import patch

from jinja2 import Template

from graphc import kernels_templates
from graphc.backends.cuda import BACKEND, compilation
from graphc.backends.cuda.cubin import Resources, resources
from graphc.backends.cuda.emit import PLACEHOLDER, Call, Emission
from graphc.backends.cuda.made import Extents, Launch, Made
from graphc.backends.cuda.ordering import TILE
from graphc.compiler import pipeline
from graphc.errors import GraphcNotImplementedError
from graphc.ir.dtype import DType
from graphc.ir.graph import Graph
from graphc.passes import run
from graphc.testing.programs import use
from graphc.testing.table import ALL, Row, samples_of, table

ARCHS = ("sm_80", "sm_90")
TOGETHER = 20
"""Rows whose samples are one program."""
REGISTERS = 64 * 1024
"""Registers of a multiprocessor: a block that needs more cannot be launched."""


@dataclass(frozen=True)
class Bounds:
    """The most that the kernels of a template take."""

    registers: int
    """Of a thread."""
    shared: int
    """Bytes of shared memory of a block."""


TABLE = {
    "attention.cu.j2": Bounds(registers=192, shared=0),
    "attention_grad_key.cu.j2": Bounds(registers=248, shared=0),
    "attention_grad_query.cu.j2": Bounds(registers=240, shared=0),
    "check_range.cu.j2": Bounds(registers=18, shared=8),
    "elements.cu.j2": Bounds(registers=56, shared=0),
    "first_failed.cu.j2": Bounds(registers=16, shared=8),
    "matrices.cu.j2": Bounds(registers=80, shared=1024),
    "product.cu.j2": Bounds(registers=128, shared=49152),
    "product_warpgroups.cu.j2": Bounds(registers=168, shared=0),
    "rows.cu.j2": Bounds(registers=40, shared=8448),
    "scan.cu.j2": Bounds(registers=40, shared=0),
    "scan_totals.cu.j2": Bounds(registers=40, shared=256),
    "segments.cu.j2": Bounds(registers=40, shared=2048),
    "sort.cu.j2": Bounds(registers=40, shared=12 * TILE),
}
"""By the file of the template: for a new one, give what ``python -m tests.cuda.bounds`` says."""
FUNCTION = re.compile(r"__global__ [^{]*?(\w+)\((?=[^()]*\) \{)")
QUADRANT = re.compile(r"\b(?:sin|cos|tan)f?\(")
"""What CUDA's own library computes over a table in local memory."""
QUADRANT_STACK = 40
"""Bytes of that."""


class Watched(Emission):
    """An emission that knows of which template each CUDA function is."""

    def __init__(self, graph: Graph, arch: str) -> None:
        super().__init__(graph, arch)
        self.templates: dict[str, str] = {}
        self.rendered: list[tuple[str, str]] = []
        self.parts: list[str] = []
        """The templates with kernels that were rendered, whole or in part."""

    def _named(self, made: Made, wish: str, origin: str) -> tuple[str, Made]:
        name, named = super()._named(made, wish, origin)
        functions = {x.function for x in named.launches}
        for template, text in self.rendered:
            renamed = text.replace(PLACEHOLDER, name)
            self.templates.update({x: template for x in functions if f" {x}(" in renamed})
        for x in functions - self.templates.keys():  # of a part of a template
            own = x.removeprefix(name)
            wanted = (f"}}}}{own}(", f"}}}}{own.rstrip(digits)}{{{{ number }}}}(")
            found = (y for y in self.parts if any(text in source_of(y) for text in wanted))
            self.templates[x] = next(found)
        self.rendered.clear()
        return name, named


@dataclass(frozen=True)
class Kernel:
    """One CUDA function of a program."""

    name: str
    template: str
    text: str
    """It and all that it calls."""
    blocks: frozenset[Extents]
    """The threads of its blocks, of each launch."""


@dataclass(frozen=True)
class Compilable:
    """A program's text and what it launches."""

    text: str
    kernels: tuple[Kernel, ...]


@cache
def source_of(template: str) -> str:
    """The text of a template."""
    return (Path(kernels_templates.__file__).parent / template).read_text(encoding="utf-8")


def emitted(graph: Graph, arch: str = "") -> Compilable:
    """The program of a graph as the backend emits it for a processor, or for any."""
    watched = Watched(run(graph, pipeline(BACKEND)), arch)
    render = Template.render

    def noting(template: Template, **variables: Any) -> str:
        text = render(template, **variables)
        watched.rendered.append((str(template.name), text))
        return text

    def begun(template: Template, *given: Any, **settings: Any) -> Any:
        if "__global__" in source_of(str(template.name)):
            watched.parts.append(str(template.name))
        return begin(template, *given, **settings)

    begin = Template.new_context
    with patch.object(Template, "render", noting), patch.object(Template, "new_context", begun):
        sources = watched.sources()
    blocks: dict[str, set[Extents]] = defaultdict(set)
    for step in watched.steps:
        if isinstance(step, Call) and isinstance(step.launch, Launch):
            blocks[step.launch.function].add(step.launch.block)
    texts = {name: x.text for x in sources.kernels for name in FUNCTION.findall(x.text)}
    kernels = [Kernel(x, watched.templates[x], texts[x], frozenset(blocks[x])) for x in blocks]
    return Compilable(sources.text, tuple(kernels))


def graph_of(rows: Iterable[Row], dtype: DType, most: int | None = None) -> Graph:
    """Samples of rows in a type, at most so many of each, as one program."""
    samples = [x for row in rows for x in samples_of(row.name, dtype.name)[:most]]
    uses = [use(x, i) for i, x in enumerate(samples)]
    inputs = tuple(node for each in uses for node in each.inputs if node is not None)
    return Graph(inputs, tuple(x for each in uses for x in each.results))


def has_kernels(row: Row, dtype: DType) -> bool:
    """Whether the backend has kernels for a row."""
    try:
        emitted(graph_of([row], dtype, 1))
    except GraphcNotImplementedError:
        return False
    return True


@dataclass(frozen=True)
class Held:
    """A kernel as it was compiled."""

    kernel: Kernel
    arch: str
    found: Resources

    def broken(self) -> list[str]:
        """What of it is beyond the bounds of its template, and whether it could be launched."""
        bounds, found = TABLE.get(self.kernel.template), self.found
        if bounds is None:
            return [f"there are no bounds; it takes {found}"]
        threads = max(prod(x) for x in self.kernel.blocks)
        stack = QUADRANT_STACK if QUADRANT.search(self.kernel.text) else 0
        limits = {
            "registers": (found.registers, min(bounds.registers, REGISTERS // threads)),
            "bytes of local memory": (found.stack, stack),
            "bytes of shared memory": (found.shared, bounds.shared),
        }
        return [f"{x} {what}, not at most {y}" for what, (x, y) in limits.items() if x > y]

    def __str__(self) -> str:
        said = ", ".join(self.broken())
        return f"{self.kernel.name} of {self.kernel.template} for {self.arch}: {said}"


def held(graph: Graph, arch: str) -> list[Held]:
    """The kernels of a graph's program, compiled for a processor."""
    made = emitted(graph, arch)
    found = resources(compilation.compile(made.text, arch)) if made.kernels else {}
    return [Held(x, arch, found[x.name]) for x in made.kernels]


def most(kernels: Iterable[Held]) -> str:
    """The most that the kernels of each template take, as a table."""
    taken: dict[str, list[Resources]] = defaultdict(list)
    for each in kernels:
        taken[each.kernel.template].append(each.found)
    lines = [f"{'template':<28} {'kernels':>7} {'registers':>9} {'stack':>6} {'shared':>7}"]
    for template, found in sorted(taken.items()):
        registers, stack, shared = (
            max(getattr(x, name) for x in found) for name in ("registers", "stack", "shared")
        )
        lines.append(f"{template:<28} {len(found):>7} {registers:>9} {stack:>6} {shared:>7}")
    return "\n".join(lines)


def main() -> int:
    """Compile the whole table; what is beyond the bounds is printed."""
    kernels: list[Held] = []
    for dtype in ALL:
        rows = [x for x in table().values() if dtype in x.dtypes and has_kernels(x, dtype)]
        for arch in ARCHS:
            for first in range(0, len(rows), TOGETHER):
                kernels += held(graph_of(rows[first : first + TOGETHER], dtype), arch)
            print(dtype, arch, file=sys.stderr)
    broken = [str(x) for x in kernels if x.broken()]
    print("\n".join([most(kernels), *broken]))
    return int(bool(broken))


if __name__ == "__main__":
    sys.exit(main())
