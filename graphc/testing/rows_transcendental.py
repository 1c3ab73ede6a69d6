"""The exponential, trigonometric and hyperbolic families, the error and gamma functions."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from graphc.ir.dtype import DType, float16
from graphc.ops import transcendental as ops
from graphc.ops.elementwise import Elementwise
from graphc.testing import special
from graphc.testing.operands import Array
from graphc.testing.samples import ANY, Range, unary
from graphc.testing.table import APPROXIMATE, FLOATS, ROUNDED, SINGLES, Row, Tolerance

POSITIVE = Range(0.5, 2.5)
INNER = Range(-0.9, 0.9)
GAMMA = Range(0.6, 4.0)
SERIES = Tolerance("PyTorch breaks the series of ψ₁ off after three terms: 2 in 10⁹", 0, 1e7)
STEEP = Tolerance("near a zero of the function its argument's rounding weighs most", 16, 8)


def _row(
    op: type[Elementwise],
    function: Callable[[Array], Array],
    range: Range = ANY,
    tolerance: Tolerance = APPROXIMATE,
    *,
    torch_dtypes: tuple[DType, ...] = FLOATS,
    torch_gradient: Tolerance | None = None,
    torch_second: Tolerance | None = None,
) -> Row:
    return Row(
        op.name,
        FLOATS,
        unary(op(), range),
        lambda op, x: function(x),
        lambda torch, op, x: getattr(torch, op.name)(x),
        tolerance,
        True,
        torch_dtypes=torch_dtypes,
        torch_gradient=torch_gradient,
        torch_second=torch_second,
    )


ROWS = (
    _row(ops.Exp, np.exp),
    _row(ops.Exp2, np.exp2),
    _row(ops.Expm1, np.expm1),
    _row(ops.Log, np.log, POSITIVE),
    _row(ops.Log2, np.log2, POSITIVE),
    _row(ops.Log10, np.log10, POSITIVE),
    _row(ops.Log1p, np.log1p, POSITIVE),
    _row(ops.Sqrt, np.sqrt, POSITIVE, ROUNDED),
    _row(ops.Rsqrt, lambda x: 1 / np.sqrt(x), POSITIVE),
    _row(ops.Reciprocal, lambda x: 1 / x, POSITIVE, ROUNDED),
    _row(ops.Sin, np.sin),
    _row(ops.Cos, np.cos),
    _row(ops.Tan, np.tan, INNER),
    _row(ops.Asin, np.arcsin, INNER),
    _row(ops.Acos, np.arccos, INNER),
    _row(ops.Atan, np.arctan),
    _row(ops.Sinh, np.sinh),
    _row(ops.Cosh, np.cosh),
    _row(ops.Tanh, np.tanh),
    _row(ops.Asinh, np.arcsinh),
    _row(ops.Acosh, np.arccosh, Range(1.2, 3.0)),
    _row(ops.Atanh, np.arctanh, INNER),
    _row(ops.Sigmoid, lambda x: 1 / (1 + np.exp(-x))),
    # In bfloat16 PyTorch gives 0 for the least normal number.
    _row(ops.Erf, special.erf, torch_dtypes=(float16, *SINGLES)),
    _row(ops.Erfc, special.erfc),
    _row(ops.Erfinv, special.erfinv, INNER),
    _row(ops.Lgamma, special.lgamma, GAMMA, STEEP, torch_second=SERIES),
    _row(ops.Digamma, special.digamma, GAMMA, STEEP, torch_gradient=SERIES),
)
