"""Maximum pools as nn.functional has them: with the places where they are asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphc.surface import LIFTED


def _over_windows(name: str) -> Callable[..., Any]:
    plain, with_indices = LIFTED[name], LIFTED[f"{name}_with_indices"]

    def call(
        input: Any,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        dilation: Any = 1,
        ceil_mode: bool = False,
        return_indices: bool = False,
    ) -> Any:
        pool = with_indices if return_indices else plain
        return pool(input, kernel_size, stride, padding, dilation, ceil_mode)

    call.__name__ = call.__qualname__ = name
    call.__doc__ = f"{plain.__doc__} With ``return_indices`` also where it is."
    return call


def _both(name: str, rest: int) -> Callable[..., Any]:
    """The pool ``name`` with the places, which a last argument asks for in vain."""
    both = LIFTED[name]

    def call(input: Any, *args: Any, return_indices: bool = False, **kwargs: Any) -> Any:
        return both(input, *args[:rest], **kwargs)

    call.__name__ = call.__qualname__ = name if "with" in name else f"{name}_with_indices"
    call.__doc__ = both.__doc__
    return call


def _adaptive(name: str) -> Callable[..., Any]:
    both = LIFTED[name]

    def call(input: Any, output_size: Any, return_indices: bool = False) -> Any:
        values, indices = both(input, output_size)
        return (values, indices) if return_indices else values

    call.__name__ = call.__qualname__ = name
    call.__doc__ = "The largest element of each of ``output_size`` windows, and perhaps its place."
    return call


NAMES = {
    **{name: _over_windows(name) for name in ("max_pool1d", "max_pool2d", "max_pool3d")},
    **{
        f"max_pool{dims}d_with_indices": _both(f"max_pool{dims}d_with_indices", 5)
        for dims in (1, 2, 3)
    },
    **{
        f"adaptive_max_pool{dims}d_with_indices": _both(f"adaptive_max_pool{dims}d", 1)
        for dims in (1, 2, 3)
    },
    **{f"adaptive_max_pool{dims}d": _adaptive(f"adaptive_max_pool{dims}d") for dims in (1, 2, 3)},
}
