"""Attention without the matrix of scores in memory, and its gradient, by tiles.

T. Dao, FlashAttention-2 (2023), is the source of the order of loops: a block of queries goes
through all keys with the sums of its softmax so far, the gradient computes weights again from their
logarithms, and has a launch for queries and one for keys and values, so that no sum depends on the
order of blocks.

Limits. All is bound by arithmetic: 4 multiplications with additions for each query, key and column
of a head forward, 14 backward. On tensor cores warps read the other tiles of shared memory once for
32 rows on sm_90, which takes 70 to 90 % of the time of ``mma.sync``; where there are few rows, and
for the gradients of keys, once for 16, which bounds them to 70 % of it. 65 % should be reached
forward and 50 % backward. Thread by thread (float32 and float64, which must be exact) the limit is
that of float32's arithmetic, of which shared memory lets 50 % be reached.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import e, inf, log, log2, prod
from typing import Any

from graphc.backends.c_language.attention import is_attended
from graphc.backends.c_language.dropping import Dropping
from graphc.backends.c_language.statements import terms
from graphc.backends.c_language.types import is_low, load, number, stored
from graphc.backends.cuda.attention_forms import (
    PART,
    ByThreads,
    Drawn,
    Target,
    Tile,
    form_of,
    has_room,
    padded,
    sizes,
    whole,
)
from graphc.backends.cuda.cells import Cells, spelled
from graphc.backends.cuda.indices import split
from graphc.backends.cuda.library import CALLED, FUNCTIONS
from graphc.backends.cuda.loaded import Loaded
from graphc.backends.cuda.made import Made, Maker, Setting, blocks
from graphc.backends.cuda.sides import Found, Side, index_type, width_of
from graphc.backends.cuda.tiles import PROCESSORS
from graphc.backends.cuda.warpgroups import has_warpgroups
from graphc.ir.dtype import bool_, float32
from graphc.ir.node import Node
from graphc.kernels_templates import render
from graphc.lowering.operands import Operand, spread
from graphc.ops.composite import Composite


def claims(node: Node) -> bool:
    """Whether there is a kernel for a use of attention or of its gradient."""
    if not is_attended(node):
        return False
    query, _, value, *_ = node.inputs
    return has_room(max(query.shape[-1], value.shape[-1]), query.dtype)


class Attending:
    """A kernel of attention: a block keeps tiles of rows, and goes through those of all others."""

    def __init__(
        self, cells: Cells, suffix: str, own: Mapping[str, int], others: Mapping[str, int]
    ):
        setting = cells.setting
        self.cells, self.suffix, self.setting = cells, suffix, setting
        op = setting.node.op
        assert isinstance(op, Composite)
        options: dict[str, Any] = dict(op.options)
        self.causal, self.masked = bool(options["causal"]), op.present[3]
        self.scale = float(options["scale"])
        query, self.key, self.value = setting.operands[:3]
        self.query, self.dtype = query, query.dtype
        self.heads = prod(query.shape[:-2])
        self.queries, self.keys = query.shape[-2], self.key.shape[-2]
        self.of_keys = "key" in own
        columns = max(query.shape[-1], self.value.shape[-1])
        self.line = padded(columns, self.dtype)
        tf32 = bool(options.get("tf32")) and self.dtype is float32
        backward = op.key != "attention"
        # Other processors have shared memory for one such block at once.
        fills = self.heads * blocks(self.queries, 128) >= 2 * PROCESSORS
        many = has_warpgroups(setting.arch) and fills
        of = {"backward": backward, "of_keys": self.of_keys, "tf32": tf32}
        self.sizes = sizes(self.line, self.dtype, **of, many=many, drops=op.present[4])
        maker = form_of(self.dtype, tf32=tf32)
        wide = whole(columns, maker(self.dtype, 0, 0).piece)
        self.part = PART // max(4, self.dtype.itemsize) if self.of_keys else wide
        """Columns of the gradients that a block has."""
        self.parts = blocks(wide, self.part)
        columns = min(wide, self.part)
        self.form = maker(self.dtype, self.sizes.others, columns, self.sizes.tall)
        self.index = index_type(*setting.operands, *setting.results)
        self.own = [self._tile(n, slot, own=True) for n, slot in own.items()]
        self.others = [self._tile(n, slot, own=False) for n, slot in others.items()]
        self.drawn = self._drawn(op)
        self.memory: list[str] = []
        self.shared = 0
        self._lay_out()

    # -- what the templates ask ------------------------------------------------------------------

    @property
    def name(self) -> str:
        """The function's."""
        return f"{self.cells.name}{self.suffix}"

    @property
    def threads(self) -> int:
        """Those of a block."""
        return self.sizes.threads

    resident = 2

    @property
    def summary(self) -> str:
        """What is computed."""
        q, k, v = (spelled(x.shape) for x in self.setting.operands[:3])
        how = ", causal" if self.causal else ", masked" if self.masked else ""
        how += self.drawn.how.says if self.drawn else ""
        what = f"Gradients of {'keys and values' if self.of_keys else 'queries'}: attention"
        what = what if self.suffix else "Attention"
        size = f"{self.sizes.own} rows a block, {self.sizes.others} others at a time"
        return f"{what} of queries {q}, keys {k}, values {v}{how}; {size}, {self.form.says}"

    @property
    def rows(self) -> int:
        """How many there are that blocks keep."""
        return self.keys if self.of_keys else self.queries

    @property
    def columns(self) -> int:
        """How many there are that each block goes through."""
        return self.queries if self.of_keys else self.keys

    @property
    def first(self) -> str:
        """The first step: of queries before a key there are none that see it."""
        return f"first_row / {self.sizes.others}" if self.causal and self.of_keys else "0"

    @property
    def last(self) -> str:
        """The step after the last one."""
        steps = blocks(self.columns, self.sizes.others)
        if not self.causal or self.of_keys:
            return str(steps)
        return f"min({steps}, (first_row + {self.sizes.own - 1}) / {self.sizes.others} + 1)"

    @property
    def where(self) -> list[str]:
        """The declarations of a block's head and rows, and of where the head lies."""
        tiles = blocks(self.rows, self.sizes.own)
        extents = (self.parts, self.heads, tiles)
        lines = [
            f"[[maybe_unused]] {x}"
            for x in split("blockIdx.x", extents, ("part", "head", "tile"), "int")
        ]
        lines.append(f"const int first_row = tile * {self.sizes.own};")
        lead = self.query.shape[:-2]
        names = [f"head_{axis}" for axis in range(len(lead))]
        lines += [f"[[maybe_unused]] {x}" for x in split("head", lead, names, self.index)]
        for parameter, x, after in self._parameters():
            strides = spread(x, len(lead) + after).strides[: len(lead)]
            lines.append(
                f"[[maybe_unused]] const {self.index} at_{parameter} = {terms(strides, names)};"
            )
        return lines + ([self.drawn.begun] if self.drawn else [])

    @property
    def stays(self) -> str:
        """The byte that says whether the weight of a thread's row h and column c does."""
        assert self.drawn is not None
        if self.of_keys:
            return self.drawn.at(self.form.column, self.form.row, "column")
        return self.drawn.at(self.form.row, self.form.column, "row")

    @property
    def is_scaled(self) -> bool:
        """Whether scores are scaled before all else: numbers are added, or their order changes."""
        numbers = self.masked and self.setting.operands[3].dtype is not bool_
        return numbers or self.scale <= 0

    @property
    def meeting(self) -> str:
        """The condition of steps that have scores which must not be seen, or "" where all may."""
        if self.masked or self.is_scaled:
            return ""
        own, others = self.sizes.own, self.sizes.others
        found = []
        if self.columns % others:
            found.append(f"step == {self.columns // others}")
        if self.causal and self.of_keys:
            found.append(f"{others} * step < first_row + {own - 1}")
        elif self.causal:
            found.append(f"{others} * step + {others - 1} > first_row")
        return " || ".join(found)

    @property
    def masking(self) -> list[str]:
        """What is done to a score ``x`` that must not be seen."""
        query, key = ("column", "row") if self.of_keys else ("row", "column")
        lowest = f"x = -{self.infinity};"
        lines = [f"x *= {self.number(self.scale * log2(e))};"] if self.is_scaled else []
        if self.columns % self.sizes.others:
            lines.append(f"if (column >= {self.columns}) {lowest}")
        if self.causal:
            lines.append(f"if ({key} > {query}) {lowest}")
        if self.masked:
            mask = spread(self.setting.operands[3], len(self.query.shape))
            at = f"a3[at_a3 + {terms(mask.strides[-2:], (query, key))}]"
            here = f"{query} < {self.queries} && {key} < {self.keys}"
            if mask.dtype is bool_:
                lines.append(f"if ({here} && !{at}) {lowest}")
            else:
                lines.append(f"if ({here}) x += {load(mask.dtype, at)} * {self.number(log2(e))};")
        return lines

    @property
    def infinity(self) -> str:
        """Of the type in which is computed."""
        return self.number(inf)

    def number(self, value: float) -> str:
        """A number of that type."""
        return number(self.dtype, value)

    def element(self, parameter: str, x: Operand, *places: str) -> str:
        """A head's element of a parameter."""
        strides = x.strides[len(x.strides) - len(places) :]
        return f"{parameter}[at_{parameter} + {terms(strides, places)}]"

    def target(self, number: int) -> Target:
        """A result that has a row for each of the block's."""
        x = self.setting.results[number]
        width = min(
            self.form.run, width_of(x.dtype.itemsize, x.shape[-1:], x.strides[-1:], x.strides[:-1])
        )
        if x.shape[-1] % width:
            width = 1
        place = self.element(f"out{number}", x, "row", "column")
        low = f"narrow_{x.dtype.name}" if is_low(x.dtype) else ""
        return Target(stored(x.dtype), x.shape[-1], width, place, low)

    # -- how it is made --------------------------------------------------------------------------

    def _drawn(self, op: Composite) -> Drawn | None:
        """Where a warp has what it draws, if weights are dropped."""
        how, others = Dropping.of(op, self.setting.operands), self.sizes.others
        if how is None:
            return None
        high, state, step = self.form.high, f"a{3 + self.masked}", f"{others} * step"
        own = f"first_row + {high} * warp"
        if self.of_keys:
            return Drawn(how, state, others, high, self.queries, step, own)
        return Drawn(how, state, high, others, self.queries, own, step)

    def _parameters(self) -> list[tuple[str, Operand, int]]:
        """All matrices and lines, each with the number of its dimensions after those of heads."""
        rank = len(self.query.shape)
        found = [(f"a{i}", x) for i, x in enumerate(self.setting.operands)]
        found += [(f"out{i}", x) for i, x in enumerate(self.setting.results)]
        mask = "a3" if self.masked else ""
        if self.drawn is not None:
            found = [(n, x) for n, x in found if n != self.drawn.state]
        return [(n, x, 2 if n == mask or len(x.shape) == rank else 1) for n, x in found]

    def _tile(self, name: str, slot: int, *, own: bool) -> Tile:
        x, offset = self.setting.operands[slot], self.setting.offsets[slot]
        rows, columns = x.shape[-2:]
        line = f"const {self.index} place = {terms(x.strides[-2:], ('i', 'k'))} + at_a{slot};"
        width = width_of(x.dtype.itemsize, (columns,), x.strides[-1:], (offset, *x.strides[:-1]))
        loaded = Loaded(
            name, f"a{slot}", x.dtype, Found((line,), "k", width), Side("i", (), ()), rows, columns,
            "first_row" if own else f"next * {self.sizes.others}",
            self.sizes.own if own else self.sizes.others, self.line, self.threads,
            turns=False, start="",
        )  # fmt: skip
        piece = 16 if is_low(x.dtype) else 16 // x.dtype.itemsize
        return Tile(name, f"{name}_tiles", loaded, whole(columns, piece))

    def _lay_out(self) -> None:
        kind, form = self.form.kind, self.form
        for tile in self.own:
            self._place(tile.name, tile.loaded.type, tile.elements * self.dtype.itemsize)
        for tile in self.others:
            self._place(tile.base, tile.loaded.type, 2 * tile.elements * self.dtype.itemsize)
        size = 8 if kind == "double" else 4
        if isinstance(form, ByThreads):
            beyond = 16 // self.dtype.itemsize
            self._place("shares", kind, self.sizes.own * (form.others + beyond) * size)
        if self.drawn is not None:
            self._place("bytes", "unsigned char", self.drawn.nbytes * self.threads // 32)
        if self.of_keys:
            self._place("bases", kind, 2 * form.others * size)
            self._place("slants", kind, 2 * form.others * size)

    def _place(self, name: str, kind: str, nbytes: int) -> None:
        self.memory.append(f"{kind} *const {name} = ({kind} *)(memory + {self.shared});")
        self.shared += whole(nbytes, 128)

    def add(self, template: str, **facts: object) -> None:
        """The function, of a template."""
        text = render(
            template,
            x=self,
            form=self.form,
            scale=self.number(1.0 if self.is_scaled else self.scale * log2(e)),
            masking=self.masking,
            drop=self.drawn,
            meeting=self.meeting,
            rows=self.rows,
            whole=self.number(self.scale),
            part=f"{self.part} * part + " if self.parts > 1 else "",
            **facts,
        )
        self.cells.helpers |= {"philox"} if self.drawn else set()
        self.cells.helpers |= {x for x in CALLED.findall(text) if x in FUNCTIONS}
        grid = self.parts * self.heads * blocks(self.rows, self.sizes.own)
        self.cells.function(
            text, (grid, 1, 1), (self.threads, 1, 1), suffix=self.suffix, shared=self.shared
        )


def attention(name: str, setting: Setting) -> Made:
    """softmax(query · keyᵀ · scale + mask) · value, and the logarithms of the sums."""
    cells = Cells(name, setting)
    kernel = Attending(cells, "", {"query": 0}, {"key": 1, "value": 2})
    kernel.add(
        "attention.cu.j2",
        base2=kernel.number(log(2)),
        infinity=kernel.infinity,
        output=kernel.target(0),
        statistics=kernel.element("out1", setting.results[1], "row"),
    )
    return cells.made()


def attention_grad(name: str, setting: Setting) -> Made:
    """The gradients of queries, keys and values, given attention's results and its output's."""
    cells = Cells(name, setting)
    first = len(setting.operands) - 3
    output, statistics, dy = setting.operands[first:]
    names = [f"a{first + i}" for i in range(3)]
    queries = Attending(cells, "_of_query", {"query": 0, "dy": first + 2}, {"key": 1, "value": 2})
    kind = queries.form.kind
    cells.space("slopes", kind, queries.heads * queries.queries * (8 if kind == "double" else 4))
    logarithm = queries.element(names[1], statistics, "{}") + f" * {queries.number(log2(e))}"
    slope = f"(long)head * {queries.queries} + "
    factors = ((names[0], output), (names[2], dy))
    product = " * ".join(cells.load(x.dtype, queries.element(n, x, "row", "e")) for n, x in factors)
    queries.add(
        "attention_grad_query.cu.j2",
        logarithm=logarithm.format("row"),
        product=product,
        inner=output.shape[-1],
        slopes=f"{slope}row",
        target=queries.target(0),
    )
    keys = Attending(cells, "_of_key", {"key": 1, "value": 2}, {"query": 0, "dy": first + 2})
    others = keys.sizes.others
    keys.add(
        "attention_grad_key.cu.j2",
        also=[
            f"if (thread < {others}) {{",
            f"    const int other = next * {others} + thread, to = next % 2 * {others} + thread;",
            f"    const bool here = other < {keys.queries};",
            f"    bases[to] = here ? {logarithm.format('other')} : 0;",
            f"    slants[to] = here ? slopes[{slope}other] : 0;",
            "}",
        ],
        key=keys.target(1),
        value=keys.target(2),
    )
    return cells.made()


ATTENTION: dict[str, Maker] = {"attention": attention, "attention_grad": attention_grad}
"""By the composite's name."""
