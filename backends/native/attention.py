"""Attention without the matrix of scores in memory: a block of queries with all keys at a time."""

from __future__ import annotations

from itertools import accumulate
from math import inf

from graphc.backends.c_language.types import number, store
from graphc.backends.native.attention_gradient import attention_grad
from graphc.backends.native.attention_matrices import (
    Matrix,
    Options,
    Product,
    Tiling,
    element_of_rows,
    heads_of,
    kind_of,
    power_facts,
    square,
    tasks_of,
    up,
)
from graphc.backends.native.made import Made, Maker, Setting, Stage
from graphc.ir.node import Node
from graphc.kernels_templates import render
from graphc.lowering.views import Order

CHUNK = 96
"""Keys whose values stay in the first cache while they are weighed."""
MOST = 2048
"""Keys whose scores are in memory at once, transposed, with a block of queries."""


def preferred(node: Node) -> list[Order | None]:
    """Matrices of heads lie in memory as those of the queries usually do: rows outermost."""
    order = None
    if node.types[0].rank == 4:
        order = (0, 2, 1, 3)
    return [order if t.rank == 4 else None for t in node.types]


def attention(name: str, setting: Setting) -> Made:
    """softmax(query · keyᵀ · scale + mask) · value, and the logarithms of the sums."""
    query, key, _ = setting.operands[:3]
    kind, queries, keys = kind_of(setting), query.shape[-2], key.shape[-2]
    tiling, dtype = Tiling.of(setting, queries), setting.results[1].dtype
    most = min(keys, MOST // tiling.height * tiling.height)
    options = Options.of(setting, most)
    named = zip(("query", "key", "value"), setting.operands[:3], strict=True)
    q, k, v = (Matrix(n, x, tiling.lanes) for n, x in named)
    often = queries >= 4 * tiling.block
    k, v = k.copied(by_vectors=False, often=often), v.copied(by_vectors=True, often=often)
    copied = [x for x in (k, v) if x.copy]
    heads, blocks = heads_of(setting), -(-queries // tiling.block)
    units = heads * blocks
    count = tasks_of(setting, units, tiling.block * keys * (q.columns + v.columns))
    sizes = [q.columns * tiling.block, most * tiling.block, v.padded * tiling.block]
    parts = list(accumulate(map(up, [*sizes, *(x.rows * x.padded for x in copied)])))
    block, low = tiling.block, tiling.height_of_queries
    scores = Product(
        f"{name}_scores", f"Keys times {block} queries.", tiling.height, keys % tiling.height,
        block, tiling.lanes, k.row, k.step, block, block, adds=False,
    )  # fmt: skip
    weighted = Product(
        f"{name}_weighted", f"Weights of {block} queries times values.", low, block % low,
        v.padded, tiling.lanes, 1, block, v.row, v.padded, adds=True,
    )  # fmt: skip
    output = Matrix("output", setting.results[0], tiling.lanes)
    statistics = setting.results[1]
    place_of_row = f"statistics[{element_of_rows(statistics, '(q0 + i)')}]"
    item = 8 if kind == "double" else 4
    (turned,), square_text = square(name, setting, tiling.lanes, q)
    text = render(
        "attention.c.j2",
        name=name,
        says=options.says(setting),
        kind=kind,
        vector=f"{name}_vector",
        width=setting.target.width,
        lanes=tiling.lanes,
        itemsize=item,
        parameters=[
            *options.parameters(setting),
            f"{output.type} *restrict output",
            f"{kind} *restrict statistics",
            "void *restrict work",
        ],
        copied=copied,
        queries=queries,
        keys=keys,
        block=block,
        most=most,
        padded=v.padded,
        blocks=blocks,
        first=f"task * {units} / {count}",
        last=f"(task + 1) * {units} / {count}",
        query=q,
        key=k,
        value=v,
        output=output.stored("(q0 + i)", "e", f"sums[i * {v.padded} + e] * share"),
        statistics=store(dtype, place_of_row, f"most + log_{kind}(sum)"),
        scale=number(dtype, options.scale),
        infinity=number(dtype, inf),
        causal=options.causal,
        masking=options.masking(setting, "(q0 + i)"),
        maskable=options.masked,
        drop=options.dropping,
        scores=scores,
        weighted=weighted,
        chunk=CHUNK // tiling.height * tiling.height,
        square=turned,
        square_text=square_text,
        facts=power_facts(kind),
        room=parts[-1],
        parts=parts,
    )
    helpers = {"shuffled", f"power_of_two_{kind}", f"log_{kind}"} | options.conversions(setting)
    workspace = (count * parts[-1] * item,)
    return Made(text, (Stage(name, count),), workspace, helpers=frozenset(helpers))


ATTENTION: dict[str, Maker] = {"attention": attention, "attention_grad": attention_grad}
"""By the composite's name."""
