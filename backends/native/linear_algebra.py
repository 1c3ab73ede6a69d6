"""Solutions and decompositions of matrices, in double precision whatever the operands are."""

from __future__ import annotations

from graphc.backends.native.decompositions import eigh, pseudo_inverse, qr, svd
from graphc.backends.native.made import Made, Maker, Setting
from graphc.backends.native.matrices import (
    NAMES,
    Batch,
    Function,
    Job,
    over_batch,
    read,
    scratch,
    write,
)
from graphc.backends.native.windows import NOTHING, Split, spelled
from graphc.lowering.operands import Operand
from graphc.ops.linalg import (
    Cholesky,
    Determinant,
    Eigh,
    Inverse,
    LogDeterminant,
    PseudoInverse,
    Qr,
    Solve,
    SolveTriangular,
    Svd,
)

COLUMNS = 32
"""Right-hand sides that a task has at least, where those of one matrix are divided."""


def inverse(name: str, setting: Setting) -> Made:
    """The inverses, and which pivots are zero."""
    op = setting.node.op
    assert isinstance(op, Inverse)
    message = (
        "The diagonal element {} is zero, the inversion could not be completed because the input "
        "matrix is singular."
    )
    return _by_elimination(name, setting, op.check, message, numbered=True)


def solve(name: str, setting: Setting) -> Made:
    """x with a @ x = b, and which pivots are zero."""
    op = setting.node.op
    assert isinstance(op, Solve)
    message = "The solver failed because the input matrix is singular."
    return _by_elimination(name, setting, op.check, message, numbered=False)


def _by_elimination(name: str, setting: Setting, check: str, message: str, numbered: bool) -> Made:
    """Factors of every matrix, then solutions, and then what was wrong, in three stages."""
    a, (_, info) = setting.operands[0], setting.results
    b = setting.operands[1] if len(setting.operands) > 1 else None
    n, batch = a.shape[-1], Batch(a.shape[:-2])
    factors = over_batch(batch, n**3, setting)
    solutions, size, lines = _solutions(setting, b)
    names = ["a", "b", "x", "info"] if b else ["a", "x", "info"]
    store = f"info[{batch.place(info, 0)}]"
    errors = _errors(check, message, n, bool(batch.shape), numbered)
    functions = [
        Function(
            f"{name}_factors",
            f"The factors of matrices of {n} x {n}, by elimination with row exchanges.",
            factors,
            [
                *batch.indices(),
                *_factors(n, "unit"),
                *read("factors", "a", batch, a),
                f"{store} = (int32_t)lu_factor({n}, factors, pivots);",
            ],
        ),
        Function(
            name,
            f"{'Solutions' if b else 'Inverses'} by the factors; nan where a pivot is zero.",
            solutions,
            lines,
            scratch({"column": size}, "space2")[1],
        ),
        *_reports(name, batch, info, errors),
    ]
    work = [8 * n * n * batch.count, 8 * n * batch.count]
    work.append(scratch({"column": size})[0] * solutions.tasks)
    job = Job(setting, names, functions, work, errors, frozenset({"lu"}))
    return job.made()


def _factors(n: int, number: str) -> list[str]:
    return [
        f"double *factors = (double *)space0 + {n * n} * ({number});",
        f"long *pivots = (long *)space1 + {n} * ({number});",
    ]


def _solutions(setting: Setting, b: Operand | None) -> tuple[Split, int, list[str]]:
    """The units of work of solving, how large one's columns are, and its statements."""
    a, (x, info) = setting.operands[0], setting.results
    n, m, batch = a.shape[-1], x.shape[-1], Batch(x.shape[:-2])
    parts = _parts(batch.count, n, m, setting.threads)
    width = -(-m // parts)
    cut = over_batch(Batch((batch.count * parts,)), n * n * max(width, 1), setting)
    count = f"{m} - first < {width} ? {m} - first : {width}" if m % max(width, 1) else str(width)
    given = "i == first + j"
    if b is not None:
        given = f"b[{batch.element(b, column='(first + j)')}]"
    place = batch.element(x, column="(first + j)")
    loop = [f"for (long i = 0; i < {n}; i++)", "    for (long j = 0; j < some; j++)"]
    return (
        cut,
        n * width,
        [
            f"const long matrix = unit / {parts}, first = {spelled((width, f'(unit % {parts})'))};",
            f"const long some = {count};",
            *batch.indices("matrix"),
            *_factors(n, batch.number(a.shape[:-2])),
            *loop,
            f"        column[i * some + j] = {given};",
            f"const int singular = info[{batch.place(info, 0)}] != 0;",
            f"if (!singular) lu_solve({n}, some, factors, pivots, column);",
            *loop,
            f"        x[{place}] = singular ? NAN : column[i * some + j];",
        ],
    )


def _parts(matrices: int, n: int, m: int, threads: int) -> int:
    """Into how many parts the right-hand sides of each matrix are cut."""
    if threads == 1 or matrices >= 2 * threads or n * n * m < 64 * 1024:
        return 1
    return max(1, min(m // COLUMNS, -(-4 * threads // max(matrices, 1))))


def _errors(
    check: str, message: str, n: int, batched: bool, numbered: bool
) -> list[tuple[str, str]]:
    """What raises: for each pivot where the message tells the batch's element as well."""
    if not check:
        return []
    if not batched:
        return [("RuntimeError", f"{check}: {message}")]
    texts = [message.replace("{}", str(k + 1)) for k in range(n)] if numbered else [message]
    return [("RuntimeError", f"{check}: (Batch element {{}}): {text}") for text in texts]


def _reports(
    name: str, batch: Batch, info: Operand, errors: list[tuple[str, str]]
) -> list[Function]:
    """The stage that reports the first matrix with which something is wrong."""
    if not errors:
        return []
    first = f"info[{batch.place(info, 0)}]"
    number = f"check + {first} - 1" if len(errors) > 1 else "check"
    lines = [
        *batch.indices(),
        f"if ({first} == 0) continue;",
        f"fail({number}, {NAMES[0] if batch.shape else first});",
        "break;",
    ]
    return [
        Function(f"{name}_check", "Reports the first that failed.", Split(batch.count, 1), lines)
    ]


def solve_triangular(name: str, setting: Setting) -> Made:
    """x with a @ x = b, of one triangle of a."""
    op, (a, b), (x,) = setting.node.op, setting.operands, setting.results
    assert isinstance(op, SolveTriangular)
    n, m, batch = a.shape[-1], x.shape[-1], Batch(x.shape[:-2])
    cut = over_batch(batch, n * n * m, setting)
    size, arrays = scratch({"triangle": n * n, "column": n * m})
    function = f"solve_{'upper' if op.upper else 'lower'}"
    lines = [
        *batch.indices(),
        *read("triangle", "a", batch, a),
        *read("column", "b", batch, b),
        f"{function}({n}, {m}, triangle, {n}, {int(op.unit)}, column, {m});",
        *write("x", batch, x, f"column[{m} * i + j]"),
    ]
    what = f"Solutions with {'upper' if op.upper else 'lower'} triangular matrices of {n} x {n}."
    made = Function(name, what, cut, lines, arrays)
    return Job(
        setting, ["a", "b", "x"], [made], [size * cut.tasks], helpers=frozenset({"triangular"})
    ).made()


def determinant(name: str, setting: Setting) -> Made:
    """The determinants."""
    (a,), (x,) = setting.operands, setting.results
    n, batch = a.shape[-1], Batch(a.shape[:-2])
    return _eliminated(
        name,
        setting,
        ["x"],
        f"The determinants of matrices of {n} x {n}, by elimination with row exchanges.",
        [
            "double product = 1;",
            f"for (long i = 0; i < {n}; i++)",
            f"    product *= pivots[i] == i ? factors[{n + 1} * i] : -factors[{n + 1} * i];",
            f"x[{batch.place(x, 0)}] = singular ? 0 : product;",
        ],
    )


def log_determinant(name: str, setting: Setting) -> Made:
    """The signs of the determinants, and the logarithms of their sizes."""
    (a,), (signs, logarithms) = setting.operands, setting.results
    n, batch = a.shape[-1], Batch(a.shape[:-2])
    return _eliminated(
        name,
        setting,
        ["signs", "logarithms"],
        f"Signs and logarithms of determinants of {n} x {n}, by elimination with row exchanges.",
        [
            "double sign = 1, sum = 0;",
            f"for (long i = 0; i < {n}; i++) {{",
            f"    const double pivot = factors[{n + 1} * i];",
            "    sign *= (pivot < 0) != (pivots[i] != i) ? -1 : 1;",
            "    sum += log(fabs(pivot));",
            "}",
            "if (isnan(sum)) sign = sum;",
            f"signs[{batch.place(signs, 0)}] = singular ? 0 : sign;",
            f"logarithms[{batch.place(logarithms, 0)}] = singular ? -INFINITY : sum;",
        ],
    )


def _eliminated(
    name: str, setting: Setting, results: list[str], summary: str, lines: list[str]
) -> Made:
    """Something of the factors of each matrix."""
    (a,) = setting.operands
    n, batch = a.shape[-1], Batch(a.shape[:-2])
    cut = over_batch(batch, n**3, setting)
    size, arrays = scratch({"factors": n * n, "exchanged": n})
    function = Function(
        name,
        summary,
        cut,
        [
            *batch.indices(),
            *read("factors", "a", batch, a),
            f"const int singular = lu_factor({n}, factors, pivots) != 0;",
            *lines,
        ],
        [*arrays, "long *pivots = (long *)exchanged;"],
    )
    return Job(
        setting, ["a", *results], [function], [size * cut.tasks], helpers=frozenset({"lu"})
    ).made()


def cholesky(name: str, setting: Setting) -> Made:
    """The factors, and which leading minors are not positive."""
    op, (a,), (x, info) = setting.node.op, setting.operands, setting.results
    assert isinstance(op, Cholesky)
    n, batch = a.shape[-1], Batch(a.shape[:-2])
    message = (
        "The factorization could not be completed because the input is not positive-definite (the "
        "leading minor of order {} is not positive-definite)."
    )
    errors = _errors(op.check, message, n, bool(batch.shape), True)
    cut = over_batch(batch, n**3, setting)
    size, arrays = scratch({"factor": n * n, "panel": 32 * n})
    lines = [
        *batch.indices(),
        *read("factor", "a", batch, a),
        f"const long wrong = cholesky_factor({n}, factor, panel);",
        f"info[{batch.place(info, 0)}] = (int32_t)wrong;",
        *write("x", batch, x, f"wrong ? NAN : j > i ? 0 : factor[{n} * i + j]"),
    ]
    what = f"The Cholesky factors of {batch.count} matrices of {n} x {n}."
    functions = [Function(name, what, cut, lines, arrays), *_reports(name, batch, info, errors)]
    names, helpers = ["a", "x", "info"], frozenset({"cholesky"})
    return Job(setting, names, functions, [size * cut.tasks], errors, helpers).made()


def _unless_empty(maker: Maker) -> Maker:
    def made(name: str, setting: Setting) -> Made:
        return NOTHING if all(0 in x.shape for x in setting.results) else maker(name, setting)

    return made


_MAKERS: dict[str, Maker] = {
    Inverse.name: inverse,
    Solve.name: solve,
    SolveTriangular.name: solve_triangular,
    Determinant.name: determinant,
    LogDeterminant.name: log_determinant,
    Cholesky.name: cholesky,
    Eigh.name: eigh,
    Svd.name: svd,
    PseudoInverse.name: pseudo_inverse,
    Qr.name: qr,
}

LINEAR_ALGEBRA: dict[str, Maker] = {name: _unless_empty(maker) for name, maker in _MAKERS.items()}
"""By the op's name."""
