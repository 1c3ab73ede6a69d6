"""The surface: what the table of functions makes of Tensor and of the package's namespace."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from graphc.errors import GraphcTypeError
from graphc.from_data import as_tensor
from graphc.in_place import NAMED, in_place
from graphc.in_place import assign as assign
from graphc.lift import lift
from graphc.ops.function import FUNCTIONS
from graphc.tensor import Tensor

OPERATORS = {
    "__add__": "add",
    "__radd__": "add",
    "__sub__": "sub",
    "__rsub__": "rsub",
    "__mul__": "mul",
    "__rmul__": "mul",
    "__truediv__": "div",
    "__rtruediv__": "reverse_divide",
    "__pow__": "pow",
    "__rpow__": "reverse_power",
    "__matmul__": "matmul",
    "__neg__": "neg",
    "__lt__": "lt",
    "__le__": "le",
    "__gt__": "gt",
    "__ge__": "ge",
    "__eq__": "eq",
    "__ne__": "ne",
    "__invert__": "bitwise_not",
    "__and__": "bitwise_and",
    "__rand__": "bitwise_and",
    "__or__": "bitwise_or",
    "__ror__": "bitwise_or",
    "__xor__": "bitwise_xor",
    "__rxor__": "bitwise_xor",
    "__lshift__": "bitwise_left_shift",
    "__rshift__": "bitwise_right_shift",
    "__floordiv__": "floor_divide",
    "__mod__": "remainder",
    "__abs__": "abs",
}
REFLECTED = {
    "__rfloordiv__": "floor_divide",
    "__rmod__": "remainder",
    "__rlshift__": "bitwise_left_shift",
    "__rrshift__": "bitwise_right_shift",
    "__rmatmul__": "matmul",
}
"""Operators that Python calls on the right operand because the left one is no tensor."""
IN_PLACE_OPERATORS = {
    "__iadd__": "add_",
    "__isub__": "sub_",
    "__imul__": "mul_",
    "__itruediv__": "div_",
    "__ipow__": "pow_",
    "__iand__": "bitwise_and_",
    "__ior__": "bitwise_or_",
    "__ixor__": "bitwise_xor_",
    "__ifloordiv__": "floor_divide_",
    "__imod__": "remainder_",
    "__ilshift__": "bitwise_left_shift_",
    "__irshift__": "bitwise_right_shift_",
}

LIFTED: dict[str, Callable[..., Any]] = {name: lift(f) for name, f in FUNCTIONS.items()}


def _reflected(call: Callable[..., Any]) -> Callable[..., Any]:
    return lambda self, other: call(other, self)


def _with_arrays(call: Callable[..., Any]) -> Callable[..., Any]:
    """The comparison, which takes numpy's arrays too."""

    def compare(self: Tensor, other: Any) -> Any:
        return call(self, as_tensor(other) if isinstance(other, np.ndarray) else other)

    return compare


def _divided(call: Callable[..., Any]) -> Callable[..., Any]:
    """The division of something else by a tensor."""

    def divide(self: Tensor, other: Any) -> Any:
        return (
            LIFTED["reciprocal"](self) * other
            if isinstance(other, np.ndarray)
            else call(self, other)
        )

    return divide


def _inverted(self: Tensor) -> Any:
    """Each bit turned."""
    if self.dtype.is_inexact:
        raise GraphcTypeError(
            "~ (operator.invert) is only implemented on integer and Boolean-type tensors"
        )
    return LIFTED["bitwise_not"](self)


def _written(call: Callable[..., Any]) -> Callable[..., Any]:
    """The operator that writes in place what it takes, and leaves the rest to the other operand."""

    def write(self: Tensor, other: Any) -> Any:
        try:
            return call(self, other)
        except GraphcTypeError:
            return NotImplemented

    return write


def install() -> dict[str, Callable[..., Any]]:
    """Give Tensor its methods; the functions of the package's namespace by name."""
    for name, f in FUNCTIONS.items():
        if f.method and not hasattr(Tensor, name):
            setattr(Tensor, name, lift(f, method=True))
        if f.inplace:
            setattr(Tensor, f"{name}_", in_place(f))
    for operator, name in OPERATORS.items():
        setattr(Tensor, operator, lift(FUNCTIONS[name], operator=True))
    for operator, name in REFLECTED.items():
        setattr(Tensor, operator, _reflected(lift(FUNCTIONS[name], operator=True)))
    of_arrays = {
        "__eq__": _with_arrays(Tensor.__eq__),
        "__rtruediv__": _divided(Tensor.__rtruediv__),
        "__invert__": _inverted,
    }
    for operator, call in of_arrays.items():
        setattr(Tensor, operator, call)
    for operator, name in IN_PLACE_OPERATORS.items():
        setattr(Tensor, operator, _written(getattr(Tensor, name)))
    writing = {f"{name}_": in_place(FUNCTIONS[name], method=False) for name in NAMED}
    return {**writing, **{f.name: LIFTED[key] for key, f in FUNCTIONS.items() if f.namespace}}
