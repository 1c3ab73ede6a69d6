"""Matrix products as the user calls them."""

from __future__ import annotations

from typing import Any

from graphc.errors import GraphcRuntimeError
from graphc.functions.operands import C_NAMES, c_type, check_tensors
from graphc.functions.shaping import expand
from graphc.ir.dtype import Scalar
from graphc.ir.node import Node, elementwise
from graphc.ops.complex import conjugate
from graphc.ops.function import function
from graphc.ops.matmul import transposed
from graphc.ops.movement import permute, reshape
from graphc.ops.precision import multiplied
from graphc.ops.reduce import Sum
from graphc.ops.sloped import level


def _extents(x: Node) -> str:
    return "x".join(map(str, x.shape))


def _unfit_vector(matrix: Node, vector: Node) -> GraphcRuntimeError:
    return GraphcRuntimeError(
        f"size mismatch, got input ({matrix.shape[0]}), mat ({_extents(matrix)}), "
        f"vec ({vector.shape[0]})"
    )


def _check_types(name: str, x: Node, y: Node) -> None:
    if x.dtype is not y.dtype:
        raise GraphcRuntimeError(
            f"{name}: expected m1 and m2 to have the same dtype, but got: "
            f"{c_type(x.dtype)} != {c_type(y.dtype)}"
        )


def _check_sum_types(input: Node, mat1: Node, mat2: Node) -> None:
    """Raise where a sum with a product has terms of several types."""
    for label, x in (("mat1", mat1), ("self", input)):
        if x.dtype is not mat2.dtype:
            raise GraphcRuntimeError(
                f"{label} and mat2 must have the same dtype, but got {C_NAMES[x.dtype.name]} "
                f"and {C_NAMES[mat2.dtype.name]}"
            )


def _check_rank(name: str, x: Node, rank: int, label: str) -> None:
    if x.rank != rank:
        kind = {1: "vector", 2: "matrix", 3: "3D tensor"}[rank]
        raise GraphcRuntimeError(f"{name}: {label} must be a {kind}, got {x.rank}-D tensor")


def _matmul_name(input: Any, other: Any) -> str:
    ranks = (input.rank, other.rank)
    known = {(2, 2): "Mm", (1, 1): "Dot", (2, 1): "Mv"}
    if ranks in known:
        return f"{known[ranks]}Backward0"
    if ranks == (1, 2):
        return "SqueezeBackward4"
    return "CloneBackward0" if ranks[0] == 2 else "UnsafeViewBackward0"


@function(grad_name=_matmul_name)
def matmul(input: Node, other: Node) -> Node:
    """The matrix product of the last two dimensions; vectors become rows or columns."""
    check_tensors("matmul", input, other)
    if not input.rank or not other.rank:
        raise GraphcRuntimeError(
            "both arguments to matmul need to be at least 1D, but they are "
            f"{input.rank}D and {other.rank}D"
        )
    _check_types("matmul", input, other)
    x = input if input.rank > 1 else reshape(input, (1, *input.shape))
    y = other if other.rank > 1 else reshape(other, (*other.shape, 1))
    _check_inner("matmul", input, other, x, y)
    product = multiplied(x, y)
    shape = list(product.shape)
    if other.rank == 1:
        shape.pop()
    if input.rank == 1:
        shape.pop(-1 if other.rank == 1 else -2)
    return reshape(product, tuple(shape))


def _check_inner(name: str, input: Node, other: Node, x: Node, y: Node) -> None:
    """Raise in PyTorch's words where the inner extents differ."""
    if x.shape[-1] == y.shape[-2]:
        return
    if input.rank == other.rank == 1:
        raise GraphcRuntimeError(
            "inconsistent tensor size, expected tensor "
            f"{list(input.shape)} and src {list(other.shape)} to have the same number of elements, "
            f"but got {input.shape[0]} and {other.shape[0]} elements respectively"
        )
    if input.rank == 2 and other.rank == 1:
        raise _unfit_vector(input, other)
    if input.rank > 2 and other.rank > 2:
        raise GraphcRuntimeError(
            f"Expected size for first two dimensions of batch2 tensor to be: "
            f"[{x.shape[0]}, {x.shape[-1]}] but got: [{y.shape[0]}, {y.shape[-2]}]."
        )
    rows = x.type.size // max(1, x.shape[-1])
    raise GraphcRuntimeError(
        f"mat1 and mat2 shapes cannot be multiplied ({rows}x{x.shape[-1]} and "
        f"{y.shape[-2]}x{y.shape[-1]})"
    )


@function()
def mm(input: Node, mat2: Node) -> Node:
    """The product of two matrices."""
    check_tensors("mm", input, mat2)
    if input.rank != 2:
        raise GraphcRuntimeError("self must be a matrix")
    if mat2.rank != 2:
        raise GraphcRuntimeError("mat2 must be a matrix")
    return matmul(input, mat2)


@function()
def bmm(input: Node, mat2: Node) -> Node:
    """The products of two batches of matrices."""
    check_tensors("bmm", input, mat2)
    if input.rank != 3:
        raise GraphcRuntimeError("batch1 must be a 3D tensor")
    if mat2.rank != 3:
        raise GraphcRuntimeError("batch2 must be a 3D tensor")
    if input.shape[0] != mat2.shape[0] or input.shape[2] != mat2.shape[1]:
        raise GraphcRuntimeError(
            "Expected size for first two dimensions of batch2 tensor to be: "
            f"[{input.shape[0]}, {input.shape[2]}] but got: [{mat2.shape[0]}, {mat2.shape[1]}]."
        )
    return matmul(input, mat2)


@function()
def mv(input: Node, vec: Node) -> Node:
    """The product of a matrix and a vector."""
    check_tensors("mv", input, vec)
    if input.rank != 2 or vec.rank != 1:
        raise GraphcRuntimeError(
            f"vector + matrix @ vector expected, got {vec.rank}, {input.rank}, {vec.rank}"
        )
    if input.shape[1] != vec.shape[0]:
        raise _unfit_vector(input, vec)
    return matmul(input, vec)


@function()
def dot(input: Node, tensor: Node) -> Node:
    """Σ input · tensor, of two vectors."""
    check_tensors("dot", input, tensor)
    if input.rank != 1 or tensor.rank != 1:
        raise GraphcRuntimeError(
            f"1D tensors expected, but got {input.rank}D and {tensor.rank}D tensors"
        )
    if input.dtype is not tensor.dtype:
        raise GraphcRuntimeError(
            "dot : expected both vectors to have same dtype, but found "
            f"{C_NAMES[input.dtype.name]} and {C_NAMES[tensor.dtype.name]}"
        )
    return matmul(input, tensor)


@function()
def vdot(input: Node, other: Node) -> Node:
    """Σ conjugate of input · other, of two vectors."""
    return dot(conjugate(input), other)


@function("ger", grad_name="MulBackward0")
def outer(input: Node, vec2: Node) -> Node:
    """Every element of one vector times every element of the other."""
    check_tensors("outer", input, vec2)
    for label, x in (("self", input), ("vec2", vec2)):
        if x.rank != 1:
            raise GraphcRuntimeError(f"outer: Expected 1-D argument {label}, but got {x.rank}-D")
    return elementwise("mul", reshape(input, (*input.shape, 1)), vec2)


def _scaled_sum(input: Node, product: Node, beta: Scalar, alpha: Scalar) -> Node:
    """beta · input + alpha · product; a beta of zero ignores what input holds.

    Of integers the scales have no fractions either.
    """
    if not product.dtype.is_inexact:
        beta, alpha = int(beta), int(alpha)
    if alpha != 1:
        product = product * alpha
    if beta == 0:
        return level(product, input)
    return (input if beta == 1 else input * beta) + product


def _expanded(input: Node, product: Node) -> Node:
    """The summand of a product in its shape; an error in PyTorch's words where it does not fit."""
    return expand(input, product.shape)


@function(inplace=True)
def addmm(input: Node, mat1: Node, mat2: Node, *, beta: Scalar = 1, alpha: Scalar = 1) -> Node:
    """beta · input + alpha · mat1 @ mat2"""
    _check_rank("addmm", mat1, 2, "mat1")
    _check_rank("addmm", mat2, 2, "mat2")
    _check_sum_types(input, mat1, mat2)
    product = matmul(mat1, mat2)
    return _scaled_sum(_expanded(input, product), product, beta, alpha)


@function(inplace=True)
def addmv(input: Node, mat: Node, vec: Node, *, beta: Scalar = 1, alpha: Scalar = 1) -> Node:
    """beta · input + alpha · mat @ vec"""
    return _scaled_sum(input, mv(mat, vec), beta, alpha)


@function(inplace=True)
def addr(input: Node, vec1: Node, vec2: Node, *, beta: Scalar = 1, alpha: Scalar = 1) -> Node:
    """beta · input + alpha · outer(vec1, vec2)"""
    return _scaled_sum(input, outer(vec1, vec2), beta, alpha)


@function(inplace=True)
def baddbmm(
    input: Node, batch1: Node, batch2: Node, *, beta: Scalar = 1, alpha: Scalar = 1
) -> Node:
    """beta · input + alpha · batch1 @ batch2"""
    return _scaled_sum(input, bmm(batch1, batch2), beta, alpha)


@function(inplace=True)
def addbmm(input: Node, batch1: Node, batch2: Node, *, beta: Scalar = 1, alpha: Scalar = 1) -> Node:
    """beta · input + alpha · Σ batch1 @ batch2 over the batch"""
    product = Sum((0,))(bmm(batch1, batch2))
    return _scaled_sum(input, reshape(product, product.shape[1:]), beta, alpha)


def _linear_name(input: Any, weight: Any, bias: Any = None) -> str:
    if input.rank == weight.rank == 2:
        return "MmBackward0" if bias is None else "AddmmBackward0"
    if weight.rank == 1:
        return "AddBackward0" if bias is not None else _matmul_name(input, weight)
    if bias is not None:
        return "ViewBackward0"
    return "SqueezeBackward4" if input.rank == 1 else "UnsafeViewBackward0"


@function(method=False, namespace=False, functional=True, grad_name=_linear_name)
def linear(input: Node, weight: Node, bias: Node | None = None) -> Node:
    """input · weightᵀ + bias: ``[..., in]`` to ``[..., out]``, weight ``[out, in]``."""
    if bias is None:
        _check_types("linear", input, weight)
    else:
        _check_sum_types(bias, input, weight)
    if not input.rank or input.shape[-1] != weight.shape[-1]:
        count = input.type.size // max(1, input.shape[-1]) if input.rank else 1
        columns = weight.shape[0] if weight.rank == 2 else 1
        raise GraphcRuntimeError(
            f"mat1 and mat2 shapes cannot be multiplied ({count}x"
            f"{input.shape[-1] if input.rank else 1} and {weight.shape[-1]}x{columns})",
            hint=f"expects last dimension {weight.shape[-1]}, got {tuple(input.shape)}",
        )
    if weight.rank == 1:
        result = matmul(input, weight)
        return result if bias is None else result + bias
    rows = input
    if input.rank != 2:
        rows = reshape(input, (input.type.size // max(1, input.shape[-1]), input.shape[-1]))
    product = multiplied(rows, transposed(weight))
    result = reshape(product, (*input.shape[:-1], weight.shape[0]))
    return result if bias is None else result + bias


def _bilinear_name(input1: Any, input2: Any, weight: Any, bias: Any = None) -> str:
    return "ViewBackward0" if bias is None else "AddBackward0"


@function(method=False, functional=True, grad_name=_bilinear_name)
def bilinear(input1: Node, input2: Node, weight: Node, bias: Node | None = None) -> Node:
    """input1 · weight · input2 for each output, + bias."""
    lead, count = input1.shape[:-1], weight.shape[0]
    x = reshape(input1, (input1.type.size // input1.shape[-1], input1.shape[-1]))
    y = reshape(input2, (input2.type.size // input2.shape[-1], 1, input2.shape[-1]))
    wide = reshape(permute(weight, (1, 0, 2)), (weight.shape[1], count * weight.shape[2]))
    rows = reshape(multiplied(x, wide), (x.shape[0], count, weight.shape[2]))
    result = reshape(Sum((2,))(rows * y), (*lead, count))
    return result if bias is None else result + bias
