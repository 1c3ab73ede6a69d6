"""The surface: what the table of functions makes of Tensor and of the package's namespace."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import graphc.functions
import graphc.ops
from graphc.errors import GraphcRuntimeError
from graphc.ir.node import cast, recording
from graphc.lift import here, lift
from graphc.ir.node import origin_of
from graphc.ops.function import FUNCTIONS
from graphc.recording import session
from graphc.tensor import Tensor

OPERATORS = {
    "__add__": "add",
    "__radd__": "add",
    "__sub__": "sub",
    "__rsub__": "rsub",
    "__mul__": "mul",
    "__rmul__": "mul",
    "__truediv__": "div",
    "__pow__": "pow",
    "__matmul__": "matmul",
    "__neg__": "neg",
    "__lt__": "lt",
    "__le__": "le",
    "__gt__": "gt",
    "__ge__": "ge",
    "__eq__": "eq",
    "__ne__": "ne",
    "__invert__": "logical_not",
    "__and__": "bitwise_and",
    "__or__": "bitwise_or",
    "__xor__": "bitwise_xor",
    "__floordiv__": "floor_divide",
    "__mod__": "remainder",
    "__abs__": "abs",
}
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
}

LIFTED: dict[str, Callable[..., Any]] = {name: lift(f) for name, f in FUNCTIONS.items()}


def assign(tensor: Tensor, value: Tensor, name: str) -> Tensor:
    """Write ``value`` into the memory of ``tensor``, as the in-place operation ``name``."""
    trace = session.trace
    node = trace.node_of(value)
    target = tensor._type
    if recording.grad_enabled and tensor._is_leaf and tensor._requires_grad:
        raise GraphcRuntimeError(
            "a leaf Variable that requires grad is being used in an in-place operation."
        )
    if node.shape != target.shape:
        raise GraphcRuntimeError(
            f"{name}: output with shape {list(target.shape)} doesn't match the broadcast shape "
            f"{list(node.shape)}"
        )
    if node.dtype.category > target.dtype.category:
        raise GraphcRuntimeError(
            f"result type {node.dtype} can't be cast to the desired output type {target.dtype}"
        )
    if node.dtype is not target.dtype:
        key = ("cast", node, target.dtype)
        found = trace.memo.get(key)
        if found is None:
            with origin_of(here(name)):
                found = trace.memo[key] = cast(node, target.dtype)
        node = found
    tensor._assign(node)
    tensor._grad_name = value._grad_name
    return tensor


def _in_place(name: str, lifted: Callable[..., Any]) -> Callable[..., Any]:
    def method(self: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        return assign(self, lifted(self, *args, **kwargs), name)

    method.__name__ = method.__qualname__ = name
    method.__doc__ = f"``{name[:-1]}``, written into this tensor."
    return method


def install() -> dict[str, Callable[..., Any]]:
    """Give Tensor its methods; the functions of the package's namespace by name."""
    for name, f in FUNCTIONS.items():
        if f.method and not hasattr(Tensor, name):
            setattr(Tensor, name, LIFTED[name])
        if f.inplace:
            setattr(Tensor, f"{name}_", _in_place(f"{name}_", LIFTED[name]))
    for operator, name in OPERATORS.items():
        if name in LIFTED:
            setattr(Tensor, operator, LIFTED[name])
    for operator, name in IN_PLACE_OPERATORS.items():
        if hasattr(Tensor, name):
            setattr(Tensor, operator, getattr(Tensor, name))
    return {name: LIFTED[name] for name, f in FUNCTIONS.items() if f.namespace}
