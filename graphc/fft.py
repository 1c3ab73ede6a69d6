"""Discrete Fourier transforms, under PyTorch's names."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from math import prod, sqrt
from typing import Any

import numpy as np

from graphc.errors import GraphcRuntimeError
from graphc.from_data import held
from graphc.functions.fourier import tables_of
from graphc.functions.operands import C_NAMES, dtype_given
from graphc.functions.reduction import normal_dim
from graphc.ir.dtype import DType, complex_type, get_default_dtype, real_type
from graphc.outputs import write_out
from graphc.storage import Storage
from graphc.surface import LIFTED
from graphc.tensor import Tensor, from_storage

Dims = int | Sequence[int] | None
Extents = int | Sequence[int] | None
NORMS = (None, "backward", "ortho", "forward")


@cache
def _tables(length: int, dtype: DType, inverse: bool, device: str) -> tuple[list[Tensor], ...]:
    """The parts of what a transform multiplies by."""
    tables = tables_of(length)
    parts = ([t.real for t in tables], [-t.imag if inverse else t.imag for t in tables])
    return tuple(
        [from_storage(Storage(np.ascontiguousarray(x, dtype.numpy), device=device)) for x in arrays]
        for arrays in parts
    )


def _scale(norm: str | None, count: int, inverse: bool) -> float:
    """What a transform of ``count`` elements is multiplied by."""
    if norm not in NORMS:
        raise GraphcRuntimeError(f'Invalid normalization mode: "{norm}"')
    if norm == "ortho":
        return 1 / sqrt(count)
    return 1 / count if (norm == "forward") is not inverse else 1.0


def _inexact(x: Tensor) -> Tensor:
    """``x`` in a type that there are transforms of."""
    if x.dtype.category < 2:
        return x * 1.0
    if x.dtype.is_floating_point and x.dtype.itemsize < 4:
        raise GraphcRuntimeError(f"Unsupported dtype {C_NAMES[x.dtype.name]}")
    return x


def _along(x: Tensor, dim: int, inverse: bool, scale: float) -> Tensor:
    """The transform along one dimension."""
    if not x.shape[dim]:
        raise GraphcRuntimeError(f"Invalid number of data points ({x.shape[dim]}) specified")
    re, im = _tables(x.shape[dim], real_type(x.dtype), inverse, x._place)
    made: Tensor = LIFTED["fourier"](x, re, im, dim, scale)
    return made


def _resized(x: Tensor, dim: int, extent: int) -> Tensor:
    """``x`` cut or filled up with zeros along one dimension."""
    if extent < 1:
        raise GraphcRuntimeError(f"Invalid number of data points ({extent}) specified")
    own = x.shape[dim]
    if extent <= own:
        return x if extent == own else x.narrow(dim, 0, extent)
    sides = [0] * (2 * (x.ndim - dim))
    sides[-1] = extent - own
    return LIFTED["pad"](x, sides)  # type: ignore[no-any-return]


def _axes(x: Tensor, s: Extents, dim: Dims) -> tuple[list[int], list[int]]:
    """The dimensions that are transformed and the extents that they are given."""
    given = None if s is None else [s] if isinstance(s, int) else list(s)
    if dim is None:
        axes = list(range(x.ndim if given is None else len(given)))
        axes = [x.ndim - len(axes) + i for i in axes]
        if axes and axes[0] < 0:
            raise GraphcRuntimeError(
                f"Got shape with {len(axes)} values but input tensor only has {x.ndim} dimensions."
            )
    else:
        listed = [dim] if isinstance(dim, int) else list(dim)
        axes = [normal_dim(d, x.ndim) for d in listed]
        if len(set(axes)) < len(axes):
            raise GraphcRuntimeError("FFT dims must be unique")
    if given is not None and len(given) != len(axes):
        raise GraphcRuntimeError("When given, dim and shape arguments must have the same length")
    extents = [-1] * len(axes) if given is None else given
    return axes, [x.shape[d] if n == -1 else n for d, n in zip(axes, extents, strict=True)]


def _complex(
    name: str, x: Tensor, s: Extents, dim: Dims, norm: str | None, inverse: bool
) -> Tensor:
    """The transform over several dimensions, of complex numbers."""
    x = _inexact(x)
    axes, extents = _axes(x, s, dim)
    for d, n in zip(axes, extents, strict=True):
        x = _resized(x, d, n)
    scale = _scale(norm, prod(extents), inverse)
    for d in axes:
        x, scale = _along(x, d, inverse, scale), 1.0
    return x if axes or x.is_complex() else x.to(complex_type(x.dtype))


def _of_real(
    name: str, x: Tensor, s: Extents, dim: Dims, norm: str | None, inverse: bool
) -> Tensor:
    """The half of the transform of real numbers that says all: along the last dimension."""
    x = _inexact(x)
    if x.is_complex():
        raise GraphcRuntimeError(
            f"{name} expects a real input tensor, but got {C_NAMES[x.dtype.name]}"
        )
    axes, extents = _axes(x, s, dim)
    if not axes:
        raise GraphcRuntimeError(f"{name} must transform at least one axis")
    for d, n in zip(axes, extents, strict=True):
        x = _resized(x, d, n)
    scale = _scale(norm, prod(extents), inverse)
    last = axes[-1]
    x = _along(x, last, inverse, scale).narrow(last, 0, extents[-1] // 2 + 1)
    for d in axes[:-1]:
        x = _along(x, d, inverse, 1.0)
    return x


def _to_real(
    name: str, x: Tensor, s: Extents, dim: Dims, norm: str | None, inverse: bool
) -> Tensor:
    """The real numbers whose transform is given by half: along the last dimension."""
    x = _inexact(x)
    if not x.is_complex():
        x = x.to(complex_type(x.dtype))
    axes, extents = _axes(x, s, dim)
    if not axes:
        raise GraphcRuntimeError(f"{name} must transform at least one axis")
    last = axes[-1]
    given = s if s is None or isinstance(s, int) else list(s)[-1] if len(s) else None
    length = 2 * (x.shape[last] - 1) if given in (None, -1) else extents[-1]
    if length < 1:
        raise GraphcRuntimeError(f"Invalid number of data points ({length}) specified")
    scale = _scale(norm, prod(extents[:-1]) * length, inverse)
    for d, n in zip(axes[:-1], extents[:-1], strict=True):
        x = _along(_resized(x, d, n), d, inverse, 1.0)
    x = _resized(x, last, length // 2 + 1)
    middle = x.narrow(last, 1, (length - 1) // 2).conj().flip(last)
    whole = LIFTED["cat"]([x, middle], last)
    made: Tensor = LIFTED["real"](_along(whole, last, inverse, scale))
    return made


Kind = Callable[..., Any]


def _line(kind: Kind, name: str, inverse: bool) -> Kind:
    """The transform along one dimension."""

    def call(
        input: Tensor,
        n: int | None = None,
        dim: int = -1,
        norm: str | None = None,
        *,
        out: Tensor | None = None,
    ) -> Any:
        result = kind(f"fft_{name}", input, n, (dim,), norm, inverse)
        return result if out is None else write_out(out, result)

    return _documented(call, name, kind, inverse, "along ``dim``, of extent ``n``")


def _area(kind: Kind, name: str, inverse: bool, dims: Dims) -> Kind:
    """The transform over several dimensions, ``dims`` unless others are given."""

    def call(
        input: Tensor,
        s: Extents = None,
        dim: Dims = dims,
        norm: str | None = None,
        *,
        out: Tensor | None = None,
    ) -> Any:
        result = kind(f"fft_{name}", input, s, dim, norm, inverse)
        return result if out is None else write_out(out, result)

    return _documented(call, name, kind, inverse, "over ``dim``, of extents ``s``")


def _documented(call: Kind, name: str, kind: Kind, inverse: bool, where: str) -> Kind:
    what = (kind.__doc__ or "").partition(" over")[0].partition(":")[0]
    call.__name__ = call.__qualname__ = name
    call.__doc__ = f"{'Inverse: ' if inverse else ''}{what}, {where}; cut or filled up with zeros."
    return call


def fftfreq(n: int, d: float = 1.0, **settings: Any) -> Any:
    """The frequencies of the results of ``fft``: 0, 1, ..., -2, -1 over n · d."""
    return _frequencies(n, d, [*range((n + 1) // 2), *range(-(n // 2), 0)], settings)


def rfftfreq(n: int, d: float = 1.0, **settings: Any) -> Any:
    """The frequencies of the results of ``rfft``: 0, 1, ..., n / 2 over n · d."""
    return _frequencies(n, d, list(range(n // 2 + 1)), settings)


def _frequencies(n: int, d: float, counts: list[int], settings: dict[str, Any]) -> Any:
    dtype = dtype_given(settings.pop("dtype", None) or get_default_dtype())
    device, out = settings.pop("device", None), settings.pop("out", None)
    grad = settings.pop("requires_grad", False)
    if n * d == 0:
        raise GraphcRuntimeError("ZeroDivisionError")
    made = held((np.asarray(counts) / (n * d)).astype(dtype.numpy), device, requires_grad=grad)
    return made if out is None else write_out(out, made)


def fftshift(input: Tensor, dim: Dims = None) -> Tensor:
    """The zero frequency moved to the middle of each dimension."""
    return _rolled(input, dim, lambda n: n // 2)


def ifftshift(input: Tensor, dim: Dims = None) -> Tensor:
    """The zero frequency moved back from the middle of each dimension."""
    return _rolled(input, dim, lambda n: (n + 1) // 2)


def _rolled(x: Tensor, dim: Dims, shift: Callable[[int], int]) -> Tensor:
    listed = range(x.ndim) if dim is None else [dim] if isinstance(dim, int) else dim
    axes = [normal_dim(d, x.ndim) for d in listed]
    made: Tensor = LIFTED["roll"](x, [shift(x.shape[d]) for d in axes], axes)
    return made


fft, ifft = (_line(_complex, name, name[0] == "i") for name in ("fft", "ifft"))
rfft, irfft = _line(_of_real, "rfft", False), _line(_to_real, "irfft", True)
hfft, ihfft = _line(_to_real, "hfft", False), _line(_of_real, "ihfft", True)
fft2, ifft2 = (_area(_complex, name, name[0] == "i", (-2, -1)) for name in ("fft2", "ifft2"))
fftn, ifftn = (_area(_complex, name, name[0] == "i", None) for name in ("fftn", "ifftn"))
rfft2, rfftn = _area(_of_real, "rfft2", False, (-2, -1)), _area(_of_real, "rfftn", False, None)
irfft2, irfftn = _area(_to_real, "irfft2", True, (-2, -1)), _area(_to_real, "irfftn", True, None)
