"""The parts that convolutions share: padding, packing of weights, storing a block."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from graphc.backends.native.convolution_geometry import Phase, Source, Values
from graphc.backends.native.types import computed, load, store, stored
from graphc.kernels_templates import render

ROWS = 16
"""Rows of a panel that are packed together."""


def padding(name: str, x: Values, source: Source) -> str:
    """The function that copies an operand with zeros around it, channels last."""
    channels = x.outer[1]
    first = min(source.before[2], source.extent[2])
    last = max(first, min(source.extent[2], source.before[2] + x.inner[2]))
    steps = (x.strides[0], *x.steps, x.strides[1])
    together = channels == 1 or steps[4] == 1
    value = load(x.dtype, "from[at]")
    return render(
        "convolution_pad.c.j2",
        name=name,
        stored=stored(x.dtype),
        kind=computed(x.dtype),
        extent=source.extent,
        before=source.before,
        size=x.inner,
        channels=channels,
        steps=steps,
        value=value,
        width=source.steps[2],
        first=first,
        last=last,
        whole=together and value == "from[at]" and (steps[3] == channels or last - first == 1),
        along=abs(steps[4]) <= abs(steps[3]),
    )


def packing(
    name: str,
    w: Values,
    *,
    gradient: bool,
    outputs: int,
    lanes: int,
    columns: int,
    depth: int,
    phases: Sequence[Phase],
    offsets: Sequence[tuple[int, int]],
) -> str:
    """The function that packs weights: for the data gradient columns are input channels."""
    kernel = w.inner
    taps = prod(kernel)
    step = w.pixel()
    tap = f"tap * {step}" if step is not None else _tap(kernel, w.steps)
    places: list[tuple[int, int]] = []
    if len(phases) > 1:
        places = _places(kernel, phases, offsets, depth * lanes)
        place = f"{name}_taps[tap][0] + panel * {name}_taps[tap][1]"
    else:
        number = f"({taps - 1} - tap)" if gradient else "tap"
        place = f"panel * {offsets[0][1]} + {number} * {depth * lanes}"
    across, along = reversed(w.strides) if gradient else w.strides
    return render(
        "convolution_pack.c.j2",
        name=name,
        stored=stored(w.dtype),
        kind=computed(w.dtype),
        places=places,
        place=place,
        taps=taps,
        depth=depth,
        lanes=lanes,
        panels=-(-columns // lanes),
        columns=columns,
        steps=(outputs * w.strides[0], across, along),
        tap=tap,
        value=load(w.dtype, "from[at]"),
        some=ROWS,
    )


def _tap(kernel: Sequence[int], steps: Sequence[int]) -> str:
    d, h, w = f"tap / {kernel[1] * kernel[2]}", f"tap / {kernel[2]} % {kernel[1]}", f"tap % {kernel[2]}"
    return f"{d} * {steps[0]} + {h} * {steps[1]} + {w} * {steps[2]}"


def _places(
    kernel: Sequence[int], phases: Sequence[Phase], offsets: Sequence[tuple[int, int]], size: int
) -> list[tuple[int, int]]:
    """By tap: where its rows begin in the first panel, and how far apart panels are."""
    found: dict[int, tuple[int, int]] = {}
    for phase, (begin, panel) in zip(phases, offsets, strict=True):
        d, h, w = (x.kernel for x in phase.taps)
        number = 0
        for a in d:
            for b in h:
                for c in w:
                    found[(a * kernel[1] + b) * kernel[2] + c] = (begin + number * size, panel)
                    number += 1
    return [found[tap] for tap in range(prod(kernel))]


def store_block(name: str, kind: str, result: Values) -> str:
    """The function that stores a block of pixels times channels, where nothing else is done."""
    pixel = result.pixel()
    place = f"i * {pixel}" if pixel is not None else _pixel(result)
    return render(
        "convolution_store.c.j2",
        name=name,
        kind=kind,
        stored=stored(result.dtype),
        steps=result.strides,
        place=place,
        along=result.strides[1] == 1,
        store=store(result.dtype, "y[at]", "value"),
    )


def _pixel(x: Values) -> str:
    h, w = x.inner[1:]
    return f"i / {h * w} * {x.steps[0]} + i / {w} % {h} * {x.steps[1]} + i % {w} * {x.steps[2]}"
