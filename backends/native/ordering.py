"""Elements in order along a dimension: all of them, the first few, the place of the first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from graphc.backends.c_language.keys import key
from graphc.backends.c_language.statements import INDICES
from graphc.backends.c_language.types import is_low, stored
from graphc.backends.native.copying import (
    NOTHING,
    Axis,
    Cut,
    Pointer,
    axes_of,
    cut,
    spelled_shape,
)
from graphc.backends.native.extremes import arg_extreme, headers
from graphc.backends.native.made import Made, Maker, Setting, Stage
from graphc.backends.native.radix import Arrays
from graphc.ir.dtype import DType
from graphc.kernels_templates import render
from graphc.ops.reduce import ArgMax, ArgMin
from graphc.ops.sort import Ordered, Sort, TopK

FEW = 128
"""Elements up to which the first ones are kept in order as they are found."""
BLOCK = 64
"""Elements that are compared with the last of these at once."""
ROOM = 256
"""Elements for which there is room at the least, beside the first ones, before they are ordered."""
LONG = 8
"""How often a line has that room, from which this is faster than ordering it whole, as measured."""


def sort(name: str, setting: Setting) -> Made:
    """All elements of each line in order, and where they stood."""
    op, x = setting.node.op, setting.operands[0]
    assert isinstance(op, Sort)
    if 0 in x.shape:
        return NOTHING
    return _Lines(name, setting, op, op.descending, x.shape[op.dim]).sorted()


def topk(name: str, setting: Setting) -> Made:
    """The first few elements of each line in order, and where they stood."""
    op, x = setting.node.op, setting.operands[0]
    assert isinstance(op, TopK)
    if 0 in x.shape or not op.k:
        return NOTHING
    lines = _Lines(name, setting, op, op.largest, op.k)
    if op.k <= FEW and 2 * op.k < x.shape[op.dim]:
        return lines.selected()
    return lines.collected() if LONG * lines.room <= x.shape[op.dim] else lines.sorted()


@dataclass(frozen=True)
class _Lines:
    """Lines of elements of which the first ones are put in order."""

    name: str
    setting: Setting
    op: Ordered
    descending: bool
    kept: int

    @property
    def dtype(self) -> DType:
        return self.setting.operands[0].dtype

    @property
    def size(self) -> int:
        return self.setting.operands[0].shape[self.op.dim]

    @property
    def helpers(self) -> frozenset[str]:
        name = stored(self.dtype)
        is_wide = self.dtype.is_floating_point and not is_low(self.dtype)
        return frozenset({f"bits_of_{name}"} if is_wide else ())

    @property
    def room(self) -> int:
        """Elements that are collected before the first ones of them are put in order."""
        return self.kept + max(self.kept, ROOM)

    def _axes(self) -> list[Axis]:
        """The axes across lines: steps of the values, of the operand and of the places."""
        x, (values, places) = self.setting.operands[0], self.setting.results
        shape = tuple(1 if d == self.op.dim else n for d, n in enumerate(x.shape))
        return axes_of(shape, values.strides, x.strides, places.strides)

    def _facts(self, axes: Sequence[Axis], part: Cut | None) -> dict[str, object]:
        x, results = self.setting.operands[0], self.setting.results
        names = INDICES[2 : 2 + len(axes)]
        pointers = [Pointer("values"), Pointer("x"), Pointer("places_found")]
        strides = [results[0].strides, x.strides, results[1].strides]
        for slot, pointer in enumerate(pointers):
            for axis, index in zip(axes, names, strict=True):
                pointer = pointer.moved(axis.steps[slot], index)
            pointers[slot] = pointer
        own = [s[self.op.dim] for s in strides]
        read = self.setting.read or (True, True)
        chosen = pointers[1].moved(own[1], "place").element
        stores = [
            f"{pointers[0].moved(own[0], 'i').element} = {chosen};",
            f"{pointers[2].moved(own[2], 'i').element} = place;",
        ]
        kind = stored(self.dtype)
        which = "descending" if self.descending else "ascending"
        return {
            "name": self.name,
            "summary": f"The first {self.kept} of {self.size} elements in {which} order, in each "
            f"of {spelled_shape(tuple(axis.extent for axis in axes))} lines.",
            "key": key(self.name, self.dtype, descending=self.descending),
            "bits": 8 * self.dtype.itemsize,
            "parameters": [
                f"const {kind} *restrict x",
                f"{kind} *restrict values",
                "int64_t *restrict places_found",
            ],
            "loops": headers(axes, names, part),
            "size": self.size,
            "kept": self.kept,
            "element": pointers[1].moved(own[1], "i").element,
            "stores": [line for line, is_read in zip(stores, read, strict=True) if is_read],
        }

    def sorted(self) -> Made:
        """Each line in order as a whole."""
        axes = self._axes()
        part = cut(axes, self.setting.threads, 8 * self.size)
        facts = self._facts(axes, part)
        arrays = Arrays(self.size, 8 * self.dtype.itemsize)
        tasks = part.tasks if part else 1
        work = f"work + task * {arrays.nbytes}" if part else "work"
        parameters = [*_listed(facts["parameters"]), "unsigned char *restrict work"]
        opening = [*(part.lines if part else []), *arrays.lines(work)]
        text = render("sort.c.j2", **{**facts, "parameters": parameters}, opening=opening)
        helpers = self.helpers | {f"ordered_{arrays.bits}"}
        return Made(text, (Stage(self.name, tasks),), (tasks * arrays.nbytes,), helpers=helpers)

    def collected(self) -> Made:
        """The first ones of each line, where they are too many to be kept in order."""
        axes = self._axes()
        part = cut(axes, self.setting.threads, 2 * self.size)
        facts = self._facts(axes, part)
        arrays = Arrays(self.room, 8 * self.dtype.itemsize)
        tasks, nbytes = part.tasks if part else 1, 3 * arrays.nbytes // 2
        work = f"work + task * {nbytes}" if part else "work"
        parameters = [*_listed(facts["parameters"]), "unsigned char *restrict work"]
        opening = [*(part.lines if part else []), *arrays.lines(work), *arrays.more(work)]
        more = {"parameters": parameters, "opening": opening, "block": BLOCK, "room": self.room}
        text = render("topk_many.c.j2", **{**facts, **more})
        helpers = self.helpers | {f"ordered_{arrays.bits}"}
        return Made(text, (Stage(self.name, tasks),), (tasks * nbytes,), helpers=helpers)

    def selected(self) -> Made:
        """The first few of each line."""
        axes = self._axes()
        part = cut(axes, self.setting.threads, 2 * self.size)
        opening = part.lines if part else []
        text = render("topk.c.j2", **self._facts(axes, part), opening=opening, block=BLOCK)
        tasks = part.tasks if part else 1
        return Made(text, (Stage(self.name, tasks),), helpers=self.helpers)


def _listed(parameters: object) -> list[str]:
    assert isinstance(parameters, list)
    return parameters


ORDERING: dict[str, Maker] = {
    Sort.name: sort,
    TopK.name: topk,
    ArgMax.name: arg_extreme,
    ArgMin.name: arg_extreme,
}
"""By the op's name."""
