"""Tensors made from Python data, from a shape or by a rule."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from math import ceil
from operator import index as integer
from typing import Any

import numpy as np

from graphc.device import usable
from graphc.errors import GraphcRuntimeError, GraphcTypeError, GraphcValueError
from graphc.functions.operands import C_NAMES, dtype_given
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
from graphc.lift import here
from graphc.ops.creation import Arange
from graphc.python_data import array_of, numpy_dtype
from graphc.recording import session
from graphc.storage import Array, Storage
from graphc.surface import assign
from graphc.tensor import Tensor, from_storage, wrap

Shape = tuple[int, ...]


def held(array: Array, device: Any = None, *, requires_grad: bool = False) -> Tensor:
    """A tensor that holds ``array``. While a function is captured, one that reads it: what the
    function writes to it must not be there when it is called again."""
    storage, trace = Storage(array, device=usable(device)), session.trace
    made = wrap(trace.leaf(storage, None, ""), trace) if trace.capturing else from_storage(storage)
    return made.requires_grad_() if requires_grad else made


def recorded(name: str, key: Any, make: Callable[[], Node]) -> Tensor:
    """A tensor that stands for what ``make`` yields; the same node whenever ``key`` is the same."""
    trace = session.trace
    node = trace.memo.get((name, key))
    if node is None:
        with origin_of(here(name)):
            node = trace.memo[(name, key)] = make()
    return wrap(node, trace)


def extents(name: str, size: Sequence[Any]) -> Shape:
    """A shape given extent by extent or as one sequence."""
    if len(size) == 1 and isinstance(size[0], Sequence) and not isinstance(size[0], str):
        size = size[0]
    try:
        shape = tuple(integer(n) for n in size)
    except TypeError:
        kind = next(type(n).__name__ for n in size if not hasattr(n, "__index__"))
        raise GraphcTypeError(
            f"{name}(): argument 'size' (position 1) must be tuple of ints, not {kind}"
        ) from None
    if any(n < 0 for n in shape):
        raise GraphcRuntimeError(f"{name}: Dimension size must be non-negative.")
    return shape


def tensor(
    data: Any,
    *,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
) -> Tensor:
    """A tensor with a copy of ``data``: a number, nested sequences, a numpy array, a tensor."""
    found = None if dtype is None else dtype_given(dtype)
    if isinstance(data, Tensor):
        warnings.warn(
            "To copy construct from a tensor, it is recommended to use "
            "sourceTensor.detach().clone() or "
            "sourceTensor.detach().clone().requires_grad_(True), rather than "
            "torch.tensor(sourceTensor).",
            UserWarning,
            stacklevel=2,
        )
        copy: Tensor = data.detach().clone()
        copy = copy if found is None else copy.to(found)
        return copy.requires_grad_() if requires_grad else copy
    return held(array_of(data, found), device, requires_grad=requires_grad)


def typed(dtype: DType) -> Callable[..., Tensor]:
    """The constructor of old for tensors of ``dtype``, such as ``LongTensor``."""

    def construct(*data: Any, device: Any = None) -> Tensor:
        return from_storage(legacy(data, device, dtype))

    construct.__name__ = construct.__qualname__ = f"{C_NAMES[dtype.name]}Tensor"
    construct.__doc__ = f"``tensor(data, dtype={dtype.name})``, or zeros of the shape given."
    return construct


def legacy(data: tuple[Any, ...], device: Any, dtype: DType | None = None) -> Storage:
    """What ``Tensor(...)`` holds: a shape's worth of zeros, or the data given."""
    usable(device)
    dtype = dtype or get_default_dtype()
    if len(data) == 1 and not isinstance(data[0], int | np.integer):
        values = data[0]._value() if isinstance(data[0], Tensor) else data[0]
        return Storage(array_of(values, dtype))
    return Storage(np.zeros(extents("Tensor", data) if data else (0,), dtype.numpy))


def as_tensor(data: Any, dtype: Any = None, device: Any = None) -> Tensor:
    """``data`` as a tensor: itself, or over a numpy array's own memory, where that is possible."""
    found = None if dtype is None else dtype_given(dtype)
    if isinstance(data, Tensor):
        usable(device)
        return data if found is None else data.to(found)
    if isinstance(data, np.ndarray) and found in (None, numpy_dtype(data)):
        usable(device)
        return from_numpy(data)
    return tensor(data, dtype=found, device=device)


def asarray(
    obj: Any,
    *,
    dtype: Any = None,
    device: Any = None,
    copy: bool | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """``obj`` as a tensor that shares its memory where it can, unless a copy is asked for."""
    made = as_tensor(obj, dtype, device)
    made = made.detach().clone() if copy and (made is obj or isinstance(obj, np.ndarray)) else made
    return made.requires_grad_() if requires_grad else made


def from_numpy(array: Array) -> Tensor:
    """A tensor over the memory of a numpy array: what is written to one is seen in the other."""
    if not isinstance(array, np.ndarray):
        raise GraphcTypeError(f"expected np.ndarray (got {type(array).__name__})")
    numpy_dtype(array)
    if any(step < 0 for step in array.strides):
        raise GraphcValueError(
            "At least one stride in the given numpy array is negative, and tensors with negative "
            "strides are not currently supported. (You can probably work around this by making a "
            "copy of your array  with array.copy().) "
        )
    if not array.dtype.isnative:
        raise GraphcValueError(
            "given numpy array has byte order different from the native byte order. Conversion "
            "between byte orders is currently not supported."
        )
    storage = Storage(array)
    storage.shared = True
    return from_storage(storage)


def from_dlpack(external: Any) -> Tensor:
    """A tensor over the memory of an object that has ``__dlpack__``."""
    array = np.from_dlpack(external)
    if not array.flags.writeable:
        array = array.copy()
    return from_numpy(array)


def _finished(made: Tensor, device: Any, requires_grad: bool, out: Tensor | None) -> Tensor:
    usable(device)
    if out is not None:
        return assign(out, made, "copy_")
    return made.requires_grad_() if requires_grad else made


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
        made = fill_value.expand(extents("full", (size,))).clone()
        made = made if dtype is None else made.to(dtype_given(dtype))
        return _finished(made, device, requires_grad, out)
    if not isinstance(fill_value, bool | int | float | np.number | np.bool_):
        raise GraphcTypeError(
            "full(): argument 'fill_value' (position 2) must be Number, "
            f"not {type(fill_value).__name__}"
        )
    value = fill_value.item() if isinstance(fill_value, np.generic) else fill_value
    found = dtype_of_scalar(value) if dtype is None else dtype_given(dtype)
    made = _filled("full", extents("full", (size,)), value, found)
    return _finished(made, device, requires_grad, out)


def _constant(name: str, value: int, doc: str) -> Callable[..., Tensor]:
    def factory(
        *size: Any,
        out: Tensor | None = None,
        dtype: Any = None,
        layout: Any = None,
        device: Any = None,
        requires_grad: bool = False,
        pin_memory: bool = False,
        memory_format: Any = None,
    ) -> Tensor:
        found = get_default_dtype() if dtype is None else dtype_given(dtype)
        made = _filled(name, extents(name, size), value, found)
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
        found = input.dtype if dtype is None else dtype_given(dtype)
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
        tuple(input.shape),
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
    if len(bounds) == 1:
        end = bounds[0]
    elif bounds:
        start, end, step = (*bounds, step)[:3]
    if end is None or len(bounds) > 3:
        raise GraphcTypeError("arange() received an invalid combination of arguments")
    start, end, step = map(_number, (start, end, step))
    if step == 0:
        raise GraphcRuntimeError("step must be nonzero")
    if (end - start) * step < 0:
        raise GraphcRuntimeError("upper bound and lower bound inconsistent with step sign")
    if dtype is not None:
        found = dtype_given(dtype)
    else:
        found = (
            get_default_dtype() if any(isinstance(x, float) for x in (start, end, step)) else int64
        )
    if not found.is_floating_point:
        start, end, step = int(start), int(end) if isinstance(end, int) else end, int(step)
    size = max(0, ceil((end - start) / step))
    key = (start, type(start), step, type(step), size, found)
    made = recorded("arange", key, lambda: Arange(start, step, size, found)())
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
    powers = _spaced(_number(start), _number(end), integer(steps), found).astype(np.float64)
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


def scalar_tensor(s: Any, *, dtype: Any = None, device: Any = None) -> Tensor:
    """A tensor of no dimensions."""
    return tensor(
        s, dtype=dtype or (bool_ if isinstance(s, bool) else get_default_dtype()), device=device
    )


NAMESPACE: dict[str, Any] = {
    f.__name__: f
    for f in (
        tensor,
        as_tensor,
        asarray,
        from_numpy,
        from_dlpack,
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
        scalar_tensor,
    )
}
"""What the package offers by name."""
