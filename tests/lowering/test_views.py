"""Views as affine accesses: strides and offsets are those that numpy gives."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from graphc.ir.dtype import float32
from graphc.ir.graph import Graph
from graphc.ir.node import Node, make_input
from graphc.ir.types import TensorType
from graphc.lowering.views import dense, order_of, reshaped, views
from graphc.ops.movement import Expand, Flip, Permute, Reshape, Slice

SHAPES = st.lists(st.integers(1, 4), min_size=1, max_size=4).map(tuple)


def looked_at(x: Node, array: np.ndarray, data: st.DataObject) -> tuple[Node, np.ndarray]:
    """Some view op of a node, and the same of an array."""
    kind = data.draw(st.sampled_from(["permute", "slice", "flip", "expand", "reshape"]))
    if kind == "permute":
        dims = tuple(data.draw(st.permutations(range(x.rank))))
        return Permute(dims)(x), array.transpose(dims)
    if kind == "flip":
        dims = tuple(data.draw(st.sets(st.integers(0, x.rank - 1))))
        return Flip(dims)(x), np.flip(array, dims)
    if kind == "expand":
        shape = (2, *(3 if n == 1 else n for n in x.shape))
        return Expand(shape)(x), np.broadcast_to(array, shape)
    if kind == "reshape":
        shape = (*x.shape[:-1], 1, x.shape[-1])
        return Reshape(shape)(x), array.reshape(shape)
    starts = tuple(data.draw(st.integers(0, n - 1)) for n in x.shape)
    steps = tuple(data.draw(st.integers(1, 2)) for _ in x.shape)
    cut = tuple(slice(a, n, s) for a, n, s in zip(starts, x.shape, steps, strict=True))
    return Slice(starts, x.shape, steps)(x), array[cut]


@settings(deadline=None)
@given(SHAPES, st.data())
def test_the_access_is_that_of_numpy(shape: tuple[int, ...], data: st.DataObject) -> None:
    array = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    x = node = make_input("x", TensorType(shape, float32))
    view = array
    for _ in range(3):
        node, view = looked_at(node, view, data)
    found = views(Graph((x,), (node,)), {})[node]
    memory = array.reshape(-1)
    if found.owner[0] is x:
        seen = np.lib.stride_tricks.as_strided(
            memory[found.offset :], node.shape, tuple(4 * s for s in found.strides)
        )
        assert np.array_equal(seen, view)
    else:
        assert found.owner[0].op.name == "reshape"


@settings(deadline=None)
@given(SHAPES, st.permutations(range(4)), SHAPES)
def test_a_reshape_is_a_view_where_numpy_makes_one(
    shape: tuple[int, ...], dims: list[int], new: tuple[int, ...]
) -> None:
    if np.prod(shape) != np.prod(new):
        new = (int(np.prod(shape)),)
    order = [d for d in dims if d < len(shape)]
    array = np.zeros(shape, np.int8).transpose(order)
    strides = dense(shape)
    found = reshaped(array.shape, tuple(strides[d] for d in order), new)
    copy = array.reshape(new)
    assert (found is not None) == np.shares_memory(copy, array)
    if found is not None:
        wide = [s for n, s in zip(new, found, strict=True) if n != 1]
        assert wide == [s for n, s in zip(new, copy.strides, strict=True) if n != 1]


def test_axes_of_extent_one_do_not_make_another_order() -> None:
    assert order_of((1, 8, 4), (1, 4, 1)) == (0, 1, 2)
    assert order_of((2, 8, 4), (32, 1, 8)) == (0, 2, 1)
