"""Kernels of elementwise work: each thread does a few elements that lie side by side."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod

from graphc.backends.cuda.actions import Writer, width_of
from graphc.backends.cuda.indices import split
from graphc.backends.cuda.made import THREADS, Launch, Parameters, blocks
from graphc.kernels_templates import render
from graphc.lowering.kernel import Kernel


def elements(
    name: str,
    summary: str,
    kernel: Kernel,
    parameters: Parameters,
    begins: Mapping[int, int] | None = None,
) -> tuple[str, Launch, set[str]]:
    """The text of a kernel of one sweep without rows, its launch, and what it calls.

    ``begins``: the elements at which the kernel's part of a parameter begins.
    """
    (sweep,) = kernel.sweeps
    names, offsets = list(parameters.names), list(parameters.offsets)
    for number, begin in (begins or {}).items():
        offsets[number] += begin
        names[number] = f"({names[number]} + {begin})" if begin else names[number]
    writer = Writer(kernel, names, offsets, width_of(kernel, offsets))
    extents = list(kernel.space)
    if extents:
        extents[-1] //= writer.width
    writer.lines.add(*split("at", extents, writer.names, writer.index_type, writer.width))
    writer.elements(sweep.body)
    count = prod(extents)
    arguments, declared = parameters.used(writer.lines.text)
    text = render(
        "elements.cu.j2",
        name=name,
        summary=summary,
        parameters=declared,
        threads=THREADS,
        index=writer.index_type,
        count=count,
        exact=count % THREADS == 0,
        lines=writer.lines.text,
    )
    return text, Launch(name, (blocks(count), 1, 1), arguments=arguments), writer.helpers
