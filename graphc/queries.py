"""Questions about tensors and types whose answer is a plain Python value."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np

from graphc.autograd.anomaly import is_anomaly_check_nan_enabled, is_anomaly_enabled
from graphc.errors import GraphcRuntimeError, GraphcTypeError, GraphcValueError
from graphc.functions.operands import dtype_given
from graphc.ir import dtype as types
from graphc.ir.dtype import DType, get_default_dtype, promote, real_type
from graphc.ops.precision import precision as settings
from graphc.size import Size
from graphc.surface import LIFTED
from graphc.tensor import Tensor
from graphc.typename import short_typename


def is_tensor(obj: Any) -> bool:
    """Whether ``obj`` is a tensor."""
    return isinstance(obj, Tensor)


def _operand(name: str, x: Any) -> Tensor:
    """``x``, if it is a tensor."""
    if not isinstance(x, Tensor):
        raise GraphcTypeError(
            f"{name}(): argument 'input' (position 1) must be Tensor, not {short_typename(x)}"
        )
    return x


def is_floating_point(input: Tensor) -> bool:
    """Whether the elements are floating-point numbers."""
    return _operand("is_floating_point", input).dtype.is_floating_point


def is_complex(input: Tensor) -> bool:
    """Whether the elements are complex numbers."""
    return _operand("is_complex", input).dtype.is_complex


def is_nonzero(input: Tensor) -> bool:
    """Whether the one element is not zero."""
    return bool(_operand("is_nonzero", input))


def is_signed(input: Tensor) -> bool:
    """Whether the element type has negative numbers."""
    return input.dtype.is_signed


def is_same_size(input: Tensor, other: Tensor) -> bool:
    """Whether the shapes are the same."""
    return input.shape == other.shape


def get_device(input: Tensor) -> int:
    """The number of the device, -1 for the CPU."""
    index = input.device.index
    return -1 if index is None else index


def numel(input: Tensor) -> int:
    """How many elements there are."""
    return _operand("numel", input)._type.size


def broadcast_shapes(*shapes: Any) -> Size:
    """The shape that tensors of these shapes broadcast to."""
    given = [(s,) if isinstance(s, int) else tuple(s) for s in shapes]
    found = [1] * max(map(len, given), default=0)
    for place, shape in enumerate(given):
        for axis in range(-1, -1 - len(shape), -1):
            extent = shape[axis]
            if found[axis] == 1:
                if extent < 0:
                    raise GraphcValueError(
                        "Attempting to broadcast a dimension with negative length!"
                    )
                found[axis] = extent
            elif extent not in (1, found[axis]):
                raise GraphcRuntimeError(
                    f"Attempting to broadcast a dimension of length {extent} at {axis}! "
                    f"Mismatching argument at index {place} had {shape}; but expected shape "
                    f"should be broadcastable to {found}"
                )
    return Size(found)


def equal(input: Tensor, other: Tensor) -> bool:
    """Whether shapes and all elements are the same."""
    if not isinstance(other, Tensor):
        raise GraphcTypeError(
            f"equal(): argument 'other' (position 1) must be Tensor, not {type(other).__name__}"
        )
    return input.shape == other.shape and bool(np.array_equal(input._value(), other._value()))


def allclose(
    input: Tensor,
    other: Tensor,
    rtol: float = 1e-05,
    atol: float = 1e-08,
    equal_nan: bool = False,
) -> bool:
    """Whether all |input - other| ≤ atol + rtol · |other|."""
    close = LIFTED["isclose"](input, other, rtol=rtol, atol=atol, equal_nan=equal_nan)
    return bool(LIFTED["all"](close))


def result_type(tensor1: Any, tensor2: Any) -> DType:
    """The type that arithmetic of the two has."""
    tensors = [(x.dtype, x.ndim) for x in (tensor1, tensor2) if isinstance(x, Tensor)]
    scalars = [x for x in (tensor1, tensor2) if not isinstance(x, Tensor)]
    return types.result_type(tensors, scalars)


def promote_types(type1: DType, type2: DType) -> DType:
    """The smallest type that holds both."""
    return promote(type1, type2)


def can_cast(from_: DType, to: DType) -> bool:
    """Whether conversion keeps the kind of number: not from floats to integers, say."""
    return from_.category <= to.category


class finfo:
    """The limits of a floating-point type."""

    def __init__(self, type: DType | None = None) -> None:
        self._type = get_default_dtype() if type is None else dtype_given(type)
        self._type = real_type(self._type)
        if not self._type.is_floating_point:
            raise GraphcTypeError(
                f"torch.finfo() requires a floating point input type. Use torch.iinfo to handle "
                f"'{self._type}'"
            )
        info = ml_dtypes.finfo(self._type.numpy)
        self.bits = int(info.bits)
        self.eps, self.max, self.min = float(info.eps), float(info.max), float(info.min)
        self.tiny = self.smallest_normal = float(info.smallest_normal)
        self.resolution = float(f"1e-{info.precision}")
        self.dtype = self._type.name

    def __repr__(self) -> str:
        numbers = ("resolution", "min", "max", "eps", "smallest_normal", "tiny")
        shown = ", ".join(f"{name}={getattr(self, name):g}" for name in numbers)
        return f"finfo({shown}, dtype={self.dtype})"


class iinfo:
    """The limits of an integer type."""

    def __init__(self, type: DType) -> None:
        self._type = dtype_given(type)
        if self._type is types.bool_:
            raise GraphcTypeError("torch.bool is not supported by torch.iinfo")
        if self._type.category != 1:
            raise GraphcTypeError(
                f"torch.iinfo() requires an integer input type. Use torch.finfo to handle "
                f"'{self._type}'"
            )
        info = np.iinfo(self._type.numpy)
        self.bits, self.max, self.min = info.bits, int(info.max), int(info.min)
        self.dtype = self._type.name

    def __repr__(self) -> str:
        return f"iinfo(min={self.min:g}, max={self.max:g}, dtype={self.dtype})"


def use_deterministic_algorithms(mode: bool, *, warn_only: bool = False) -> None:
    """Nothing needs to be done: every program gives the same numbers each time."""


def are_deterministic_algorithms_enabled() -> bool:
    """Whether the same program always gives the same numbers: it does."""
    return True


def set_float32_matmul_precision(precision: str) -> None:
    """Let matrix products of float32 be computed in tf32 on a GPU, unless it is "highest"."""
    settings.set(matmul=precision)


def get_float32_matmul_precision() -> str:
    """The precision of matrix products of float32."""
    return settings.matmul


NAMESPACE: dict[str, Any] = {
    f.__name__: f
    for f in (
        is_tensor,
        is_floating_point,
        is_complex,
        is_nonzero,
        is_signed,
        is_same_size,
        get_device,
        numel,
        broadcast_shapes,
        equal,
        allclose,
        result_type,
        promote_types,
        can_cast,
        finfo,
        iinfo,
        use_deterministic_algorithms,
        are_deterministic_algorithms_enabled,
        set_float32_matmul_precision,
        get_float32_matmul_precision,
        is_anomaly_check_nan_enabled,
        is_anomaly_enabled,
    )
}
"""What the package offers by name."""
METHODS = {
    "equal": equal,
    "allclose": allclose,
    "is_nonzero": is_nonzero,
    "is_signed": is_signed,
}
"""What tensors offer."""
