"""The kernel of a product: its tiles, its workers, the second pass of one that is split."""

from __future__ import annotations

from dataclasses import replace

from graphc.backends.c_language.statements import Lines
from graphc.backends.c_language.types import computed, is_low
from graphc.backends.cuda.cells import Cells
from graphc.backends.cuda.finished import Finishing
from graphc.backends.cuda.indices import split
from graphc.backends.cuda.loaded import Loaded
from graphc.backends.cuda.made import WORD, Made, blocks
from graphc.backends.cuda.sides import Found, Product, Side
from graphc.backends.cuda.tiles import WARP, WARPGROUP, WARPGROUPS, Cut, Variant, ranked
from graphc.backends.cuda.warpgroups import Described, Warpgroups, fits, has_warpgroups
from graphc.backends.cuda.workers import Threads, Warps
from graphc.ir.dtype import DType, float32
from graphc.kernels_templates import render

BAND = 8
"""Rows of tiles whose blocks follow each other, so that what they read stays in the cache."""


def kind_of(dtype: DType, *, tf32: bool) -> str:
    """The kind of elements, as the table of variants has it."""
    if is_low(dtype):
        return "half"
    if dtype is float32 and tf32:
        return "tf32"
    return "double" if dtype.itemsize == 8 else "single"


class ProductKernel:
    """The state of making a product's functions."""

    def __init__(
        self,
        cells: Cells,
        product: Product,
        finishing: Finishing,
        kind: str,
        cut: Cut | None = None,
    ) -> None:
        self.cells, self.product, self.finishing, self.kind = cells, product, finishing, kind
        self.dtype = cells.setting.operands[0].dtype
        self.total = computed(self.dtype)
        cut = cut or self.cuts()[0]
        self.all_steps = blocks(product.k, cut.variant.depth)
        self.steps = blocks(self.all_steps, cut.splits)
        """Of a part of the inner dimension."""
        self.cut = replace(cut, splits=max(1, blocks(self.all_steps, max(1, self.steps))))
        self.workers = self._workers()
        self.left, self.right = self.workers.left, self.workers.right

    def cuts(self) -> list[Cut]:
        """The ways to cut it, those first that should take least."""
        kind = self.kind
        grouped = kind in WARPGROUPS and has_warpgroups(self.cells.setting.arch)
        if grouped:
            operands = self._operands(WARPGROUPS[kind][0])
            grouped = all(fits(x, tf32=kind == "tf32") for x in operands)
        return ranked(kind, self.dtype.itemsize, self.extents, grouped=grouped)

    def _workers(self) -> Warpgroups | Warps | Threads:
        x, kind = self.cut.variant, self.kind
        left, right = self._operands(x)
        if x.worker != WARPGROUP:
            form = Warps if x.worker == WARP else Threads
            return form(kind, self.dtype, x, left, right)
        name = kind if kind == "tf32" else self.dtype.name
        described = [
            Described(**vars(each), kind=name, batch=self.product.batch) for each in (left, right)
        ]
        return Warpgroups(kind, self.dtype, x, *described)

    def _operands(self, x: Variant) -> tuple[Loaded, Loaded]:
        product = self.product

        def loaded(name: str, given: str, found: Found, flat: str, reach: int, tile: int) -> Loaded:
            return Loaded(
                name, given, self.dtype, found, Side(flat, (), ()), reach, product.k,
                f"first_{flat}", tile, x.depth, x.threads, self.kind == "tf32",
            )  # fmt: skip

        return (
            loaded("left", product.left, product.a, "i", product.m, x.rows),
            loaded("right", product.right, product.b, "j", product.n, x.columns),
        )

    def made(self) -> Made:
        """The functions."""
        product, x, cells = self.product, self.cut.variant, self.cells
        splits = self.cut.splits
        if splits > 1:
            count = splits * product.batch * product.m * product.n
            size = 4 if is_low(self.dtype) else self.dtype.itemsize
            cells.space("parts", self.total, count * size)
        how = f"; {x.rows} x {x.columns} x {x.depth} a block, {self.workers.says}"
        how += f", in {splits} parts" if splits > 1 else ""
        how += f"; {self.cut.reason}" if self.cut.reason else ""
        text = render(
            self.workers.template,
            name=cells.name,
            summary=product.summary + ("" if splits > 1 else self.finishing.says) + how,
            inner=self.workers.inner,
            facts=self.workers.facts(),
            threads=x.threads,
            resident=x.resident,
            index=product.index,
            depth=x.depth,
            stages=x.stages,
            left=self.left,
            right=self.right,
            where=self._where(),
            of_batch=self._of_batch(),
            steps=self._steps(),
            split=splits > 1,
            sums=self.workers.sums,
            runs=self._runs(),
        )
        grid = splits * product.batch * self._tiles[0] * self._tiles[1]
        cells.helpers |= self.workers.helpers(text) | self.finishing.helpers
        workers = self.workers
        cells.function(
            text, (grid, 1, 1), (x.threads, 1, 1), shared=workers.shared, maps=workers.maps
        )
        if splits > 1:
            self._added()
        return cells.made()

    @property
    def extents(self) -> tuple[int, int, int, int]:
        """How many products there are, and their rows, columns and inner dimension."""
        return self.product.batch, self.product.m, self.product.n, self.product.k

    @property
    def _tiles(self) -> tuple[int, int]:
        """How many there are along rows and columns."""
        x, product = self.cut.variant, self.product
        return blocks(product.m, x.rows), blocks(product.n, x.columns)

    def _of_batch(self) -> list[str]:
        """The declarations of what depends on the batch, but for what only a map knows of."""
        if not isinstance(self.workers, Warpgroups):
            return self.product.of_batch
        copied = (x for x in (self.workers.left, self.workers.right) if x.map is None)
        words = {word for x in copied for line in x.lines for word in WORD.findall(line)}
        kept: list[str] = []
        for line in reversed(self.product.of_batch):
            name, _, value = line.removesuffix(";").partition(" = ")
            if name.split()[-1] in words:
                kept.insert(0, line)
                words |= set(WORD.findall(value))
        return kept

    def _steps(self) -> str:
        if self.steps * self.cut.splits == self.all_steps:
            return str(self.steps)
        return f"min({self.steps}, {self.all_steps} - {self.steps} * part)"

    def _where(self) -> list[str]:
        """The declarations of a block's part, batch and tile."""
        x, (tall, wide) = self.cut.variant, self._tiles
        names = ("part", "batch", "tile")
        extents = (self.cut.splits, self.product.batch, tall * wide)
        lines = [f"[[maybe_unused]] {s}" for s in split("blockIdx.x", extents, names, "int")]
        if tall <= BAND:
            row, column = f"tile % {tall}", f"tile / {tall}"
        else:
            band = BAND * wide
            lines.append(f"const int band = tile / {band} * {BAND};")
            lines.append(f"const int high = min({tall} - band, {BAND});")
            row, column = f"(band + tile % {band} % high)", f"tile % {band} / high"
        lines.append(f"const int first_i = {row} * {x.rows}, first_j = {column} * {x.columns};")
        if self.cut.splits > 1:
            lines.append(f"const int begin = part * {self.steps * x.depth};")
        return lines

    def _runs(self) -> list[str]:
        """The loops over a worker's runs of columns, and what is done with each."""
        product, x = self.product, self.cut.variant
        lines = Lines()
        self.workers.open_runs(lines, product.index)
        checks = []
        if product.m % x.rows:
            checks.append(f"i < {product.m}")
        if product.n % x.columns:
            checks.append(f"j < {product.n}")
        if checks:
            lines.open(f"if ({' && '.join(checks)})")
        if self.cut.splits > 1:
            lines.add(*self._kept())
        else:
            run = self.workers.run
            lines.add(*self.finishing.lines(run, product.n, product.index))
        lines.close(lines.depth - 1)
        return lines.text

    def _kept(self) -> list[str]:
        """The statements that keep a run of sums for the second pass."""
        product, run = self.product, self.workers.run
        width = run if product.n % run == 0 else 1
        size = product.m * product.n
        entry = "part" if product.batch == 1 else f"(part * {product.batch} + batch)"
        at = f"(long){entry} * {size} + (long)i * {product.n} + j"
        if width == 1:
            end = f"if (j + u < {product.n}) " if product.n % run else ""
            return [
                "#pragma unroll",
                f"for (int u = 0; u < {run}; u++) {end}parts[{at} + u] = value[u];",
            ]
        pack = f"pack<{self.total}, {width}>"
        return [
            f"{pack} run;",
            "#pragma unroll",
            f"for (int u = 0; u < {width}; u++) run.at[u] = value[u];",
            f"*({pack} *)&parts[{at}] = run;",
        ]

    def _added(self) -> None:
        """The second pass: sums of all parts, in order, are finished."""
        product, finishing = self.product, self.finishing
        run = finishing.width(4 if product.n % 4 == 0 else 2 if product.n % 2 == 0 else 1)
        shape = (product.batch, product.m, product.n // run)
        entries = product.batch * product.m * product.n
        names, pack = ("batch", "i", "j"), f"pack<{self.total}, {run}>"
        text = Lines(depth=0)
        declared = split("at", shape, names, product.index, run)
        text.add(*(f"[[maybe_unused]] {line}" for line in declared))
        text.add(f"{self.total} value[{run}] = {{}};")
        text.open(f"for (int part = 0; part < {self.cut.splits}; part++)")
        text.add(f"const {pack} run = *(const {pack} *)&parts[part * {entries}L + {run} * at];")
        text.add("#pragma unroll")
        text.add(f"for (int u = 0; u < {run}; u++) {self.workers.take('value[u]', 'run.at[u]')}")
        text.close()
        text.add(*finishing.lines(run, product.n, product.index))
        self.cells.helpers |= finishing.helpers
        summary = f"The sums of {self.cut.splits} parts{finishing.says}"
        self.cells.add(summary, entries // run, text.text, suffix="_added")
