"""A long program as several C files, which are compiled at the same time."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from graphc.backends.native.library import prelude
from graphc.backends.native.made import Made

LONG = 40_000
"""Characters of kernels from which one compiler's work is worth sharing."""


@dataclass(frozen=True)
class Definition:
    """The functions of a kernel."""

    text: str
    made: Made


def parts(
    definitions: Sequence[Definition], whole: Callable[[Iterable[str], Iterable[str]], str]
) -> tuple[str, ...]:
    """The texts of the program's files, of which the first has the step; none if it is short.

    ``whole`` gives the program's text for the kernels and the helpers that are to be in it.
    """
    length = sum(len(x.text) for x in definitions)
    count = min(len(definitions), os.cpu_count() or 1, 8)
    if length < LONG or count < 2:
        return ()
    # Checks share a variable, so they stay together.
    here = [x for x in definitions if x.made.errors]
    files: list[list[Definition]] = [here, *([] for _ in range(count - 1))]
    sizes = [sum(len(x.text) for x in file) for file in files]
    sizes[0] += len(whole((), ())) // 2  # declarations and calls, which are less work than loops
    for x in sorted(definitions, key=lambda x: -len(x.text)):
        if not x.made.errors:
            smallest = sizes.index(min(sizes))
            files[smallest].append(x)
            sizes[smallest] += len(x.text)
    declared = [line for file in files[1:] for x in file for line in _declarations(x)]
    first = [*declared, *(x.text for x in files[0])]
    helpers = {name for x in files[0] for name in x.made.helpers}
    helpers |= {"fail"} if here else set()
    texts = [whole(first, helpers)]
    for file in files[1:]:
        helpers = {name for x in file for name in x.made.helpers}
        texts.append("\n".join([prelude(helpers), *(_shared(x) for x in file)]))
    return tuple(texts)


def _heads(x: Definition) -> Iterable[re.Match[str]]:
    """Where the functions that the step calls begin."""
    for stage in x.made.stages:
        found = re.search(rf"static void {stage.function}\(([^{{]*)\) {{", x.text)
        assert found is not None
        yield found


def _declarations(x: Definition) -> list[str]:
    hidden = '__attribute__((visibility("hidden")))'
    return [
        f"{hidden} void {stage.function}({' '.join(head.group(1).split())});"
        for stage, head in zip(x.made.stages, _heads(x), strict=True)
    ]


def _shared(x: Definition) -> str:
    text = x.text
    for stage, line in zip(x.made.stages, _declarations(x), strict=True):
        text = text.replace(f"static void {stage.function}(", f"void {stage.function}(")
        text = f"{line}\n{text}"
    return text
