"""Norms, ranks, condition numbers and pseudo-inverses of matrices, as the user calls them."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from math import inf
from typing import Any

from graphc.errors import GraphcRuntimeError
from graphc.functions.decompositions import (
    check_floating,
    check_matrix,
    check_square,
    linalg_eigvalsh,
    singular_values,
)
from graphc.functions.norms import vector_norm
from graphc.functions.operands import C_NAMES, dtype_given
from graphc.functions.reduction import Dims, dropped, normal_dim, normal_dims
from graphc.functions.return_types import return_type
from graphc.functions.singular_values import spectral_norm
from graphc.ir.dtype import DType, Scalar, float32, float64, int64, promote
from graphc.ir.node import Item, Node, cast, elementwise, grad_mode
from graphc.ir.types import TensorType
from graphc.ops.elementwise import where
from graphc.ops.function import function
from graphc.ops.linalg import Inverse, PseudoInverse, product
from graphc.ops.movement import reshape, zeros
from graphc.ops.reduce import Max, Min, Sum
from graphc.ops.sloped import level

_OLD = (
    "at::{}_norm is deprecated and it is just left for JIT compatibility. It will be removed in a "
    "future PyTorch release. Please use `linalg.{}, dim, keepdim)` instead"
)
Order = Scalar | str | None


@function(method=False, namespace=False)
def linalg_vector_norm(
    x: Node,
    ord: Scalar = 2,
    dim: Dims = None,
    keepdim: bool = False,
    *,
    dtype: DType | None = None,
) -> Node:
    """(Σ |x|ᵖ)^(1/p) over ``dim``."""
    check_floating("linalg.vector_norm", x)
    wide = _widened("linalg.vector_norm", x, dtype)
    axes = normal_dims(dim, x.rank)
    if abs(ord) == inf or ord < 0:
        for axis in axes:
            if not x.shape[axis]:
                raise GraphcRuntimeError(
                    f"linalg.vector_norm cannot compute the {ord:g} norm on the dimension {axis}"
                    "because this dimension is empty and the operation does not have an identity"
                )
    return level(dropped(vector_norm(wide, float(ord), axes), axes, keepdim), x)


def _widened(name: str, x: Node, dtype: DType | None) -> Node:
    """``x`` in the type that is asked for, which holds its numbers."""
    if dtype is None:
        return x
    wide = dtype_given(dtype)
    if promote(x.dtype, wide) is not wide:
        raise GraphcRuntimeError(
            f"{name}: the dtype of the input ({C_NAMES[x.dtype.name]}) should be convertible "
            f"without narrowing to the specified dtype ({C_NAMES[wide.name]})"
        )
    return cast(x, wide)


def _matrix_step(ord: Order, keepdim: bool) -> str:
    if ord == "fro":
        return "LinalgVectorNormBackward0"
    if ord == "nuc":
        return "PermuteBackward0" if keepdim else "SumBackward1"
    if isinstance(ord, str) or ord is None:
        return "LinalgVectorNormBackward0"
    if abs(ord) == 2 and keepdim:
        return "PermuteBackward0"
    return "AmaxBackward0" if ord > 0 else "AminBackward0"


def _matrix_norm_name(
    A: Any, ord: Order = "fro", dim: Any = (-2, -1), keepdim: bool = False, **_: Any
) -> str:
    return _matrix_step(ord, keepdim)


@function(method=False, namespace=False, grad_name=_matrix_norm_name)
def linalg_matrix_norm(
    A: Node,
    ord: Any = "fro",
    dim: Sequence[int] = (-2, -1),
    keepdim: bool = False,
    *,
    dtype: DType | None = None,
) -> Node:
    """The norm of matrices: "fro", "nuc", or of order 1, 2, inf, -1, -2 or -inf."""
    check_matrix("linalg.matrix_norm", A)
    if len(dim) != 2:
        shown = " ".join(map(str, dim))
        raise GraphcRuntimeError(f"linalg.matrix_norm: dim must be a 2-tuple. Got {shown}")
    check_floating("linalg.matrix_norm", A)
    if ord not in ("fro", "nuc", 1, -1, 2, -2, inf, -inf):
        shown = ord if isinstance(ord, str) else f"{ord:g}"
        raise GraphcRuntimeError(f"linalg.matrix_norm: Order {shown} not supported.")
    rows, columns = (normal_dim(d, A.rank) for d in dim)
    if rows == columns:
        raise GraphcRuntimeError(
            f"linalg.matrix_norm: dims must be different. Got ({dim[0]}, {dim[1]})"
        )
    wide = _widened("linalg.matrix_norm", A, dtype)
    return matrix_norm(wide, ord, rows, columns, keepdim)


def matrix_norm(x: Node, ord: Any, rows: int, columns: int, keepdim: bool) -> Node:
    """The norm of the matrices over two dimensions."""
    axes = tuple(sorted((rows, columns)))
    if ord in (1, 2, inf) and not x.shape[rows] * x.shape[columns]:
        return dropped(Sum(axes)(x), axes, keepdim)
    if ord == "fro":
        return dropped(vector_norm(x, 2.0, axes), axes, keepdim)
    if ord in ("nuc", 2, -2):
        return dropped(spectral_norm(x, ord, rows, columns), axes, keepdim)
    first, second = (rows, columns) if abs(ord) == 1 else (columns, rows)
    sums = vector_norm(x, 1.0, (first,))
    return dropped((Max if ord > 0 else Min)((second,))(sums), axes, keepdim)


def _is_matrix_norm(A: Node, ord: Order, dim: Dims) -> bool:
    if isinstance(ord, str):
        return True
    if ord is None:
        return False
    return A.rank == 2 if dim is None else isinstance(dim, Sequence) and len(dim) == 2


def _norm_name(A: Any, ord: Order = None, dim: Any = None, keepdim: bool = False, **_: Any) -> str:
    if _is_matrix_norm(A, ord, dim):
        return _matrix_step(ord, keepdim)
    return "LinalgVectorNormBackward0"


@function(method=False, namespace=False, grad_name=_norm_name)
def linalg_norm(
    A: Node,
    ord: Any = None,
    dim: Dims = None,
    keepdim: bool = False,
    *,
    dtype: DType | None = None,
) -> Node:
    """The norm of matrices where an order and two dimensions are meant, otherwise of vectors."""
    dims = None if dim is None else [dim] if isinstance(dim, int) else list(dim)
    if dims is not None and len(dims) not in (1, 2):
        raise GraphcRuntimeError(
            f"linalg.norm: If dim is specified, it must be of length 1 or 2. Got {dims}"
        )
    if dims is None and ord is not None and not isinstance(ord, str) and A.rank not in (1, 2):
        raise GraphcRuntimeError(
            "linalg.norm: If dim is not specified but ord is, the input must be 1D or 2D. Got "
            f"{A.rank}D."
        )
    if _is_matrix_norm(A, ord, dims):
        return linalg_matrix_norm(A, ord, dims or (0, 1), keepdim, dtype=dtype)
    return linalg_vector_norm(A, 2 if ord is None else ord, dims, keepdim, dtype=dtype)


def _nuclear_name(input: Any, dim: Any = None, keepdim: bool = False) -> str:
    return _matrix_step("nuc", keepdim)


@function(method=False, grad_name=_nuclear_name)
def nuclear_norm(input: Node, dim: Sequence[int] | None = None, keepdim: bool = False) -> Node:
    """The sum of the singular values."""
    warnings.warn(_OLD.format("nuclear", "matrix_norm(A, 'nuc'"), stacklevel=5)
    return linalg_matrix_norm(input, "nuc", (0, 1) if dim is None else dim, keepdim)


@function(method=False, grad_name="NormBackward1")
def frobenius_norm(input: Node, dim: Dims, keepdim: bool = False) -> Node:
    """The square root of the sum of the squares over ``dim``."""
    warnings.warn(_OLD.format("frobenius", "vector_norm(A, 2."), stacklevel=5)
    axes = normal_dims(dim, input.rank)
    return dropped(vector_norm(input, 2.0, axes), axes, keepdim)


# -- rank, condition, pseudo-inverse -----------------------------------------------------------


def _precision(x: Node) -> float:
    """The relative size of a singular value that counts as zero unless another one is given."""
    eps = 2.0**-23 if x.dtype is float32 else 2.0**-52
    return eps * max(x.shape[-2:])


@function(method=False, namespace=False)
def linalg_matrix_rank(
    A: Node,
    tol: float | None = None,
    hermitian: bool = False,
    *,
    atol: float | None = None,
    rtol: float | None = None,
) -> Node:
    """How many singular values are greater than the tolerance."""
    check_matrix("torch.linalg.matrix_rank", A, "input")
    sized = elementwise("abs", linalg_eigvalsh(A)) if hermitian else None
    s = singular_values("linalg.svd", A) if sized is None else sized
    axis = (s.rank - 1,)
    absolute = tol if tol is not None else atol or 0.0
    if rtol is None:
        rtol = 0.0 if tol is not None or absolute > 0 else _precision(A)
    if not s.shape[-1]:
        return zeros(TensorType(s.shape[:-1], int64))
    least = elementwise("maximum", Max(axis)(s) * rtol, float(absolute))
    return dropped(Sum(axis)(cast(least < s, int64)), axis, False)


def _condition_name(A: Any, p: Order = None) -> str:
    if p in (None, 2, -2):
        return "SqueezeBackward1"
    return "MulBackward0" if p == "nuc" else "NanToNumBackward0"


@function(method=False, namespace=False, grad_name=_condition_name)
def linalg_cond(A: Node, p: Any = None) -> Node:
    """The condition numbers in a norm of matrices."""
    if p in (None, 2, -2):
        s = singular_values("linalg.svd", A)
        axis = (s.rank - 1,)
        greatest, least = dropped(Max(axis)(s), axis, False), dropped(Min(axis)(s), axis, False)
        return least / greatest if p == -2 else greatest / least
    if p not in ("fro", "nuc", 1, -1, inf, -inf):
        shown = p if isinstance(p, str) else f"{p:g}"
        raise GraphcRuntimeError(f"linalg.cond got an invalid norm type: {shown}")
    shown = p if isinstance(p, str) else f"{p:g}"
    check_square(f"linalg.cond(ord={shown})", A)
    check_floating("linalg.cond", A)
    both = Inverse()(A)
    rows, columns = A.rank - 2, A.rank - 1
    norms = [matrix_norm(x, p, rows, columns, False) for x in (A, Item(0)(both))]
    return where(elementwise("eq", Item(1)(both), 0), norms[0] * norms[1], inf)


def pseudo_inverse(A: Node, atol: float | None, rtol: float | None, hermitian: bool) -> Node:
    """The pseudo-inverses; singular values within the tolerance count as zero."""
    if A.rank < 2 or A.dtype not in (float32, float64):
        shape = list(A.shape)
        raise GraphcRuntimeError(
            f"linalg.pinv({C_NAMES[A.dtype.name]}{{{shape}}}): expected a tensor with 2 or more "
            "dimensions of float, double, cfloat or cdouble types"
        )
    if hermitian:
        check_square("linalg.pinv", A)
    if rtol is None:
        rtol = 0.0 if atol else _precision(A)
    return PseudoInverse(float(atol or 0.0), float(rtol), hermitian)(A)


@function(method=False, namespace=False)
def linalg_pinv(
    A: Node,
    rcond: float | None = None,
    hermitian: bool = False,
    *,
    atol: float | None = None,
    rtol: float | None = None,
) -> Node:
    """The pseudo-inverses; singular values within the tolerance count as zero."""
    return pseudo_inverse(A, atol, rcond if rtol is None else rtol, hermitian)


@function(grad_name="LinalgPinvBackward0")
def pinverse(input: Node, rcond: float = 1e-15) -> Node:
    """The pseudo-inverses; singular values within the tolerance count as zero."""
    return pseudo_inverse(input, None, rcond, False)


@function(method=False, namespace=False)
def linalg_lstsq(A: Node, B: Node, rcond: float | None = None, *, driver: str | None = None) -> Any:
    """X with the least |A · X - B|, the squares of what remains, the rank and singular values."""
    if A.rank < 2:
        raise GraphcRuntimeError("torch.linalg.lstsq: input must have at least 2 dimensions")
    vector = B.rank == A.rank - 1
    sides = reshape(B, (*B.shape, 1)) if vector else B
    if sides.rank < 2 or A.shape[-2] != sides.shape[-2]:
        raise GraphcRuntimeError(
            f"torch.linalg.lstsq: input.size(-2) should match other.size(-{1 if vector else 2})"
        )
    if driver not in (None, "gels", "gelsy", "gelsd", "gelss"):
        raise GraphcRuntimeError(
            "torch.linalg.lstsq: parameter `driver` should be one of (gels, gelsy, gelsd, gelss)"
        )
    found = product(pseudo_inverse(A, None, rcond, False), sides)
    solution = reshape(found, found.shape[:-1]) if vector else found
    kind = return_type("linalg_lstsq", "solution", "residuals", "rank", "singular_values")
    return kind(solution, *_fit(A, sides, found, driver or "gelsy"))


def _fit(A: Node, B: Node, X: Node, driver: str) -> tuple[Node, Node, Node]:
    """The squares of what remains, the rank and the singular values, as far as a driver tells."""
    nothing = zeros(TensorType((0,), A.dtype))
    rest = nothing
    if driver != "gelsy" and A.shape[-2] > A.shape[-1]:
        difference = product(A, X) - B
        axis = (difference.rank - 2,)
        rest = dropped(Sum(axis)(difference * difference), axis, False)
    with grad_mode(False):
        rank = zeros(TensorType((0,), int64)) if driver == "gels" else linalg_matrix_rank(A)
        s = singular_values("linalg.svd", A) if driver in ("gelsd", "gelss") else nothing
    return level(rest, A, B), rank, s
