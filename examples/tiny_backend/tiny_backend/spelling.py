"""How each primitive is written: an expression, and statements that go on with its value."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphc.ir.node import Node

NAMESAKES = (
    "abs add ceil copysign cos cosh exp exp2 expm1 floor floor_divide fmax fmin fmod gcd hypot log "
    "log10 log1p log2 logaddexp matmul maximum minimum nextafter reciprocal remainder signbit sin "
    "sinh sqrt tan tanh trunc where"
)
RENAMED = (
    "acos:arccos acosh:arccosh and:bitwise_and asin:arcsin asinh:arcsinh atan2:arctan2 atan:arctan "
    "atanh:arctanh clamp_max:minimum clamp_min:maximum div:divide eq:equal le:less_equal lt:less "
    "mul:multiply ne:not_equal neg:negative not:invert or:bitwise_or pow:power round:rint "
    "shift_left:left_shift shift_right:right_shift sub:subtract xor:bitwise_xor"
)


def cut(node: Node) -> str:
    """The index of what `slice` takes and `place` writes."""
    op: Any = node.op
    return ", ".join(map("{}:{}:{}".format, op.starts, op.stops, op.steps)) or "..."


def along(node: Node) -> str:
    """The index that stands for one along a single dimension."""
    op: Any = node.op
    shape = node.inputs[-1].shape
    later = [", None" * (len(shape) - i - 1) for i in range(len(shape))]
    places = [f"np.arange({n})[:{rest}]" for n, rest in zip(shape, later, strict=True)]
    places[op.dim] = f"{{{len(node.inputs) - 1}}}"
    return ", ".join(places)


def index_sum(node: Node) -> str:
    op: Any = node.op
    total = "np.zeros({op.shape}, {dtype})\nnp.add.at({out}, ({rest},), {0})"
    return total if op.skip is None else f"{total}\n{{out}}[{op.skip}] = 0"


def pad(node: Node) -> str:
    op: Any = node.op
    inner = ", ".join(f"{a}:{n - b}" for a, n, b in zip(op.low, node.shape, op.high, strict=True))
    return f"np.full({node.shape}, {op.value!r}, {{dtype}})\n{{out}}[{inner or '...'}] = {{0}}"


SPELLING: dict[str, str | Callable[[Node], str]] = {
    **{x: f"np.{x}({{all}})" for x in NAMESAKES.split()},
    **{x: f"np.{y}({{all}})" for x, y in (pair.split(":") for pair in RENAMED.split())},
    **{x: f"np.{x}({{0}}, axis={{op.axes}}, keepdims=True)" for x in ("all", "any", "max", "min")},
    **{x: f"np.{x}({{0}}, {{op.axes}}, {{dtype}}, keepdims=True)" for x in ("prod", "sum")},
    **{x: f"np.{x}({{0}}, {{op.dim}}, {{dtype}})" for x in ("cumprod", "cumsum")},
    **{x: f"np.vectorize(math.{x}, [{{dtype}}])({{0}})" for x in ("erf", "erfc")},
    "arange": "(np.arange({op.size}) * {op.step} + {op.start}).astype({dtype})",
    "cast": "{0}.astype({dtype})",
    "check_range": (
        "{0}\nfor bad in {out}[({out} < {op.low}) | ({out} >= {op.high})]:\n"
        "    raise {op.error}({op.message!r}.format(bad))"
    ),
    "concat": "np.concatenate(({all},), {op.dim})",
    "expand": "np.broadcast_to({0}, {op.shape})",
    "flip": "np.flip({0}, {op.dims})",
    "gather": lambda node: f"{{0}}[{along(node)}]",
    "gather_nd": "{0}[{rest}]",
    "index_sum": index_sum,
    "pad": pad,
    "permute": "np.transpose({0}, {op.dims})",
    "place": lambda node: f"np.array({{0}})\n{{out}}[{cut(node)}] = {{1}}",
    "relu": "np.maximum({0}, 0)",
    "reshape": "{0}.reshape({op.shape})",
    "rsqrt": "1 / np.sqrt({0})",
    "scatter": lambda node: f"np.array({{0}})\n{{out}}[{along(node)}] = {{1}}",
    "scatter_add": lambda node: (
        f"np.zeros({{op.shape}}, {{dtype}})\nnp.add.at({{out}}, ({along(node)},), {{0}})"
    ),
    "sigmoid": "1 / (1 + np.exp(-{0}))",
    "sign": "np.nan_to_num(np.sign({0}))",
    "slice": lambda node: f"{{0}}[{cut(node)}]",
    "strided": (
        "{0}[{op.offset} + np.tensordot(np.array({op.strides}, int), np.indices({op.size}), 1)]"
    ),
}
"""With ``{0}``, ``{1}`` for operands, ``{all}`` and, without the first, ``{rest}`` of them."""


def dtype(node: Node) -> str:
    """The element type as the generated text writes it."""
    name = node.dtype.name
    return name if name == "bfloat16" else f"np.{name}{'_' * (name == 'bool')}"


def is_low(node: Node) -> bool:
    """Whether float32 is computed in instead of the node's type, and then rounded."""
    return node.dtype.is_floating_point and node.dtype.itemsize == 2


def statements(out: str, node: Node, operands: list[str]) -> list[str] | None:
    """What leaves a node's value in ``out``, or None where nothing does."""
    spelling = SPELLING.get(node.op.name)
    if spelling is None:
        return None
    low = node.op.name not in ("cast", "nextafter")
    if low:
        pairs = zip(operands, node.inputs, strict=True)
        operands = [f"{x}.astype(np.float32)" if is_low(given) else x for x, given in pairs]
        low = is_low(node)
    filled = (spelling if isinstance(spelling, str) else spelling(node)).format(
        *operands,
        out=out,
        op=node.op,
        all=", ".join(operands),
        rest=", ".join(operands[1:]),
        dtype="np.float32" if low else dtype(node),
    )
    rounded = [f"{out} = {out}.astype({dtype(node)})"] if low else []
    return [*f"{out} = {filled}".split("\n"), *rounded]
