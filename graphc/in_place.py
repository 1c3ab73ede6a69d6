"""Writing into tensors: what the in-place forms of functions do to memory and to history."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from graphc.errors import GraphcRuntimeError
from graphc.functions.operands import C_NAMES, c_type, not_implemented
from graphc.history import grad_name
from graphc.ir.dtype import DType, bool_, int64
from graphc.ir.node import Node, cast, origin_of, recording
from graphc.lift import lift
from graphc.ops.function import Function
from graphc.ops.sloped import level, sloped, without_derivative
from graphc.origins import here, locating
from graphc.recording import Detach, session
from graphc.tensor import Tensor

UNSEEN = frozenset({"logical_and", "logical_not", "logical_or", "logical_xor"})
"""Functions whose in-place form PyTorch's history does not see: a gradient passes unchanged."""
UNDERIVED = frozenset({"acosh", "asinh", "atanh"})
"""Functions whose in-place form has no derivative in PyTorch."""
OVERWRITING = frozenset({"copy"})
"""Functions whose result does not come from the tensor that it is written to."""
_NAMED = (
    "abs acos acosh addmv arccos arccosh arcsin arcsinh arctan arctanh asin asinh atan atanh ceil "
    "celu clamp clamp_max clamp_min clip conj_physical cos cosh deg2rad erf erfc exp exp2 expm1 "
    "fill fix floor frac gcd i0 lcm ldexp log log10 log1p log2 logit nan_to_num neg negative "
    "rad2deg reciprocal relu round rsqrt selu sigmoid sin sinc sinh sqrt square tan tanh "
    "threshold trunc xlogy zero"
)
NAMED = tuple(_NAMED.split())
"""Functions whose in-place form the package's namespace has too."""
PRODUCTS = frozenset({"addmm_", "addmv_", "baddbmm_"})
"""What tells of results that do not fit in words of its own."""


def assign(tensor: Tensor, value: Tensor, name: str) -> Tensor:
    """Write ``value`` into the memory of ``tensor``, as the in-place operation ``name``."""
    node = _fitting(tensor, value, name)
    if recording.grad_enabled and tensor.requires_grad and not node.requires_grad:
        node = _coming_from(node, [tensor])
    return _write(tensor, node, _step_name(value, name))


def in_place(function: Function, *, method: bool = True) -> Callable[..., Tensor]:
    """The method, or the function of the namespace, that writes a result into the first operand."""
    name, plain = f"{function.name}_", function.call.__name__.rstrip("_")
    lifted = lift(replace(function, name=name), method=method)
    missing = ""
    if function.grad_name == "NotImplemented":
        missing = f"derivative for aten::{plain}_ is not implemented"
    if plain in UNDERIVED:
        missing = f"the derivative for 'inplace version of {plain}' is not implemented."

    def write(input: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        value: Tensor = lifted(input, *args, **kwargs)
        node = _fitting(input, value, name)
        step = _step_name(value, f"{plain}_")
        given = (input, *args, *kwargs.values()) if recording.grad_enabled else ()
        sources = [x for x in given if isinstance(x, Tensor) and x.requires_grad]
        if plain in UNSEEN and input.requires_grad:
            node, step = _coming_from(node, [input], slope=1.0), grad_name(input)
        elif missing and sources:
            node = _coming_from(node, sources, missing)
        elif sources and (plain in OVERWRITING or not node.requires_grad):
            node = _coming_from(node, sources)
        return _write(input, node, step)

    write.__name__ = write.__qualname__ = name
    write.__doc__ = f"``{function.name}``, written into this tensor."
    return locating(name)(write)


def _fitting(tensor: Tensor, value: Tensor, name: str) -> Node:
    """``value`` in the type of ``tensor``. Raises where it cannot be written there."""
    trace = session.trace
    node = trace.node_of(value)
    target = tensor._type
    if recording.grad_enabled:
        check_leaf(tensor)
    if node.shape != target.shape:
        raise _misfit(name, list(target.shape), list(node.shape))
    if node.dtype is target.dtype:
        return node
    _check_kind(name, node.dtype, target.dtype)
    key = ("cast", node, target.dtype)
    found = trace.memo.get(key)
    if found is None:
        with origin_of(here(name)):
            found = trace.memo[key] = cast(node, target.dtype)
    return found


def _check_kind(name: str, source: DType, target: DType) -> None:
    """Raise, in the function's own words, where its result is of another kind than the target."""
    if name == "float_power_":
        raise GraphcRuntimeError(
            f"the base given to float_power_ has dtype {C_NAMES[target.name]} but the operation's "
            f"result requires dtype {C_NAMES[source.name]}"
        )
    if name in ("cumsum_", "cumprod_"):
        if target is bool_ and source is int64:
            raise not_implemented(f"{name}out_cpu", target)
        if source is not int64 or target.category != 1:
            raise GraphcRuntimeError(
                f"Bad in-place call: input tensor dtype {c_type(target)} and output tensor dtype "
                f"{c_type(source)} should match"
            )
    check_cast(source, target, c_type if name.startswith("clamp_") else None)


def check_cast(source: DType, target: DType, named: Callable[[DType], str] | None = None) -> None:
    """Raise where a result of one type cannot be written to memory of another."""
    if source.category > target.category:
        shown = C_NAMES[target.name] if named is None else named(target)
        raise GraphcRuntimeError(
            f"result type {C_NAMES[source.name]} can't be cast to the desired output type {shown}"
        )


def _misfit(name: str, own: list[int], result: list[int]) -> GraphcRuntimeError:
    if name in PRODUCTS:
        return GraphcRuntimeError(
            f"Bad in-place call: input tensor size {own} and output tensor size {result} should "
            "match"
        )
    return GraphcRuntimeError(f"output with shape {own} doesn't match the broadcast shape {result}")


def check_leaf(tensor: Tensor) -> None:
    """Raise where a write would change a leaf of differentiation behind its back."""
    base = tensor._base
    if base is not None:
        _check_view(tensor, base)
    for x, what in ((tensor, "a leaf"), (base, "a view of a leaf")):
        if x is not None and x._is_leaf and x._requires_grad:
            if x is base and any(isinstance(op, Detach) for op in tensor._chain):
                continue
            raise GraphcRuntimeError(
                f"{what} Variable that requires grad is being used in an in-place operation."
            )


def _check_view(tensor: Tensor, base: Tensor) -> None:
    """Raise for views whose history a write cannot go into."""
    if tensor._unwatched and base.requires_grad:
        raise GraphcRuntimeError(
            "A view was created in no_grad mode and is being modified inplace with grad mode "
            "enabled. Given that this use case is ambiguous and error-prone, it is forbidden. You "
            "can clarify your code by moving both the view and the inplace either both inside the "
            "no_grad block (if you don't want the inplace to be tracked) or both outside (if you "
            "want the inplace to be tracked)."
        )
    if tensor._output is not None and tensor.requires_grad:
        name = tensor._grad_name or grad_name(tensor)
        raise GraphcRuntimeError(
            f"Output {tensor._output} of {name.rstrip('0123456789').removesuffix('Backward')} is a "
            "view and is being modified inplace. This view is the output of a function that "
            "returns multiple views. Such functions do not allow the output views to be modified "
            "inplace. You should replace the inplace operation by an out-of-place one."
        )


def _coming_from(node: Node, sources: list[Tensor], missing: str = "", slope: float = 0.0) -> Node:
    """``node`` with the tensors in its history: without a derivative, or with one of ``slope``."""
    trace = session.trace
    nodes = [trace.node_of(x) for x in sources]
    key = ("coming from", node, missing, slope, *nodes)
    found = trace.memo.get(key)
    if found is None:
        if slope:
            found = sloped(node, nodes[0], slope)
        elif missing:
            found = without_derivative(missing, Detach()(node), *nodes)
        else:
            found = level(node, *nodes)
        trace.memo[key] = found
    return found


def _step_name(value: Tensor, name: str) -> str:
    """What ``grad_fn`` prints of a write."""
    if value.requires_grad:
        return grad_name(value)
    return "".join(word.capitalize() for word in name.split("_")) + "Backward0"


def _write(tensor: Tensor, node: Node, step: str) -> Tensor:
    tensor._assign(node)
    tensor._grad_name = step if node.requires_grad else ""
    return tensor
