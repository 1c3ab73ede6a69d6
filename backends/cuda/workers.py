"""How the workers of a block take tiles into their sums: warps with tensor cores, or threads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from graphc.backends.c_language.statements import Lines
from graphc.backends.c_language.types import computed, wrapping
from graphc.backends.cuda.library import CALLED, FUNCTIONS
from graphc.backends.cuda.loaded import Loaded
from graphc.backends.cuda.tensor_maps import TensorMap
from graphc.backends.cuda.tiles import Variant
from graphc.ir.dtype import DType, bool_


@dataclass(frozen=True)
class Workers:
    """What warps and threads have in common."""

    kind: str
    dtype: DType
    variant: Variant
    left: Loaded
    right: Loaded

    @property
    def shared(self) -> int:
        """Bytes of shared memory that are asked for at the launch."""
        return 0

    @property
    def maps(self) -> Mapping[str, tuple[str, TensorMap]]:
        """The tensor maps of operands, by their names."""
        return {}

    def helpers(self, text: str) -> set[str]:
        """The shared functions that a text calls."""
        return {x for x in CALLED.findall(text) if x in FUNCTIONS}

    def take(self, total: str, value: str) -> str:
        """The statement that takes a value into a sum; truth values are true once one is."""
        sign = "|=" if self.dtype is bool_ else "+="
        return f"{total} {sign} {wrapping(self.dtype)}{value};"

    def _opened(self, lines: Lines, loops: Mapping[str, tuple[int, int]]) -> None:
        for name, (count, step) in loops.items():
            lines.add("#pragma unroll")
            moves = f"{name}++" if step == 1 else f"{name} += {step}"
            lines.open(f"for (int {name} = 0; {name} < {count}; {moves})")


@dataclass(frozen=True)
class Warps(Workers):
    """Each warp has a part of the tile, of 16 x 8 elements for each multiplication."""

    template = "product.cu.j2"
    inner = "_product_mma.cu.j2"
    high = 16
    """Rows of a multiplication."""
    run = 2
    """Columns side by side that a worker has."""

    @property
    def says(self) -> str:
        """In a comment."""
        tall, wide = self.variant.part
        return f"{tall} x {wide} a warp on tensor cores in {self.name}"

    @property
    def name(self) -> str:
        """The type in which is multiplied."""
        return self.kind if self.kind == "tf32" else self.dtype.name

    @property
    def tall(self) -> int:
        """Multiplications along rows."""
        return self.variant.part[0] // self.high

    @property
    def wide(self) -> int:
        """Along columns."""
        return self.variant.part[1] // 8

    @property
    def sums(self) -> str:
        """The declaration of a thread's sums."""
        return f"float total[{self.tall}][{self.wide}][4]"

    def facts(self) -> dict[str, object]:
        """What the template needs."""
        tall, wide = self.variant.part
        across = self.variant.columns // wide
        start = f"warp_i = warp / {across} * {tall}, warp_j = warp % {across} * {wide}"
        return {
            "start": [f"const int {start};"],
            "copies": 16,
            "deep": 8 if self.kind == "tf32" else 16,
            "tall": self.tall,
            "wide": self.wide,
            "multiply": f"multiply_{self.name}",
            "load_a": self._load_a(),
            "load_b": self._load_b(),
        }

    def _load_a(self) -> list[str]:
        """The statements that load x[p]: 16 rows of 32 bytes of the inner dimension."""
        half = 16 // self.dtype.itemsize
        if self.left.is_deep:
            at = self.left.place("warp_i + lane % 16", f"k + lane / 16 * {half}", 16, "p")
            return [f"load_matrices(x[p], &a[{at}]);", *self._rounded("x[p]", 4)]
        if self.kind != "tf32":
            at = self.left.place(
                "warp_i + lane / 8 % 2 * 8", "k + lane % 8 + lane / 16 * 8", 16, "p"
            )
            return [f"load_turned_matrices(x[p], &a[{at}]);"]
        at = self.left.place("warp_i + lane / 4 + e % 2 * 8", "k + lane % 4 + e / 2 * 4", 16, "p")
        return [
            "#pragma unroll",
            f"for (int e = 0; e < 4; e++) x[p][e] = round_tf32(__float_as_uint(a[{at}]));",
        ]

    def _load_b(self) -> list[str]:
        """Those that load y[q] and y[q + 1]: twice 8 columns of 32 bytes."""
        half = 16 // self.dtype.itemsize
        if self.right.is_deep:
            at = self.right.place(
                "warp_j + lane % 8 + lane / 16 * 8", f"k + lane / 8 % 2 * {half}", 8, "q"
            )
            rounded = [*self._rounded("y[q]", 2), *self._rounded("y[q + 1]", 2)]
            return [f"load_matrices(y[q], &b[{at}]);", *rounded]
        if self.kind != "tf32":
            at = self.right.place("warp_j + lane / 16 * 8", "k + lane % 16", 8, "q")
            return [f"load_turned_matrices(y[q], &b[{at}]);"]
        at = self.right.place("warp_j + e / 2 * 8 + lane / 4", "k + lane % 4 + e % 2 * 4", 8, "q")
        one = f"y[q + e / 2][e % 2] = round_tf32(__float_as_uint(b[{at}]));"
        return ["#pragma unroll", f"for (int e = 0; e < 4; e++) {one}"]

    def _rounded(self, name: str, count: int) -> list[str]:
        if self.kind != "tf32":
            return []
        return [
            "#pragma unroll",
            f"for (int e = 0; e < {count}; e++) {name}[e] = round_tf32({name}[e]);",
        ]

    def open_runs(self, lines: Lines, index: str) -> None:
        """Open loops over a thread's runs, each of ``value`` from column j on in row i."""
        self._opened(lines, {"p": (self.tall, 1), "q": (self.wide, 1), "h": (2, 1)})
        lines.add(f"const {index} i = first_i + warp_i + {self.high} * p + 8 * h + lane / 4;")
        lines.add(f"const {index} j = first_j + warp_j + 8 * q + lane % 4 * 2;")
        lines.add("const float *const value = &total[p][q][2 * h];")


@dataclass(frozen=True)
class Threads(Workers):
    """Each thread has a part of the tile, whose rows and columns are apart from each other."""

    template = "product.cu.j2"
    inner = "_product_threads.cu.j2"

    @property
    def says(self) -> str:
        """In a comment."""
        tall, wide = self.variant.part
        return f"{tall} x {wide} a thread"

    @property
    def pack(self) -> int:
        """Elements that a thread reads at once."""
        return min(4, 16 // self.dtype.itemsize)

    @property
    def deep(self) -> int:
        """Elements of the inner dimension that a thread has at once: more would take registers."""
        return min(2, self.pack) if self.left.is_deep or self.right.is_deep else 1

    @property
    def run(self) -> int:
        """Columns side by side that a thread has."""
        return 1 if self.right.is_deep else self.pack

    @property
    def sums(self) -> str:
        """The declaration of a thread's sums."""
        tall, wide = self.variant.part
        return f"{computed(self.dtype)} total[{tall}][{wide}]"

    @property
    def members(self) -> tuple[int, int]:
        """Threads along rows and columns."""
        tall, wide = self.variant.part
        return self.variant.rows // tall, self.variant.columns // wide

    def facts(self) -> dict[str, object]:
        """What the template needs."""
        tall, wide = self.variant.part
        across = self.members[1] // 8
        start = f"own_i = warp / {across} * 4 + lane / 8, own_j = warp % {across} * 8 + lane % 8"
        return {
            "start": [f"const int {start};"],
            "tall": tall,
            "wide": wide,
            "run": self.run,
            "deep": self.deep,
            # More would keep more elements in registers than there are.
            "unroll": 2 // self.deep,
            "copies": 1,
            "load_a": self._load_a(),
            "load_b": self._load_b(),
            "take": self.take("total[p][q + f]", "x[p][e] * y[f][e]"),
        }

    def _load_a(self) -> list[str]:
        """The statements that load x[p][e]: all rows p, neighbours e of the inner dimension."""
        tall, rows, c = self.variant.part[0], self.members[0], self.pack
        if self.left.is_deep:
            at = self.left.place("own_i", "k", rows, "p")
            return self._packs(self.left, "a", at, {"p": (tall, 1)}, self.deep, "x[p][v]")
        at = self.left.place(f"{c} * own_i", "k + e", rows, "p")
        loops = {"p": (tall, c), "e": (self.deep, 1)}
        return self._packs(self.left, "a", at, loops, c, "x[p + v][e]")

    def _load_b(self) -> list[str]:
        """Those that load y[f][e]: columns q + f, neighbours e."""
        columns, c = self.members[1], self.pack
        if self.right.is_deep:
            at = self.right.place("own_j", "k", columns, "q")
            return self._packs(self.right, "b", at, {}, self.deep, "y[0][v]")
        at = self.right.place(f"{c} * own_j", "k + e", columns, "q")
        return self._packs(self.right, "b", at, {"e": (self.deep, 1)}, c, "y[v][e]")

    def _packs(
        self,
        x: Loaded,
        name: str,
        at: str,
        loops: Mapping[str, tuple[int, int]],
        width: int,
        to: str,
    ) -> list[str]:
        """Loops over packs of so many elements, whose element v goes somewhere."""
        lines = Lines(depth=0)
        self._opened(lines, loops)
        pack = f"pack<{x.type}, {width}>"
        lines.add(f"const {pack} found = *(const {pack} *)&{name}[{at}];")
        lines.add("#pragma unroll", f"for (int v = 0; v < {width}; v++) {to} = found.at[v];")
        lines.close(len(loops))
        return lines.text

    def open_runs(self, lines: Lines, index: str) -> None:
        """Open loops over a thread's runs, each of ``value`` from column j on in row i."""
        (tall, wide), (rows, columns), c = self.variant.part, self.members, self.pack
        self._opened(lines, {"p": (tall, 1), "q": (wide, self.run)})
        beside = f"{c} * own_i + {rows} * (p / {c} * {c}) + p % {c}"
        i = f"own_i + {rows} * p" if self.left.is_deep else beside
        j = f"own_j + {columns} * q" if self.right.is_deep else f"{c} * own_j + {columns} * q"
        lines.add(f"const {index} i = first_i + {i};")
        lines.add(f"const {index} j = first_j + {j};")
        lines.add(f"const {computed(self.dtype)} *const value = &total[p][q];")
