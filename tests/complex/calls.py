"""Calls of functions of complex numbers: what is called and on operands of which shapes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tests.torch_peer import Array, normal

Call = Callable[..., Any]
"""Takes graphc or PyTorch and the operands."""


def z(*shape: int, seed: int = 0) -> Array:
    """Complex variates."""
    return normal(*shape, seed=seed) + 1j * normal(*shape, seed=seed + 100)


def _named(name: str) -> Call:
    return lambda m, *xs: getattr(m, name)(*xs)


M = z(3, 4)
PARTS: dict[str, tuple[Call, list[Array]]] = {
    "complex": (_named("complex"), [normal(3, 4), normal(3, 4, seed=1)]),
    "polar": (_named("polar"), [abs(normal(3, 4)), normal(3, 4, seed=1)]),
    "real": (_named("real"), [M]),
    "imag": (_named("imag"), [M]),
    "x.real": (lambda m, x: x.real, [M]),
    "x.imag": (lambda m, x: x.imag, [M]),
    "real of real": (lambda m, x: x.real * 2.0, [normal(3)]),
    "view_as_real": (_named("view_as_real"), [M]),
    "view_as_complex": (_named("view_as_complex"), [normal(3, 4, 2)]),
    "conj": (_named("conj"), [M]),
    "conj of real": (lambda m, x: x.conj() * 2.0, [normal(3)]),
    "conj_physical": (_named("conj_physical"), [M]),
    "resolve_conj": (lambda m, x: x.conj().resolve_conj() * 1, [M]),
    "abs": (_named("abs"), [M]),
    "angle": (_named("angle"), [M]),
    "angle of real": (lambda m, x: m.angle(x), [normal(3)]),
    "sgn": (_named("sgn"), [M]),
    "adjoint": (_named("adjoint"), [z(2, 3, 4)]),
    "H": (lambda m, x: x.H, [M]),
    "mH": (lambda m, x: x.mH, [z(2, 3, 4)]),
}
ARITHMETIC: dict[str, tuple[Call, list[Array]]] = {
    "add": (lambda m, x, y: x + y, [M, z(4, seed=1)]),
    "add real": (lambda m, x, y: x + y, [M, normal(3, 1, seed=1)]),
    "add to real": (lambda m, x, y: x + y, [normal(3, 1, seed=1), M]),
    "add alpha": (lambda m, x, y: m.add(x, y, alpha=2 - 1j), [M, z(4, seed=1)]),
    "add number": (lambda m, x: x + (1 + 2j), [M]),
    "real add number": (lambda m, x: x + (1 + 2j), [normal(3)]),
    "number sub": (lambda m, x: 2 - x, [M]),
    "sub": (lambda m, x, y: x - y, [M, z(3, 1, seed=1)]),
    "sub real": (lambda m, x, y: x - y, [M, normal(4, seed=1)]),
    "mul": (lambda m, x, y: x * y, [M, z(3, 1, seed=1)]),
    "mul real": (lambda m, x, y: x * y, [M, normal(4, seed=1)]),
    "real mul": (lambda m, x, y: x * y, [normal(4, seed=1), M]),
    "mul number": (lambda m, x: x * 1j, [M]),
    "real mul number": (lambda m, x: x * 1j, [normal(4)]),
    "div": (lambda m, x, y: x / y, [M, z(4, seed=1)]),
    "div real": (lambda m, x, y: x / y, [M, normal(4, seed=1)]),
    "real div": (lambda m, x, y: x / y, [normal(4, seed=1), M]),
    "number div": (lambda m, x: 2 / x, [M]),
    "complex number div": (lambda m, x: (1 + 2j) / x, [M]),
    "reciprocal": (_named("reciprocal"), [M]),
    "neg": (_named("neg"), [M]),
    "square": (_named("square"), [M]),
    "power 3": (lambda m, x: x**3, [M]),
    "power -2": (lambda m, x: x**-2, [M]),
    "power 0": (lambda m, x: x**0, [M]),
    "power 0.5": (lambda m, x: x**0.5, [M]),
    "power complex": (lambda m, x: x ** (1 - 2j), [M]),
    "power tensor": (lambda m, x, y: x**y, [M, z(4, seed=1)]),
    "power real": (lambda m, x, y: x**y, [M, normal(4, seed=1)]),
    "real power": (lambda m, x, y: x**y, [abs(normal(4, seed=1)), M]),
    "number power": (lambda m, x: 2**x, [M]),
    "addcmul": (lambda m, x, y: m.addcmul(x, y, y, value=0.5), [M, z(4, seed=1)]),
    "addcdiv": (lambda m, x, y: m.addcdiv(x, x, y, value=0.5), [M, z(4, seed=1)]),
    "lerp": (lambda m, x, y: m.lerp(x, y, 0.3), [M, z(3, 4, seed=1)]),
}
TRANSCENDENTAL: dict[str, tuple[Call, list[Array]]] = {
    name: (_named(name), [z(5, 5)])
    for name in (
        *("exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "sqrt", "rsqrt", "sigmoid"),
        *("sin", "cos", "tan", "sinh", "cosh", "tanh", "asin", "acos", "atan"),
        *("asinh", "acosh", "atanh"),
    )
}
REDUCTIONS: dict[str, tuple[Call, list[Array]]] = {
    "sum": (lambda m, x: x.sum(), [M]),
    "sum dim": (lambda m, x: x.sum(1, keepdim=True), [M]),
    "mean": (lambda m, x: x.mean(0), [M]),
    "prod": (lambda m, x: x.prod(), [M]),
    "prod dim": (lambda m, x: x.prod(1), [z(3, 5)]),
    "cumsum": (lambda m, x: x.cumsum(1), [M]),
    "cumprod": (lambda m, x: x.cumprod(1), [M]),
    "var": (lambda m, x: x.var(1), [M]),
    "std": (lambda m, x: x.std(), [M]),
    "norm": (lambda m, x: m.linalg.vector_norm(x), [M]),
    "norm dim": (lambda m, x: x.norm(dim=1), [M]),
    "norm 1": (lambda m, x: m.linalg.vector_norm(x, 1, dim=0), [M]),
    "norm inf": (lambda m, x: m.linalg.vector_norm(x, float("inf"), dim=0), [M]),
    "frobenius": (lambda m, x: m.linalg.norm(x), [M]),
    "dist": (lambda m, x, y: m.dist(x, y), [M, z(4, seed=1)]),
}
PRODUCTS: dict[str, tuple[Call, list[Array]]] = {
    "matmul": (lambda m, x, y: x @ y, [M, z(4, 2, seed=1)]),
    "mv": (lambda m, x, y: x @ y, [M, z(4, seed=1)]),
    "dot": (_named("dot"), [z(4), z(4, seed=1)]),
    "vdot": (_named("vdot"), [z(4), z(4, seed=1)]),
    "vecdot": (lambda m, x, y: m.linalg.vecdot(x, y), [M, z(3, 4, seed=1)]),
    "inner": (_named("inner"), [M, z(4, seed=1)]),
    "outer": (_named("outer"), [z(3), z(4, seed=1)]),
    "mm": (_named("mm"), [M, z(4, 2, seed=1)]),
    "bmm": (_named("bmm"), [z(2, 3, 4), z(2, 4, 2, seed=1)]),
    "addmm": (
        lambda m, x, y, b: m.addmm(b, x, y, beta=1j, alpha=2 - 1j),
        [M, z(4, 2, seed=1), z(2, seed=2)],
    ),
    "baddbmm": (_named("baddbmm"), [z(2, 3, 2, seed=2), z(2, 3, 4), z(2, 4, 2, seed=1)]),
    "einsum": (
        lambda m, x, y: m.einsum("bixy,ioxy->boxy", x, y),
        [z(2, 3, 2, 2), z(3, 4, 2, 2, seed=1)],
    ),
    "linear": (
        lambda m, x, w, b: m.nn.functional.linear(x, w, b),
        [M, z(2, 4, seed=1), z(2, seed=2)],
    ),
    "tensordot": (lambda m, x, y: m.tensordot(x, y, 1), [M, z(4, 2, seed=1)]),
    "kron": (_named("kron"), [M, z(2, 2, seed=1)]),
    "trace": (_named("trace"), [z(3, 3)]),
    "matrix_power": (lambda m, x: m.linalg.matrix_power(x, 3), [z(3, 3)]),
    "conv1d": (
        lambda m, x, w: m.nn.functional.conv1d(x, w, padding=1),
        [z(2, 3, 8), z(4, 3, 3, seed=1)],
    ),
    "conv2d": (
        lambda m, x, w: m.nn.functional.conv2d(x, w, stride=2),
        [z(2, 3, 6, 6), z(4, 3, 3, 3, seed=1)],
    ),
}
INDEX = [[0, 2], [1, 1]]
MOVEMENT: dict[str, tuple[Call, list[Array]]] = {
    "reshape": (lambda m, x: x.reshape(2, 6), [M]),
    "view": (lambda m, x: x.view(-1), [M]),
    "flatten": (lambda m, x: x.flatten(), [M]),
    "transpose": (lambda m, x: x.transpose(0, 1), [M]),
    "permute": (lambda m, x: x.permute(1, 0), [M]),
    "T": (lambda m, x: x.T, [M]),
    "unsqueeze": (lambda m, x: x.unsqueeze(1), [M]),
    "expand": (lambda m, x: x[:, None].expand(3, 2, 4), [M]),
    "repeat": (lambda m, x: x.repeat(2, 1), [M]),
    "cat": (lambda m, x, y: m.cat([x, y], 1), [M, z(3, 2, seed=1)]),
    "cat real": (lambda m, x, y: m.cat([x, y], 1), [M, normal(3, 2, seed=1)]),
    "stack": (lambda m, x, y: m.stack([x, y]), [M, z(3, 4, seed=1)]),
    "split": (lambda m, x: x.split(3, 1), [M]),
    "chunk": (lambda m, x: x.chunk(2, 1), [M]),
    "unbind": (lambda m, x: x.unbind(0), [M]),
    "flip": (lambda m, x: x.flip(1), [M]),
    "roll": (lambda m, x: x.roll(1, 1), [M]),
    "pad": (lambda m, x: m.nn.functional.pad(x, (1, 2)), [M]),
    "pad reflect": (lambda m, x: m.nn.functional.pad(x, (1, 2), mode="reflect"), [M]),
    "slice": (lambda m, x: x[1:, ::2], [M]),
    "index": (lambda m, x: x[m.tensor(INDEX)], [M]),
    "select": (lambda m, x: x[1, ..., 2], [M]),
    "gather": (lambda m, x: x.gather(0, m.tensor(INDEX)), [M]),
    "index_select": (lambda m, x: x.index_select(1, m.tensor([3, 0, 3])), [M]),
    "where": (lambda m, x, y: m.where(x.real > 0, x, y), [M, z(4, seed=1)]),
    "masked_fill": (lambda m, x: x.masked_fill(x.real > 0, 1j), [M]),
    "tril": (lambda m, x: x.tril(), [M]),
    "triu": (lambda m, x: x.triu(1), [M]),
    "diagonal": (lambda m, x: x.diagonal(), [M]),
    "diag_embed": (lambda m, x: m.diag_embed(x), [z(3)]),
    "scatter_add": (
        lambda m, x, y: x.scatter_add(0, m.tensor(INDEX), y),
        [M, z(2, 2, seed=1)],
    ),
    "scatter": (lambda m, x, y: x.scatter(1, m.tensor(INDEX), y), [M, z(2, 2, seed=1)]),
    "index_add": (lambda m, x, y: x.index_add(0, m.tensor([0, 2]), y), [M, z(2, 4, seed=1)]),
    "unfold": (lambda m, x: x.unfold(1, 2, 1), [M]),
    "as_strided": (lambda m, x: x.clone().as_strided((2, 2), (1, 3)), [M]),
    "movedim": (lambda m, x: x.movedim(0, 1), [M]),
    "clone": (lambda m, x: x.clone() * 2, [M]),
    "write": (lambda m, x, y: _written(x, y), [M, z(4, seed=1)]),
    "write real part": (lambda m, x, y: _written_part(x, y), [M, normal(4, seed=1)]),
    "accumulate": (lambda m, x, y: _accumulated(x, y), [M, z(4, seed=1)]),
    "to float": (lambda m, x: x.to(m.complex64).to(m.complex128), [M]),
    "to complex": (lambda m, x: x.to(m.complex128) * 1j, [normal(3)]),
    "diff": (lambda m, x: x.diff(dim=1), [M]),
    "meshgrid": (lambda m, x, y: m.meshgrid(x, y, indexing="ij"), [z(2), z(3, seed=1)]),
}


def _written(x: Any, y: Any) -> Any:
    made = x * 2
    made[1] = y
    made[:, 2] *= 3j
    return made


def _written_part(x: Any, y: Any) -> Any:
    made = x * 2
    made.real[0] = y
    made.imag.mul_(3)
    return made


def _accumulated(x: Any, y: Any) -> Any:
    made = x.clone()
    made += y
    made.mul_(y)
    made.div_(2j)
    return made


SPECIAL = np.array([1j, complex(np.nan, 0), complex(0, np.nan), np.inf, complex(1, np.inf)])
TRUTHS: dict[str, tuple[Call, list[Array]]] = {
    "eq": (lambda m, x: x == m.tensor([x[0].item(), 1, 2j, 0]), [z(4)]),
    "ne": (lambda m, x: x != x.real, [z(4)]),
    "isclose": (lambda m, x: m.isclose(x, x + 1e-9), [M]),
    "isnan": (lambda m, x: m.isnan(x), [SPECIAL]),
    "isinf": (lambda m, x: m.isinf(x), [SPECIAL]),
    "isfinite": (lambda m, x: m.isfinite(x), [SPECIAL]),
    "isreal": (lambda m, x: m.isreal(x * (x.real > 0)), [M]),
    "any": (lambda m, x: x.any(0), [M]),
    "all": (lambda m, x: (x * 0).all(0), [M]),
    "logical_not": (lambda m, x: m.logical_not(x * (x.real > 0)), [M]),
    "logical_and": (lambda m, x: m.logical_and(x, x * 0), [M]),
    "count_nonzero": (lambda m, x: m.count_nonzero(x * (x.real > 0)), [M]),
    "nonzero": (lambda m, x: m.nonzero(x * (x.real > 0)), [M]),
    "bool": (lambda m, x: x.bool(), [M]),
    "is_complex": (lambda m, x: m.tensor(m.is_complex(x) and x.is_complex()), [M]),
    "masked_select": (lambda m, x: x[x.imag > 0], [M]),
    "zeros_like": (lambda m, x: m.zeros_like(x), [M]),
    "ones_like": (lambda m, x: m.ones_like(x), [M]),
    "full_like": (lambda m, x: m.full_like(x, 1 + 2j), [M]),
    "new_zeros": (lambda m, x: x.new_zeros(2, 3), [M]),
    "new_full": (lambda m, x: x.new_full((2,), 3j), [M]),
    "full": (lambda m, x: m.full((2,), 3j) + x, [M[0, :2]]),
    "zeros": (lambda m, x: m.zeros(2, dtype=m.cfloat), [M]),
    "ones": (lambda m, x: m.ones(2, dtype=m.cdouble), [M]),
    "eye": (lambda m, x: m.eye(3, dtype=m.complex64), [M]),
    "arange": (lambda m, x: m.arange(3) * 1j, [M]),
    "linspace": (lambda m, x: m.linspace(0, 1, 5, dtype=m.complex64), [M]),
    "empty": (lambda m, x: m.empty(2, dtype=m.cfloat).zero_(), [M]),
    "fill_": (lambda m, x: x.clone().fill_(2 - 1j), [M]),
    "copy_": (lambda m, x: x.clone().copy_(x.real), [M]),
    "float power": (lambda m, x: x.float_power(2), [M.astype("complex64")]),
    "int mul": (lambda m, x: m.arange(4) * x, [M.astype("complex64")]),
    "double mul": (lambda m, x: m.arange(4.0, dtype=m.float64) * x, [M.astype("complex64")]),
    "half mul": (lambda m, x: m.arange(4, dtype=m.float16) * x, [M.astype("complex64")]),
    "scalar mul": (lambda m, x: m.tensor(2.0, dtype=m.float64) * x, [M.astype("complex64")]),
    "complex scalar": (lambda m, x: m.tensor(2j, dtype=m.complex64) * x, [normal(3)]),
    "wide scalar": (
        lambda m, x: m.tensor(2j, dtype=m.complex128) * x,
        [normal(3, dtype="float32")],
    ),
}
"""Calls whose results have no gradient."""
