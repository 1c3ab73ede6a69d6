"""Maximum pools over windows at uneven distances, which are drawn at random."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

from graphc.errors import GraphcRuntimeError, GraphcValueError
from graphc.factories import arange, full
from graphc.ir.dtype import int64
from graphc.sampling import rand
from graphc.surface import LIFTED
from graphc.tensor import Tensor


def _of_each(value: Any, dims: int) -> tuple[Any, ...]:
    """A setting of each dimension, of which one may be given for all."""
    return tuple(value) if isinstance(value, tuple | list) else (value,) * dims


def _starts(noise: Tensor, size: int, kernel: int, count: int) -> Tensor:
    """Where ``count`` windows along an axis begin, int64 ``[n, c, count]``, of noise ``[n, c]``."""
    last = full((*noise.shape, 1), size - kernel, dtype=int64, device=noise.device)
    if count == 1:
        return last
    noise = noise.unsqueeze(-1)
    step = (size - kernel) / (count - 1)
    number = arange(count - 1, device=noise.device).to(noise.dtype)
    starts = ((number + noise) * step).long() - (noise * step).long()
    return LIFTED["cat"]([starts, last], -1)  # type: ignore[no-any-return]


def _places(noise: Tensor, sizes: Any, kernel: Any, counts: Any) -> Tensor:
    """The elements of each window by their numbers, int64 ``[n, c, windows, elements]``."""
    dims = len(sizes)
    windows: Any = 0
    for d, (size, k, count) in enumerate(zip(sizes, kernel, counts, strict=True)):
        # PyTorch draws for an image's columns first, but for a volume's depth.
        start = _starts(noise[:, :, d if dims == 3 else 1 - d], size, k, count)
        along = start.unsqueeze(-1) + arange(k, device=noise.device)
        shape = [1] * (2 * dims)
        shape[d], shape[dims + d] = count, k
        windows = windows * size + along.reshape(*along.shape[:2], *shape)
    return windows.reshape(*windows.shape[:2], -1, prod(kernel))  # type: ignore[no-any-return]


def _pooled(
    dims: int,
    input: Tensor,
    kernel_size: Any,
    output_size: Any,
    output_ratio: Any,
    noise: Tensor | None,
) -> tuple[Tensor, Tensor]:
    name = f"fractional_max_pool{dims}d"
    if output_size is None and output_ratio is None:
        raise GraphcValueError(
            f"{name} requires specifying either an output_size or an output_ratio"
        )
    batched = input.ndim == dims + 2
    x = input if batched else input.unsqueeze(0)
    sizes, kernel = x.shape[2:], _of_each(kernel_size, dims)
    if output_size is None:
        ratios = _of_each(output_ratio, dims)
        output_size = [int(n * ratio) for n, ratio in zip(sizes, ratios, strict=True)]
    counts = _of_each(output_size, dims)
    for axis, (n, k, count) in enumerate(zip(sizes, kernel, counts, strict=True)):
        if count + k - 1 > n:
            which = ("time", "height", "width")[axis - dims]
            raise GraphcRuntimeError(
                f"{name}(): pool {which} {k} too large relative to input {which} {n}"
            )
    if noise is None:
        noise = rand(*x.shape[:2], dims, dtype=x.dtype, device=x.device)
    places = _places(noise, sizes, kernel, counts)
    flat = x.flatten(2)
    found = flat.gather(2, places.flatten(2)).reshape(places.shape)
    values, which = found.max(-1)
    indices = places.gather(-1, which.unsqueeze(-1)).squeeze(-1)
    shape = (*x.shape[:2], *counts) if batched else (x.shape[1], *counts)
    return values.reshape(shape), indices.reshape(shape)


def _declared(dims: int) -> dict[str, Callable[..., Any]]:
    def with_indices(
        input: Tensor,
        kernel_size: Any,
        output_size: Any = None,
        output_ratio: Any = None,
        return_indices: bool = False,
        _random_samples: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """The largest elements of windows, and where they are."""
        return _pooled(dims, input, kernel_size, output_size, output_ratio, _random_samples)

    def pool(
        input: Tensor,
        kernel_size: Any,
        output_size: Any = None,
        output_ratio: Any = None,
        return_indices: bool = False,
        _random_samples: Tensor | None = None,
    ) -> Any:
        """The largest elements of windows, and perhaps where they are."""
        both = _pooled(dims, input, kernel_size, output_size, output_ratio, _random_samples)
        return both if return_indices else both[0]

    name = f"fractional_max_pool{dims}d"
    pool.__name__ = pool.__qualname__ = name
    with_indices.__name__ = with_indices.__qualname__ = f"{name}_with_indices"
    return {f.__name__: f for f in (pool, with_indices)}


NAMES: dict[str, Callable[..., Any]] = {**_declared(2), **_declared(3)}
