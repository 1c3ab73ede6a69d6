"""The shared functions of a generated program: those that its kernels call, and what these need."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import cache

from graphc.backends.c_language.functions import ordered
from graphc.backends.c_language.spelling import scalar
from graphc.backends.native.library_functions import FUNCTIONS
from graphc.ir.node import Node
from graphc.kernels_templates import render, render_block

HELPERS: dict[str, tuple[str, tuple[str, ...]]] = {
    "fail": ("fail.c.j2", ()),
    "opaque": ("opaque.c.j2", ()),
    "nan_reductions": ("nan_reductions.c.j2", ()),
    "shuffled": ("shuffled.c.j2", ()),
    "triangular": ("triangular.c.j2", ()),
    "lu": ("lu.c.j2", ("triangular",)),
    "cholesky": ("cholesky.c.j2", ("triangular",)),
    "householder": ("householder.c.j2", ()),
    "rotations": ("rotations.c.j2", ()),
    "symmetric_eigen": ("symmetric_eigen.c.j2", ("householder", "rotations")),
    "singular_values": ("singular_values.c.j2", ("householder", "rotations")),
}
"""For each helper that has a template of its own: the template, and the helpers it calls itself."""

CALLED = re.compile(r"[A-Za-z_]\w*(?=\()")


def prelude(helpers: Iterable[str]) -> str:
    """The beginning of a generated file: includes, types and the helpers needed, in order."""
    texts = ordered(helpers, helper, _needs)
    return "\n".join([render("_types.c.j2"), *dict.fromkeys(texts)])


def _needs(name: str, text: str) -> list[str]:
    """The helpers that one of them needs before it."""
    called = (x for x in CALLED.findall(text) if x in FUNCTIONS)
    return [*HELPERS.get(name, ("", ()))[1], *called]


def spelled(node: Node, operands: Sequence[str]) -> tuple[str, frozenset[str]]:
    """The C expression of an elementwise primitive, and the shared functions that it calls."""
    return scalar("native", FUNCTIONS.keys(), node, operands, wraps=True)


@cache
def helper(name: str) -> str:
    """The text of one helper."""
    if name in HELPERS:
        return render(HELPERS[name][0])
    function = FUNCTIONS[name]
    return render_block(function.template, function.block, **function.variables)


__all__ = ["FUNCTIONS", "HELPERS", "helper", "prelude", "spelled"]
