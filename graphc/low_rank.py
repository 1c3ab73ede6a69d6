"""The largest singular values of matrices, found from products with random vectors."""

from __future__ import annotations

from graphc.errors import GraphcValueError
from graphc.sampling import randn
from graphc.surface import LIFTED
from graphc.tensor import Tensor

Three = tuple[Tensor, Tensor, Tensor]


def svd_lowrank(
    A: Tensor, q: int | None = 6, niter: int | None = 2, M: Tensor | None = None
) -> Three:
    """U, S and V of about the ``q`` largest singular values of A, or of A - M."""
    if M is not None:
        A = A - M
    wide = A.shape[-2] < A.shape[-1]
    A = A.mT if wide else A
    basis = _basis(A, 6 if q is None else q, 2 if niter is None else niter)
    u, s, v = LIFTED["linalg_svd"](basis.mT @ A, full_matrices=False)
    u, v = basis @ u, v.mT
    return (v, s, u) if wide else (u, s, v)


def _basis(A: Tensor, q: int, niter: int) -> Tensor:
    """Orthonormal columns that span about what the largest singular vectors do."""
    noise = randn(A.shape[-1], q, dtype=A.dtype, device=A.device)
    found: Tensor = LIFTED["linalg_qr"](A @ noise)[0]
    for _ in range(niter):
        found = LIFTED["linalg_qr"](A.mT @ found)[0]
        found = LIFTED["linalg_qr"](A @ found)[0]
    return found


def pca_lowrank(A: Tensor, q: int | None = None, center: bool = True, niter: int = 2) -> Three:
    """The principal components of the rows of A, whose mean is taken away if ``center``."""
    least = min(A.shape[-2:])
    if q is not None and not 0 <= q <= least:
        raise GraphcValueError(
            f"q(={q}) must be non-negative integer and not greater than min(m, n)={least}"
        )
    if niter < 0:
        raise GraphcValueError(f"niter(={niter}) must be non-negative integer")
    found = A - A.mean(dim=(-2,), keepdim=True) if center else A
    return svd_lowrank(found, min(6, least) if q is None else q, niter)


NAMESPACE = {f.__name__: f for f in (svd_lowrank, pca_lowrank)}
"""What the package offers by name."""
