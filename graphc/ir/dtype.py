"""Element types and PyTorch's rules for promoting them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import ml_dtypes
import numpy as np

from graphc.changes import bump_epoch

Scalar = bool | int | float
"""A plain Python number: it takes part in promotion by its category alone."""


@dataclass(frozen=True, eq=False)
class DType:
    """An element type. There is one object of each, so identity is equality."""

    name: str
    """PyTorch's name, without the module."""
    category: int
    """0 boolean, 1 integral, 2 floating, 3 complex; the higher one wins a promotion."""
    numpy: np.dtype[Any]
    short: str
    """As the text form of a graph spells it."""

    @property
    def is_floating_point(self) -> bool:
        return self.category == 2

    @property
    def is_complex(self) -> bool:
        return self.category == 3

    @property
    def is_inexact(self) -> bool:
        """Whether it is floating or complex, so that it can have a gradient."""
        return self.category >= 2

    def to_real(self) -> DType:
        """The type of the parts of a complex type; a real type itself."""
        return real_type(self)

    def to_complex(self) -> DType:
        """The complex type whose parts hold what this type holds."""
        return complex_type(self)

    @property
    def is_signed(self) -> bool:
        return self.name not in ("bool", "uint8")

    @property
    def itemsize(self) -> int:
        """Bytes of one element."""
        return int(self.numpy.itemsize)

    def __repr__(self) -> str:
        return f"torch.{self.name}"

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return dtype_named, (self.name,)


bool_ = DType("bool", 0, np.dtype(np.bool_), "bool")
uint8 = DType("uint8", 1, np.dtype(np.uint8), "u8")
int8 = DType("int8", 1, np.dtype(np.int8), "i8")
int16 = DType("int16", 1, np.dtype(np.int16), "i16")
int32 = DType("int32", 1, np.dtype(np.int32), "i32")
int64 = DType("int64", 1, np.dtype(np.int64), "i64")
float16 = DType("float16", 2, np.dtype(np.float16), "f16")
bfloat16 = DType("bfloat16", 2, np.dtype(ml_dtypes.bfloat16), "bf16")
float32 = DType("float32", 2, np.dtype(np.float32), "f32")
float64 = DType("float64", 2, np.dtype(np.float64), "f64")
complex64 = DType("complex64", 3, np.dtype(np.complex64), "c64")
complex128 = DType("complex128", 3, np.dtype(np.complex128), "c128")

DTYPES = (bool_, uint8, int8, int16, int32, int64, float16, bfloat16, float32, float64)
"""What programs compute with; complex numbers are pairs of these there."""
COMPLEX = (complex64, complex128)
_BY_NAME = {dtype.name: dtype for dtype in (*DTYPES, *COMPLEX)}
_BY_NUMPY = {dtype.numpy: dtype for dtype in (*DTYPES, *COMPLEX)}


def dtype_named(name: str) -> DType:
    """The element type of PyTorch's name ``name``."""
    return _BY_NAME[name]


def dtype_of_numpy(dtype: np.dtype[np.generic]) -> DType | None:
    """The element type of a numpy array, or None where graphc has none."""
    return _BY_NUMPY.get(dtype if dtype.isnative else dtype.newbyteorder("="))


def real_type(dtype: DType) -> DType:
    """The type of the parts of a complex type; a real type itself."""
    if not dtype.is_complex:
        return dtype
    return float32 if dtype is complex64 else float64


def complex_type(dtype: DType) -> DType:
    """The complex type whose parts hold what ``dtype`` holds."""
    if dtype.is_complex:
        return dtype
    if dtype.is_floating_point:
        return complex128 if dtype is float64 else complex64
    return complex_type(get_default_dtype())


def promote(a: DType, b: DType) -> DType:
    """The smallest type that holds both, as ``torch.promote_types`` gives it."""
    if a is b:
        return a
    if complex128 in (a, b):
        return complex128
    if complex64 in (a, b):
        return complex128 if float64 in (a, b) else complex64
    if a.category != b.category:
        return a if a.category > b.category else b
    if a.category == 2:
        if a.itemsize == b.itemsize:  # float16 and bfloat16
            return float32
        return a if a.itemsize > b.itemsize else b
    if uint8 in (a, b):
        other = b if a is uint8 else a
        return int16 if other is int8 else other
    return a if a.itemsize > b.itemsize else b


class _Default:
    dtype = float32


def get_default_dtype() -> DType:
    """The type of floating-point factories and of Python floats, float32 unless set."""
    return _Default.dtype


def set_default_dtype(dtype: DType) -> None:
    """Make ``dtype`` the type of floating-point factories."""
    if not dtype.is_floating_point:
        raise TypeError(f"only floating-point types are supported as the default type, not {dtype}")
    _Default.dtype = dtype
    bump_epoch()


def dtype_of_scalar(value: Scalar | complex) -> DType:
    """The type that a tensor made from ``value`` alone has."""
    if isinstance(value, bool):
        return bool_
    if isinstance(value, complex):
        return complex_type(get_default_dtype())
    return int64 if isinstance(value, int) else get_default_dtype()


def result_type(
    tensors: Iterable[tuple[DType, int]], scalars: Iterable[Scalar | complex] = ()
) -> DType:
    """The common type of tensors, given as (type, rank), and Python numbers.

    PyTorch's rule: tensors with dimensions decide; a zero-dimensional tensor, and after it a
    number, counts only where its category is higher.
    """
    ranked: list[DType | None] = [None, None, None]
    for dtype, rank in tensors:
        slot = 0 if rank else 1
        ranked[slot] = dtype if ranked[slot] is None else promote(ranked[slot] or dtype, dtype)
    for value in scalars:
        dtype = dtype_of_scalar(value)
        ranked[2] = dtype if ranked[2] is None else promote(ranked[2] or dtype, dtype)
    result: DType | None = None
    for candidate in ranked:
        if candidate is None:
            continue
        if result is None or candidate.category > result.category:
            keeps = result is not None and result.is_floating_point and candidate.is_complex
            # The precision stays that of what decided so far.
            result = complex_type(result) if keeps and result is not None else candidate
    return result or get_default_dtype()
