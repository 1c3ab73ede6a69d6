"""Initial values of parameters, drawn at once: no program is recorded or compiled for them."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from graphc.errors import GraphcValueError
from graphc.memory import overwrite
from graphc.random import Generator, default_generator
from graphc.storage import Array
from graphc.tensor import Tensor

_LINEAR = frozenset(
    [
        "linear",
        "conv1d",
        "conv2d",
        "conv3d",
        "conv_transpose1d",
        "conv_transpose2d",
        "conv_transpose3d",
    ]
)


def numpy_generator(generator: Generator | None = None) -> np.random.Generator:
    """numpy's generator for one draw: keyed by where the stream stands, which then moves on."""
    state = (generator or default_generator)._state
    seed, offset = state._value().tolist()
    overwrite(state, (seed, offset + 1))
    return np.random.Generator(np.random.Philox(key=(seed % 2**64) + ((offset % 2**64) << 64)))


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """By how much weights grow so that a nonlinearity keeps the size of what passes through."""
    if nonlinearity in _LINEAR or nonlinearity == "sigmoid":
        return 1
    if nonlinearity == "tanh":
        return 5.0 / 3
    if nonlinearity == "relu":
        return math.sqrt(2.0)
    if nonlinearity == "selu":
        return 3.0 / 4
    if nonlinearity != "leaky_relu":
        raise GraphcValueError(f"Unsupported nonlinearity {nonlinearity}")
    slope = 0.01 if param is None else param
    if isinstance(slope, bool) or not isinstance(slope, int | float):
        raise GraphcValueError(f"negative_slope {param} not a valid number")
    return math.sqrt(2.0 / (1 + slope**2))


def _calculate_fan_in_and_fan_out(tensor: Tensor) -> tuple[int, int]:
    """How many inputs an output of the weight depends on, and how many outputs an input reaches."""
    if tensor.ndim < 2:
        raise GraphcValueError(
            "Fan in and fan out can not be computed for tensor with fewer than 2 dimensions"
        )
    rows, columns, *field = tensor.shape
    size = math.prod(field)
    return columns * size, rows * size


def _fan(tensor: Tensor, mode: str) -> int:
    if mode.lower() not in ("fan_in", "fan_out"):
        raise GraphcValueError(
            f"Mode {mode.lower()} not supported, please use one of ['fan_in', 'fan_out']"
        )
    return _calculate_fan_in_and_fan_out(tensor)[mode.lower() == "fan_out"]


def _working_dtype(tensor: Tensor) -> Any:
    """The type in which numbers are drawn: numpy draws no narrower ones than float32."""
    return np.float64 if tensor.dtype.itemsize == 8 else np.float32


def _uniform(tensor: Tensor, low: float, high: float, generator: Generator | None) -> Array:
    dtype = _working_dtype(tensor)
    values = numpy_generator(generator).random(tensor.shape, dtype)
    values *= dtype(high - low)
    values += dtype(low)
    return np.asarray(values)


def _normal(
    shape: tuple[int, ...], dtype: Any, mean: float, std: float, generator: Generator | None
) -> Array:
    values = numpy_generator(generator).standard_normal(shape, dtype)
    values *= dtype(std)
    values += dtype(mean)
    return np.asarray(values)


def uniform_(
    tensor: Tensor, a: float = 0.0, b: float = 1.0, generator: Generator | None = None
) -> Tensor:
    """Fill ``tensor`` from U(a, b)."""
    overwrite(tensor, _uniform(tensor, a, b, generator))
    return tensor


def normal_(
    tensor: Tensor, mean: float = 0.0, std: float = 1.0, generator: Generator | None = None
) -> Tensor:
    """Fill ``tensor`` from N(mean, std²)."""
    overwrite(tensor, _normal(tensor.shape, _working_dtype(tensor), mean, std, generator))
    return tensor


def trunc_normal_(
    tensor: Tensor,
    mean: float = 0.0,
    std: float = 1.0,
    a: float = -2.0,
    b: float = 2.0,
    generator: Generator | None = None,
) -> Tensor:
    """Fill ``tensor`` from N(mean, std²), with what falls outside [a, b] drawn again."""
    if mean < a - 2 * std or mean > b + 2 * std:
        warnings.warn(
            "mean is more than 2 std from [a, b] in nn.init.trunc_normal_. "
            "The distribution of values may be incorrect.",
            stacklevel=2,
        )
    dtype = _working_dtype(tensor)
    inside = _normal_below((b - mean) / std) - _normal_below((a - mean) / std)
    draw = _normal_draws if inside > 0.3 else _uniform_draws
    values = np.empty(math.prod(tensor.shape), dtype)
    missing = np.arange(values.size)
    while missing.size:
        candidates, accepted = draw(missing.size, dtype, mean, std, a, b, generator)
        values[missing[accepted]] = candidates[accepted]
        missing = missing[~accepted]
    overwrite(tensor, values.reshape(tensor.shape))
    return tensor


def _normal_below(x: float) -> float:
    """Φ(x)"""
    return (1.0 + math.erf(x / math.sqrt(2.0))) / 2.0


def _normal_draws(
    count: int,
    dtype: Any,
    mean: float,
    std: float,
    a: float,
    b: float,
    generator: Generator | None,
) -> tuple[Array, Array]:
    candidates = _normal((count,), dtype, mean, std, generator)
    return candidates, (candidates >= dtype(a)) & (candidates <= dtype(b))


def _uniform_draws(
    count: int,
    dtype: Any,
    mean: float,
    std: float,
    a: float,
    b: float,
    generator: Generator | None,
) -> tuple[Array, Array]:
    """Uniform candidates, accepted with the normal density: for an interval in its tail."""
    random = numpy_generator(generator)
    candidates = a + (b - a) * random.random(count)
    peak = -0.5 * ((max(a, min(mean, b)) - mean) / std) ** 2
    density = np.exp(-0.5 * ((candidates - mean) / std) ** 2 - peak)
    return candidates.astype(dtype), random.random(count) <= density


def constant_(tensor: Tensor, val: float) -> Tensor:
    """Fill ``tensor`` with ``val``."""
    overwrite(tensor, val)
    return tensor


def ones_(tensor: Tensor) -> Tensor:
    """Fill ``tensor`` with 1."""
    return constant_(tensor, 1.0)


def zeros_(tensor: Tensor) -> Tensor:
    """Fill ``tensor`` with 0."""
    return constant_(tensor, 0.0)


def eye_(tensor: Tensor) -> Tensor:
    """Make a matrix the identity, as far as it goes."""
    if tensor.ndim != 2:
        raise GraphcValueError("Only tensors with 2 dimensions are supported")
    overwrite(tensor, np.eye(*tensor.shape))
    return tensor


def dirac_(tensor: Tensor, groups: int = 1) -> Tensor:
    """Make the weight of a convolution pass on as many channels as it can."""
    if tensor.ndim not in (3, 4, 5):
        raise GraphcValueError("Only tensors with 3, 4, or 5 dimensions are supported")
    rows, columns, *field = tensor.shape
    if rows % groups:
        raise GraphcValueError("dim 0 must be divisible by groups")
    values = np.zeros(tensor.shape)
    middle = tuple(n // 2 for n in field)
    for group in range(groups):
        for channel in range(min(rows // groups, columns)):
            values[(group * (rows // groups) + channel, channel, *middle)] = 1
    overwrite(tensor, values)
    return tensor


def xavier_uniform_(
    tensor: Tensor, gain: float = 1.0, generator: Generator | None = None
) -> Tensor:
    """Fill ``tensor`` from U(-k, k), k = gain · √(6 / (fan_in + fan_out))."""
    bound = math.sqrt(3.0) * gain * math.sqrt(2.0 / sum(_calculate_fan_in_and_fan_out(tensor)))
    return uniform_(tensor, -bound, bound, generator)


def xavier_normal_(tensor: Tensor, gain: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Fill ``tensor`` from N(0, σ²), σ = gain · √(2 / (fan_in + fan_out))."""
    std = gain * math.sqrt(2.0 / sum(_calculate_fan_in_and_fan_out(tensor)))
    return normal_(tensor, 0.0, std, generator)


def _kaiming_std(tensor: Tensor, a: float, mode: str, nonlinearity: str) -> float:
    """0 for an empty tensor, of which there is nothing to fill."""
    if 0 in tensor.shape:
        warnings.warn("Initializing zero-element tensors is a no-op", stacklevel=3)
        return 0.0
    return calculate_gain(nonlinearity, a) / math.sqrt(_fan(tensor, mode))


def kaiming_uniform_(
    tensor: Tensor,
    a: float = 0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Generator | None = None,
) -> Tensor:
    """Fill ``tensor`` from U(-k, k), k = gain · √(3 / fan)."""
    bound = math.sqrt(3.0) * _kaiming_std(tensor, a, mode, nonlinearity)
    return uniform_(tensor, -bound, bound, generator)


def kaiming_normal_(
    tensor: Tensor,
    a: float = 0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Generator | None = None,
) -> Tensor:
    """Fill ``tensor`` from N(0, σ²), σ = gain / √fan."""
    return normal_(tensor, 0.0, _kaiming_std(tensor, a, mode, nonlinearity), generator)


def orthogonal_(tensor: Tensor, gain: float = 1, generator: Generator | None = None) -> Tensor:
    """Make ``tensor``, seen as a matrix of its first dimension's rows, (semi-)orthogonal."""
    if tensor.ndim < 2:
        raise GraphcValueError("Only tensors with 2 or more dimensions are supported")
    size = math.prod(tensor.shape)
    if not size:
        return tensor
    rows = tensor.shape[0]
    columns = size // rows
    tall = (max(rows, columns), min(rows, columns))
    q, r = np.linalg.qr(_normal(tall, _working_dtype(tensor), 0.0, 1.0, generator))
    q *= np.sign(np.diagonal(r))
    overwrite(tensor, gain * (q.T if rows < columns else q).reshape(tensor.shape))
    return tensor


def sparse_(
    tensor: Tensor, sparsity: float, std: float = 0.01, generator: Generator | None = None
) -> Tensor:
    """Fill a matrix from N(0, std²), with a share ``sparsity`` of each column zero."""
    if tensor.ndim != 2:
        raise GraphcValueError("Only tensors with 2 dimensions are supported")
    rows, columns = tensor.shape
    values = _normal((rows, columns), _working_dtype(tensor), 0.0, std, generator)
    random = numpy_generator(generator)
    for column in range(columns):
        values[random.permutation(rows)[: math.ceil(sparsity * rows)], column] = 0
    overwrite(tensor, values)
    return tensor


def bias_like_weight_(bias: Tensor | None, weight: Tensor) -> None:
    """Fill the bias of a layer from U(-k, k), k = 1 / √fan_in of its weight."""
    if bias is not None:
        fan_in, _ = _calculate_fan_in_and_fan_out(weight)
        bound = 1 / math.sqrt(fan_in) if fan_in > 0 else 0
        uniform_(bias, -bound, bound)


def _older(call: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """The function by its older name, without the underscore."""
    name = call.__name__
    old = name.removesuffix("_")

    def deprecated(*args: Any, **kwargs: Any) -> Tensor:
        warnings.warn(
            f"`nn.init.{old}` is now deprecated in favor of `nn.init.{name}`.",
            FutureWarning,
            stacklevel=2,
        )
        return call(*args, **kwargs)

    deprecated.__name__ = deprecated.__qualname__ = old
    deprecated.__doc__ = f"``{name}`` by its older name."
    return deprecated


uniform = _older(uniform_)
normal = _older(normal_)
constant = _older(constant_)
eye = _older(eye_)
dirac = _older(dirac_)
orthogonal = _older(orthogonal_)
sparse = _older(sparse_)
xavier_uniform = _older(xavier_uniform_)
xavier_normal = _older(xavier_normal_)
kaiming_uniform = _older(kaiming_uniform_)
kaiming_normal = _older(kaiming_normal_)
