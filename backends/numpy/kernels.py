"""The generated function of each kind of kernel: its text, its arguments, its workspace."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from graphc.backend import refusal
from graphc.backends.numpy.body import COMBINE, Body, Writer, number
from graphc.backends.numpy.heavy import HEAVY
from graphc.backends.numpy.tiles import Tiling, collapsed, runs, tiling
from graphc.backends.numpy.values import Layout, call, cut
from graphc.ir.dtype import DType
from graphc.ir.node import Node
from graphc.ir.types import Shape
from graphc.kernels_templates import render
from graphc.ops.movement import Concat, Pad, Place
from graphc.ops.reduce import ArgReduce, Reduce
from graphc.passes.fuse import Fused

IDENTITY = {"sum": "0", "prod": "1", "any": "False", "all": "True"}


@dataclass(frozen=True)
class Made:
    """A kernel's function, and how it is called."""

    text: str
    """The function's definition; empty where the call is a statement of numpy's own."""
    call: str
    """The call, with ``{0}``, ``{1}`` for operands, ``{out0}`` for results, ``{work0}``."""
    workspace: tuple[tuple[Shape, str], ...] = ()
    reshapes: tuple[Shape | None, ...] = ()
    """The shape in which each operand and then each result is handed over, where not its own."""
    constants: tuple[tuple[str, str], ...] = ()
    """Names and expressions of the numbers that the function reads."""


def numpy_dtype(dtype: DType | str) -> str:
    """The element type as the generated source writes it; by its name, for scratch has more."""
    name = dtype if isinstance(dtype, str) else dtype.name
    return {"bfloat16": "bfloat16", "bool": "np.bool_"}.get(name, f"np.{name}")


@dataclass(frozen=True)
class Setting:
    """What a kernel is made for, besides its node."""

    layouts: list[Layout]
    """Those of the operands."""
    aliased: frozenset[int]
    """The results that are written over an operand."""
    threads: int


def make(name: str, node: Node, origin: str, setting: Setting) -> Made:
    """The kernel that computes ``node``."""
    op = node.op
    if isinstance(op, Fused):
        return fused(name, op, origin, setting)
    if op.name in HEAVY:
        rendered = HEAVY[op.name](name, node)
        arguments = [f"{{{i}}}" for i in range(len(node.inputs))]
        arguments += [f"{{out{i}}}" for i in range(len(node.types))]
        arguments += [f"{{work{i}}}" for i in range(len(rendered.scratch))]
        return Made(rendered.text, f"{name}({', '.join(arguments)})", rendered.scratch)
    return Made("", statement(node))


def statement(node: Node) -> str:
    """The kernels that numpy has itself."""
    op = node.op
    if op.name == "matmul":
        return _matmul(node)
    if isinstance(op, Concat):
        parts = ", ".join(f"{{{i}}}" for i in range(len(node.inputs)))
        return f"np.concatenate(({parts},), axis={op.dim}, out={{out0}})"
    if isinstance(op, Pad):
        stops = tuple(a + n for a, n in zip(op.low, node.inputs[0].shape, strict=True))
        inner = cut(op.low, stops, (1,) * len(stops)) or "..."
        return f"{{out0}}.fill({number(op.value)})\n{{out0}}[{inner}] = {{0}}"
    if isinstance(op, Place):
        inner = cut(op.starts, op.stops, op.steps) or "..."
        return f"np.copyto({{out0}}, {{0}})\n{{out0}}[{inner}] = {{1}}"
    if isinstance(op, ArgReduce):
        return _arg_reduce(node, op)
    if op.name == "reshape":
        return f"np.copyto({{out0}}.reshape{call(node.inputs[0].shape)}, {{0}})"
    if op.name == "expand":
        return "np.copyto({out0}, {0})"
    raise refusal("numpy", node)


def _matmul(node: Node) -> str:
    if node.dtype.itemsize == 2 and node.dtype.is_floating_point:
        wide = "np.matmul({0}.astype(np.float32), {1}.astype(np.float32))"
        return f"np.copyto({{out0}}, {wide}, casting='unsafe')"
    if node.rank == 2 and node.dtype.is_floating_point:
        return "np.dot({0}, {1}, out={out0})"
    return "np.matmul({0}, {1}, out={out0})"


def _arg_reduce(node: Node, op: ArgReduce) -> str:
    if len(op.axes) == 1:
        return f"np.{op.name}({{0}}, axis={op.axes[0]}, keepdims=True, out={{out0}})"
    rest = tuple(axis for axis in range(node.rank) if axis not in op.axes)
    lead = tuple(node.inputs[0].shape[axis] for axis in rest)
    count = prod(node.inputs[0].shape[axis] for axis in op.axes)
    rows = f"{{0}}.transpose{call((*rest, *op.axes))}.reshape{call((*lead, count))}"
    return f"np.{op.name}({rows}, axis=-1, out={{out0}}.reshape{call(lead)})"


def fused(name: str, op: Fused, origin: str, setting: Setting) -> Made:
    """The function of a fused group, whole or in tiles."""
    flat = op
    if prod(op.space) > 1:
        flat = collapsed(op, runs(op, setting.layouts))
    tiles = tiling(flat, setting.threads)
    if tiles is None:
        return _whole(name, op, origin, setting)
    return _tiled(name, flat, tiles, origin, setting, _reshapes(op, flat))


def _reshapes(op: Fused, new: Fused) -> tuple[Shape | None, ...]:
    """The shapes in which ``new`` takes the operands and results of ``op``, where not their own."""
    return tuple(
        b.shape if b.shape != a.shape else None
        for a, b in zip(
            (*op.body.inputs, *op.body.outputs), (*new.body.inputs, *new.body.outputs), strict=True
        )
    )


def _call(name: str, inputs: int, outputs: int, work: int) -> str:
    arguments = [f"{{{i}}}" for i in range(inputs)]
    arguments += [f"{{out{i}}}" for i in range(outputs)]
    arguments += [f"{{work{i}}}" for i in range(work)]
    return f"{name}({', '.join(arguments)})"


def _named(op: Fused) -> tuple[list[str], list[str]]:
    inputs = [f"a{i}" for i in range(len(op.body.inputs))]
    count = len(op.body.outputs)
    return inputs, ["out"] if count == 1 else [f"out{i}" for i in range(count)]


def _whole(name: str, op: Fused, origin: str, setting: Setting) -> Made:
    whole, reshapes = _small(op)
    inputs, outputs = _named(whole)
    writer = Writer(
        whole,
        dict(zip(whole.body.inputs, inputs, strict=True)),
        dict(zip(whole.body.outputs, outputs, strict=True)),
        None,
        setting.aliased,
    )
    body = writer.write()
    work = tuple((s.shape, s.dtype.numpy.name) for s in body.scratch)
    text = render(
        "fused.numpy.j2",
        name=name,
        origin=origin,
        parameters=[*inputs, *outputs, *(s.name for s in body.scratch)],
        lines=body.lines,
    )
    constants = tuple(
        (name, f"np.array({number(op.value)}, {numpy_dtype(op.dtype)})")
        for name, op in body.constants.items()
    )
    call_ = _call(name, len(inputs), len(outputs), len(work))
    return Made(text, call_, work, reshapes, constants)


def _small(op: Fused) -> tuple[Fused, tuple[Shape | None, ...]]:
    """The group with its single elements as arrays of no dimensions, and what that reshapes.

    numpy broadcasts an array of no dimensions in half the time that one of shape (1, 1) takes.
    """
    reduces = [x for x in op.body.nodes if isinstance(x.op, Reduce)]
    if prod(op.space) == 1 and not reduces:
        flat = collapsed(op, [])
        return flat, _reshapes(op, flat)
    reduced = {x.inputs[0] for x in reduces}
    inputs = tuple(
        () if x.rank and x.type.size == 1 and x not in reduced else None for x in op.body.inputs
    )
    return op, inputs + (None,) * len(op.body.outputs)


def _slice(axis: int, rank: int, bounds: str) -> str:
    return ", ".join([":"] * axis + [bounds]) if rank > axis else bounds


def _tiled(
    name: str,
    op: Fused,
    tiles: Tiling,
    origin: str,
    setting: Setting,
    reshapes: tuple[Shape | None, ...],
) -> Made:
    inputs, outputs = _named(op)
    axis = tiles.axis
    partial = {x for x in op.body.outputs if isinstance(x.op, Reduce) and axis in x.op.axes}
    arrays = dict(zip((*op.body.inputs, *op.body.outputs), (*inputs, *outputs), strict=True))
    local = {x: f"{arrays[x]}_" if x.shape[axis] != 1 else arrays[x] for x in arrays}
    local.update({x: f"{arrays[x]}_part" for x in partial})
    writer = Writer(
        op,
        {x: local[x] for x in op.body.inputs},
        {x: local[x] for x in op.body.outputs},
        axis,
        setting.aliased,
    )
    body = writer.write()
    bounds = _slice(axis, len(op.space), "low:high")
    cuts = [(local[x], f"{arrays[x]}[{bounds}]") for x in arrays if x.shape[axis] != 1]
    work, scratch = _scratch(body, tiles, op, partial, arrays)
    text = render(
        "fused_tiled.numpy.j2",
        name=name,
        origin=origin,
        parameters=[*inputs, *outputs, *(n for n, _, _ in work)],
        scratch=scratch,
        partials=[
            (arrays[x], f"{arrays[x]}_part", _identity(x), COMBINE[x.op.name])
            for x in op.body.outputs
            if x in partial
        ],
        cuts=cuts,
        lines=body.lines,
        extent=op.space[axis],
        step=tiles.step,
        parts=tiles.parts,
    )
    spaces = tuple((shape, dtype) for _, shape, dtype in work)
    return Made(text, _call(name, len(inputs), len(outputs), len(work)), spaces, reshapes)


def _scratch(
    body: Body, tiles: Tiling, op: Fused, partial: set[Node], arrays: dict[Node, str]
) -> tuple[list[tuple[str, Shape, str]], list[tuple[str, str]]]:
    """The workspace, a share for each part, and how a tile takes its piece of it."""
    work: list[tuple[str, Shape, str]] = []
    pieces: list[tuple[str, str]] = []
    for s in body.scratch:
        shape = list(s.shape)
        tiled = shape[tiles.axis] != 1
        if tiled:
            shape[tiles.axis] = tiles.step
        work.append((f"{s.name}_all", (tiles.parts, *shape), s.dtype.numpy.name))
        bounds = f"part, {_slice(tiles.axis, len(op.space), ':high - low')}" if tiled else "part"
        pieces.append((s.name, f"{s.name}_all[{bounds}]"))
    for x in op.body.outputs:
        if x in partial:
            work.append((f"{arrays[x]}_parts", (tiles.parts, *x.shape), x.dtype.numpy.name))
    return work, pieces


def _identity(node: Node) -> str:
    name = node.op.name
    if name in IDENTITY:
        return IDENTITY[name]
    if node.dtype.is_floating_point:
        return "-np.inf" if name == "max" else "np.inf"
    info = f"np.iinfo({numpy_dtype(node.dtype)})"
    if node.dtype.name == "bool":
        return "False" if name == "max" else "True"
    return f"{info}.min" if name == "max" else f"{info}.max"
