"""The parts that convolutions share: padding, packing of weights, storing a block."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from graphc.backends.c_language.types import computed, is_low, load, store, stored
from graphc.backends.native.convolution_geometry import Phase, Source, Values
from graphc.backends.native.convolution_tiles import Tile
from graphc.ir.dtype import DType
from graphc.kernels_templates import render


def helpers_of(dtype: DType) -> frozenset[str]:
    """The shared functions that convolutions of this type call."""
    if is_low(dtype):
        return frozenset({f"widen_{dtype.name}", f"narrow_{dtype.name}"})
    return frozenset({"shuffled"})


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


@dataclass(frozen=True)
class Panels:
    """How weights are packed."""

    swapped: bool
    """Whether columns are input channels and rows output channels, or the other way about."""
    turned: bool
    """Whether places in the kernel come last first, where there is one phase."""
    outputs: int
    """Output channels of a group."""
    tile: Tile
    columns: int
    depth: int
    phases: Sequence[Phase]
    offsets: Sequence[tuple[int, int]]
    """Where the weights of each phase begin, and the size of one of its panels."""
    apart: int = 0
    """Elements from a place in the kernel to the next, where there is one phase; 0: what it has."""


def packing(name: str, w: Values, panels: Panels) -> str:
    """The function that packs weights."""
    kernel, depth, tile = w.inner, panels.depth, panels.tile
    taps, step, lanes = prod(w.inner), w.pixel(), panels.tile.columns
    tap = _place("tap", w)
    places: list[tuple[int, int]] = []
    if len(panels.phases) > 1:
        places = _places(kernel, panels.phases, panels.offsets, depth * lanes)
        place = f"{name}_taps[tap][0] + panel * {name}_taps[tap][1]"
    else:
        number = f"({taps - 1} - tap)" if panels.turned else "tap"
        place = f"panel * {panels.offsets[0][1]} + {number} * {panels.apart or depth * lanes}"
    across, along = reversed(w.strides) if panels.swapped else w.strides
    value = load(w.dtype, "from[at]")
    whole = step == 1 or taps == 1
    together = whole and (along == taps or depth == 1)
    length = depth * taps if together else taps
    vector = tile.lanes if whole and length >= tile.lanes and value == "from[at]" else 0
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
        panels=-(-panels.columns // lanes),
        columns=panels.columns,
        steps=(panels.outputs * w.strides[0], across, along),
        tap=tap,
        value=value,
        vector=vector,
        runs=1 if together else depth,
        length=length,
        transpose=transposition(name, w.dtype, tile.lanes) if vector else "",
        uneven=panels.columns % lanes != 0,
    )


def transposition(name: str, dtype: DType, lanes: int) -> str:
    """The function that transposes as many vectors as each has elements."""
    half = lanes // 2
    order = [n for i in range(lanes) for n in (i, lanes + i)]
    pairs = [(2 * i, i, i + half) for i in range(half)]
    letters = "abcdefg"
    rounds = lanes.bit_length() - 1
    return render(
        "convolution_transpose.c.j2",
        name=name,
        kind=computed(dtype),
        lanes=lanes,
        low=", ".join(map(str, order[:lanes])),
        high=", ".join(map(str, order[lanes:])),
        rounds=[(letters[i], letters[i + 1], pairs) for i in range(rounds)],
        last=letters[rounds],
    )


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


def columns_of(name: str, dy: Values, tile: Tile, columns: int, some: int) -> str:
    """The function that copies an operand into panels of columns, ``some`` pixels at a time."""
    total = dy.outer[0] * dy.pixels
    return render(
        "convolution_columns.c.j2",
        name=name,
        stored=stored(dy.dtype),
        kind=computed(dy.dtype),
        lanes=tile.columns,
        panels=-(-columns // tile.columns),
        columns=columns,
        pixels=dy.pixels,
        total=total,
        pieces=max(1, -(-total // some)),
        steps=dy.strides,
        place=_place("i", dy),
        value=load(dy.dtype, "from[at]"),
        some=some,
    )


def store_block(name: str, kind: str, result: Values) -> str:
    """The function that stores a block of pixels times channels, where nothing else is done."""
    along = result.strides[1] == 1
    rows = _place("i", result)
    return _store(
        name, kind, result, f"b * {result.strides[0]} + {rows} + j * {result.strides[1]}", along
    )


def store_weights(name: str, kind: str, result: Values) -> str:
    """The function that stores a block of output channels times the rest of the weights."""
    taps, step = prod(result.inner), result.pixel()
    inner = result.strides[1]
    columns = f"j * {step}"
    if step is None or inner != step * taps:
        columns = f"j / {taps} * {inner} + {_place(f'j % {taps}', result)}"
    return _store(name, kind, result, f"i * {result.strides[0]} + {columns}", True)


def _store(name: str, kind: str, result: Values, place: str, along: bool) -> str:
    return render(
        "convolution_store.c.j2",
        name=name,
        kind=kind,
        stored=stored(result.dtype),
        place=place,
        along=along,
        store=store(result.dtype, "y[at]", "value"),
    )


def _place(number: str, x: Values) -> str:
    """The offset of an element of the spatial dimensions."""
    step = x.pixel()
    if step is not None:
        return f"{number} * {step}"
    h, w = x.inner[1:]
    a, b = f"({number}) / {h * w}", f"({number}) / {w} % {h}"
    return f"{a} * {x.steps[0]} + {b} * {x.steps[1]} + ({number}) % {w} * {x.steps[2]}"
