"""Arithmetic on numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from graphc.ir.dtype import DType
from graphc.ir.node import Op
from graphc.ops import elementwise as ops
from graphc.testing.operands import Array
from graphc.testing.samples import ANY, Range, binary, grid, spaced, unary
from graphc.testing.table import (
    ALL,
    APPROXIMATE,
    EXACT,
    FLOATS,
    INTEGERS,
    NUMBERS,
    ROUNDED,
    SINGLES,
    Row,
    Sample,
    Tolerance,
)

TWICE = Tolerance("two operations, each rounded", 2)
OVERFLOWING = "nan by PyTorch's vector code, a number by its scalar one"
NONZERO = Range(0.5, 2.5, 1, 10)


def _finite(x: Array) -> Array:
    return np.asarray(np.isfinite(x.astype(np.float64)))


def _divisible(x: Array, y: Array) -> Array:
    """Integers: division by zero raises in PyTorch, and the least number over -1 overflows."""
    if x.dtype.kind in "iu":
        least = np.iinfo(x.dtype).min
        return np.asarray((y != 0) & ~((x == least) & (x < 0) & (y.astype(np.int64) == -1)))
    return np.ones(x.shape, bool)


def _overflows(x: Array, y: Array) -> Array:
    """Whether a finite number over another one is infinite in their type."""
    with np.errstate(all="ignore"):
        quotient = x.astype(y.dtype) / y
    return np.asarray(_finite(x) & np.isinf(quotient.astype(np.float64)) & (y != 0))


def _rests(op: Op) -> Callable[[DType], Iterator[Sample]]:
    """Samples of a remainder. Floats whose quotient overflows come apart from the others."""

    def samples(dtype: DType) -> Iterator[Sample]:
        if not dtype.is_floating_point:
            yield from binary(op, spaced(), NONZERO, _divisible)(dtype)
            return
        yield from binary(op, spaced(), NONZERO, lambda x, y: ~_overflows(x, y))(dtype)
        yield grid(op, dtype, _overflows, OVERFLOWING)

    return samples


def _whole_power(x: Array, y: Array) -> Array:
    """Integers: PyTorch refuses negative exponents; floats: all."""
    return y >= 0 if x.dtype.kind in "iu" else np.ones(x.shape, bool)


def _pow(op: Op, x: Array, y: Array) -> Array:
    if x.dtype.kind not in "iu":
        return np.asarray(np.power(x, y))
    bits = 8 * x.dtype.itemsize
    pairs = zip(x.reshape(-1).tolist(), y.reshape(-1).tolist(), strict=True)
    wrapped = np.array([pow(a, b, 1 << bits) for a, b in pairs], np.uint64)
    return wrapped.astype(x.dtype).reshape(x.shape)


def _broadcast_pow(op: Op, x: Array, y: Array) -> Array:
    return _pow(op, *np.broadcast_arrays(x, y))


def _floor_divide(op: Op, x: Array, y: Array) -> Array:
    """Division rounded down; of floats as Python's own, but over zero as true division."""
    if x.dtype.kind in "iu":
        return np.asarray(x // y)
    x, y = np.broadcast_arrays(x, y)
    rest = np.fmod(x, y)
    quotient = (x - rest) / y
    quotient = np.where((rest != 0) & ((y < 0) != (rest < 0)), quotient - 1, quotient)
    nearest = np.floor(quotient)
    nearest = np.where(quotient - nearest > 0.5, nearest + 1, nearest)
    nearest = np.where(quotient == 0, np.copysign(0.0, x / y), nearest)
    return np.asarray(np.where(y == 0, x / y, nearest))


def _remainder(op: Op, x: Array, y: Array) -> Array:
    if x.dtype.kind in "iu":
        return np.asarray(x - y * (x // y))
    rest = np.fmod(x, y)
    return np.where((rest != 0) & ((y < 0) != (rest < 0)), rest + y, rest)


def _fmod(op: Op, x: Array, y: Array) -> Array:
    return np.fmod(x, y)


def _sign(op: Op, x: Array) -> Array:
    return ((x > 0).astype(np.int8) - (x < 0)).astype(x.dtype)


def _gcd(op: Op, x: Array, y: Array) -> Array:
    while np.any(y != 0):
        x, y = np.where(y == 0, x, y), np.where(y == 0, 0, np.fmod(x, np.where(y == 0, 1, y)))
    return np.abs(x)


def _two(function: Any) -> Any:
    return lambda op, x, y: function(x, y)


def _one(function: Any) -> Any:
    return lambda op, x: function(x)


def _named(name: str) -> Any:
    return lambda torch, op, *x: getattr(torch, name)(*x)


def _no_least(x: Array, y: Array) -> Array:
    """A magnitude that the type holds."""
    held = (x != np.iinfo(x.dtype).min) & (y != np.iinfo(y.dtype).min)
    return np.asarray(held | (x.dtype.kind == "u"))


ROWS = (
    Row("add", ALL, binary(ops.Add()), _two(np.add), _named("add"), ROUNDED, True),
    Row("sub", NUMBERS, binary(ops.Sub()), _two(np.subtract), _named("sub"), ROUNDED, True),
    Row("mul", ALL, binary(ops.Mul()), _two(np.multiply), _named("mul"), ROUNDED, True,
        signed_zeros=True),
    Row("div", FLOATS, binary(ops.Div(), ANY, NONZERO), _two(np.divide), _named("div"), ROUNDED,
        True, signed_zeros=True),
    Row("pow", NUMBERS, binary(ops.Pow(), NONZERO, Range(-2, 2, 0, 4), _whole_power),
        _broadcast_pow, _named("pow"), APPROXIMATE, True),
    Row("maximum", ALL, binary(ops.Maximum()), _two(np.maximum), _named("maximum"), EXACT, True),
    Row("minimum", ALL, binary(ops.Minimum()), _two(np.minimum), _named("minimum"), EXACT, True),
    Row("clamp_min", NUMBERS, binary(ops.ClampMin()), _two(np.maximum),
        lambda torch, op, x, low: torch.clamp(x, min=low), EXACT, True),
    Row("clamp_max", NUMBERS, binary(ops.ClampMax()), _two(np.minimum),
        lambda torch, op, x, high: torch.clamp(x, max=high), EXACT, True),
    Row("fmax", NUMBERS, binary(ops.Fmax()), _two(np.fmax), _named("fmax"), EXACT, True),
    Row("fmin", NUMBERS, binary(ops.Fmin()), _two(np.fmin), _named("fmin"), EXACT, True),
    Row("floor_divide", NUMBERS, binary(ops.FloorDivide(), spaced(), NONZERO, _divisible),
        _floor_divide, lambda torch, op, x, y: torch.div(x, y, rounding_mode="floor"), TWICE, True),
    Row("remainder", NUMBERS, _rests(ops.Remainder()), _remainder, _named("remainder"), TWICE,
        True),
    Row("fmod", NUMBERS, _rests(ops.Fmod()), _fmod, _named("fmod"), ROUNDED, True),
    Row("atan2", FLOATS, binary(ops.Atan2()), _two(np.arctan2), _named("atan2"), APPROXIMATE, True),
    Row("hypot", FLOATS, binary(ops.Hypot()), _two(np.hypot), _named("hypot"), APPROXIMATE, True),
    Row("logaddexp", FLOATS, binary(ops.LogAddExp()), _two(np.logaddexp), _named("logaddexp"),
        Tolerance("a logarithm near one loses what is small beside it", 8, 8), True),
    Row("copysign", FLOATS, binary(ops.CopySign(), spaced()), _two(np.copysign), _named("copysign"),
        EXACT, True, signed_zeros=True),
    Row("nextafter", FLOATS, binary(ops.NextAfter()), _two(np.nextafter), _named("nextafter"),
        EXACT, native=True, torch_dtypes=SINGLES),
    Row("gcd", INTEGERS, binary(ops.Gcd(), allowed=_no_least), _gcd, _named("gcd")),
    Row("neg", NUMBERS, unary(ops.Neg()), _one(np.negative), _named("neg"), EXACT, True,
        signed_zeros=True),
    Row("abs", NUMBERS, unary(ops.Abs()), _one(np.abs), _named("abs"), EXACT, True,
        signed_zeros=True),
    Row("sign", NUMBERS, unary(ops.Sign()), _sign, _named("sign"), EXACT, True),
    Row("signbit", NUMBERS, unary(ops.SignBit()), _one(lambda x: np.signbit(x) if
        x.dtype.kind == "f" else x < 0), _named("signbit")),
    Row("floor", FLOATS, unary(ops.Floor(), spaced()), _one(np.floor), _named("floor"), EXACT,
        True, signed_zeros=True),
    Row("ceil", FLOATS, unary(ops.Ceil(), spaced()), _one(np.ceil), _named("ceil"), EXACT, True,
        signed_zeros=True),
    Row("trunc", FLOATS, unary(ops.Trunc(), spaced()), _one(np.trunc), _named("trunc"), EXACT,
        True, signed_zeros=True),
    Row("round", FLOATS, unary(ops.Round(), spaced()), _one(np.rint), _named("round"), EXACT,
        True, signed_zeros=True),
    Row("relu", NUMBERS, unary(ops.Relu()), _one(lambda x: np.where(x < 0, np.zeros_like(x), x)),
        _named("relu"), EXACT, True),
)  # fmt: skip
