"""The dump of a program: the text of every stage, every kernel, and a drawing of the graph."""

from __future__ import annotations

from html import escape
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from graphc.ir.graph import Graph
from graphc.ir.node import Const, Input, Item, Node
from graphc.ir.printer import format_graph, node_names

if TYPE_CHECKING:
    from graphc.split_program import AnyProgram

BOX = (190, 34)
"""Width and height of a node in the drawing, in pixels."""
GAP = (24, 40)


def dump(program: AnyProgram, folder: Path) -> Path:
    """Write everything that is known of ``program`` into ``folder``, which is made if need be.

    Files are written beside the folder first and moved into it whole, so that an interruption
    leaves none half-written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as beside:
        work = Path(beside)
        (work / "kernels").mkdir()
        _write(work, program)
        for file in sorted(work.rglob("*")):
            target = folder / file.relative_to(work)
            if file.is_dir():
                target.mkdir(exist_ok=True)
            else:
                file.replace(target)
    return folder


def _write(work: Path, program: AnyProgram) -> None:
    def put(name: str, text: str) -> None:
        (work / name).write_text(text.rstrip("\n") + "\n", encoding="utf-8")

    put("00-recorded.txt", format_graph(program.recorded, origins=True))
    for number, (name, graph) in enumerate(program.stages(), start=1):
        put(f"{number:02}-{name}.txt", format_graph(graph, origins=True))
    sources = program.sources
    put(f"program.{sources.language}", sources.text)
    for kernel in sources.kernels:
        comment = f"# {kernel.origin}" if sources.language == "py" else f"/* {kernel.origin} */"
        put(f"kernels/{kernel.name}.{sources.language}", f"{comment}\n{kernel.text}")
    put("memory.txt", memory_report(program))
    more = getattr(program.backend, "files", None)
    for name, data in ({} if more is None else more(sources)).items():
        (work / name).write_bytes(data)
    put("graph.svg", drawing(program.graph))


def memory_report(program: AnyProgram) -> str:
    """What the program holds, in bytes, known before it runs."""
    graph, sources = program.graph, program.sources
    lines = {
        "inputs": sum(x.type.nbytes for x in graph.inputs),
        "state": sum(x.type.nbytes for x in graph.state),
        "outputs": sum(x.type.nbytes for x in graph.outputs),
        "arena": sources.arena_bytes,
        "live at the peak": sources.facts.get("live_peak", sources.arena_bytes),
    }
    return "\n".join(f"{name:<18}{value:>16,} bytes" for name, value in lines.items())


def drawing(graph: Graph) -> str:
    """The graph as an SVG picture: what is computed together stands on one line."""
    places = _places(graph)
    names = node_names(list(dict.fromkeys([*graph.inputs, *graph.state, *graph.nodes])))
    width = max((x for x, _ in places.values()), default=0) + BOX[0] + GAP[0]
    height = max((y for _, y in places.values()), default=0) + BOX[1] + GAP[1]
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        'font-family="monospace" font-size="11">'
    ]
    for node, (x, y) in places.items():
        for operand in node.inputs:
            drawn = operand.inputs[0] if isinstance(operand.op, Item) else operand
            if drawn in places:
                ox, oy = places[drawn]
                parts.append(
                    f'<line x1="{ox + BOX[0] // 2}" y1="{oy + BOX[1]}" x2="{x + BOX[0] // 2}" '
                    f'y2="{y}" stroke="#999"/>'
                )
    for node, (x, y) in places.items():
        parts.append(_box(node, names[node], x, y))
    return "\n".join([*parts, "</svg>"])


def _box(node: Node, name: str, x: int, y: int) -> str:
    fill = "#e8f0fe" if isinstance(node.op, Input) else "#fff"
    what = "" if isinstance(node.op, Input) else node.op.name
    types = ", ".join(map(str, node.types))
    return (
        f"<g><title>{escape(f'{node.op}  {node.origin}')}</title>"
        f'<rect x="{x}" y="{y}" width="{BOX[0]}" height="{BOX[1]}" rx="4" fill="{fill}" '
        f'stroke="#555"/><text x="{x + 6}" y="{y + 14}">{escape(f"{name} {what}")[:34]}</text>'
        f'<text x="{x + 6}" y="{y + 28}" fill="#666">{escape(types)[:34]}</text></g>'
    )


def _places(graph: Graph) -> dict[Node, tuple[int, int]]:
    """The upper left corner of each node's box, by topological generations."""
    import networkx

    view: networkx.DiGraph[Node] = networkx.DiGraph()
    source: dict[Node, Node] = {}
    for node in graph.nodes:
        source[node] = source[node.inputs[0]] if isinstance(node.op, Item) else node
        if not isinstance(node.op, Const | Item):
            view.add_node(node)
            view.add_edges_from((source[x], node) for x in node.inputs if source[x] in view)
    return {
        node: (GAP[0] + column * (BOX[0] + GAP[0]), GAP[1] + row * (BOX[1] + GAP[1]))
        for row, layer in enumerate(networkx.topological_generations(view))
        for column, node in enumerate(layer)
    }
