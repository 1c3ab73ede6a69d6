"""Comparing a function of graphc with PyTorch's: value, type, gradient and second gradient."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

from graphc.autograd import grad
from graphc.storage import Storage
from graphc.tensor import Tensor, from_storage

torch = pytest.importorskip("torch", reason="the peers extra compares with PyTorch")

Array = np.ndarray[Any, Any]
TOLERANCE = {
    "float64": 1e-9,
    "float32": 2e-5,
    "complex128": 1e-9,
    "complex64": 2e-5,
    "float16": 4e-3,
    "bfloat16": 3e-2,
}


@contextmanager
def own_kernels() -> Iterator[None]:
    """Within ``with``, PyTorch computes by its own kernels.

    oneDNN's gelu, which it takes on some processors, is off by 1e-4 and knows no infinity.
    """
    before = torch.backends.mkldnn.set_flags(False)[0]
    try:
        yield
    finally:
        torch.backends.mkldnn.set_flags(before)


def normal(*shape: int, dtype: str = "float64", seed: int = 0) -> Array:
    """Normal variates; zero-dimensional for no shape."""
    return np.asarray(np.random.default_rng(seed).standard_normal(shape), dtype)


def integers(high: int, *shape: int, seed: int = 0) -> Array:
    """Integers from 0 to before ``high``."""
    return np.asarray(np.random.default_rng(seed).integers(0, high, shape))


def ours(array: Array, *, requires_grad: bool = False) -> Tensor:
    """The array as a tensor of graphc."""
    return from_storage(Storage(array.copy())).requires_grad_(requires_grad)


def theirs(array: Array, *, requires_grad: bool = False) -> Any:
    """The array as a tensor of PyTorch."""
    return torch.tensor(array, requires_grad=requires_grad)


def numbers(x: Any) -> Array:
    """A tensor of either as an array that can be compared."""
    array: Array
    if isinstance(x, Tensor):
        array = x.detach().numpy()
        return array.astype(np.float32) if x.dtype.name == "bfloat16" else array
    found = x.detach()
    array = (found.float() if found.dtype is torch.bfloat16 else found).resolve_conj().numpy()
    return array


def same(mine: Any, peer: Any, scale: float = 1.0) -> None:
    """Both are equal in type and shape, and in value up to rounding."""
    if isinstance(peer, tuple | list):
        assert len(mine) == len(peer)
        for a, b in zip(mine, peer, strict=True):
            same(a, b, scale)
        return
    if peer is None:
        assert mine is None
        return
    assert str(mine.dtype) == str(peer.dtype)
    assert tuple(mine.shape) == tuple(peer.shape)
    tolerance = scale * TOLERANCE.get(mine.dtype.name, 0)
    np.testing.assert_allclose(
        numbers(mine), numbers(peer), rtol=tolerance, atol=tolerance, equal_nan=True
    )


def compare(
    call: Callable[..., Any],
    modules: tuple[Any, Any],
    arrays: Sequence[Array],
    *,
    gradient: bool = True,
    twice: bool = False,
    scale: float = 1.0,
) -> None:
    """``call(module, *tensors)`` means the same over both modules, gradients of floats included.

    ``twice`` compares the gradient of the gradient's squares too.
    """
    mine, peer = (
        [make(a, requires_grad=gradient and a.dtype.kind in "fc") for a in arrays]
        for make in (ours, theirs)
    )
    results = call(modules[0], *mine), call(modules[1], *peer)
    same(*results, scale)
    leaves = [[t for t in tensors if t.requires_grad] for tensors in (mine, peer)]
    if not leaves[0]:
        return
    sums = [_total(result) for result in results]
    first = (
        grad(sums[0], leaves[0], create_graph=twice, allow_unused=True),
        torch.autograd.grad(sums[1], leaves[1], create_graph=twice, allow_unused=True),
    )
    same(*first, scale)
    if twice:
        squares = [sum((g.abs() ** 2).sum() for g in found if g is not None) for found in first]
        same(
            grad(squares[0], leaves[0], allow_unused=True, materialize_grads=True),
            torch.autograd.grad(squares[1], leaves[1], allow_unused=True, materialize_grads=True),
            scale,
        )


def _total(result: Any) -> Any:
    """A number that depends on each element of a result in another way.

    Of complex numbers it is not linear, so that it has second derivatives.
    """
    parts = list(result) if isinstance(result, tuple | list) else [result]
    total = 0
    for x in parts:
        if x.requires_grad:
            shape = tuple(x.shape)
            weights = np.cos(np.arange(int(np.prod(shape))) * 1.7).reshape(shape)
            make = ours if isinstance(x, Tensor) else theirs
            part = (x * make(weights).to(x.dtype)).sum()
            if x.dtype.is_complex:
                part = part.real + 2.0 * part.imag + (x.real * x.imag * x.imag).sum()
            total = total + part
    return total
