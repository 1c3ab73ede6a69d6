"""Tensors made from a shape, or by a rule."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from math import ceil, isfinite
from operator import index as integer
from typing import Any

import numpy as np

from graphc.device import usable
from graphc.errors import (
    GraphcRuntimeError,
    GraphcTypeError,
    GraphcValueError,
)
from graphc.from_data import Shape, as_leaf, extents, held
from graphc.functions.operands import dtype_given, not_implemented
from graphc.functions.selection import filled
from graphc.ir.dtype import (
    DType,
    bool_,
    dtype_of_scalar,
    float32,
    float64,
    get_default_dtype,
    int64,
)
from graphc.ir.node import Node, origin_of
from graphc.literals import varies
from graphc.memory import on_device
from graphc.ops.creation import Arange
from graphc.origins import here
from graphc.outputs import write_out
from graphc.recording import session
from graphc.storage import Array
from graphc.tensor import Tensor, wrap
from graphc.typename import short_typename

_OLD_RANGE = (
    "torch.range is deprecated and will be removed in a future release because its behavior is "
    "inconsistent with Python's range builtin. Instead, use torch.arange, which produces values in "
    "[start, end)."
)


def recorded(name: str, key: Any, make: Callable[[], Node]) -> Tensor:
    """A tensor that stands for what ``make`` yields; the same node whenever ``key`` is the same."""
    trace = session.trace
    node = trace.memo.get((name, key))
    if node is None:
        with origin_of(here(name)):
            node = trace.memo[(name, key)] = make()
        node.device = "cpu"
    return wrap(node, trace)


def size_given(name: str, given: tuple[Any, ...], size: Any) -> Shape:
    """The shape that a factory was given, by place or as ``size``."""
    if not given and size is None:
        raise GraphcTypeError(f'{name}() missing 1 required positional arguments: "size"')
    return extents(name, given if size is None else (size,))


def made_like(name: str, x: Any) -> Tensor:
    """``x``, if it is a tensor to make another one like."""
    if not isinstance(x, Tensor):
        raise GraphcTypeError(
            f"{name}(): argument 'input' (position 1) must be Tensor, not {short_typename(x)}"
        )
    return x


def _finished(made: Tensor, device: Any, requires_grad: bool, out: Tensor | None) -> Tensor:
    if out is not None:
        written: Tensor = write_out(out, made)
        return written
    return as_leaf(on_device(made, usable(device)), requires_grad)


def _filled(name: str, shape: Shape, value: Any, dtype: DType) -> Tensor:
    key = (shape, type(value), repr(value), dtype)
    return recorded(name, key, lambda: filled(shape, value, dtype))


def full(
    size: Sequence[int],
    fill_value: Any,
    *,
    out: Tensor | None = None,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
) -> Tensor:
    """``fill_value`` everywhere; of the type that the number has unless ``dtype`` is given."""
    if isinstance(fill_value, Tensor):
        made = fill_value.expand(_size_of("full", size)).clone()
        made = made if dtype is None else made.to(dtype_given(dtype))
        return _finished(made, device, requires_grad, out)
    if not isinstance(fill_value, bool | int | float | complex | np.number | np.bool_):
        raise GraphcTypeError(
            "full(): argument 'fill_value' (position 2) must be Number, "
            f"not {type(fill_value).__name__}"
        )
    value = fill_value.item() if isinstance(fill_value, np.generic) else fill_value
    found = dtype_of_scalar(value) if dtype is None else dtype_given(dtype)
    shape = _size_of("full", size)
    if varies(("full", shape, found), value):
        filled(shape, value, found)  # it raises where the type does not take the value
        with np.errstate(over="ignore"):
            made = held(np.full(shape, np.asarray(value).astype(found.numpy)), device)
    else:
        made = _filled("full", shape, value, found)
    return _finished(made, device, requires_grad, out)


def _size_of(name: str, size: Any) -> Shape:
    if not isinstance(size, Sequence):
        raise GraphcTypeError(
            f"{name}(): argument 'size' (position 1) must be tuple of ints, "
            f"not {short_typename(size)}"
        )
    return extents(name, (size,))


def _constant(name: str, value: int, doc: str) -> Callable[..., Tensor]:
    def factory(
        *given: Any,
        size: Any = None,
        out: Tensor | None = None,
        dtype: Any = None,
        layout: Any = None,
        device: Any = None,
        requires_grad: bool = False,
        pin_memory: bool = False,
        memory_format: Any = None,
    ) -> Tensor:
        found = get_default_dtype() if dtype is None else dtype_given(dtype)
        made = _filled(name, size_given(name, given, size), value, found)
        return _finished(made, device, requires_grad, out)

    factory.__name__ = factory.__qualname__ = name
    factory.__doc__ = doc
    return factory


zeros = _constant("zeros", 0, "A tensor of zeros.")
ones = _constant("ones", 1, "A tensor of ones.")
empty = _constant("empty", 0, "A tensor whose numbers nobody should rely on; here they are zero.")


def _like(name: str, value: int, doc: str) -> Callable[..., Tensor]:
    def factory(
        input: Tensor,
        *,
        dtype: Any = None,
        layout: Any = None,
        device: Any = None,
        requires_grad: bool = False,
        pin_memory: bool = False,
        memory_format: Any = None,
    ) -> Tensor:
        found = made_like(name, input).dtype if dtype is None else dtype_given(dtype)
        made = _filled(name, tuple(input.shape), value, found)
        return _finished(made, device or input.device, requires_grad, None)

    factory.__name__ = factory.__qualname__ = name
    factory.__doc__ = doc
    return factory


zeros_like = _like("zeros_like", 0, "Zeros in the shape and type of ``input``.")
ones_like = _like("ones_like", 1, "Ones in the shape and type of ``input``.")
empty_like = _like(
    "empty_like", 0, "Zeros in the shape and type of ``input``; do not rely on them."
)


def full_like(
    input: Tensor,
    fill_value: Any,
    *,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
    memory_format: Any = None,
) -> Tensor:
    """``fill_value`` in the shape and type of ``input``."""
    return full(
        tuple(made_like("full_like", input).shape),
        fill_value,
        dtype=dtype or input.dtype,
        device=device or input.device,
        requires_grad=requires_grad,
    )


def _number(x: Any) -> Any:
    return x.item() if isinstance(x, Tensor | np.generic) else x


def arange(
    *bounds: Any,
    start: Any = 0,
    end: Any = None,
    step: Any = 1,
    out: Tensor | None = None,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
) -> Tensor:
    """``arange(start=0, end, step=1)``: start, start + step, ... before end."""
    given = [_number(x) for x in bounds]
    if end is not None and given:
        start, *given = given
    elif len(given) == 1:
        end = given.pop()
    elif given:
        start, end, *given = given
    if given:
        step, *given = given
    start, end, step = (_number(x) for x in (start, end, step))
    if given or not all(isinstance(x, bool | int | float) for x in (start, end, step)):
        got = ", ".join(short_typename(x) for x in bounds)
        raise GraphcTypeError(
            f"arange() received an invalid combination of arguments - got ({got})"
        )
    found = _range_dtype(dtype, start, end, step)
    begin, stride, size = _range(start, end, step, found)
    key = (begin, type(begin), stride, type(stride), size, found)
    made = recorded("arange", key, lambda: Arange(begin, stride, size, found)())
    return _finished(made, device, requires_grad, out)


def _range_dtype(dtype: Any, *numbers: float) -> DType:
    if dtype is None:
        floating = any(isinstance(x, float) for x in numbers)
        return get_default_dtype() if floating else int64
    found = dtype_given(dtype)
    if found is bool_ or found.is_complex:
        raise not_implemented("arange_cpu", found)
    return found


def _range(start: float, end: float, step: float, dtype: DType) -> tuple[float, float, int]:
    """The first number, the distance and the count of a range."""
    if step == 0:
        raise GraphcRuntimeError("step must be nonzero")
    if not (isfinite(start) and isfinite(end)):
        raise GraphcRuntimeError(f"unsupported range: {start:g} -> {end:g}")
    if (end - start) * step < 0:
        raise GraphcRuntimeError("upper bound and lower bound inconsistent with step sign")
    if dtype.is_floating_point:
        return start, step, ceil((end - start) / step)
    first, distance = int(start), int(step)
    if dtype is not int64:
        return first, distance, ceil((end - start) / step)
    if not distance:
        raise GraphcValueError("step must be nonzero")
    return first, distance, max(0, -((first - int(end)) // distance))


def range_(
    start: Any,
    end: Any,
    step: Any = 1,
    *,
    out: Tensor | None = None,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
) -> Tensor:
    """start, start + step, ... up to end, which is among them if it is met."""
    warnings.warn(_OLD_RANGE, UserWarning, stacklevel=3)
    found = get_default_dtype() if dtype is None else dtype_given(dtype)
    first, last, distance = (_number(x) for x in (start, end, step))
    begin, stride, _ = _range(first, last, distance, found)
    size = int((last - first) / distance) + 1
    key = (begin, type(begin), stride, type(stride), size, found)
    made = recorded("range", key, lambda: Arange(begin, stride, size, found)())
    return _finished(made, device, requires_grad, out)


def linspace(
    start: Any,
    end: Any,
    steps: int,
    *,
    out: Tensor | None = None,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
) -> Tensor:
    """``steps`` numbers at an even distance, the first ``start`` and the last ``end``."""
    found = get_default_dtype() if dtype is None else dtype_given(dtype)
    made = held(_spaced(_number(start), _number(end), integer(steps), found), device)
    return _finished(made, device, requires_grad, out)


def _spaced(start: float, end: float, steps: int, dtype: DType) -> Array:
    """Counted from both ends to the middle, so that both are met exactly."""
    if steps < 0:
        raise GraphcRuntimeError("number of steps must be non-negative")
    wide = (float32 if dtype.itemsize < 8 and dtype.is_floating_point else float64).numpy
    first, last = wide.type(start), wide.type(end)
    count = np.arange(steps).astype(wide)
    step = (last - first) / wide.type(max(steps - 1, 1))
    from_first, from_last = first + step * count, last - step * (wide.type(steps - 1) - count)
    below = np.arange(steps) < steps // 2 if steps > 1 else np.ones(steps, bool)
    spaced: Array = np.where(below, from_first, from_last)
    return spaced.astype(dtype.numpy)


def logspace(
    start: Any,
    end: Any,
    steps: int,
    base: float = 10.0,
    *,
    out: Tensor | None = None,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
) -> Tensor:
    """``base`` to the power of ``steps`` numbers at an even distance."""
    found = get_default_dtype() if dtype is None else dtype_given(dtype)
    kind = found if found.is_floating_point else float64  # whole numbers have powers with fractions
    powers = _spaced(_number(start), _number(end), integer(steps), kind).astype(np.float64)
    made = held((base**powers).astype(found.numpy), device)
    return _finished(made, device, requires_grad, out)


def eye(
    n: int,
    m: int | None = None,
    *,
    out: Tensor | None = None,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
) -> Tensor:
    """Ones on the main diagonal, zeros elsewhere."""
    for name, count in (("n", n), ("m", m)):
        if count is not None and count < 0:
            raise GraphcRuntimeError(f"{name} must be greater or equal to 0, got {count}")
    found = get_default_dtype() if dtype is None else dtype_given(dtype)
    made = held(np.eye(n, m).astype(found.numpy), device)
    return _finished(made, device, requires_grad, out)


def tril_indices(
    row: int,
    col: int,
    offset: int = 0,
    *,
    dtype: Any = int64,
    device: Any = None,
    layout: Any = None,
) -> Tensor:
    """Rows and columns of the elements on and below a diagonal."""
    return held(np.stack(np.tril_indices(row, offset, col)).astype(dtype.numpy), device)


def triu_indices(
    row: int,
    col: int,
    offset: int = 0,
    *,
    dtype: Any = int64,
    device: Any = None,
    layout: Any = None,
) -> Tensor:
    """Rows and columns of the elements on and above a diagonal."""
    return held(np.stack(np.triu_indices(row, offset, col)).astype(dtype.numpy), device)


NAMESPACE: dict[str, Any] = {
    f.__name__: f
    for f in (
        full,
        zeros,
        ones,
        empty,
        zeros_like,
        ones_like,
        empty_like,
        full_like,
        arange,
        linspace,
        logspace,
        eye,
        tril_indices,
        triu_indices,
    )
}
NAMESPACE["range"] = range_
"""What the package offers by name."""
