"""Jacobians, Hessians and their products with vectors, of functions over tensors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from graphc.autograd.engine import grad
from graphc.autograd.grad_mode import enable_grad
from graphc.errors import GraphcRuntimeError, GraphcTypeError
from graphc.surface import LIFTED
from graphc.tensor import Tensor

Tensors = tuple[Tensor, ...]
Function = Callable[..., Any]


def _tuple(given: Any, what: str, function: str) -> Tensors:
    """Tensors as a tuple. Raises where there is something else."""
    found = tuple(given) if isinstance(given, tuple | list) else (given,)
    for i, x in enumerate(found):
        if not isinstance(x, Tensor):
            where = f"Value at index {i} in {what}" if len(found) > 1 else what
            raise GraphcTypeError(
                f"The {what} given to {function} must be either a Tensor or a tuple of Tensors "
                f"but the given {where} has type {type(x)}."
            )
    return found


def _leaves(inputs: Tensors, create_graph: bool) -> Tensors:
    """Inputs to differentiate by: with their own history if the result is to have one."""
    if create_graph:
        return tuple(x.view_as(x) if x.requires_grad else _leaf(x) for x in inputs)
    return tuple(_leaf(x) for x in inputs)


def _leaf(x: Tensor) -> Tensor:
    copy: Tensor = x.detach().clone()
    return copy.requires_grad_()


def _called(
    function: Function, inputs: Any, name: str, create_graph: bool
) -> tuple[Tensors, Tensors, bool]:
    """The inputs, the outputs and whether these are a tuple."""
    leaves = _leaves(_tuple(inputs, "inputs", name), create_graph)
    output = function(*leaves)
    return (
        leaves,
        _tuple(output, "outputs of the user-provided function", name),
        isinstance(output, tuple),
    )


def _gradients(
    outputs: Sequence[Tensor], inputs: Tensors, seeds: Any, create_graph: bool
) -> Tensors:
    """The gradients, zeros where none flows."""
    wanted = [(y, s) for y, s in zip(outputs, seeds, strict=True) if y.requires_grad]
    if not wanted:
        return tuple(LIFTED["mul"](x.detach(), 0) for x in inputs)
    ys, given = zip(*wanted, strict=True)
    return grad(  # type: ignore[return-value]
        ys,
        inputs,
        given,
        retain_graph=True,
        create_graph=create_graph,
        materialize_grads=True,
    )


def _result(found: Sequence[Any], single: bool) -> Any:
    return found[0] if single else tuple(found)


def _finished(x: Tensor, create_graph: bool) -> Tensor:
    return x if create_graph else x.detach()


def jacobian(func: Function, inputs: Any, create_graph: bool = False, strict: bool = False) -> Any:
    """∂output/∂input for each output and each input, of shape output.shape + input.shape."""
    single = isinstance(inputs, Tensor)
    with enable_grad():
        leaves, outputs, several = _called(func, inputs, "jacobian", create_graph)
        rows = [_jacobian_of(y, leaves, create_graph) for y in outputs]
    return _result([_result(row, single) for row in rows], not several)


def _jacobian_of(output: Tensor, inputs: Tensors, create_graph: bool) -> list[Tensor]:
    count = output.numel()
    flat = output.reshape(count)
    rows = [_gradients([flat[i]], inputs, [None], create_graph) for i in range(count)]
    found = []
    for place, x in enumerate(inputs):
        shape = (*output.shape, *x.shape)
        parts = [row[place].reshape(-1) for row in rows]
        whole = LIFTED["stack"](parts) if parts else x.new_zeros((0,))
        found.append(_finished(whole.reshape(shape), create_graph))
    return found


def hessian(func: Function, inputs: Any, create_graph: bool = False, strict: bool = False) -> Any:
    """The second derivatives of a function that returns one number."""
    single = isinstance(inputs, Tensor)

    def first(*given: Tensor) -> Any:
        output = func(*given)
        _check_number(output, "hessian")
        return _gradients([output], given, [None], True)

    found = jacobian(first, inputs, create_graph)
    return found[0] if single else found


def _check_number(output: Any, name: str) -> None:
    if not isinstance(output, Tensor):
        raise GraphcRuntimeError(f"The function given to {name} should return a single Tensor")
    if output.numel() != 1:
        raise GraphcRuntimeError(
            f"The Tensor returned by the function given to {name} should contain a single element"
        )


def vjp(
    func: Function, inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False
) -> tuple[Any, Any]:
    """The outputs, and the vector ``v`` times the Jacobian."""
    single = isinstance(inputs, Tensor)
    with enable_grad():
        leaves, outputs, several = _called(func, inputs, "vjp", create_graph)
        seeds = _vectors(v, outputs, "vjp")
        found = _gradients(outputs, leaves, seeds, create_graph)
    results = [_finished(y, create_graph) for y in outputs]
    products = [_finished(x, create_graph) for x in found]
    return _result(results, not several), _result(products, single)


def _vectors(v: Any, like: Tensors, name: str) -> Tensors:
    if v is None:
        if len(like) != 1 or like[0].numel() != 1:
            raise GraphcRuntimeError(
                "The vector v can only be None if the user-provided function returns a single "
                "Tensor with a single element."
            )
        return (LIFTED["add"](LIFTED["mul"](like[0].detach(), 0), 1),)
    found = _tuple(v, "v", name)
    if len(found) != len(like):
        raise GraphcRuntimeError(f"v is a tuple of invalid length: should be {len(like)}")
    for x, y in zip(found, like, strict=True):
        if x.shape != y.shape:
            raise GraphcRuntimeError(f"v has invalid size: should be {y.shape} but got {x.shape}.")
    return found


def jvp(
    func: Function, inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False
) -> tuple[Any, Any]:
    """The outputs, and the Jacobian times the vector ``v``: the gradient of a gradient."""
    with enable_grad():
        leaves, outputs, several = _called(func, inputs, "jvp", create_graph)
        vectors = _vectors(v, leaves, "jvp")
        seeds = tuple(LIFTED["mul"](y.detach(), 0).requires_grad_() for y in outputs)
        first = _gradients(outputs, leaves, seeds, True)
        found = _gradients(first, seeds, vectors, create_graph)
    results = [_finished(y, create_graph) for y in outputs]
    products = [_finished(x, create_graph) for x in found]
    return _result(results, not several), _result(products, not several)


def vhp(
    func: Function, inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False
) -> tuple[Any, Any]:
    """The function's number, and the vector ``v`` times its Hessian."""
    single = isinstance(inputs, Tensor)
    with enable_grad():
        leaves, outputs, _ = _called(func, inputs, "vhp", create_graph)
        _check_number(outputs[0], "vhp")
        vectors = _vectors(v, leaves, "vhp")
        first = _gradients(outputs, leaves, [None], True)
        found = _gradients(first, leaves, vectors, create_graph)
    products = [_finished(x, create_graph) for x in found]
    return _finished(outputs[0], create_graph), _result(products, single)


def hvp(
    func: Function, inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False
) -> tuple[Any, Any]:
    """The function's number, and its Hessian, which is symmetric, times the vector ``v``."""
    return vhp(func, inputs, v, create_graph, strict)
