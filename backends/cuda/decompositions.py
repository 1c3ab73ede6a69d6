"""Decompositions into orthogonal matrices, eigenvalues and singular values."""

from __future__ import annotations

from dataclasses import dataclass

from graphc.backends.cuda.cells import spelled
from graphc.backends.cuda.made import Made, Maker, Setting
from graphc.backends.cuda.matrices import (
    BARRIER,
    Array,
    Matrices,
    each_element,
    threads_of,
    unless_empty,
)
from graphc.ops.linalg import Eigh, PseudoInverse, Qr, Svd

STUCK = (
    "linalg.{}: The algorithm failed to converge because the input matrix is ill-conditioned or "
    "has too many repeated {} values."
)


def _unless(call: str) -> list[str]:
    """Statements that report a matrix for which something did not work."""
    return [f"if (!{call}) {{", "    if (thread == 0) fail(failed, matrix, 0);", "    return;", "}"]


@dataclass(frozen=True)
class Found:
    """How values and vectors are found, and where they are then."""

    arrays: dict[str, Array]
    lines: list[str]
    left: str
    """The array whose rows are the vectors on the left, and that of those on the right."""
    right: str


def _eigen(matrices: Matrices, threads: int, *, upper: bool) -> Found:
    """Eigenvalues ``s``, in no order, and eigenvectors, of the triangle that is read."""
    (x,) = matrices.setting.operands
    n = x.shape[-1]
    arrays = {"a": Array(n * n), "z": Array(n * n), "s": Array(n), "work": Array(5 * n)}
    low, high = "(i < j ? i : j)", "(i < j ? j : i)"
    row, column = (low, high) if upper else (high, low)
    matrices.helpers.add("symmetric_eigen")
    own = str(upper).lower()
    lines = [
        *each_element(x.shape, threads, f"a[at] = {matrices.element('a0', x, row, column)};"),
        BARRIER,
        *_unless(f"symmetric_eigen<{threads}>({n}, {own}, a, s, z, work)"),
    ]
    return Found(arrays, lines, "z", "z")


def _singular(matrices: Matrices, threads: int, *, full: bool) -> Found:
    """Singular values ``s``, in no order, and vectors."""
    (x,) = matrices.setting.operands
    rows, columns = x.shape[-2:]
    high, low, is_wide = max(rows, columns), min(rows, columns), rows < columns
    count = high if full else low
    arrays = {
        "a": Array(rows * columns),
        "tall": Array(count * high),
        "flat": Array(low * low),
        "s": Array(low),
        "right": Array(low * low),
        "work": Array(9 * low),
    }
    function, more = "singular_vectors", ""
    # As in LAPACK, so that signs are the same.
    if high >= int(low * 11 / 6):
        function, more = "singular_vectors_by_qr", ", r, turned, q, factors"
        arrays |= {"r": Array(low * low), "turned": Array(low * low)}
        arrays |= {"q": Array(high * count), "factors": Array(low)}
    matrices.helpers.add(function)
    source = matrices.element("a0", x, *("ji" if is_wide else "ij"))
    given = f"{high}, {low}, {str(is_wide).lower()}, a, {count}, tall, s, flat, right, work{more}"
    lines = [
        *each_element((high, low), threads, f"a[at] = {source};"),
        BARRIER,
        *_unless(f"{function}<{threads}>({given})"),
    ]
    return Found(arrays, lines, *(("flat", "tall") if is_wide else ("tall", "flat")))


def _in_order(matrices: Matrices, count: int, threads: int, *, descending: bool) -> str:
    """The statement that finds the ``order`` of values."""
    matrices.helpers.add("put_in_order")
    return f"put_in_order<{threads}>({count}, {str(descending).lower()}, s, order);"


def eigh(name: str, setting: Setting) -> Made:
    """The eigenvalues of symmetric matrices, ascending, and their eigenvectors in columns."""
    op, (x,), (values, vectors) = setting.node.op, setting.operands, setting.results
    assert isinstance(op, Eigh)
    n = x.shape[-1]
    matrices, threads = Matrices(name, setting, x.shape[:-2]), threads_of(n, n)
    found = _eigen(matrices, threads, upper=op.upper)
    lines = [
        *matrices.arrays({**found.arrays, "order": Array(n, "int")}),
        *found.lines,
        _in_order(matrices, n, threads, descending=False),
        *matrices.write_vector("out0", values, "s[order[i]]", threads),
        *matrices.write("out1", vectors, f"z[{n}L * order[j] + i]", threads),
    ]
    matrices.fails()
    what = f"Eigenvalues and eigenvectors of symmetric matrices, {spelled(x.shape)} numbers."
    matrices.matrix(what, lines, threads)
    return matrices.made([("RuntimeError", STUCK.format("eigh", "eigen"))])


def svd(name: str, setting: Setting) -> Made:
    """u, s and v transposed, s descending."""
    op, (x,), (u, s, v) = setting.node.op, setting.operands, setting.results
    assert isinstance(op, Svd)
    rows, columns = x.shape[-2:]
    low = min(rows, columns)
    matrices, threads = Matrices(name, setting, x.shape[:-2]), threads_of(rows, columns)
    found = _singular(matrices, threads, full=op.full)

    def ordered(number: str, count: int) -> str:
        """The row of a vector; those that belong to no value are in their places."""
        return (
            f"order[{number}]"
            if count == low
            else f"({number} < {low} ? order[{number}] : {number})"
        )

    of_u, of_v = ordered("j", u.shape[-1]), ordered("i", v.shape[-2])
    lines = [
        *matrices.arrays({**found.arrays, "order": Array(low, "int")}),
        *found.lines,
        _in_order(matrices, low, threads, descending=True),
        *matrices.write("out0", u, f"{found.left}[{rows}L * {of_u} + i]", threads),
        *matrices.write_vector("out1", s, "s[order[i]]", threads),
        *matrices.write("out2", v, f"{found.right}[{columns}L * {of_v} + j]", threads),
    ]
    matrices.fails()
    what = f"Singular values and vectors of {spelled(x.shape)} numbers."
    matrices.matrix(what, lines, threads)
    return matrices.made([("RuntimeError", STUCK.format("svd", "singular"))])


def pseudo_inverse(name: str, setting: Setting) -> Made:
    """The pseudo-inverses, by singular values or by eigenvalues."""
    op, (x,), (out,) = setting.node.op, setting.operands, setting.results
    assert isinstance(op, PseudoInverse)
    rows, columns = x.shape[-2:]
    matrices, threads = Matrices(name, setting, x.shape[:-2]), threads_of(rows, columns)
    if op.symmetric:
        found = _eigen(matrices, threads, upper=False)
    else:
        found = _singular(matrices, threads, full=False)
    count, left, right = min(rows, columns), found.left, found.right
    part = f"{right}[{columns}L * k + i] / s[k] * {left}[{rows}L * k + j]"
    lines = [
        *matrices.arrays(found.arrays),
        *found.lines,
        "double least = 0;",
        f"for (int k = 0; k < {count}; k++) least = fmax(least, fabs(s[k]));",
        f"least = fmax({op.atol!r}, {op.rtol!r} * least);",
        f"for (long at = thread; at < {rows * columns}; at += {threads}) {{",
        f"    const long i = at % {columns}, j = at / {columns};",
        "    double sum = 0;",
        f"    for (int k = 0; k < {count}; k++)",
        f"        if (fabs(s[k]) > least) sum += {part};",
        f"    {matrices.element('out0', out, 'i', 'j')} = sum;",
        "}",
    ]
    matrices.fails()
    matrices.matrix(f"The pseudo-inverses of {spelled(x.shape)} numbers.", lines, threads)
    return matrices.made([("RuntimeError", STUCK.format("pinv", "singular"))])


def qr(name: str, setting: Setting) -> Made:
    """q and r with q @ r = x."""
    op, (x,), (q, r) = setting.node.op, setting.operands, setting.results
    assert isinstance(op, Qr)
    rows, columns = x.shape[-2:]
    low, count = min(rows, columns), q.shape[-1]
    matrices, threads = Matrices(name, setting, x.shape[:-2]), threads_of(rows, columns)
    matrices.helpers |= {"qr_factor", "qr_columns"}
    arrays = {
        "a": Array(rows * columns),
        "columns": Array(rows * count),
        "diagonal": Array(low),
        "factors": Array(low),
    }
    lines = [
        *matrices.arrays(arrays),
        *matrices.read("a", "a0", x, threads),
        BARRIER,
        f"qr_factor<{threads}>({rows}, {columns}, a, diagonal, factors);",
        *matrices.write(
            "out1", r, f"i < j ? a[{rows} * j + i] : i == j ? diagonal[i] : 0", threads
        ),
        f"qr_columns<{threads}>({rows}, {low}, a, factors, {count}, columns);",
        *matrices.write("out0", q, "columns[at]", threads),
    ]
    what = f"Orthonormal columns and upper triangles of {spelled(x.shape)} numbers."
    matrices.matrix(what, lines, threads)
    return matrices.made()


DECOMPOSITIONS: dict[str, Maker] = unless_empty(
    {
        Eigh.name: eigh,
        Svd.name: svd,
        PseudoInverse.name: pseudo_inverse,
        Qr.name: qr,
    }
)
"""By the op's name."""
