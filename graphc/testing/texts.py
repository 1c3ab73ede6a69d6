"""The generated text of the table's samples; as a program, its digests for one backend.

python -m graphc.testing.texts NAME
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from hashlib import sha256

from graphc.backend import Backend, Sources
from graphc.backends import find
from graphc.compiler import pipeline
from graphc.errors import GraphcNotImplementedError
from graphc.ir.graph import Graph
from graphc.passes import run
from graphc.testing.programs import Use, use
from graphc.testing.table import Row, samples_of, table


def graphs(row: Row) -> Iterator[Graph]:
    """The samples of a row in its first and last type, each type as one graph."""
    for dtype in dict.fromkeys((row.dtypes[0], row.dtypes[-1])):
        uses: list[Use] = [use(x, i) for i, x in enumerate(samples_of(row.name, dtype.name))]
        inputs = tuple(node for each in uses for node in each.inputs if node is not None)
        yield Graph(inputs, tuple(x for each in uses for x in each.results))


def sources(row: Row, backend: Backend) -> list[Sources]:
    """The text of each of the row's graphs."""
    return [backend.emit(run(graph, pipeline(backend))) for graph in graphs(row)]


def digests(backend: Backend) -> dict[str, str]:
    """A digest of each row's text, or what the backend says where it has none."""
    found = {}
    for row in table().values():
        try:
            text = "".join(x.text for x in sources(row, backend))
        except GraphcNotImplementedError as error:
            text = str(error)
        found[row.name] = sha256(text.encode()).hexdigest()
    return found


if __name__ == "__main__":
    print(json.dumps(digests(find(sys.argv[1]))))
