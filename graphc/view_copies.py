"""Functions that do as a view does, and return memory of their own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphc.outputs import write_out
from graphc.tensor import Tensor

METHODS = {
    "alias_copy": "view_as",
    "as_strided_copy": "as_strided",
    "detach_copy": "view_as",
    "diagonal_copy": "diagonal",
    "expand_copy": "expand",
    "permute_copy": "permute",
    "select_copy": "select",
    "split_copy": "split",
    "split_with_sizes_copy": "split_with_sizes",
    "squeeze_copy": "squeeze",
    "t_copy": "t",
    "transpose_copy": "transpose",
    "unbind_copy": "unbind",
    "unfold_copy": "unfold",
    "unsqueeze_copy": "unsqueeze",
    "view_copy": "view",
}
"""The methods of which they are copies."""


def _copied(view: Any) -> Any:
    if isinstance(view, Tensor):
        return view.clone()
    return tuple(x.clone() for x in view)


def _copying(name: str, method: str) -> Callable[..., Any]:
    """The function that returns a copy of what ``method`` returns."""

    def copy(input: Tensor, *args: Any, out: Any = None, **kwargs: Any) -> Any:
        given = (input,) if method == "view_as" else args
        found = _copied(getattr(input, method)(*given, **kwargs))
        return found if out is None else write_out(out, found, name)

    copy.__name__ = copy.__qualname__ = name
    copy.__doc__ = f"A copy of what ``{method}`` returns."
    return copy


def slice_copy(
    input: Tensor,
    dim: int = 0,
    start: int | None = None,
    end: int | None = None,
    step: int = 1,
    *,
    out: Tensor | None = None,
) -> Tensor:
    """A copy of the elements from ``start`` to before ``end`` along ``dim``."""
    place = (slice(None),) * (dim % input.ndim)
    found: Tensor = input[(*place, slice(start, end, step))].clone()
    return found if out is None else write_out(out, found, "slice_copy")


NAMESPACE: dict[str, Any] = {
    "slice_copy": slice_copy,
    **{name: _copying(name, method) for name, method in METHODS.items()},
}
"""What the package offers by name."""
