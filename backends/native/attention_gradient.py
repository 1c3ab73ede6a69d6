"""The gradient of attention without the matrix of scores in memory: blocks of queries and keys."""

from __future__ import annotations

from itertools import accumulate
from math import inf

from graphc.backends.c_language.types import number
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
from graphc.backends.native.made import Made, Setting, Stage
from graphc.kernels_templates import render

SIDE = 64
"""Queries of a block."""
MOST = 96
"""Keys of a block."""


class Gradient:
    """A kernel of the gradient."""

    def __init__(self, name: str, setting: Setting) -> None:
        self.name, self.setting = name, setting
        self.kind = kind_of(setting)
        self.heads, self.item = heads_of(setting), 8 if self.kind == "double" else 4
        query, key, value, *_, output, self.statistics, dy = setting.operands
        queries, self.keys = query.shape[-2], key.shape[-2]
        self.tiling = tiling = Tiling.of(setting, queries)
        self.side = min(SIDE, -(-queries // tiling.block) * tiling.block)
        self.most = min(self.keys, MOST // tiling.height * tiling.height)
        self.options = Options.of(setting, self.most)
        names = ("query", "key", "value", "output", "dy")
        given = (query, key, value, output, dy)
        found = [Matrix(n, x, tiling.lanes) for n, x in zip(names, given, strict=True)]
        often = queries >= 4 * tiling.block
        found = [
            x if x.name == "output" else x.copied(by_vectors=x.name != "value", often=often)
            for x in found
        ]
        self.copied = [x for x in found if x.copy]
        self.query, self.key, self.value, self.output, self.dy = found
        self.results = [
            Matrix(f"of_{n}", x, tiling.lanes)
            for n, x in zip(names[:3], setting.results, strict=True)
        ]

    def products(self) -> dict[str, Product]:
        """The five products, by their names in the template."""
        tiling, side = self.tiling, self.side
        block, lanes, low = tiling.block, tiling.lanes, tiling.height_of_queries
        rest, k, v = self.keys % tiling.height, self.key, self.value
        of_query, of_key, of_value = (x.padded for x in self.results)
        keys = (tiling.height, rest)
        return {
            "scores": Product(
                f"{self.name}_scores", f"Keys times {block} queries.", *keys,
                block, lanes, k.row, k.step, block, side, adds=False,
            ),
            "slopes": Product(
                f"{self.name}_slopes", f"Values times the gradients of {block} outputs.", *keys,
                block, lanes, v.row, v.step, block, side, adds=False,
            ),
            "add_query": Product(
                f"{self.name}_add_query", "Gradients of scores times keys.", low, block % low,
                of_query, lanes, 1, side, k.row, of_query, adds=True,
            ),
            "add_key": Product(
                f"{self.name}_add_key", "Gradients of scores, transposed, times queries.", *keys,
                of_key, lanes, side, 1, self.query.row, of_key, adds=True,
            ),
            "add_value": Product(
                f"{self.name}_add_value", "Weights, transposed, times gradients of outputs.", *keys,
                of_value, lanes, side, 1, self.dy.row, of_value, adds=True,
            ),
        }  # fmt: skip

    def parts(self) -> tuple[list[tuple[str, int]], int]:
        """The places of arrays in a task's workspace, and its size, in elements."""
        of_query, of_key, of_value = (x.padded for x in self.results)
        sizes = {
            "queries": self.query.columns * self.side,
            "gradients": self.dy.columns * self.side,
            "weights": self.most * self.side,
            "slopes": self.most * self.side,
            "query_sums": self.side * of_query,
            "key_sums": self.keys * of_key,
            "value_sums": self.keys * of_value,
            **{x.copy: x.rows * x.padded for x in self.copied},
        }
        ends = list(accumulate(map(up, sizes.values())))
        return list(zip(sizes, [0, *ends], strict=False)), ends[-1]

    def made(self) -> Made:
        """The kernel."""
        setting, options, kind = self.setting, self.options, self.kind
        work = self.query.rows * self.keys * (self.query.columns + self.dy.columns)
        count = tasks_of(setting, self.heads, work)
        parts, room = self.parts()
        query, key, value, output, dy = self.query, self.key, self.value, self.output, self.dy
        of_query, of_key, of_value = self.results
        squares, square_text = square(self.name, setting, self.tiling.lanes, query, dy)
        row_parameters = [
            f"const {output.type} *restrict output",
            f"const {kind} *restrict statistics",
            f"const {dy.type} *restrict dy",
        ]
        scale = number(self.statistics.dtype, options.scale)
        text = render(
            "attention_grad.c.j2",
            name=self.name,
            says=f"Gradients: {options.says(setting)}",
            kind=kind,
            vector=f"{self.name}_vector",
            width=setting.target.width,
            lanes=self.tiling.lanes,
            itemsize=self.item,
            parameters=[
                *options.parameters(setting),
                *row_parameters,
                *(f"{x.type} *restrict {x.name}" for x in self.results),
                "void *restrict work",
            ],
            row_parameters=row_parameters,
            row_names=["output", "statistics", "dy"],
            copied=self.copied,
            first=f"task * {self.heads} / {count}",
            last=f"(task + 1) * {self.heads} / {count}",
            queries=query.rows,
            keys=self.keys,
            side=self.side,
            block=self.tiling.block,
            most=self.most,
            query=query,
            key=key,
            value=value,
            output=output,
            dy=dy,
            of_query=of_query,
            of_key=of_key,
            of_value=of_value,
            statistics=f"statistics[{element_of_rows(self.statistics, '(q0 + i)')}]",
            product=f"{output.element('(q0 + i)', 'j')} * {dy.element('(q0 + i)', 'j')}",
            scale=scale,
            infinity=number(self.statistics.dtype, inf),
            causal=options.causal,
            masking=options.masking(setting, f"(q0 + p * {self.tiling.block} + i)"),
            drop=options.dropping,
            stores=[
                of_query.stored(
                    "(q0 + i)", "j", f"query_sums[i * {of_query.padded} + j] * {scale}"
                ),
                of_key.stored("i", "j", f"key_sums[i * {of_key.padded} + j] * {scale}"),
                of_value.stored("i", "j", f"value_sums[i * {of_value.padded} + j]"),
            ],
            query_square=squares[0],
            dy_square=squares[1],
            square_text=square_text,
            facts=power_facts(kind),
            room=room,
            parts=parts,
            **self.products(),
        )
        helpers = frozenset({"shuffled", f"power_of_two_{kind}"} | options.conversions(setting))
        return Made(text, (Stage(self.name, count),), (count * room * self.item,), helpers=helpers)


def attention_grad(name: str, setting: Setting) -> Made:
    """The gradients of queries, keys and values, given attention's results and its output's."""
    return Gradient(name, setting).made()
