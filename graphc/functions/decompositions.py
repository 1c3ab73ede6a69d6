"""Determinants, inverses and decompositions of matrices, as the user calls them."""

from __future__ import annotations

import warnings
from typing import Any

from graphc.errors import GraphcRuntimeError
from graphc.functions.operands import C_NAMES, not_implemented
from graphc.functions.return_types import return_type
from graphc.ir.dtype import float32, float64
from graphc.ir.node import Item, Node, elementwise
from graphc.ir.types import TensorType
from graphc.ops.elementwise import where
from graphc.ops.function import function
from graphc.ops.linalg import Cholesky, Determinant, Eigh, Inverse, LogDeterminant, Qr, Svd
from graphc.ops.matmul import transposed
from graphc.ops.movement import zeros
from graphc.ops.sloped import without_derivative

_OLD_CHOLESKY = (
    "torch.cholesky is deprecated in favor of torch.linalg.cholesky and will be removed in a "
    "future PyTorch release."
)


_OLD_QR = (
    "torch.qr is deprecated in favor of torch.linalg.qr and will be removed in a future PyTorch "
    "release."
)


def check_matrix(name: str, x: Node, argument: str = "A") -> None:
    """Raise where a tensor holds no matrices."""
    if x.rank < 2:
        raise GraphcRuntimeError(
            f"{name}: The input tensor {argument} must have at least 2 dimensions."
        )


def check_square(name: str, x: Node) -> None:
    """Raise where a tensor holds no square matrices."""
    check_matrix(name, x)
    if x.shape[-1] != x.shape[-2]:
        raise GraphcRuntimeError(
            f"{name}: A must be batches of square matrices, but they are "
            f"{x.shape[-2]} by {x.shape[-1]} matrices"
        )


def check_floating(name: str, x: Node) -> None:
    """Raise where the elements are no floating-point numbers."""
    if not x.dtype.is_inexact:
        raise GraphcRuntimeError(
            f"{name}: Expected a floating point or complex tensor as input. Got "
            f"{C_NAMES[x.dtype.name]}"
        )


def check_kernel(kernel: str, x: Node) -> None:
    """Raise where there is no algorithm for an element type."""
    if x.dtype not in (float32, float64):
        raise not_implemented(kernel, x.dtype)


def _check_wide(name: str, x: Node) -> None:
    check_floating(name, x)
    if x.dtype not in (float32, float64):
        raise GraphcRuntimeError(
            f"{name}: Low precision dtypes not supported. Got {C_NAMES[x.dtype.name]}"
        )


# -- determinants and inverses -----------------------------------------------------------------


@function(grad_name="LinalgDetBackward0")
def det(input: Node) -> Node:
    """The determinants."""
    return linalg_det(input)


@function(method=False, namespace=False)
def linalg_det(A: Node) -> Node:
    """The determinants."""
    check_square("linalg.det", A)
    check_floating("linalg.det", A)
    check_kernel("lu_cpu", A)
    return Determinant()(A)


def _log_determinant(name: str, A: Node) -> tuple[Node, Node]:
    check_square(name, A)
    _check_wide(name, A)
    both = LogDeterminant()(A)
    return Item(0)(both), Item(1)(both)


@function(method=False, namespace=False)
def linalg_slogdet(A: Node) -> tuple[Node, Node]:
    """The signs of the determinants, and the logarithms of their sizes."""
    kind = return_type("linalg_slogdet", "sign", "logabsdet")
    return kind(*_log_determinant("linalg.slogdet", A))  # type: ignore[no-any-return]


@function(grad_name="LinalgSlogdetBackward0")
def slogdet(input: Node) -> tuple[Node, Node]:
    """The signs of the determinants, and the logarithms of their sizes."""
    kind = return_type("slogdet", "sign", "logabsdet")
    return kind(*_log_determinant("linalg.slogdet", input))  # type: ignore[no-any-return]


@function(grad_name="WhereBackward0")
def logdet(input: Node) -> Node:
    """The logarithms of the determinants; nan where these are negative."""
    sign, logarithm = _log_determinant("logdet", input)
    return where(elementwise("eq", sign, -1), float("nan"), logarithm)


def _inverse(name: str, A: Node, check: bool) -> tuple[Node, Node]:
    check_square(name, A)
    _check_wide(name, A)
    both = Inverse(name if check else "")(A)
    return Item(0)(both), Item(1)(both)


@function(grad_name="LinalgInvExBackward0")
def inverse(input: Node) -> Node:
    """The inverses; singular matrices raise."""
    return _inverse("linalg.inv", input, True)[0]


@function(method=False, namespace=False, grad_name="LinalgInvExBackward0")
def linalg_inv(A: Node) -> Node:
    """The inverses; singular matrices raise."""
    return _inverse("linalg.inv", A, True)[0]


@function(method=False, namespace=False)
def linalg_inv_ex(A: Node, *, check_errors: bool = False) -> tuple[Node, Node]:
    """The inverses, and 0 or which pivot is zero."""
    kind = return_type("linalg_inv_ex", "inverse", "info")
    return kind(*_inverse("linalg.inv_ex", A, check_errors))  # type: ignore[no-any-return]


# -- symmetric matrices ------------------------------------------------------------------------


def _factor(name: str, A: Node, upper: bool, check: bool) -> tuple[Node, Node]:
    check_square(name, A)
    both = Cholesky(name if check else "")(transposed(A) if upper else A)
    factor = Item(0)(both)
    return transposed(factor) if upper else factor, Item(1)(both)


@function(grad_name="CholeskyBackward0")
def cholesky(input: Node, upper: bool = False) -> Node:
    """Lower triangular L with L · Lᵀ = A, or its transpose if ``upper``."""
    warnings.warn(_OLD_CHOLESKY, stacklevel=5)
    check_square("cholesky", input)
    check_kernel("cholesky_cpu", input)
    return _factor("cholesky", input, upper, True)[0]


@function(method=False, namespace=False, grad_name="LinalgCholeskyExBackward0")
def linalg_cholesky(A: Node, *, upper: bool = False) -> Node:
    """Lower triangular L with L · Lᵀ = A, or its transpose if ``upper``."""
    check_square("linalg.cholesky", A)
    check_floating("linalg.cholesky", A)
    check_kernel("cholesky_cpu", A)
    return _factor("linalg.cholesky", A, upper, True)[0]


@function(method=False, namespace=False)
def linalg_cholesky_ex(
    A: Node, *, upper: bool = False, check_errors: bool = False
) -> tuple[Node, Node]:
    """The Cholesky factors, and 0 or the order of the first minor that is not positive."""
    check_square("linalg.cholesky_ex", A)
    check_floating("linalg.cholesky_ex", A)
    check_kernel("cholesky_cpu", A)
    kind = return_type("linalg_cholesky_ex", "L", "info")
    return kind(*_factor("linalg.cholesky_ex", A, upper, check_errors))  # type: ignore[no-any-return]


def _symmetric(A: Node, UPLO: str) -> tuple[Node, Node]:
    check_square("linalg.eigh", A)
    if UPLO.upper() not in ("L", "U"):
        raise GraphcRuntimeError(f"Expected UPLO argument to be 'L' or 'U', but got {UPLO}")
    check_kernel("linalg_eigh_cpu", A)
    both = Eigh(UPLO.upper() == "U")(A)
    return Item(0)(both), Item(1)(both)


@function(method=False, namespace=False)
def linalg_eigh(A: Node, UPLO: str = "L") -> tuple[Node, Node]:
    """The eigenvalues of symmetric matrices, ascending, and the eigenvectors in columns."""
    kind = return_type("linalg_eigh", "eigenvalues", "eigenvectors")
    return kind(*_symmetric(A, UPLO))  # type: ignore[no-any-return]


@function(method=False, namespace=False, grad_name="LinalgEighBackward0")
def linalg_eigvalsh(A: Node, UPLO: str = "L") -> Node:
    """The eigenvalues of symmetric matrices, ascending."""
    return _symmetric(A, UPLO)[0]


# -- singular values and orthonormal columns ---------------------------------------------------


def singular_values(name: str, A: Node) -> Node:
    """The singular values, descending."""
    check_matrix(name, A)
    check_floating(name, A)
    check_kernel("linalg_svd_cpu", A)
    return Item(1)(Svd()(A))


@function(method=False, namespace=False)
def linalg_svd(A: Node, full_matrices: bool = True, *, driver: str | None = None) -> Any:
    """U, S and Vᵀ with U · diag(S) · Vᵀ = A; U and V square if ``full_matrices``."""
    _check_driver(driver)
    check_matrix("linalg.svd", A)
    check_floating("linalg.svd", A)
    check_kernel("linalg_svd_cpu", A)
    found = Svd(full_matrices)(A)
    return return_type("linalg_svd", "U", "S", "Vh")(*(Item(i)(found) for i in range(3)))


@function(method=False, namespace=False, grad_name="LinalgSvdBackward0")
def linalg_svdvals(A: Node, *, driver: str | None = None) -> Node:
    """The singular values, descending."""
    _check_driver(driver)
    return singular_values("linalg.svd", A)


def _check_driver(driver: str | None) -> None:
    if driver is not None:
        raise GraphcRuntimeError(
            "torch.linalg.svd: keyword argument `driver=` is only supported on CUDA inputs with "
            "cuSOLVER backend."
        )


def _svd_names(input: Any, some: bool = True, compute_uv: bool = True) -> tuple[str, ...]:
    return "LinalgSvdBackward0", "LinalgSvdBackward0", "TransposeBackward0"


@function(grad_name=_svd_names)
def svd(input: Node, some: bool = True, compute_uv: bool = True) -> Any:
    """U, S and V with U · diag(S) · Vᵀ = A; U and V square unless ``some`` of their columns do."""
    if input.rank < 2:
        raise GraphcRuntimeError(
            "linalg.svd: input should have at least 2 dimensions, but has "
            f"{input.rank} dimensions instead"
        )
    kind = return_type("svd", "U", "S", "V")
    if not compute_uv:
        *batch, rows, columns = input.shape
        sides = [zeros(TensorType((*batch, n, n), input.dtype)) for n in (rows, columns)]
        return kind(sides[0], singular_values("linalg.svd", input), sides[1])
    u, s, v = linalg_svd(input, not some)
    return kind(u, s, transposed(v))


def _qr(input: Node, mode: str) -> tuple[Node, Node]:
    check_matrix("linalg.qr", input)
    check_floating("linalg.qr", input)
    check_kernel("geqrf_cpu", input)
    if mode not in ("reduced", "r", "complete"):
        raise GraphcRuntimeError(
            f"qr received unrecognized mode '{mode}' but expected one of 'reduced' (default), 'r', "
            "or 'complete'"
        )
    both = Qr(mode == "complete")(input)
    if mode != "r":
        return Item(0)(both), Item(1)(both)
    missing = (
        "The derivative of linalg.qr depends on Q, which is not computed when mode='r'. Please "
        "use linalg.qr(A, mode='reduced') if you are going to differentiate through linalg.qr."
    )
    parts = zeros(TensorType((0,), input.dtype)), Item(1)(both)
    q, r = (without_derivative(missing, x, input) for x in parts)
    return q, r


@function(method=False, namespace=False)
def linalg_qr(A: Node, mode: str = "reduced") -> tuple[Node, Node]:
    """Q with orthonormal columns and upper triangular R with Q · R = A."""
    return return_type("linalg_qr", "Q", "R")(*_qr(A, mode))  # type: ignore[no-any-return]


@function(grad_name="LinalgQrBackward0")
def qr(input: Node, some: bool = True) -> tuple[Node, Node]:
    """Q with orthonormal columns and upper triangular R with Q · R = A; Q square unless some."""
    warnings.warn(_OLD_QR, stacklevel=5)
    mode = "reduced" if some else "complete"
    return return_type("qr", "Q", "R")(*_qr(input, mode))  # type: ignore[no-any-return]
