"""The arguments of a call as PyTorch takes them: by place or by name, each of its kind.

A function's own signature says what it takes. Errors are in PyTorch's words.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property, wraps
from inspect import Parameter as Declared
from inspect import signature
from typing import Any, NamedTuple, TypeVar

import numpy as np

from graphc.errors import GraphcTypeError
from graphc.ir.dtype import DType
from graphc.ops.function import Function
from graphc.tensor import Tensor
from graphc.typename import short_typename

T = TypeVar("T")
UNFIT = object()
"""What a value becomes that is not of the kind asked for."""
NUMPY_NAMES = {
    "axis": "dim",
    "keepdims": "keepdim",
    "x": "input",
    "a": "input",
    "x1": "input",
    "x2": "other",
}
"""Numpy's names of arguments, which PyTorch takes for its own."""


def _integer(x: Any) -> Any:
    if isinstance(x, int) and not isinstance(x, bool):
        return x
    if isinstance(x, np.integer):
        return int(x)
    return int(x) if _lone(x) and x.dtype.category == 1 else UNFIT


def _lone(x: Any) -> bool:
    """Whether this is a tensor that may stand for a number."""
    return isinstance(x, Tensor) and not x.ndim and not x.requires_grad


def _number(x: Any) -> Any:
    if isinstance(x, bool | int | float | complex):
        return x
    if isinstance(x, np.number | np.bool_):
        return x.item()
    return x.item() if _lone(x) else UNFIT


def _truth(x: Any) -> Any:
    return bool(x) if isinstance(x, bool | np.bool_) else UNFIT


def _tensor(x: Any) -> Any:
    return x if isinstance(x, Tensor) else UNFIT


def _operand(x: Any) -> Any:
    return x if isinstance(x, Tensor) else _number(x)


def _string(x: Any) -> Any:
    return x if isinstance(x, str) else UNFIT


def _dtype(x: Any) -> Any:
    return x if isinstance(x, DType) or x in (bool, int, float, complex) else UNFIT


def _integers(x: Any) -> Any:
    """A list of integers, of which the first one alone says whether it is one."""
    if not isinstance(x, list | tuple):
        return UNFIT
    found = [_integer(item) for item in x]
    if UNFIT not in found:
        return x if all(a is b for a, b in zip(found, x, strict=True)) else tuple(found)
    place = found.index(UNFIT)
    kind = short_typename(x[place])
    if not place:
        raise _Misfit(f"must be tuple of ints, but found element of type {kind} at pos 0")
    raise _Misfit(
        f"failed to unpack the object at pos {place + 1} with error "
        f'"type must be tuple of ints,but got {kind}"'
    )


def _one_or_more(x: Any) -> Any:
    found = _integer(x)
    return _integers(x) if found is UNFIT else found


def _cuts(x: Any) -> Any:
    if isinstance(x, Tensor) and x.ndim == 1 and x.dtype.category == 1:
        return tuple(x.tolist())
    return _one_or_more(x)


def _tensors(x: Any) -> Any:
    if not isinstance(x, list | tuple):
        return UNFIT
    for place, item in enumerate(x):
        if not isinstance(item, Tensor):
            raise GraphcTypeError(
                f"expected Tensor as element {place} in argument 0, but got {short_typename(item)}"
            )
    return x


class _Misfit(Exception):
    """Why a value is not of the kind asked for, where it takes more words than the kind's name."""


class Kind(NamedTuple):
    """A kind of argument: what messages call it, and a value made one, or ``UNFIT``."""

    label: str
    fit: Callable[[Any], Any]


KINDS = {
    "Node": Kind("Tensor", _tensor),
    "Tensor": Kind("Tensor", _tensor),
    "Operand": Kind("Tensor", _operand),
    "Tensor | Scalar": Kind("Tensor", _operand),
    "Sequence[Node]": Kind("tuple of Tensors", _tensors),
    "Sequence[Tensor]": Kind("tuple of Tensors", _tensors),
    "int": Kind("int", _integer),
    "float": Kind("float", _number),
    "Scalar": Kind("Number", _number),
    "bool": Kind("bool", _truth),
    "str": Kind("str", _string),
    "DType": Kind("torch.dtype", _dtype),
    "Sequence[int]": Kind("tuple of ints", _integers),
    "Extents": Kind("tuple of ints", _one_or_more),
    "Dims": Kind("tuple of ints", _one_or_more),
    "Cuts": Kind("tuple of ints", _cuts),
}
"""The kinds by the annotations that declare them; of any other one everything fits."""


@dataclass(frozen=True)
class Parameter:
    """One argument that a function takes."""

    name: str
    kind: Kind | None
    takes_none: bool
    required: bool


class Signature:
    """What the function ``name`` takes, which ``call`` declares; read when it is first called."""

    def __init__(self, name: str, call: Callable[..., Any]) -> None:
        self.name = name
        self.call = call

    @cached_property
    def declared(self) -> tuple[Declared, ...]:
        """The arguments as Python knows them."""
        return tuple(signature(self.call).parameters.values())

    @cached_property
    def positional(self) -> tuple[Parameter, ...]:
        return self._of(Declared.POSITIONAL_OR_KEYWORD)

    @cached_property
    def named(self) -> tuple[Parameter, ...]:
        """By name alone."""
        return self._of(Declared.KEYWORD_ONLY)

    @cached_property
    def several(self) -> bool:
        """Whether after the positional ones come any number of others."""
        return any(x.kind is Declared.VAR_POSITIONAL for x in self.declared)

    @cached_property
    def spreads(self) -> bool:
        """Whether a method takes the integers of its one list one by one too."""
        return len(self.positional) == 2 and self.positional[1].kind in _LISTS

    def known(self, name: str) -> Parameter | None:
        """The argument of this name."""
        return next((p for p in (*self.positional, *self.named) if p.name == name), None)

    def _of(self, kind: Any) -> tuple[Parameter, ...]:
        return tuple(_parameter(x) for x in self.declared if x.kind is kind)


_LISTS = (KINDS["Sequence[int]"], KINDS["Extents"], KINDS["Dims"])


def signature_of(function: Function) -> Signature:
    """What a function takes, as its declaration says."""
    return declared_by(function.name, function.call)


@cache
def declared_by(name: str, call: Callable[..., Any]) -> Signature:
    """What the user may give to the function ``name``, which ``call`` declares."""
    return Signature(name, call)


def _parameter(declared: Declared) -> Parameter:
    annotation = str(declared.annotation)
    kind = KINDS.get(annotation.removesuffix(" | None"))
    none = annotation.endswith(" | None") or annotation == "Dims"
    return Parameter(declared.name, kind, none, declared.default is Declared.empty)


class Given(NamedTuple):
    """The arguments of a call as the function itself takes them."""

    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    read: bool
    """A tensor was read to stand for a number."""


def fitted(
    expected: Signature, args: tuple[Any, ...], kwargs: dict[str, Any], *, method: bool
) -> Given:
    """The arguments by PyTorch's own names and kinds. Raises a TypeError where they do not fit."""
    if kwargs:
        kwargs = {_own_name(expected, name, kwargs): x for name, x in kwargs.items()}
        args, kwargs = _input_first(expected, args, kwargs)
    if method and expected.spreads and _one_by_one(expected, args):
        args = (args[0], args[1:])
    _check_count(expected, args, kwargs, method)
    places = [*expected.positional, *[None] * (len(args) - len(expected.positional))]
    made = tuple(
        x if p is None else _checked(expected.name, p, x, i - method)
        for i, (p, x) in enumerate(zip(places, args, strict=False), start=1)
    )
    named = {}
    for name, x in kwargs.items():
        known = expected.known(name)
        named[name] = x if known is None else _checked(expected.name, known, x, None)
    return Given(made, named, _was_read(args, made) or _was_read(kwargs.values(), named.values()))


def checked(call: Callable[..., T], *, method: bool = False) -> Callable[..., T]:
    """A function over tensors that takes its arguments as PyTorch does."""
    expected = declared_by(call.__name__.strip("_"), call)

    @wraps(call)
    def taking(*args: Any, **kwargs: Any) -> T:
        given = fitted(expected, args, kwargs, method=method)
        return call(*given.args, **given.kwargs)

    return taking


def _one_by_one(expected: Signature, args: tuple[Any, ...]) -> bool:
    """Whether the integers of a list are given as arguments of their own."""
    alone = expected.positional[1].kind is KINDS["Sequence[int]"]
    return len(args) > (1 if alone else 2) and _integer(args[1]) is not UNFIT


def _own_name(expected: Signature, name: str, given: dict[str, Any]) -> str:
    own = NUMPY_NAMES.get(name)
    if own is None or own in given or expected.known(name) or not expected.known(own):
        return name
    return own


def _input_first(
    expected: Signature, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """A first argument that was given by name, in its place."""
    if args or not expected.positional or expected.positional[0].name not in kwargs:
        return args, kwargs
    rest = dict(kwargs)
    return (rest.pop(expected.positional[0].name),), rest


def _check_count(
    expected: Signature, args: tuple[Any, ...], kwargs: dict[str, Any], method: bool
) -> None:
    name, most = expected.name, len(expected.positional)
    if len(args) > most and not expected.several:
        least = sum(p.required for p in expected.positional) - method
        most, count = most - method, len(args) - method
        span = f"{most}" if least == most else f"from {least} to {most}"
        raise GraphcTypeError(
            f"{name}() takes {span} positional argument{'s' * (most != 1)} but {count} "
            f"{'was' if count == 1 else 'were'} given"
        )
    missing = [p.name for p in expected.positional[len(args) :] if p.required]
    missing = [p for p in missing if p not in kwargs]
    if missing:
        listed = ", ".join(f'"{p}"' for p in missing)
        raise GraphcTypeError(
            f"{name}() missing {len(missing)} required positional arguments: {listed}"
        )
    for given in kwargs:
        if expected.known(given) is None:
            raise GraphcTypeError(f"{name}() got an unexpected keyword argument '{given}'")
        if given in [p.name for p in expected.positional[: len(args)]]:
            raise GraphcTypeError(f"{name}() got multiple values for argument '{given}'")


def _checked(name: str, parameter: Parameter, x: Any, place: int | None) -> Any:
    """The value of an argument. Raises where it is not of the argument's kind."""
    kind = parameter.kind
    if kind is None or (x is None and parameter.takes_none):
        return x
    try:
        found = kind.fit(x)
        why = f"must be {kind.label}, not {short_typename(x)}"
    except _Misfit as misfit:
        found, why = UNFIT, str(misfit)
    if found is UNFIT:
        where = "" if place is None or why.startswith("failed") else f" (position {place})"
        raise GraphcTypeError(f"{name}(): argument '{parameter.name}'{where} {why}")
    return found


def _was_read(before: Any, after: Any) -> bool:
    """Whether a tensor became a number on the way."""
    return any(
        a is not b and (isinstance(a, Tensor) or (isinstance(a, list | tuple) and _was_read(a, b)))
        for a, b in zip(before, after, strict=True)
    )
