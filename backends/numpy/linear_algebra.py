"""Which function of numpy.linalg computes each primitive of linear algebra."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphc.backends.numpy.special.common import Rendered
from graphc.ir.node import Node
from graphc.kernels_templates import render
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

_STUCK = (
    "linalg.{}: The algorithm failed to converge because the input matrix is ill-conditioned or "
    "has too many repeated {} values."
)


def _origin(node: Node, otherwise: str) -> str:
    """What made the node, for the first line of its function."""
    return str(node.origin) if node.origin.function else otherwise


def _checked(template: str, otherwise: str) -> Callable[[str, Node], Rendered]:
    def rendered(name: str, node: Node) -> Rendered:
        op = node.op
        assert isinstance(op, Inverse | Solve | Cholesky)
        text = render(
            template,
            name=name,
            origin=_origin(node, otherwise),
            check=op.check,
            batched=node.inputs[0].rank > 2,
        )
        return Rendered(text)

    return rendered


def _solve_triangular(name: str, node: Node) -> Rendered:
    op, (a, _) = node.op, node.inputs
    assert isinstance(op, SolveTriangular)
    count = a.shape[-1]
    text = render(
        "solve_triangular.numpy.j2",
        name=name,
        origin=_origin(node, "Triangular equations."),
        rows=f"reversed(range({count}))" if op.upper else f"range({count})",
        known="i + 1 :" if op.upper else ":i",
        unit=op.unit,
    )
    return Rendered(text)


def _decomposition(
    summary: str, outs: tuple[str, ...], call: Callable[[Any], str], failed: str = ""
) -> Callable[[str, Node], Rendered]:
    def rendered(name: str, node: Node) -> Rendered:
        text = render(
            "decomposition.numpy.j2",
            name=name,
            origin=_origin(node, summary),
            summary=summary,
            outs=outs,
            call=call(node.op),
            failed=failed,
        )
        return Rendered(text)

    return rendered


LINEAR_ALGEBRA: dict[str, Callable[[str, Node], Rendered]] = {
    Inverse.name: _checked("inverse.numpy.j2", "Inverses."),
    Solve.name: _checked("solve.numpy.j2", "Linear equations."),
    Cholesky.name: _checked("cholesky.numpy.j2", "Cholesky factors."),
    SolveTriangular.name: _solve_triangular,
    Determinant.name: _decomposition("Determinants.", ("out",), lambda op: "np.linalg.det(x)"),
    LogDeterminant.name: _decomposition(
        "Signs and logarithms of determinants.",
        ("signs", "logarithms"),
        lambda op: "np.linalg.slogdet(x)",
    ),
    Eigh.name: _decomposition(
        "Eigenvalues and eigenvectors of symmetric matrices.",
        ("values", "vectors"),
        lambda op: f'np.linalg.eigh(x, "{"U" if op.upper else "L"}")',
        _STUCK.format("eigh", "eigen"),
    ),
    Svd.name: _decomposition(
        "Singular values and vectors.",
        ("u", "s", "v"),
        lambda op: f"np.linalg.svd(x, full_matrices={op.full})",
        _STUCK.format("svd", "singular"),
    ),
    PseudoInverse.name: _decomposition(
        "Pseudo-inverses.",
        ("out",),
        lambda op: f"pseudo_inverse(x, {op.atol}, {op.rtol}, {op.symmetric})",
        _STUCK.format("pinv", "singular"),
    ),
    Qr.name: _decomposition(
        "Orthonormal columns and an upper triangle.",
        ("q", "r"),
        lambda op: f'np.linalg.qr(x, "{"complete" if op.complete else "reduced"}")',
    ),
}
"""By the op's name: from a name and the node to ``def name(*operands, *outs)``."""
LINEAR_FUNCTIONS = {
    "zero_pivot": '''
def zero_pivot(matrix):
    """Which pivot of elimination with row exchanges is zero, counted from one."""
    rows = matrix.copy()
    for k in range(len(rows)):
        best = k + np.abs(rows[k:, k]).argmax()
        if rows[best, k] == 0:
            return k + 1
        rows[[k, best]] = rows[[best, k]]
        rows[k + 1 :, k:] -= np.outer(rows[k + 1 :, k] / rows[k, k], rows[k, k:])
    return len(rows)
''',
    "pseudo_inverse": '''
def pseudo_inverse(x, atol, rtol, symmetric):
    """The pseudo-inverses of matrices, by their singular values or eigenvalues."""
    if symmetric:
        values, u = np.linalg.eigh(x)
        v = np.swapaxes(u, -1, -2)
    else:
        u, values, v = np.linalg.svd(x, full_matrices=False)
    sizes = np.abs(values)
    least = np.maximum(atol, rtol * sizes.max(-1, keepdims=True, initial=0))
    scale = np.divide(1, values, where=sizes > least, out=np.zeros_like(values))
    return np.swapaxes(v, -1, -2) * scale[..., None, :] @ np.swapaxes(u, -1, -2)
''',
    "indefinite_minor": '''
def indefinite_minor(matrix):
    """The order of the first leading minor that is not positive."""
    for order in range(1, len(matrix)):
        try:
            np.linalg.cholesky(matrix[:order, :order])
        except np.linalg.LinAlgError:
            return order
    return len(matrix)
''',
}
"""Definitions for the generated module."""
