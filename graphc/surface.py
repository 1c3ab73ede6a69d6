"""The surface: what the table of functions makes of Tensor and of the package's namespace."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphc.errors import GraphcRuntimeError
from graphc.functions.operands import C_NAMES
from graphc.history import grad_name
from graphc.ir.node import Node, cast, origin_of, recording
from graphc.lift import here, lift
from graphc.ops.function import FUNCTIONS
from graphc.ops.sloped import sloped
from graphc.recording import Detach, session
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


def assign(tensor: Tensor, value: Tensor, name: str) -> Tensor:
    """Write ``value`` into the memory of ``tensor``, as the in-place operation ``name``."""
    trace = session.trace
    node = trace.node_of(value)
    target = tensor._type
    if recording.grad_enabled:
        _check_leaf(tensor)
    if node.shape != target.shape:
        raise GraphcRuntimeError(
            f"{name}: output with shape {list(target.shape)} doesn't match the broadcast shape "
            f"{list(node.shape)}"
        )
    if node.dtype.category > target.dtype.category:
        raise GraphcRuntimeError(
            f"result type {C_NAMES[node.dtype.name]} can't be cast to the desired output type "
            f"{C_NAMES[target.dtype.name]}"
        )
    if node.dtype is not target.dtype:
        key = ("cast", node, target.dtype)
        found = trace.memo.get(key)
        if found is None:
            with origin_of(here(name)):
                found = trace.memo[key] = cast(node, target.dtype)
        node = found
    if recording.grad_enabled and tensor.requires_grad and not node.requires_grad:
        node = _forgetting(tensor, node)
    name_of_step = _step_name(value, name) if node.requires_grad else ""
    tensor._assign(node)
    tensor._grad_name = name_of_step
    return tensor


def _step_name(value: Tensor, name: str) -> str:
    if value.requires_grad:
        return grad_name(value)
    return "".join(word.capitalize() for word in name.split("_")) + "Backward0"


def _forgetting(tensor: Tensor, node: Node) -> Node:
    """``node``, which needs a gradient as ``tensor`` does whose numbers it takes the place of."""
    trace = session.trace
    source = trace.node_of(tensor)
    key = ("forgetting", node, source)
    if key not in trace.memo:
        trace.memo[key] = sloped(node, source, 0.0)
    return trace.memo[key]  # type: ignore[no-any-return]


def _check_leaf(tensor: Tensor) -> None:
    """Raise where a write would change a leaf of differentiation behind its back."""
    base = tensor._base
    for x, what in ((tensor, "a leaf"), (base, "a view of a leaf")):
        if x is not None and x._is_leaf and x._requires_grad:
            if x is base and any(isinstance(op, Detach) for op in tensor._chain):
                continue
            raise GraphcRuntimeError(
                f"{what} Variable that requires grad is being used in an in-place operation."
            )


def _in_place(name: str, lifted: Callable[..., Any]) -> Callable[..., Any]:
    def method(self: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        return assign(self, lifted(self, *args, **kwargs), name)

    method.__name__ = method.__qualname__ = name
    method.__doc__ = f"``{name[:-1]}``, written into this tensor."
    return method


def _reflected(call: Callable[..., Any]) -> Callable[..., Any]:
    return lambda self, other: call(other, self)


def install() -> dict[str, Callable[..., Any]]:
    """Give Tensor its methods; the functions of the package's namespace by name."""
    for name, f in FUNCTIONS.items():
        if f.method and not hasattr(Tensor, name):
            setattr(Tensor, name, lift(f, method=True))
        if f.inplace:
            setattr(Tensor, f"{name}_", _in_place(f"{name}_", lift(f, method=True)))
    for operator, name in OPERATORS.items():
        setattr(Tensor, operator, lift(FUNCTIONS[name], operator=True))
    for operator, name in REFLECTED.items():
        setattr(Tensor, operator, _reflected(lift(FUNCTIONS[name], operator=True)))
    for operator, name in IN_PLACE_OPERATORS.items():
        setattr(Tensor, operator, getattr(Tensor, name))
    return {name: LIFTED[name] for name, f in FUNCTIONS.items() if f.namespace}
