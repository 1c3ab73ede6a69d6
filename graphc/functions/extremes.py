"""Maxima, minima, medians and their places, as the user calls them."""

from __future__ import annotations

from math import inf, nan
from typing import Any

from graphc.errors import GraphcError, GraphcIndexError, GraphcRuntimeError
from graphc.functions.reduction import Dims, dropped, normal_dim, normal_dims
from graphc.functions.return_types import return_type
from graphc.ir.dtype import bool_, int64
from graphc.ir.node import Item, Node, cast, const, elementwise
from graphc.ops import reduce
from graphc.ops.elementwise import where
from graphc.ops.function import function
from graphc.ops.indexing import Gather
from graphc.ops.movement import full, reshape
from graphc.ops.sort import Sort


def _filled(name: str, x: Node, dim: Dims, unspecified: type[GraphcError]) -> tuple[int, ...]:
    """The dimensions meant by ``dim``; an error in PyTorch's words where they hold no elements."""
    axes = normal_dims(dim, x.rank)
    if dim is None and not x.type.size:
        raise unspecified(
            f"{name}(): Expected reduction dim to be specified for input.numel() == 0. "
            "Specify the reduction dim with the 'dim' argument."
        )
    for axis in axes:
        if not x.shape[axis]:
            raise GraphcIndexError(
                f"{name}(): Expected reduction dim {axis} to have non-zero size."
            )
    return axes


def _extreme(name: str, pick: type[reduce.Extreme], place: type[reduce.ArgReduce]) -> None:
    """Declare max or min: of all, along a dimension with the places, or of two tensors."""

    def call(input: Node, dim: Any = None, keepdim: bool = False, *, other: Any = None) -> Any:
        other = dim if isinstance(dim, Node) else other
        if other is not None:
            return elementwise("maximum" if name == "max" else "minimum", input, other)
        axes = _filled(name, input, dim, GraphcRuntimeError)
        if dim is None:
            return dropped(pick(axes, nan_shares=True)(input), axes, False)
        axis = normal_dim(dim, input.rank)
        places = place(axes)(input)
        values = _picked(input, places, axis)
        kind = return_type(name, "values", "indices")
        return kind(dropped(values, axes, keepdim), dropped(places, axes, keepdim))

    def grad_name(input: Any, dim: Any = None, *_: Any, other: Any = None, **__: Any) -> str:
        if isinstance(dim, Node) or other is not None:
            return "MaximumBackward0" if name == "max" else "MinimumBackward0"
        return f"{name.capitalize()}Backward{1 if dim is None else 0}"

    call.__name__ = name
    call.__doc__ = f"The {name}imum: of all elements, along ``dim`` with places, or of two tensors."
    function(grad_name=grad_name)(call)


def _picked(x: Node, places: Node, axis: int) -> Node:
    """The elements of ``x`` at ``places`` along ``axis``; the gradient goes to these alone."""
    return Gather(axis)(x, places) if x.rank else x


_extreme("max", reduce.Max, reduce.ArgMax)
_extreme("min", reduce.Min, reduce.ArgMin)


def _amax(name: str, pick: type[reduce.Extreme]) -> None:
    def call(input: Node, dim: Dims = (), keepdim: bool = False) -> Node:
        axes = _filled(name, input, None if dim == () else dim, GraphcRuntimeError)
        return dropped(pick(axes)(input), axes, keepdim)

    call.__name__ = name
    call.__doc__ = f"The {name[1:]}imum over ``dim``; the gradient is shared among equals."
    function()(call)


_amax("amax", reduce.Max)
_amax("amin", reduce.Min)


@function()
def aminmax(input: Node, *, dim: int | None = None, keepdim: bool = False) -> tuple[Node, Node]:
    """The minimum and the maximum."""
    axes = normal_dims(dim, input.rank)
    if any(input.shape[axis] == 0 for axis in axes):
        raise GraphcRuntimeError(
            "aminmax(): cannot compute aminmax over an empty dimension as the operation has no "
            "identity."
        )
    low, high = (dropped(pick(axes)(input), axes, keepdim) for pick in (reduce.Min, reduce.Max))
    return return_type("aminmax", "min", "max")(low, high)  # type: ignore[no-any-return]


def _arg(name: str, place: type[reduce.ArgReduce]) -> None:
    def call(input: Node, dim: int | None = None, keepdim: bool = False) -> Node:
        if input.dtype is bool_:
            raise GraphcRuntimeError(f"{name}(): does not support bool input")
        axes = _filled(name, input, dim, GraphcIndexError)
        return dropped(place(axes)(input), axes, keepdim)

    call.__name__ = name
    call.__doc__ = f"The place of the first {name[3:]}imum, over all elements or along ``dim``."
    function()(call)


_arg("argmax", reduce.ArgMax)
_arg("argmin", reduce.ArgMin)


def _median(name: str, skip: bool) -> None:
    def call(input: Node, dim: int | None = None, keepdim: bool = False) -> Any:
        if dim is None:
            value = _middle(reshape(input, (input.type.size,)), 0, skip, False)[0]
            return _found(input, value) if input.requires_grad else value
        axis = normal_dim(dim, input.rank)
        values, places = _middle(input, axis, skip, keepdim)
        return return_type(name, "values", "indices")(values, places)

    call.__name__ = name
    call.__doc__ = "The lower median" + (" of the numbers." if skip else "; nan if there is one.")

    def grad_name(input: Any, dim: Any = None, *_: Any, **__: Any) -> str:
        return f"{name.capitalize()}Backward{0 if dim is None else 1}"

    function(grad_name=grad_name)(call)


def _found(x: Node, value: Node) -> Node:
    """``value``, an element of ``x``; its gradient is shared evenly among all that equal it."""
    axes = tuple(range(x.rank))
    missing = elementwise("ne", value, value)
    same = elementwise("or", elementwise("eq", x, value), missing)
    return dropped(reduce.Max(axes, nan_shares=True)(where(same, x, -inf)), axes, False)


def _middle(x: Node, axis: int, skip: bool, keepdim: bool) -> tuple[Node, Node]:
    """The value in the middle of the sorted numbers, and where it stood."""
    if not x.rank:
        return x, const(0, int64)
    if not x.shape[axis]:
        if x.rank == 1:
            return const(nan, x.dtype), const(0, int64)
        raise GraphcIndexError(f"median(): Expected reduction dim {axis} to have non-zero size.")
    both = Sort(axis)(x)
    numbers = reduce.Sum((axis,))(cast(elementwise("eq", x, x), int64))
    middle = elementwise("floor_divide", elementwise("maximum", numbers - 1, 0), 2)
    if not skip:
        last = x.shape[axis] - 1
        whole = elementwise("eq", numbers, last + 1)
        # nan stands last.
        middle = where(whole, full(middle.shape, const(last // 2, int64)), last)
    axes = (axis,)
    values, places = (_picked(Item(i)(both), middle, axis) for i in (0, 1))
    return dropped(values, axes, keepdim), dropped(places, axes, keepdim)


_median("median", skip=False)
_median("nanmedian", skip=True)
