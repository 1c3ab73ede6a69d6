"""Python numbers that change from call to call become inputs, so that no new program is needed."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.ir.node import Node, common_dtype, recording
from graphc.recording import Trace, session
from graphc.storage import Storage
from graphc.tensor import Tensor, bare

LIMIT = 4
"""Values of one number seen at one place before it becomes an input of the program."""
_NUMBERS = (float, int)


def varying(call: Any, trace: Trace, args: tuple[Any, ...]) -> tuple[Any, ...]:
    """The arguments, with a number that varies at its place as a leaf of the trace.

    The leaf has the type that the number itself would take by promotion, so it decides nothing.
    """
    if trace.capturing or len(args) != 2:
        return args
    x, y = args
    if type(y) in _NUMBERS and isinstance(x, Tensor):
        tensor, number = x, y
    elif type(x) in _NUMBERS and isinstance(y, Tensor):
        tensor, number = y, x
    else:
        return args
    node = trace.node_of(tensor)
    if not varies((call, recording.grad_enabled, node, number is y, type(number)), number):
        return args
    leaf = _leaf(trace, number, node)
    return (tensor, leaf) if number is y else (leaf, tensor)


def varies(place: tuple[Any, ...], number: complex) -> bool:
    """Whether so many numbers were seen at this place that one more is no part of a program."""
    trace = session.trace
    if trace.capturing:
        return False
    seen = trace.memo.setdefault(("number", *place), set())
    if len(seen) < LIMIT or number in seen:
        seen.add(number)
        return False
    return True


def _leaf(trace: Trace, number: float, node: Node) -> Tensor:
    dtype = common_dtype((node, number))
    tensor = bare()
    tensor._storage = Storage(np.asarray(number).astype(dtype.numpy))
    return tensor
