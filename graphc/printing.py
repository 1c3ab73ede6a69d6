"""How a tensor prints: PyTorch's format, character for character. Knows numpy arrays alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from math import isfinite
from typing import Any

import numpy as np

from graphc.errors import GraphcValueError
from graphc.ir.dtype import complex_type, get_default_dtype

Array = np.ndarray[Any, np.dtype[Any]]
UNMARKED = frozenset({"int64", "bool"})
"""Types that a printed tensor does not name, besides the default ones."""


@dataclass(frozen=True)
class PrintOptions:
    """What decides the layout, as ``torch.set_printoptions`` names it."""

    precision: int = 4
    threshold: float = 1000
    """Elements above which the middle is left out."""
    edgeitems: int = 3
    linewidth: int = 80
    sci_mode: bool | None = None
    """Scientific notation always, never, or where the numbers ask for it."""


PROFILES = {
    "default": PrintOptions(),
    "short": PrintOptions(precision=2, edgeitems=2),
    "full": PrintOptions(threshold=float("inf")),
}


class _Current:
    options = PrintOptions()


def get_printoptions() -> dict[str, Any]:
    """The options in force, by name."""
    return dict(vars(_Current.options))


def set_printoptions(
    precision: int | None = None,
    threshold: float | None = None,
    edgeitems: int | None = None,
    linewidth: int | None = None,
    profile: str | None = None,
    sci_mode: bool | None = None,
) -> None:
    """Change the options; a profile ("default", "short", "full") first, then what else is given."""
    options = _Current.options
    if profile is not None:
        if profile not in PROFILES:
            raise GraphcValueError(f"profile is one of {', '.join(PROFILES)}, not {profile!r}")
        chosen = PROFILES[profile]
        options = replace(
            options,
            precision=chosen.precision,
            threshold=chosen.threshold,
            edgeitems=chosen.edgeitems,
            linewidth=chosen.linewidth,
        )
    given = dict(precision=precision, threshold=threshold, edgeitems=edgeitems, linewidth=linewidth)
    changes: dict[str, Any] = {key: value for key, value in given.items() if value is not None}
    _Current.options = replace(options, **changes, sci_mode=sci_mode)


@contextmanager
def printoptions(**options: Any) -> Iterator[None]:
    """Within, tensors print with these options."""
    before = _Current.options
    set_printoptions(**options)
    try:
        yield
    finally:
        _Current.options = before


class _Formatter:
    """How each number of a tensor is written, decided by all that are shown."""

    def __init__(self, shown: Array, floating: bool, options: PrintOptions) -> None:
        self.floating = floating
        self.precision = options.precision
        self.integral, self.scientific, self.width = True, False, 1
        flat = shown.reshape(-1)
        if not floating:
            self.width = max([1, *(len(str(value)) for value in flat.tolist())])
            return
        values = flat.astype(np.float64)
        numbers = values[np.isfinite(values) & (values != 0)]
        if not numbers.size:
            return
        sizes = np.abs(numbers)
        low, high = float(sizes.min()), float(sizes.max())
        self.integral = bool((numbers == np.ceil(numbers)).all())
        wide = high / low > 1000.0 or high > 1.0e8
        self.scientific = wide or (not self.integral and low < 1.0e-4)
        if options.sci_mode is not None:
            self.scientific = options.sci_mode
        listed = numbers.tolist()
        if self.scientific:
            texts = [f"{value:.{self.precision}e}" for value in listed]
        elif self.integral:
            texts = [f"{value:.0f}." for value in listed]
        else:
            texts = [f"{value:.{self.precision}f}" for value in listed]
        self.width = max(1, *map(len, texts))

    def __call__(self, value: Any) -> str:
        if not self.floating:
            text = str(value)
        elif self.scientific:
            text = f"{value:{self.width}.{self.precision}e}"
        elif self.integral:
            text = f"{value:.0f}" + ("." if isfinite(value) else "")
        else:
            text = f"{value:.{self.precision}f}"
        return text.rjust(self.width)


class _ComplexFormatter:
    """How complex numbers are written: each part as all that are shown decide for it."""

    def __init__(self, shown: Array, options: PrintOptions) -> None:
        self.re = _Formatter(shown.real, True, options)
        self.im = _Formatter(shown.imag, True, options)
        self.width = self.re.width + self.im.width + 1

    def __call__(self, value: complex) -> str:
        imag = f"{self.im(value.imag)}j".lstrip()
        return self.re(value.real) + (imag if imag[0] in "+-" else f"+{imag}")


_Writer = _Formatter | _ComplexFormatter


def _edges(array: Array, count: int) -> Array:
    """The elements that a summary shows: ``count`` from each end of each axis."""
    for axis, extent in enumerate(array.shape):
        if extent > 2 * count:
            kept = [*range(count), *range(extent - count, extent)]
            array = np.take(array, kept, axis=axis)
    return array


def _row(array: Array, indent: int, summarize: bool, write: _Writer, o: PrintOptions) -> str:
    per_line = max(1, (o.linewidth - indent) // (write.width + 2))
    if summarize and not o.edgeitems:
        parts = ["..."]
    elif summarize and len(array) > 2 * o.edgeitems:
        head, tail = array[: o.edgeitems].tolist(), array[-o.edgeitems :].tolist()
        parts = [*map(write, head), " ...", *map(write, tail)]
    else:
        parts = [write(value) for value in array.tolist()]
    lines = [", ".join(parts[i : i + per_line]) for i in range(0, len(parts), per_line)]
    return "[" + (",\n" + " " * (indent + 1)).join(lines) + "]"


def _nested(array: Array, indent: int, summarize: bool, write: _Writer, o: PrintOptions) -> str:
    if array.ndim == 0:
        return write(array.item())
    if array.ndim == 1:
        return _row(array, indent, summarize, write, o)
    edge = o.edgeitems
    rows = range(len(array))
    if summarize and len(array) > 2 * edge:
        parts = [_nested(array[i], indent + 1, summarize, write, o) for i in rows[:edge]]
        parts.append("...")
        parts += [
            _nested(array[i], indent + 1, summarize, write, o) for i in rows[len(rows) - edge :]
        ]
    else:
        parts = [_nested(array[i], indent + 1, summarize, write, o) for i in rows]
    between = "," + "\n" * (array.ndim - 1) + " " * (indent + 1)
    return "[" + between.join(parts) + "]"


def _numbers(array: Array, indent: int, options: PrintOptions) -> str:
    if not array.size:
        return "[]"
    floating = array.dtype.kind not in "biu"
    if array.dtype.itemsize == 2 and floating:
        array = array.astype(np.float32)
    summarize = array.size > options.threshold
    shown = _edges(array, options.edgeitems) if summarize else array
    write: _Writer
    if array.dtype.kind == "c":
        write = _ComplexFormatter(shown, options)
    else:
        write = _Formatter(shown, floating, options)
    return _nested(array, indent, summarize, write, options)


def format_tensor(
    array: Array,
    *,
    dtype: str,
    device: str = "cpu",
    requires_grad: bool = False,
    grad_fn: str | None = None,
    class_name: str = "tensor",
    prefix: str = "torch",
) -> str:
    """A tensor as PyTorch prints it; ``dtype`` and ``grad_fn`` are bare names."""
    options = _Current.options
    indent = len(class_name) + 1
    suffixes = [] if device == "cpu" else [f"device='{device}'"]
    default = get_default_dtype()
    if array.ndim != 1 if not array.size else not options.edgeitems:
        suffixes.append(f"size={tuple(array.shape)}")
    implied = {default.name, *((complex_type(default).name, *UNMARKED) if array.size else ())}
    if dtype not in implied:
        suffixes.append(f"dtype={prefix}.{dtype}")
    if grad_fn is not None:
        suffixes.append(f"grad_fn=<{grad_fn}>")
    elif requires_grad:
        suffixes.append("requires_grad=True")
    text = f"{class_name}({_numbers(array, indent, options)}"
    column = len(text) - text.rfind("\n") + 1
    for suffix in suffixes:
        if column + len(suffix) + 2 > options.linewidth:
            text += f",\n{' ' * indent}{suffix}"
            column = indent + len(suffix)
        else:
            text += f", {suffix}"
            column += len(suffix) + 2
    return text + ")"


def format_parameter(
    array: Array, *, dtype: str, device: str = "cpu", requires_grad: bool = True
) -> str:
    """A parameter as PyTorch prints it."""
    return "Parameter containing:\n" + format_tensor(
        array, dtype=dtype, device=device, requires_grad=requires_grad
    )
