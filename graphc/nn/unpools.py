"""Unpooling by the places that pooling gives."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from graphc.errors import GraphcValueError
from graphc.surface import LIFTED
from graphc.tensor import Tensor

Settings = int | Sequence[int]


def _many(value: Any, count: int) -> list[int]:
    return [value] * count if isinstance(value, int) else list(value)


def _size(
    own: Sequence[int], kernel: Any, stride: Any, padding: Any, given: Sequence[int] | None
) -> list[int]:
    """The extents of the result: those given, which must be near enough to the usual ones."""
    dims = len(own)
    kernels, paddings = _many(kernel, dims), _many(padding, dims)
    strides = kernels if stride is None else _many(stride, dims)
    steps = zip(own, kernels, strides, paddings, strict=True)
    usual = [(n - 1) * step + k - 2 * p for n, k, step, p in steps]
    if given is None:
        return usual
    sizes = given[2:] if len(given) == dims + 2 else given
    if len(sizes) != dims:
        raise GraphcValueError(
            f"output_size should be a sequence containing {dims} or {dims + 2} elements, but it "
            f"has a length of '{len(sizes)}'"
        )
    for d, (n, step) in enumerate(zip(usual, strides, strict=True)):
        if not n - step < sizes[d] < n + step:
            raise GraphcValueError(
                f'invalid output_size "{sizes}" (dim {d} must be between {n - step} and {n + step})'
            )
    return list(sizes)


def _declare(dims: int) -> Callable[..., Tensor]:
    def unpool(
        input: Tensor,
        indices: Tensor,
        kernel_size: Settings,
        stride: Settings | None = None,
        padding: Settings = 0,
        output_size: Sequence[int] | None = None,
    ) -> Tensor:
        size = _size(tuple(input.shape)[-dims:], kernel_size, stride, padding, output_size)
        result: Tensor = LIFTED["unpooled"](input, indices, tuple(size))
        return result

    unpool.__name__ = unpool.__qualname__ = f"max_unpool{dims}d"
    unpool.__doc__ = f"What ``max_pool{dims}d`` gave with its indices, in its places among zeros."
    return unpool


max_unpool1d, max_unpool2d, max_unpool3d = map(_declare, (1, 2, 3))
