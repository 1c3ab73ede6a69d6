"""Solutions of equations, inverses, determinants and Cholesky factors."""

from __future__ import annotations

from collections.abc import Sequence

from graphc.backends.cuda.cells import spelled
from graphc.backends.cuda.made import Made, Maker, Setting, blocks
from graphc.backends.cuda.matrices import (
    BARRIER,
    NAN,
    SHARED,
    Array,
    Matrices,
    each_element,
    threads_of,
    unless_empty,
)
from graphc.backends.cuda.rows import WARP
from graphc.ir.types import Shape
from graphc.lowering.operands import Operand
from graphc.ops.linalg import (
    Cholesky,
    Determinant,
    Inverse,
    LogDeterminant,
    Solve,
    SolveTriangular,
)

COLUMNS = 8
"""Right-hand sides of a block, which has a warp for each."""


def inverse(name: str, setting: Setting) -> Made:
    """The inverses, and which pivots are zero."""
    op = setting.node.op
    assert isinstance(op, Inverse)
    message = (
        "The diagonal element {} is zero, the inversion could not be completed because the input "
        "matrix is singular."
    )
    return _by_elimination(name, setting, op.check, message)


def solve(name: str, setting: Setting) -> Made:
    """x with a @ x = b, and which pivots are zero."""
    op = setting.node.op
    assert isinstance(op, Solve)
    message = "The solver failed because the input matrix is singular."
    return _by_elimination(name, setting, op.check, message)


def _errors(check: str, message: str, batch: Shape) -> list[tuple[str, str]]:
    """What raises where something is wrong, for ``Matrices.first_failed``."""
    if not check or 0 in batch:
        return []
    element = "(Batch element {place}): " if batch else ""
    return [("RuntimeError", f"{check}: {element}{message}")]


def _eliminated(matrices: Matrices, a: Operand, threads: int) -> list[str]:
    """Statements that find the factors of ``a``, the ``pivots`` and whether it is ``singular``."""
    matrices.helpers.add("lu_factor")
    return [
        *matrices.read("a", "a0", a, threads),
        BARRIER,
        f"const int singular = lu_factor<{threads}>({a.shape[-1]}, a, pivots);",
    ]


def _factored(matrices: Matrices, a: Operand, info: Operand) -> None:
    """A function that leaves ``factors`` and ``all_pivots`` of each matrix, and ``info``."""
    n, threads = a.shape[-1], threads_of(a.shape[-1], a.shape[-1])
    matrices.space("factors", "double", 8 * n * n * matrices.count)
    matrices.space("all_pivots", "int", 4 * n * matrices.count)
    own = f"double *const {{}} = factors + {n * n}L * matrix;"
    pivots = f"int *const pivots = all_pivots + {n}L * matrix;"
    # Factors come to be where they are kept, unless there is something faster.
    if 8 * n * n <= SHARED:
        lines = [own.format("kept"), pivots, *matrices.arrays({"a": Array(n * n)})]
        copied = each_element(a.shape, threads, "kept[at] = a[at];")
    else:
        lines, copied = [own.format("a"), pivots], []
    told = f"if (thread == 0) {matrices.element('out1', info)} = singular;"
    matrices.matrix(
        f"The factors of {spelled(a.shape)} numbers, by elimination with row exchanges.",
        [*lines, *_eliminated(matrices, a, threads), told, *copied],
        threads,
        suffix="_factors",
    )


def _by_elimination(name: str, setting: Setting, check: str, message: str) -> Made:
    """Factors of every matrix, then solutions, and then what was wrong."""
    a, (x, info) = setting.operands[0], setting.results
    n, batch = a.shape[-1], a.shape[:-2]
    matrices = Matrices(name, setting, batch)
    _factored(matrices, a, info)
    matrices.over(x.shape[:-2])
    number = matrices.number(batch)
    singular = f"{matrices.element('out1', info)} != 0"
    own = f"factors + {n * n}L * ({number}), all_pivots + {n}L * ({number})"
    matrices.helpers.add("lu_solve")
    call = f"lu_solve({n}, {own}, column);"
    _solutions(
        matrices,
        [f"const bool singular = {singular};", f"if (!singular) {call}"],
        f"singular ? {NAN} : ",
    )
    errors = _errors(check, message, batch)
    if errors:
        matrices.over(batch)
        matrices.first_failed(matrices.element("out1", info))
    return matrices.made(errors)


def _solutions(matrices: Matrices, lines: Sequence[str], unless: str = "") -> None:
    """A function that has a warp for each right-hand side: what it does with ``column``."""
    operands, x = matrices.setting.operands, matrices.setting.results[0]
    n, m = x.shape[-2:]
    each = min(m, COLUMNS)
    given = matrices.element("a1", operands[1], "i", "j") if len(operands) > 1 else "i == j"
    put = matrices.element("out0", x, "i", "j")
    parts = blocks(m, COLUMNS)
    matrices.matrix(
        f"{spelled(x.shape)} numbers of solutions, by a warp for each column.",
        [
            *matrices.arrays({"columns": Array(n * each)}, parts),
            f"const int j = blockIdx.x % {parts} * {each} + warp;",
            f"if (j >= {m}) return;",
            f"double *const column = columns + {n} * warp;",
            f"for (int i = lane; i < {n}; i += {WARP}) column[i] = {given};",
            "__syncwarp();",
            *lines,
            f"for (int i = lane; i < {n}; i += {WARP}) {put} = {unless}column[i];",
        ],
        WARP * each,
        each=parts,
    )


def solve_triangular(name: str, setting: Setting) -> Made:
    """x with a @ x = b, of one triangle of a."""
    op, a, x = setting.node.op, setting.operands[0], setting.results[0]
    assert isinstance(op, SolveTriangular)
    n, batch = a.shape[-1], a.shape[:-2]
    matrices = Matrices(name, setting, batch)
    matrices.space("triangles", "double", 8 * n * n * matrices.count)
    line = f"triangles[{n * n}L * matrix + at] = {matrices.element('a0', a, 'i', 'j')};"
    threads = 8 * WARP
    matrices.matrix(
        f"{spelled(a.shape)} numbers, column by column.",
        each_element(a.shape, threads, line),
        threads,
        suffix="_columns",
    )
    matrices.over(x.shape[:-2])
    function = f"solve_{'upper' if op.upper else 'lower'}"
    matrices.helpers.add(function)
    triangle = f"triangles + {n * n}L * ({matrices.number(batch)})"
    _solutions(matrices, [f"{function}({n}, {triangle}, {str(op.unit).lower()}, column);"])
    return matrices.made()


def _of_factors(name: str, setting: Setting, summary: str, lines: Sequence[str]) -> Made:
    """What one thread finds of the factors of each matrix."""
    a = setting.operands[0]
    n = a.shape[-1]
    matrices, threads = Matrices(name, setting, a.shape[:-2]), threads_of(n, n)
    matrices.matrix(
        f"{summary} of {spelled(a.shape)} numbers, by elimination with row exchanges.",
        [
            *matrices.arrays({"a": Array(n * n), "pivots": Array(n, "int")}),
            *_eliminated(matrices, a, threads),
            "if (thread != 0) return;",
            *lines,
            *(
                f"{matrices.element(f'out{i}', x)} = value{i};"
                for i, x in enumerate(setting.results)
            ),
        ],
        threads,
    )
    return matrices.made()


def determinant(name: str, setting: Setting) -> Made:
    """The determinants."""
    n = setting.operands[0].shape[-1]
    lines = [
        "double product = 1;",
        f"for (int i = 0; i < {n}; i++)",
        f"    product *= pivots[i] == i ? a[{n + 1}L * i] : -a[{n + 1}L * i];",
        "const double value0 = singular ? 0 : product;",
    ]
    return _of_factors(name, setting, "The determinants", lines)


def log_determinant(name: str, setting: Setting) -> Made:
    """The signs of the determinants, and the logarithms of their sizes."""
    n = setting.operands[0].shape[-1]
    lines = [
        "double sign = 1, sum = 0;",
        f"for (int i = 0; i < {n}; i++) {{",
        f"    const double pivot = a[{n + 1}L * i];",
        "    if ((pivot < 0) != (pivots[i] != i)) sign = -sign;",
        "    sum += log(fabs(pivot));",
        "}",
        "if (sum != sum) sign = sum;",
        "const double value0 = singular ? 0 : sign;",
        "const double value1 = singular ? -__builtin_inf() : sum;",
    ]
    return _of_factors(name, setting, "Signs and logarithms of the determinants", lines)


def cholesky(name: str, setting: Setting) -> Made:
    """The factors, and which leading minors are not positive."""
    op, a, (x, info) = setting.node.op, setting.operands[0], setting.results
    assert isinstance(op, Cholesky)
    n, batch = a.shape[-1], a.shape[:-2]
    message = (
        "The factorization could not be completed because the input is not positive-definite (the "
        "leading minor of order {} is not positive-definite)."
    )
    matrices, threads = Matrices(name, setting, batch), threads_of(n, n)
    matrices.helpers.add("cholesky_factor")
    wrong = matrices.element("out1", info)
    matrices.matrix(
        f"The Cholesky factors of {spelled(a.shape)} numbers.",
        [
            *matrices.arrays({"a": Array(n * n)}),
            *matrices.read("a", "a0", a, threads),
            BARRIER,
            f"const int wrong = cholesky_factor<{threads}>({n}, a);",
            f"if (thread == 0) {wrong} = wrong;",
            *matrices.write("out0", x, f"wrong ? {NAN} : j > i ? 0 : a[at]", threads),
        ],
        threads,
    )
    errors = _errors(op.check, message, batch)
    if errors:
        matrices.first_failed(wrong)
    return matrices.made(errors)


LINEAR_ALGEBRA: dict[str, Maker] = unless_empty(
    {
        Inverse.name: inverse,
        Solve.name: solve,
        SolveTriangular.name: solve_triangular,
        Determinant.name: determinant,
        LogDeterminant.name: log_determinant,
        Cholesky.name: cholesky,
    }
)
"""By the op's name."""
