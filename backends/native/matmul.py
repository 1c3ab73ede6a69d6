"""The matrix product: floats in register tiles, whole numbers by plain loops."""

from __future__ import annotations

from graphc.backends.c_language.statements import terms
from graphc.backends.c_language.types import stored
from graphc.backends.native.epilogue import Epilogue
from graphc.backends.native.made import Made, Maker, Setting, Stage, tasks
from graphc.backends.native.matmul_blocks import through
from graphc.backends.native.matmul_text import MatmulText
from graphc.backends.native.products import Product, product_of
from graphc.backends.native.tiles import Tile, chosen
from graphc.kernels_templates import render

MEASURED = 100_000
"""Multiply-adds of a product below which it is not worth measuring."""
ACROSS = 64
"""Columns that plain loops do side by side."""


def matmul(
    name: str, setting: Setting, epilogue: Epilogue | None = None, tile: Tile | None = None
) -> Made:
    """The kernel of a matrix product.

    With an epilogue it stores no result: each block goes to the epilogue's function. ``tile``
    says how the product is cut, else what should cost least is taken.
    """
    x = product_of(setting, is_finished=epilogue is not None)
    if not x.entries * x.rows * x.columns:
        return Made("", ())
    if not x.dtype.is_floating_point:
        return _plain(name, x, setting.threads)
    if tile is None and setting.tuner is not None and x.work >= MEASURED:
        tile = setting.tuner.tile(x)
    cut = tile or chosen(x, setting.target, setting.threads)
    return MatmulText(name, x, cut, setting.threads, epilogue).made()


def _plain(name: str, x: Product, threads: int) -> Made:
    """The product of whole numbers, which wrap round, or of truth values."""
    if x.is_swapped:
        x = x.swapped()
    count = x.entries * x.rows
    parts = tasks(count, x.columns * max(1, x.depth), threads)
    a, b, c = (through(x.batch, m.batch) for m in (x.a, x.b, x.c))
    is_truth = x.dtype.name == "bool"
    spelled = {
        "a": _sum([*a, (x.a.row, "i")]),
        "b": _sum(b),
        "c": _sum([*c, (x.c.row, "i")]),
        "a_at": terms([x.a.column], ["k"]),
        "b_at": terms([x.b.row, x.b.column], ["k", "(j0 + j)"]),
        "c_at": terms([x.c.column], ["(j0 + j)"]),
    }
    text = render(
        "matmul_plain.c.j2",
        name=name,
        summary=f"{x.entries} products of {x.rows} x {x.depth} and {x.depth} x {x.columns}.",
        stored=stored(x.dtype),
        first=f"task * {count} / {parts}",
        last=f"(task + 1) * {count} / {parts}",
        rows=x.rows,
        columns=x.columns,
        depth=x.depth,
        block=min(ACROSS, x.columns),
        take="sums[j] |= x & y;" if is_truth else "sums[j] += x * y;",
        **spelled,
    )
    return Made(text, (Stage(name, parts),))


def _sum(parts: list[tuple[int, str]]) -> str:
    return terms([s for s, _ in parts], [n for _, n in parts])


MATMUL: dict[str, Maker] = {"matmul": matmul}
"""The maker of each op's kernel."""
