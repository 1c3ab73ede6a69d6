"""``vmap``: a function called for each slice of its arguments."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

from graphc.errors import GraphcRuntimeError, GraphcValueError
from graphc.nest import leaves, mapped
from graphc.surface import LIFTED
from graphc.tensor import Tensor

Dims = Any
"""A number or None for everything, or a nest of them as the arguments are one."""


def vmap(
    func: Callable[..., Any],
    in_dims: Dims = 0,
    out_dims: Dims = 0,
    randomness: str = "error",
    *,
    chunk_size: int | None = None,
) -> Callable[..., Any]:
    """The function that calls ``func`` for each slice of its arguments, and stacks the results.

    The calls are recorded one by one; equal parts of them are computed once.
    """
    if randomness not in ("error", "different", "same"):
        raise GraphcRuntimeError(
            "Only allowed values for randomness are 'error', 'different', or 'same'. Got "
            f"{randomness}"
        )
    if randomness == "same":
        raise NotImplementedError("vmap: randomness='same' is not supported")

    @wraps(func)
    def each(*args: Any, **kwargs: Any) -> Any:
        dims = _spread(in_dims if isinstance(in_dims, int) else _alike(in_dims, args), args)
        keywords = _spread(0, kwargs)
        count = _count((args, kwargs), (dims, keywords))
        results = [
            func(*_slice(args, dims, i), **_slice(kwargs, keywords, i)) for i in range(count)
        ]
        return _stacked(results, out_dims)

    return each


def _alike(dims: Dims, args: tuple[Any, ...]) -> Dims:
    if not isinstance(dims, tuple | list):
        raise GraphcValueError(
            f"vmap: in_dims must be an int or a tuple, got {type(dims).__name__}"
        )
    if len(dims) != len(args):
        raise GraphcValueError(
            f"vmap: in_dims is not compatible with the structure of inputs: {len(dims)} for "
            f"{len(args)} inputs"
        )
    return tuple(dims)


def _spread(dims: Dims, x: Any) -> Any:
    """For each leaf of the nest ``x`` its dimension, in a nest of the same form."""
    if isinstance(x, dict):
        return {key: _spread(_of(dims, key), value) for key, value in x.items()}
    if isinstance(x, list | tuple):
        return [_spread(_of(dims, i), value) for i, value in enumerate(x)]
    return dims


def _of(dims: Dims, key: Any) -> Dims:
    return dims[key] if isinstance(dims, dict | list | tuple) else dims


def _slice(x: Any, dims: Any, i: int) -> Any:
    if isinstance(x, dict | list | tuple):
        each = iter(leaves(dims))
        return mapped(lambda leaf, path: _slice(leaf, next(each), i), x)
    return x if dims is None or not isinstance(x, Tensor) else x.select(dims, i)


def _count(x: Any, dims: Any) -> int:
    """The common extent of the dimensions that are mapped over."""
    pairs = zip(leaves(x), leaves(dims), strict=True)
    found = {t.shape[d] for t, d in pairs if d is not None and isinstance(t, Tensor)}
    if not found:
        raise GraphcValueError("vmap: at least one input being mapped over is needed")
    if len(found) > 1:
        raise GraphcValueError(
            "vmap: Expected all tensors to have the same size in the mapped dimension, got sizes "
            f"{sorted(found)} for the mapped dimension"
        )
    (count,) = found
    return int(count)


def _stacked(results: Sequence[Any], out_dims: Dims) -> Any:
    first = results[0]
    columns = zip(*(leaves(result) for result in results), strict=True)
    dims = leaves(_spread(out_dims, first))
    return mapped(lambda leaf, path: _column(next(columns), next(dims)), first)


def _column(parts: tuple[Any, ...], dim: int | None) -> Any:
    if not all(isinstance(part, Tensor) for part in parts):
        raise GraphcValueError("vmap: the function must only return Tensors")
    return parts[0] if dim is None else LIFTED["stack"](parts, dim)
