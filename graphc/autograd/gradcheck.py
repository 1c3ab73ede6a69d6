"""Gradients checked against differences of the function's own values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphc.autograd.engine import grad
from graphc.errors import GraphcRuntimeError, GraphcValueError
from graphc.from_data import held
from graphc.storage import Array
from graphc.surface import LIFTED
from graphc.tensor import Tensor


def gradcheck(
    func: Callable[..., Any],
    inputs: Tensor | Sequence[Any],
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    raise_exception: bool = True,
) -> bool:
    """Whether the gradients of ``func`` are what central differences of width ``eps`` say."""
    func, given = _over_pairs(func, (inputs,) if isinstance(inputs, Tensor) else tuple(inputs))
    places = [i for i, x in enumerate(given) if isinstance(x, Tensor) and x.requires_grad]
    if not places:
        raise GraphcValueError(
            "gradcheck expects at least one input tensor to require gradient, but none of the them "
            "have requires_grad=True."
        )
    try:
        for number, output in enumerate(_outputs(func(*given))):
            for place in places:
                _compare(func, given, number, output, place, eps, (rtol, atol))
    except GraphcRuntimeError:
        if raise_exception:
            raise
        return False
    return True


def _over_pairs(
    func: Callable[..., Any], inputs: tuple[Any, ...]
) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    """The function and its operands with pairs of real numbers in the place of complex ones."""
    as_real, as_complex = LIFTED["view_as_real"], LIFTED["view_as_complex"]
    complex_ = [isinstance(x, Tensor) and x.dtype.is_complex for x in inputs]

    def over_pairs(*args: Any) -> Any:
        given = [as_complex(x) if c else x for x, c in zip(args, complex_, strict=True)]
        return tuple(as_real(x) if x.dtype.is_complex else x for x in _outputs(func(*given)))

    pairs = (
        as_real(x.detach()).clone().requires_grad_(x.requires_grad) if c else x
        for x, c in zip(inputs, complex_, strict=True)
    )
    return over_pairs, tuple(pairs)


def _outputs(result: Any) -> list[Tensor]:
    found = list(result) if isinstance(result, tuple | list) else [result]
    return [x for x in found if isinstance(x, Tensor) and x.requires_grad]


def _compare(
    func: Callable[..., Any],
    given: tuple[Any, ...],
    number: int,
    output: Tensor,
    place: int,
    eps: float,
    tolerance: tuple[float, float],
) -> None:
    numerical = _differences(func, given, number, place, eps)
    analytical = _analytical(output, given[place])
    if not np.allclose(analytical, numerical, *tolerance):
        raise GraphcRuntimeError(
            f"Jacobian mismatch for output {number} with respect to input {place},\n"
            f"numerical:{numerical}\nanalytical:{analytical}\n"
        )


def _analytical(output: Tensor, x: Tensor) -> Array:
    """The Jacobian by differentiation: a row for each element of ``x``."""
    flat = output.reshape(-1)
    columns = []
    for i in range(flat.numel()):
        (found,) = grad(flat[i], x, retain_graph=True, materialize_grads=True)
        assert found is not None
        columns.append(found.detach()._value().reshape(-1).copy())
    return np.stack(columns, axis=1) if columns else np.zeros((x.numel(), 0))


def _differences(
    func: Callable[..., Any], given: tuple[Any, ...], number: int, place: int, eps: float
) -> Array:
    """The Jacobian by central differences."""
    start = given[place].detach()._value()
    rows = []
    for i in range(start.size):
        ends = []
        for step in (eps, -eps):
            moved = start.copy()
            moved.reshape(-1)[i] += step
            args = [
                held(moved, x.device, requires_grad=True) if j == place else x
                for j, x in enumerate(given)
            ]
            ends.append(_outputs(func(*args))[number].detach()._value().reshape(-1).copy())
        rows.append((ends[0] - ends[1]) / (2 * eps))
    return np.stack(rows) if rows else np.zeros((0, 0))


def gradgradcheck(
    func: Callable[..., Any],
    inputs: Tensor | Sequence[Any],
    grad_outputs: Tensor | Sequence[Tensor] | None = None,
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    raise_exception: bool = True,
) -> bool:
    """``gradcheck`` of the gradients themselves, with ``grad_outputs`` as what arrives."""
    given = (inputs,) if isinstance(inputs, Tensor) else tuple(inputs)
    outputs = _outputs(func(*given))
    if grad_outputs is None:
        rng = np.random.default_rng(0)
        seeds = [
            held(rng.standard_normal(tuple(y.shape)).astype(y.dtype.numpy), requires_grad=True)
            for y in outputs
        ]
    else:
        seeds = [grad_outputs] if isinstance(grad_outputs, Tensor) else list(grad_outputs)
    count = len(given)

    def first(*args: Any) -> Any:
        wanted = [x for x in args[:count] if isinstance(x, Tensor) and x.requires_grad]
        return grad(
            _outputs(func(*args[:count])),
            wanted,
            args[count:],
            create_graph=True,
            allow_unused=True,
        )

    return gradcheck(
        first,
        (*given, *seeds),
        eps=eps,
        atol=atol,
        rtol=rtol,
        raise_exception=raise_exception,
    )
