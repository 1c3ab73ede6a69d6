"""The short way into a bound step."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any

from graphc.backend import Step
from graphc.backends.native import runtime
from graphc.shortcut import MISSED, NAMES, Call, Shortcut

HEAD = 2
"""Words of an object before its fields: the count of references, and the type."""
WORD = ctypes.sizeof(ctypes.c_void_p)


def shortcut(step: Step, fail: Callable[[int, int], None], call: Call) -> Shortcut | None:
    """The short way into ``step``, or None where objects do not lie in memory as it takes them.

    ``fail`` raises the exception of a check, given its number and the value that it found.
    """
    slots = _slots(call.sample)
    if type(step).__name__ != "builtin_function_or_method" or slots is None:
        return None

    def explained(check: int, value: int) -> None:
        try:
            fail(check, value)
        except Exception as error:
            raise call.explain(error) from None

    objects = (call.tensor, call.storage, *NAMES, True, False, None, (), MISSED)
    words = [_setting(*x) for x in call.settings]
    way, opening = runtime.runtime().library.graphc_shortcut(
        (step, call, objects, explained),
        step,
        _words(objects, object()),
        call.changes.buffer_info()[0],
        call.watches_gradients,
        call.runs.buffer_info()[0],
        (ctypes.c_void_p * (3 * len(words)))(*chain.from_iterable(words)),
        len(call.settings),
        _words(call.arguments, None),
        len(call.arguments),
        _words(call.prototypes),
        (ctypes.c_int64 * 3)(*slots),
        call.returns,
        call.finish,
        explained,
    )
    return Shortcut(way, opening, _method)


def _method(kind: type, way: str, look: str) -> Any:
    _KEPT[:] = way, look, type(len), MISSED
    return runtime.runtime().library.graphc_entry(kind, _words(_KEPT, object()))


_KEPT: list[Any] = []
"""What the library has been told of, which it does not hold."""


def _words(objects: Sequence[Any], nothing: Any = MISSED) -> Any:
    """The addresses of objects, 0 for what stands for nothing."""
    found = [0 if x is nothing else id(x) for x in objects]
    return (ctypes.c_void_p * len(found))(*found)


def _setting(holder: Any, key: Any, value: Any) -> tuple[int, int, int]:
    return id(holder), 0 if key is None else id(key), 0 if value is MISSED else id(value)


def _slots(sample: Any) -> tuple[int, int, int] | None:
    """How many slots a storage has, and which are its array's and its type's."""
    names = type(sample).__slots__
    count = type(sample).__basicsize__ // WORD - HEAD
    if count != len(names) or type(sample).__dictoffset__ or type(sample).__weakrefoffset__:
        return None
    found = list((ctypes.c_void_p * count).from_address(id(sample) + HEAD * WORD))
    if None in found or sorted(found) != sorted(id(getattr(sample, name)) for name in names):
        return None
    return count, found.index(id(sample.array)), found.index(id(sample.type))
