"""``_foreach_add`` and the like: a function of each tensor of a list, or of lists side by side."""

from __future__ import annotations

from collections.abc import Callable
from itertools import repeat
from typing import Any

from graphc.errors import GraphcRuntimeError
from graphc.surface import LIFTED
from graphc.tensor import Tensor

Call = Callable[..., Any]
UNARY = (
    *("abs", "acos", "asin", "atan", "ceil", "cos", "cosh", "erf", "erfc", "exp", "expm1"),
    *("floor", "frac", "lgamma", "log", "log10", "log1p", "log2", "neg", "reciprocal", "round"),
    *("rsqrt", "sigmoid", "sign", "sin", "sinh", "sqrt", "tan", "tanh", "trunc"),
)
BINARY = ("add", "sub", "mul", "div", "pow", "lerp")
_NAMED = ("scalar", "scalars", "other", "weight", "weights", "exponent", "value")
"""Arguments that may be given by name where they have a place."""


def _rows(tensors: Any, others: tuple[Any, ...]) -> list[tuple[Any, ...]]:
    """The operands of each call: what is no list takes part in all."""
    lists = [x for x in (tensors, *others) if isinstance(x, list | tuple)]
    count = len(lists[0]) if lists else 0
    if not count:
        raise GraphcRuntimeError("Tensor list must have at least one tensor.")
    for x in lists:
        if len(x) == count:
            continue
        if isinstance(x[0] if x else None, Tensor):
            raise GraphcRuntimeError(
                f"Tensor lists must have the same number of tensors, got {count} and {len(x)}"
            )
        raise GraphcRuntimeError("Tensor list must have same number of elements as scalar list.")
    columns = [x if isinstance(x, list | tuple) else repeat(x, count) for x in (tensors, *others)]
    return list(zip(*columns, strict=True))


def _over(call: Call, name: str, *, writes: bool = False) -> Call:
    """The function of lists that ``call`` of their elements is."""

    def foreach(self: Any, *others: Any, **settings: Any) -> Any:
        more = [settings.pop(x) for x in _NAMED if x in settings]
        made = [call(*row, **settings) for row in _rows(self, (*others, *more))]
        return self if writes else tuple(made)

    foreach.__name__ = foreach.__qualname__ = name
    foreach.__doc__ = f"``{name.removeprefix('_foreach_')}`` of each tensor."
    return foreach


def _method(name: str) -> Call:
    return lambda x, *others, **settings: getattr(x, name)(*others, **settings)


def _fused(name: str) -> Call:
    """``addcmul`` or ``addcdiv``, with the factor in its place among the operands."""

    def call(x: Tensor, first: Tensor, second: Tensor, value: Any = 1) -> Any:
        return getattr(x, name)(first, second, value=value)

    return call


def _over_fused(name: str) -> Call:
    looped = _over(_fused(name), f"_foreach_{name}", writes=name.endswith("_"))

    def foreach(self: Any, tensor1: Any, tensor2: Any, *value: Any, **named: Any) -> Any:
        given = [x.tolist() if isinstance(x, Tensor) else x for x in (*value, *named.values())]
        return looped(self, tensor1, tensor2, *given)

    return foreach


def _norm(x: Tensor, ord: Any = 2, dtype: Any = None) -> Any:
    return LIFTED["linalg_vector_norm"](x, ord, dtype=dtype)


def _power_sum(x: Tensor, ord: Any = 2, dtype: Any = None) -> Any:
    return LIFTED["sum"](LIFTED["pow"](LIFTED["abs"](x), ord), dtype=dtype)


def _bound(which: str, mark: str) -> Call:
    """``clamp`` or ``clamp_`` on one side."""
    return lambda x, bound: getattr(x, f"clamp{mark}")(**{which: bound})


def _made() -> dict[str, Call]:
    calls: dict[str, Call] = {}
    for name in (*UNARY, *BINARY):
        calls |= {name: _method(name), f"{name}_": _method(f"{name}_")}
    for mark in ("", "_"):
        low, high = _bound("min", mark), _bound("max", mark)
        calls |= {f"clamp_min{mark}": low, f"maximum{mark}": low}
        calls |= {f"clamp_max{mark}": high, f"minimum{mark}": high}
    calls |= {"pow": lambda x, y: LIFTED["pow"](x, y), "max": LIFTED["amax"], "norm": _norm}
    calls |= {"powsum": _power_sum, "clone": _method("clone"), "mm": LIFTED["mm"]}
    calls |= {"zero_": _method("zero_"), "copy_": _method("copy_")}
    found = {
        f"_foreach_{name}": _over(call, f"_foreach_{name}", writes=name.endswith("_"))
        for name, call in calls.items()
    }
    for name in ("addcmul", "addcmul_", "addcdiv", "addcdiv_"):
        found[f"_foreach_{name}"] = _over_fused(name)
    return found


NAMESPACE: dict[str, Any] = _made()
"""What the package offers by name."""
