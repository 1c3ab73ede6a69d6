"""How warpgroups take tiles into their sums: four warps by ``wgmma``, which reads shared memory.

Source: the PTX ISA, "Asynchronous warpgroup level matrix multiply". Both operands lie in lines of
128 bytes whose pieces change places, of neighbours along the inner dimension or, in types of two
bytes, along the other one; a descriptor says where. What is a batch of matrices the device's copy
engine brings, by a map; the rest is copied by the threads, to the same places.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from graphc.backends.cuda.loaded import Loaded
from graphc.backends.cuda.sides import PIECE
from graphc.backends.cuda.tensor_maps import TensorMap
from graphc.backends.cuda.workers import Warps

LINE = 128
"""Bytes of a line of shared memory."""
FARTHEST = 2**40
"""Bytes, beyond which the strides of a map may not be."""


def has_warpgroups(arch: str) -> bool:
    """Whether a processor has them."""
    return arch.rstrip("a") == "sm_90"


def fits(x: Loaded, *, tf32: bool) -> bool:
    """Whether warpgroups can work on an operand, and are worth it.

    Elements of tf32 have to be neighbours along the inner dimension, and to be rounded, which only
    the copy engine does on the way.
    """
    if x.found.width * x.dtype.itemsize != PIECE:
        return False
    return not tf32 or (x.is_deep and _steps(x) is not None)


def _steps(x: Loaded) -> tuple[int, int] | None:
    """Bytes between lines and between matrices, where the copy engine can bring an operand."""
    strides, size = x.found.strides, x.dtype.itemsize
    if strides is None or x.found.width * size != PIECE:
        return None
    other = x.side.flat if x.is_deep else "k"
    line, batch = strides[other] * size, strides["batch"] * size
    return (line, batch) if 0 < line < FARTHEST and 0 <= batch < FARTHEST else None


@dataclass(frozen=True)
class Copy:
    """A copy of the copy engine: to an element of the tile, from indices of the matrices."""

    to: int
    x: str
    y: str
    z: str


@dataclass(frozen=True)
class Described(Loaded):
    """An operand whose tile is found by a descriptor: blocks of lines of 128 bytes."""

    kind: str = ""
    batch: int = 1

    @property
    def across(self) -> int:
        """Elements of a line of shared memory."""
        return LINE // self.dtype.itemsize

    @property
    def block(self) -> int:
        """Elements from 64 rows, or columns, to the next ones."""
        return 64 * self.depth

    @property
    def apart(self) -> int:
        """Bytes between blocks of lines along rows; of none but turned tiles does it matter."""
        return PIECE if self.is_deep else self.block * self.dtype.itemsize

    def at(self, line: str, column: str) -> str:
        """The place of an element in the tile."""
        across, piece = self.across, PIECE // self.dtype.itemsize
        if self.line == across:
            return f"swizzled<{across}, 1, 8, {piece}>({line}, {column})"
        near = f"swizzled<{across}, 1, 8, {piece}>({line}, {column} % {across})"
        return f"{column} / {across} * {self.block} + {near}"

    @property
    def along(self) -> str:
        """Where the tile of a multiplication begins in the inner dimension."""
        return "k" if self.is_deep else f"{self.across} * k"

    @property
    def map(self) -> TensorMap | None:
        """The map of an operand that the copy engine brings."""
        steps = _steps(self)
        if steps is None:
            return None
        line, batch = steps
        extents = (self.inner, self.reach) if self.is_deep else (self.reach, self.inner)
        return TensorMap(
            self.kind,
            (*extents, self.batch if batch else 1),
            (line, batch or line),
            (self.across, self.tile if self.is_deep else self.depth, 1),
        )

    @property
    def copies(self) -> list[Copy]:
        """What the copy engine is told for a tile."""
        assert self.found.strides is not None
        z = "batch" if self.found.strides["batch"] else "0"
        if self.is_deep:
            return [Copy(0, self.start, self.begin, z)]
        blocks = range(self.tile // self.across)
        places = [f"{self.begin} + {b * self.across}" if b else self.begin for b in blocks]
        return [Copy(b * self.block, x, self.start, z) for b, x in enumerate(places)]

    @property
    def nbytes(self) -> int:
        """Those of a tile."""
        return self.elements * self.dtype.itemsize


@dataclass(frozen=True)
class Warpgroups(Warps):
    """Each warpgroup has a part of the tile, of 64 rows and all columns for each multiplication."""

    left: Described
    right: Described

    template = "product_warpgroups.cu.j2"
    inner = ""
    high = 64

    @property
    def says(self) -> str:
        """In a comment."""
        tall, wide = self.variant.part
        return f"{tall} x {wide} a warpgroup on tensor cores in {self.name}"

    @property
    def shared(self) -> int:
        """Bytes of shared memory: the tiles, and a barrier for each stage of them."""
        return self.variant.stages * (self.left.nbytes + self.right.nbytes + 8)

    @property
    def maps(self) -> Mapping[str, tuple[str, TensorMap]]:
        """Those of the operands that the copy engine brings, by their names."""
        found = {f"map_{x.name}": (x.parameter, x.map) for x in (self.left, self.right)}
        return {name: (of, made) for name, (of, made) in found.items() if made is not None}

    def facts(self) -> dict[str, object]:
        """What the template needs."""
        part = self.variant.part[0]
        begin = "warp * 16" if part == 64 else f"warp / 4 * {part} + warp % 4 * 16"
        turned = [str(not x.is_deep).lower() for x in (self.left, self.right)]
        function = f"multiply_{self.name}_{self.variant.columns}"
        if self.kind != "tf32":
            function += f"<{', '.join(turned)}>"
        return {
            "start": [f"const int warp_i = {begin}, warp_j = 0;"],
            "copies": 16,
            "deep": 32 // self.dtype.itemsize,
            "tall": self.tall,
            "multiply": function,
            "columns": self.variant.columns,
            "operands": (self.left, self.right),
            "mapped": [x for x in (self.left, self.right) if x.map is not None],
            "copied": [x for x in (self.left, self.right) if x.map is None],
        }
