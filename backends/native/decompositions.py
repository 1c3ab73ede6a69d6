"""Decompositions into orthogonal matrices, eigenvalues and singular values."""

from __future__ import annotations

from graphc.backends.native.made import Made, Setting
from graphc.backends.native.matrices import (
    Batch,
    Function,
    Job,
    over_batch,
    read,
    scratch,
    write,
    write_vector,
)
from graphc.ops.linalg import Eigh, PseudoInverse, Qr, Svd

STUCK = (
    "linalg.{}: The algorithm failed to converge because the input matrix is ill-conditioned or "
    "has too many repeated {} values."
)


def _whole(
    name: str,
    setting: Setting,
    results: list[str],
    summary: str,
    sizes: dict[str, int],
    lines: list[str],
    helpers: set[str],
    stuck: str = "",
) -> Made:
    """What is done for each matrix as a whole; ``sizes``: of the arrays that it needs."""
    (x,) = setting.operands
    rows, columns = x.shape[-2:]
    batch = Batch(x.shape[:-2])
    cut = over_batch(batch, 8 * rows * columns * min(rows, columns), setting)
    size, arrays = scratch(sizes)
    function = Function(name, summary, cut, [*batch.indices(), *lines], arrays)
    errors = [("RuntimeError", stuck)] if stuck else []
    names = ["x", *results]
    return Job(setting, names, [function], [size * cut.tasks], errors, frozenset(helpers)).made()


def eigh(name: str, setting: Setting) -> Made:
    """The eigenvalues of symmetric matrices, ascending, and their eigenvectors in columns."""
    op, (x,), (values, vectors) = setting.node.op, setting.operands, setting.results
    assert isinstance(op, Eigh)
    n, batch = x.shape[-1], Batch(x.shape[:-2])
    lines = [
        *read("a", "x", batch, x, by_columns=True),
        f"if (!symmetric_eigen({n}, {int(op.upper)}, a, d, z, work)) fail(check, 0);",
        *write_vector("values", batch, values, "d[i]"),
        *write("vectors", batch, vectors, f"z[{n} * j + i]"),
    ]
    return _whole(
        name,
        setting,
        ["values", "vectors"],
        f"Eigenvalues and eigenvectors of {batch.count} symmetric matrices of {n} x {n}.",
        {"a": n * n, "z": n * n, "d": n, "work": 3 * n},
        lines,
        {"symmetric_eigen"},
        STUCK.format("eigh", "eigen"),
    )


def _singular(setting: Setting, full: bool) -> tuple[dict[str, int], list[str], str, str]:
    """Arrays and statements of the decomposition, and the rows of left and right vectors."""
    (x,) = setting.operands
    rows, columns = x.shape[-2:]
    batch, wide = Batch(x.shape[:-2]), x.shape[-2] < x.shape[-1]
    high, low = max(rows, columns), min(rows, columns)
    count = high if full else low
    sizes = {
        "a": rows * columns,
        "tall": count * high,
        "flat": low * low,
        "s": low,
        "work": low * (3 * low + 7) + high * (count + 1),
    }
    lines = [
        *read("a", "x", batch, x, by_columns=not wide),
        f"if (!singular_vectors({high}, {low}, {int(wide)}, a, {count}, tall, s, flat, work))",
        "    fail(check, 0);",
    ]
    return sizes, lines, *(("flat", "tall") if wide else ("tall", "flat"))


def svd(name: str, setting: Setting) -> Made:
    """u, s and v transposed, s descending."""
    op, (x,), (u, s, v) = setting.node.op, setting.operands, setting.results
    assert isinstance(op, Svd)
    rows, columns = x.shape[-2:]
    batch = Batch(x.shape[:-2])
    sizes, lines, left, right = _singular(setting, op.full)
    lines += [
        *write("u", batch, u, f"{left}[{rows} * j + i]"),
        *write_vector("values", batch, s, "s[i]"),
        *write("v", batch, v, f"{right}[{columns} * i + j]"),
    ]
    what = f"Singular values and vectors of {batch.count} matrices of {rows} x {columns}."
    stuck = STUCK.format("svd", "singular")
    results = ["u", "values", "v"]
    return _whole(name, setting, results, what, sizes, lines, {"singular_values"}, stuck)


def pseudo_inverse(name: str, setting: Setting) -> Made:
    """The pseudo-inverses, by singular values or by eigenvalues."""
    op, (x,), (out,) = setting.node.op, setting.operands, setting.results
    assert isinstance(op, PseudoInverse)
    rows, columns = x.shape[-2:]
    count, batch = min(rows, columns), Batch(x.shape[:-2])
    if op.symmetric:
        sizes = {"a": rows * rows, "z": rows * rows, "s": rows, "work": 3 * rows}
        lines = [
            *read("a", "x", batch, x, by_columns=True),
            f"if (!symmetric_eigen({rows}, 0, a, s, z, work)) fail(check, 0);",
        ]
        left = right = "z"
    else:
        sizes, lines, left, right = _singular(setting, False)
    lines += [
        "double least = 0;",
        f"for (long k = 0; k < {count}; k++) least = fmax(least, fabs(s[k]));",
        f"least = fmax({op.atol!r}, {op.rtol!r} * least);",
        f"for (long i = 0; i < {rows * columns}; i++) product[i] = 0;",
        f"for (long k = 0; k < {count}; k++)",
        f"    for (long i = 0; i < {columns}; i++)",
        "        if (fabs(s[k]) > least)",
        f"            add_scaled({rows}, {right}[{columns} * k + i] / s[k], {left} + {rows} * k,"
        f" product + {rows} * i);",
        *write("out", batch, out, f"product[{rows} * i + j]"),
    ]
    helper = "symmetric_eigen" if op.symmetric else "singular_values"
    return _whole(
        name,
        setting,
        ["out"],
        f"The pseudo-inverses of {batch.count} matrices of {rows} x {columns}.",
        {**sizes, "product": rows * columns},
        lines,
        {helper},
        STUCK.format("pinv", "singular"),
    )


def qr(name: str, setting: Setting) -> Made:
    """q and r with q @ r = x."""
    op, (x,), (q, r) = setting.node.op, setting.operands, setting.results
    assert isinstance(op, Qr)
    rows, columns = x.shape[-2:]
    low, count, batch = min(rows, columns), q.shape[-1], Batch(x.shape[:-2])
    lines = [
        *read("a", "x", batch, x, by_columns=True),
        f"qr_factor({rows}, {columns}, a, diagonal, f);",
        *write("r", batch, r, f"i < j ? a[{rows} * j + i] : i == j ? diagonal[i] : 0"),
        f"qr_columns({rows}, {low}, a, f, {count}, orthonormal);",
        *write("q", batch, q, f"orthonormal[{rows} * j + i]"),
    ]
    return _whole(
        name,
        setting,
        ["q", "r"],
        f"Orthonormal columns and upper triangles of {batch.count} matrices of {rows} x {columns}.",
        {"a": rows * columns, "orthonormal": rows * count, "diagonal": low, "f": low},
        lines,
        {"householder"},
    )
