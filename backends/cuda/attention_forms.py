"""How a warp computes products of tiles within attention: on tensor cores, or thread by thread.

A warp has 16 rows of its block's tile; its threads share the results, which stay in registers.
"""

from __future__ import annotations

from dataclasses import dataclass

from graphc.backends.c_language.dropping import Dropping
from graphc.backends.c_language.types import computed, is_low
from graphc.backends.cuda.loaded import Loaded
from graphc.ir.dtype import DType

PART = 512
"""Bytes of a row's sums, as they are computed, for two of which threads have registers."""
WIDEST = 256
"""Columns of a head for which there is room; half as many of eight bytes."""


def has_room(columns: int, dtype: DType) -> bool:
    """Whether there are registers for heads of so many columns."""
    return columns <= (WIDEST if dtype.itemsize <= 4 else WIDEST // 2)


def padded(columns: int, dtype: DType) -> int:
    """Elements of a line of a tile: a power of two."""
    line = 16 if is_low(dtype) else 128 // dtype.itemsize
    while line < columns:
        line *= 2
    return line


@dataclass(frozen=True)
class Sizes:
    """The tiles of a block."""

    own: int
    """Rows that it keeps."""
    others: int
    """Rows that it goes through at a time."""
    tall: int = 1
    """How many times 16 rows a warp has."""

    @property
    def threads(self) -> int:
        """Threads of a block."""
        return 2 * self.own // self.tall


def sizes(
    line: int, dtype: DType, *, backward: bool, of_keys: bool, tf32: bool, many: bool, drops: bool
) -> Sizes:
    """The tiles for lines of so many elements, as shared memory and registers have room for.

    Where there are ``many`` rows, warps have more of them, for which they read others once.
    Gradients of keys are those of values too, which leave no room for that. A kernel that ``drops``
    weights needs registers for those.
    """
    nbytes = line * dtype.itemsize
    if is_low(dtype):
        others = 64 if nbytes <= 128 else 32 if nbytes <= 256 else 16
        others = others if backward else min(64, 2 * others)
        has_more = many and nbytes <= 256 and not of_keys
        if not has_more:
            return Sizes(64, others)
        crowded = nbytes > 128 and (drops or not backward)
        return Sizes(128, others // 2 if crowded else others, tall=2)
    own = 64 if nbytes <= 512 else 32 if nbytes <= 1024 else 16
    fewest = 16 if tf32 else 8
    return Sizes(own, 32 if nbytes <= 256 else 16 if nbytes <= 512 else fewest)


@dataclass(frozen=True)
class Tile:
    """Rows of a matrix in shared memory."""

    name: str
    base: str
    """Where both of its copies begin, for rows that a block goes through."""
    loaded: Loaded
    columns: int
    """Those that are multiplied, in whole pieces."""

    @property
    def elements(self) -> int:
        """Those of a copy."""
        return self.loaded.elements

    def at(self, line: str, column: str, step: int = 0, times: str = "") -> str:
        """An element, ``step * times`` lines further on."""
        return self.loaded.element(self.name, line, column, step, times)


@dataclass(frozen=True)
class Target:
    """A result of whose rows several columns are stored at once."""

    type: str
    """The C type of an element."""
    columns: int
    width: int
    place: str
    """The element of ``row`` and ``column``."""
    low: str
    """The function that rounds to two bytes, or "" where elements are stored as computed."""

    def rounded(self, value: str) -> str:
        """A value as it is stored."""
        return f"{self.low}({value})" if self.low else value


@dataclass(frozen=True)
class Drawn:
    """A warp's part of the tile of bytes that say which weights stay: a line for each query."""

    how: Dropping
    state: str
    """The parameter."""
    lines: int
    span: int
    """Keys of a line."""
    queries: int
    """Those of a head."""
    query: str
    """The first line's."""
    key: str
    """The first key of each line."""

    @property
    def groups(self) -> int:
        """Counters of a line, which begins with the first word of one."""
        return self.span // 4 + (not self.how.even)

    @property
    def pitch(self) -> int:
        """Bytes of a line; those of eight lines lie in banks of their own."""
        return self.span + 4

    @property
    def nbytes(self) -> int:
        """Those of the part."""
        return self.lines * self.pitch

    @property
    def begun(self) -> str:
        """The declaration of the part."""
        return f"unsigned char *const drawn = bytes + {self.nbytes} * warp;"

    @property
    def seed(self) -> str:
        """The generator's, which is read where it is used: a register less is held."""
        return f"(uint64_t){self.state}[0]"

    @property
    def start(self) -> str:
        """The draw's first counter."""
        offset = f" + {self.how.offset}" if self.how.offset else ""
        return f"(uint64_t){self.state}[{self.how.step}]{offset}"

    def at(self, line: str, key: str, query: str) -> str:
        """The byte of a line and a key, given the number of the query."""
        place = f"({line}) * {self.pitch} + {key}"
        if not self.how.even:
            rest = self.how.keys % 4
            place += f" + ((unsigned)head * {self.queries} + {query}) * {rest} % 4"
        return f"drawn[{place}]"


@dataclass(frozen=True)
class Form:
    """How threads share scores, of own rows and other ones as columns, and totals of own rows."""

    dtype: DType
    others: int
    """Columns of scores."""
    wide: int
    """Columns of totals."""
    tall: int = 1
    """How many times 16 rows a warp has."""

    @property
    def high(self) -> int:
        """Rows of a warp."""
        return 16 * self.tall

    @property
    def kind(self) -> str:
        """The C type in which is computed."""
        return computed(self.dtype)

    @property
    def name(self) -> str:
        """The elements' type in names of functions."""
        return self.dtype.name


@dataclass(frozen=True)
class OnTensorCores(Form):
    """As ``mma.sync`` lays results out: two rows of 16 for a thread, pairs of columns."""

    template = "_attention_mma.cu.j2"
    across = 4
    row = "lane / 4 + 8 * h"
    column = "c / 2 * 8 + lane % 4 * 2 + c % 2"
    total_column = column
    says = "on tensor cores"
    piece = 16
    run = 2
    """Columns of totals side by side."""

    @property
    def rows(self) -> int:
        """Those of a thread."""
        return 2 * self.tall

    @property
    def unroll(self) -> int:
        """How often the loop over columns is written out, which takes registers."""
        return 4 // self.tall**2

    @property
    def count(self) -> int:
        """Scores that a thread has of a row."""
        return self.others // 4

    @property
    def total_count(self) -> int:
        """Totals that it has of one."""
        return self.wide // 4

    def scores(self, name: str) -> str:
        """The declaration of scores."""
        return f"float {name}[{self.tall}][{self.others // 8}][4]"

    def totals(self, name: str) -> str:
        """That of totals."""
        return f"float {name}[{self.tall}][{self.wide // 8}][4]"

    def element(self, name: str, c: str = "c") -> str:
        """Element c of row h."""
        return f"{name}[h / 2][({c}) / 2][h % 2 * 2 + ({c}) % 2]"


@dataclass(frozen=True)
class InTf32(OnTensorCores):
    """The same for float32."""

    template = "_attention_tf32.cu.j2"
    says = "on tensor cores in tf32"


@dataclass(frozen=True)
class ByThreads(Form):
    """Four rows for a thread, eight threads for a row."""

    template = "_attention_threads.cu.j2"
    rows, across = 4, 8
    row = "lane / 8 + 4 * h"
    column = "lane % 8 + 8 * c"
    says = "thread by thread"

    @property
    def pack(self) -> int:
        """Elements that a thread reads at once."""
        return 16 // self.dtype.itemsize

    @property
    def run(self) -> int:
        """Columns of totals side by side."""
        return self.pack

    @property
    def piece(self) -> int:
        """Columns in which tiles are padded."""
        return 8 * self.pack

    @property
    def total_column(self) -> str:
        """The column of total c."""
        c = self.pack
        return f"{c} * (lane % 8) + {8 * c} * (c / {c}) + c % {c}"

    @property
    def count(self) -> int:
        """Scores that a thread has of a row."""
        return self.others // 8

    @property
    def total_count(self) -> int:
        """Totals that it has of one."""
        return self.wide // 8

    def scores(self, name: str) -> str:
        """The declaration of scores."""
        return f"{self.kind} {name}[4][{self.count}]"

    def totals(self, name: str) -> str:
        """That of totals."""
        return f"{self.kind} {name}[4][{self.total_count}]"

    def element(self, name: str, c: str = "c") -> str:
        """Element c of row h."""
        return f"{name}[h][{c}]"


def form_of(dtype: DType, *, tf32: bool) -> type[OnTensorCores] | type[ByThreads]:
    """How products of a type are computed."""
    return OnTensorCores if is_low(dtype) else InTf32 if tf32 else ByThreads


def whole(columns: int, piece: int) -> int:
    """Columns in whole pieces."""
    return -(-columns // piece) * piece
