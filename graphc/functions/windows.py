"""What poolings ask of their windows and operands, in PyTorch's words."""

from __future__ import annotations

from collections.abc import Sequence

from graphc.errors import GraphcError, GraphcRuntimeError
from graphc.functions.convolution import Extents
from graphc.functions.reduction import normal_dim
from graphc.ir.node import Node
from graphc.ir.types import Shape
from graphc.ops.movement import reshape
from graphc.ops.pooling import Pool

_COUNTS = ("", "one", "two", "three")
_LETTERS = ("W", "HW", "THW")


def with_batch(name: str, input: Node, dims: int) -> Node:
    """``input`` with a batch dimension."""
    if input.rank == dims + 1:
        return reshape(input, (1, *input.shape))
    if input.rank != dims + 2:
        raise _wrong_rank(name, input, dims)
    return input


def unbatched(result: Node, input: Node, dims: int) -> Node:
    """``result`` without the batch dimension, where the input had none."""
    return result if input.rank == dims + 2 else reshape(result, result.shape[1:])


def _wrong_rank(name: str, input: Node, dims: int) -> GraphcError:
    ranks, shape = (dims + 1, dims + 2), list(input.shape)
    if name.startswith("adaptive") and dims > 1:
        colon = ":" if "max" in name else ""
        text = f"{name}(): Expected {ranks[0]}D or {ranks[1]}D tensor, but got{colon} {shape}"
    elif name == "max_pool1d":
        text = (
            "max_pool1d: Expected 2D or 3D (batch mode) tensor with optional 0 dim batch size for "
            f"input, but got:{shape}"
        )
    elif dims == 1:
        text = (
            f"Expected 2 to 3 dimensions, but got {input.rank}-dimensional tensor for argument #1 "
            f"'self' (while checking arguments for {name})"
        )
    elif name == "avg_pool2d":
        normal_dim(-3, input.rank)
        text = (
            "Expected 3D or 4D (batch mode) tensor with optional 0 dim batch size for input, but "
            f"got:{shape}"
        )
    else:
        text = f"non-empty {ranks[0]}D or {ranks[1]}D (batch mode) tensor expected for input"
    return GraphcRuntimeError(text)


def check_filled(name: str, input: Node, dims: int) -> None:
    """Raise where there are no elements but for an empty batch."""
    if 0 not in input.shape[-dims - 1 :]:
        return
    label = f"{name}: " if dims == 1 else ""
    raise GraphcRuntimeError(
        f"{label}Expected {dims + 1}D or {dims + 2}D (batch mode) tensor with optional 0 dim batch "
        f"size for input, but got:{list(input.shape)}"
    )


def several(name: str, label: str, value: Extents, dims: int) -> Shape:
    """A setting of the windows for each of ``dims`` dimensions."""
    given = (value,) if isinstance(value, int) else tuple(value)
    if len(given) in (1, dims):
        return given if len(given) == dims else given * dims
    count = f"a tuple of {_COUNTS[dims]} ints"
    if name == "max_pool1d":
        text = (
            f"max_pool1d() {label} must be an int, list of ints or tuple of ints of size 1 but got "
            f"size {len(given)}"
        )
    elif dims == 1:
        text = f"{name}() argument '{label}' should contain one int (got {len(given)})"
    else:
        text = f"{name}: {label} {_choice(name, label)} a single int, or {count}"
    raise GraphcRuntimeError(text)


def _choice(name: str, label: str) -> str:
    """What PyTorch's message says between a setting's name and its kinds."""
    either = "" if name == "avg_pool3d" else "either "
    if label == "stride":
        return f"must {either}be omitted,"
    return "must be either" if label == "dilation" else f"must {either}be"


def windows(
    name: str,
    kernel_size: Extents,
    stride: Extents | None,
    padding: Extents,
    dilation: Extents = 1,
) -> tuple[Shape, Shape, Shape, Shape]:
    """Kernel, stride, padding and dilation for each dimension. Raises where one cannot be."""
    dims = int(name[-2])
    kernel = several(name, "kernel_size", kernel_size, dims)
    empty = stride is None or (not isinstance(stride, int) and not tuple(stride))
    steps = kernel if empty or stride is None else several(name, "stride", stride, dims)
    margin = several(name, "padding", padding, dims)
    spread = several(name, "dilation", dilation, dims)
    if name == "max_pool1d":
        _check_line(kernel[0], steps[0], margin[0], spread[0])
    else:
        _check_windows(kernel, steps, margin, spread)
    return kernel, steps, margin, spread


def _check_line(kernel: int, stride: int, padding: int, dilation: int) -> None:
    for label, value in (("kernel_size", kernel), ("stride", stride)):
        if value < 1:
            raise GraphcRuntimeError(
                f"max_pool1d() {label} must be greater than zero, but got {value}"
            )
    if padding < 0:
        raise GraphcRuntimeError(f"max_pool1d() padding must be non-negative, but got {padding}")
    if padding > kernel // 2:
        raise GraphcRuntimeError(
            "max_pool1d() padding should be at most half of kernel size, but got "
            f"padding={padding} and kernel_size={kernel}"
        )
    if dilation < 1:
        raise GraphcRuntimeError(
            f"max_pool1d() dilation must be greater than zero, but got {dilation}"
        )


def _check_windows(kernel: Shape, stride: Shape, padding: Shape, dilation: Shape) -> None:
    if 0 in stride:
        raise GraphcRuntimeError("stride should not be zero")
    for label, prefix, values in (
        ("kernel size", "k", kernel),
        ("stride", "d", stride),
        ("dilation", "dilation", dilation),
    ):
        if any(n < 1 for n in values):
            letters = _LETTERS[len(values) - 1]
            shown = " ".join(f"{prefix}{x}: {n}" for x, n in zip(letters, values, strict=True))
            raise GraphcRuntimeError(f"{label} should be greater than zero, but got {shown}")
    for p, k, d in zip(padding, kernel, dilation, strict=True):
        if p < 0:
            raise GraphcRuntimeError(f"pad must be non-negative, but got pad: {p}")
        if p > (d * (k - 1) + 1) // 2:
            raise GraphcRuntimeError(
                "pad should be at most half of effective kernel size, but got "
                f"pad={p}, kernel_size={k} and dilation={d}"
            )


def check_outputs(name: str, pool: Pool, x: Node) -> None:
    """Raise where there is no window, in the words of those poolings that have their own."""
    sizes = x.shape[2:]
    found = pool.output_sizes(sizes)
    if all(n > 0 for n in found):
        return
    if name == "max_pool1d":
        raise GraphcRuntimeError(f"max_pool1d() Invalid computed output size: {found[0]}")
    if name == "avg_pool1d":
        channels = x.shape[1]
        raise GraphcRuntimeError(
            f"Given input size: ({channels}x1x{sizes[0]}). Calculated output size: "
            f"({channels}x1x{found[0]}). Output size is too small"
        )
    if name == "avg_pool3d":
        raise GraphcRuntimeError(
            f"input image ({_named('', sizes)}) smaller than kernel size "
            f"({_named('k', pool.kernel)})"
        )


def _named(prefix: str, values: Sequence[int]) -> str:
    return " ".join(f"{prefix}{x}: {n}" for x, n in zip("THW", values, strict=True))
