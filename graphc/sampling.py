"""What is drawn from a generator: random tensors, and tensors filled in place."""

from __future__ import annotations

from collections.abc import Sequence
from math import pi
from typing import Any

import numpy as np

from graphc.errors import GraphcRuntimeError, GraphcTypeError
from graphc.functions.operands import C_NAMES
from graphc.ir.dtype import DType, float32, float64, get_default_dtype, int64
from graphc.ops.random import RandomInteger, RandomNormal, RandomPermutation, RandomUniform
from graphc.random import Generator, draw
from graphc.recording import session
from graphc.surface import LIFTED, assign
from graphc.tensor import Tensor

Shape = tuple[int, ...]
LOW_STEPS = {"float16": 2.0**11, "bfloat16": 2.0**8}
"""How many numbers in [0, 1) the types of 16 bits have at an even distance."""


def shape_of(size: tuple[Any, ...]) -> Shape:
    """Extents given one by one or as one sequence."""
    if len(size) == 1 and isinstance(size[0], Sequence):
        size = tuple(size[0])
    shape = tuple(int(n) for n in size)
    for n in shape:
        if n < 0:
            raise GraphcRuntimeError(
                f"Trying to create tensor with negative dimension {n}: {list(shape)}"
            )
    return shape


def _floating(kernel: str, dtype: DType | None) -> DType:
    """The type asked for. Raises where it is no floating-point type."""
    found = dtype or get_default_dtype()
    if not found.is_floating_point:
        raise GraphcRuntimeError(f"\"{kernel}\" not implemented for '{C_NAMES[found.name]}'")
    return found


def _wide(dtype: DType) -> DType:
    """The type in which numbers for ``dtype`` are drawn."""
    return float64 if dtype is float64 else float32


def _cast(x: Tensor, dtype: DType) -> Tensor:
    result: Tensor = x if x.dtype is dtype else x.to(dtype)
    return result


def uniform(shape: Shape, dtype: DType, generator: Generator | None = None) -> Tensor:
    """Numbers in [0, 1); in a type of 16 bits rounded down, so that 1 is never reached."""
    numbers = draw(RandomUniform(shape, _wide(dtype)), generator, "rand")
    steps = LOW_STEPS.get(dtype.name)
    return numbers if steps is None else _cast((numbers * steps).floor() / steps, dtype)


def standard_normal(shape: Shape, dtype: DType, generator: Generator | None = None) -> Tensor:
    """Numbers of mean zero and variance one."""
    return _cast(draw(RandomNormal(shape, _wide(dtype)), generator, "randn"), dtype)


def exponential(
    shape: Shape, dtype: DType, rate: float = 1.0, generator: Generator | None = None
) -> Tensor:
    """Numbers of density λ · exp(-λ · x), none of them zero."""
    numbers = draw(RandomUniform(shape, _wide(dtype)), generator, "exponential")
    tiny = float(np.finfo(numbers.dtype.numpy).eps) / 2
    return _cast(LIFTED["clamp"](LIFTED["log1p"](-numbers), max=-tiny) / -rate, dtype)


def _made(x: Tensor, out: Tensor | None, requires_grad: bool = False) -> Tensor:
    if out is not None:
        return assign(out, x, "copy_")
    return x.requires_grad_() if requires_grad else x


def rand(
    *size: Any,
    generator: Generator | None = None,
    out: Tensor | None = None,
    dtype: DType | None = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
) -> Tensor:
    """Uniform numbers in [0, 1)."""
    found = _floating("check_uniform_bounds", dtype)
    return _made(uniform(shape_of(size), found, generator), out, requires_grad)


def randn(
    *size: Any,
    generator: Generator | None = None,
    out: Tensor | None = None,
    dtype: DType | None = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
) -> Tensor:
    """Normal numbers of mean zero and variance one."""
    found = _floating("normal_kernel_cpu", dtype)
    return _made(standard_normal(shape_of(size), found, generator), out, requires_grad)


def _integers(
    low: int, high: int, shape: Shape, dtype: DType, generator: Generator | None
) -> Tensor:
    if low >= high:
        raise GraphcRuntimeError(
            f"random_ expects 'from' to be less than 'to', but got from={low} >= to={high}"
        )
    exact = dtype if dtype.category == 1 else int64
    if exact.name != "int64":
        info = np.iinfo(exact.numpy)
        if low < info.min or high - 1 > info.max:
            raise GraphcRuntimeError(f"from and to are out of bounds for {dtype}")
    numbers = draw(RandomInteger(shape, int64, low=low, high=high), generator, "randint")
    return _cast(numbers, dtype)


def randint(
    *bounds_and_size: Any,
    low: int | None = None,
    high: int | None = None,
    size: Any = None,
    generator: Generator | None = None,
    out: Tensor | None = None,
    dtype: DType | None = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
) -> Tensor:
    """``randint(low=0, high, size)``: integers in [low, high)."""
    given = list(bounds_and_size)
    if size is None:
        if not given or not isinstance(given[-1], Sequence):
            raise GraphcTypeError("randint() received an invalid combination of arguments")
        size = given.pop()
    if high is None and given:
        high = given.pop()
    if low is None:
        low = given.pop() if given else 0
    if given or high is None:
        raise GraphcTypeError("randint() received an invalid combination of arguments")
    numbers = _integers(int(low), int(high), shape_of((size,)), dtype or int64, generator)
    return _made(numbers, out, requires_grad)


def randperm(
    n: int,
    *,
    generator: Generator | None = None,
    out: Tensor | None = None,
    dtype: DType | None = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
) -> Tensor:
    """0 to n - 1 in random order."""
    if n < 0:
        raise GraphcRuntimeError(f"n must be non-negative, got{n}")
    numbers = draw(RandomPermutation((int(n),), int64), generator, "randperm")
    return _made(_cast(numbers, dtype or int64), out, requires_grad)


def rand_like(input: Tensor, *, dtype: DType | None = None, **options: Any) -> Tensor:
    """Uniform numbers in [0, 1), as many as there are in ``input``."""
    return rand(input.shape, dtype=dtype or input.dtype, **_like(options))


def randn_like(input: Tensor, *, dtype: DType | None = None, **options: Any) -> Tensor:
    """Normal numbers of mean zero and variance one, as many as there are in ``input``."""
    return randn(input.shape, dtype=dtype or input.dtype, **_like(options))


def randint_like(input: Tensor, *bounds: int, dtype: DType | None = None, **options: Any) -> Tensor:
    """Integers in [low, high), as many as there are in ``input``."""
    return randint(*bounds, size=input.shape, dtype=dtype or input.dtype, **_like(options))


def _like(options: dict[str, Any]) -> dict[str, Any]:
    options.pop("memory_format", None)
    return options


def normal(
    mean: Tensor | float,
    std: Tensor | float = 1.0,
    size: Any = None,
    *,
    generator: Generator | None = None,
    out: Tensor | None = None,
    dtype: DType | None = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Normal numbers of the means and standard deviations given."""
    if not isinstance(std, Tensor) and std < 0:
        raise GraphcRuntimeError(f"normal expects std >= 0.0, but found std {std}")
    tensors = [x for x in (mean, std) if isinstance(x, Tensor)]
    if tensors:
        shape = tuple(tensors[0].shape)
        if len(tensors) == 2 and tensors[0].shape != tensors[1].shape:
            shape = tuple(LIFTED["add"](*tensors).shape)
        found = tensors[0].dtype
    else:
        shape, found = shape_of((size,)), _floating("normal_kernel_cpu", dtype)
    numbers = standard_normal(shape, found, generator)
    return _made(LIFTED["add"](LIFTED["mul"](numbers, std), mean), out, requires_grad)


def bernoulli(
    input: Tensor,
    p: float | None = None,
    *,
    generator: Generator | None = None,
    out: Tensor | None = None,
) -> Tensor:
    """1 with the probability that ``input`` gives, or with ``p``; else 0."""
    chance: Any = input.detach() if p is None else _probability(p)
    noise = uniform(tuple(input.shape), _wide(input.dtype), generator)
    return _made(_cast(noise < chance, input.dtype), out)


def _probability(p: float) -> float:
    if not 0 <= p <= 1:
        raise GraphcRuntimeError(f"bernoulli_ expects p to be in [0, 1], but got p={p}")
    return p


def multinomial(
    input: Tensor,
    num_samples: int,
    replacement: bool = False,
    *,
    generator: Generator | None = None,
    out: Tensor | None = None,
) -> Tensor:
    """``num_samples`` indices of each row, drawn with the row's weights."""
    _check_weights(input, num_samples, replacement)
    weights = _cast(input.detach(), _wide(input.dtype))
    rows = weights if weights.ndim == 2 else weights.unsqueeze(0)
    if replacement:
        totals = rows.cumsum(-1)
        noise = uniform((rows.shape[0], num_samples), rows.dtype, generator)
        wanted = (noise * totals[:, -1:]).unsqueeze(-1)
        chosen = (totals.unsqueeze(1) <= wanted).sum(-1)
    else:
        race = rows / exponential(tuple(rows.shape), rows.dtype, 1.0, generator)
        chosen = race.topk(num_samples, -1)[1]
    return _made(chosen if input.ndim == 2 else chosen.squeeze(0), out)


def _check_weights(input: Tensor, num_samples: int, replacement: bool) -> None:
    if input.ndim not in (1, 2):
        raise GraphcRuntimeError("prob_dist must be 1 or 2 dim")
    if not input.dtype.is_floating_point:
        raise GraphcRuntimeError(
            "multinomial only supports floating-point dtypes for input, got: "
            f"{C_NAMES[input.dtype.name]}"
        )
    if num_samples <= 0:
        raise GraphcRuntimeError("cannot sample n_sample <= 0 samples")
    if not replacement and num_samples > input.shape[-1]:
        raise GraphcRuntimeError(
            "cannot sample n_sample > prob_dist.size(-1) samples without replacement"
        )
    if session.trace.capturing:
        return
    weights = input._value().astype(np.float64)
    if not np.isfinite(weights).all() or (weights < 0).any():
        raise GraphcRuntimeError("probability tensor contains either `inf`, `nan` or element < 0")
    if (weights.sum(-1) <= 0).any():
        raise GraphcRuntimeError("invalid multinomial distribution (sum of probabilities <= 0)")


def uniform_(
    self: Tensor, from_: float = 0.0, to: float = 1.0, *, generator: Generator | None = None
) -> Tensor:
    """Fill with uniform numbers in [from, to)."""
    dtype = _floating("check_uniform_bounds", self.dtype)
    if from_ > to:
        raise GraphcRuntimeError(
            f"uniform_ expects to return a [from, to) range, but found from={from_} > to={to}"
        )
    numbers = uniform(tuple(self.shape), dtype, generator)
    if (from_, to) != (0, 1):
        numbers = numbers * (to - from_) + from_
    return assign(self, numbers, "uniform_")


def normal_(
    self: Tensor, mean: float = 0.0, std: float = 1.0, *, generator: Generator | None = None
) -> Tensor:
    """Fill with normal numbers."""
    dtype = _floating("normal_kernel_cpu", self.dtype)
    if std < 0:
        raise GraphcRuntimeError(f"normal expects std >= 0.0, but found std {std}")
    numbers = standard_normal(tuple(self.shape), dtype, generator)
    if (mean, std) != (0, 1):
        numbers = numbers * std + mean
    return assign(self, numbers, "normal_")


def bernoulli_(
    self: Tensor, p: Tensor | float = 0.5, *, generator: Generator | None = None
) -> Tensor:
    """Fill with 1 with probability ``p``, else 0."""
    chance = p.detach() if isinstance(p, Tensor) else _probability(p)
    noise = uniform(tuple(self.shape), _wide(self.dtype), generator)
    return assign(self, _cast(noise < chance, self.dtype), "bernoulli_")


def exponential_(self: Tensor, lambd: float = 1.0, *, generator: Generator | None = None) -> Tensor:
    """Fill with numbers of density λ · exp(-λ · x)."""
    dtype = _floating("exponential_", self.dtype)
    if lambd <= 0:
        raise GraphcRuntimeError(f"exponential_ expects lambda > 0.0, but found lambda={lambd}")
    numbers = exponential(tuple(self.shape), dtype, lambd, generator)
    return assign(self, numbers, "exponential_")


def log_normal_(
    self: Tensor, mean: float = 1.0, std: float = 2.0, *, generator: Generator | None = None
) -> Tensor:
    """Fill with powers of e that have normal exponents."""
    dtype = _floating("normal_kernel_cpu", self.dtype)
    if std <= 0:
        raise GraphcRuntimeError(f"log_normal_ expects std > 0.0, but found std={std}")
    numbers = standard_normal(tuple(self.shape), dtype, generator)
    return assign(self, LIFTED["exp"](numbers * std + mean), "log_normal_")


def cauchy_(
    self: Tensor, median: float = 0.0, sigma: float = 1.0, *, generator: Generator | None = None
) -> Tensor:
    """Fill with numbers of the Cauchy distribution."""
    dtype = _floating("cauchy_", self.dtype)
    if sigma <= 0:
        raise GraphcRuntimeError(f"cauchy_ expects sigma > 0.0, but found sigma={sigma}")
    angles = (uniform(tuple(self.shape), _wide(dtype), generator) - 0.5) * pi
    return assign(self, _cast(LIFTED["tan"](angles) * sigma + median, dtype), "cauchy_")


def geometric_(self: Tensor, p: float, *, generator: Generator | None = None) -> Tensor:
    """Fill with the number of trials up to the first success, each of probability ``p``."""
    if not 0 < p < 1:
        raise GraphcRuntimeError(f"geometric_ expects p to be in (0, 1), but got p={p}")
    waits = exponential(tuple(self.shape), _wide(self.dtype), -float(np.log1p(-p)), generator)
    return assign(self, _cast(LIFTED["ceil"](waits), self.dtype), "geometric_")


def random_(
    self: Tensor,
    from_: int | None = None,
    to: int | None = None,
    *,
    generator: Generator | None = None,
) -> Tensor:
    """Fill with integers in [from, to): of all that the type holds, unless bounds are given."""
    low, high = (0, from_) if to is None else (from_ or 0, to)
    if high is None:
        high = _bound(self.dtype)
    numbers = _integers(low, high, tuple(self.shape), self.dtype, generator)
    return assign(self, numbers, "random_")


def _bound(dtype: DType) -> int:
    """One more than the largest integer that a type holds exactly, with all before it."""
    if dtype.is_floating_point:
        bits = {"float16": 11, "bfloat16": 8, "float32": 24, "float64": 53}[dtype.name]
        return int(2**bits + 1)
    return 2 if dtype.category == 0 else int(np.iinfo(dtype.numpy).max) + 1


NAMESPACE = {
    f.__name__: f
    for f in (
        rand,
        randn,
        randint,
        randperm,
        rand_like,
        randn_like,
        randint_like,
        normal,
        bernoulli,
        multinomial,
    )
}
"""What the package offers by name."""

METHODS: dict[str, Any] = {
    f.__name__: f
    for f in (
        uniform_,
        normal_,
        bernoulli_,
        exponential_,
        log_normal_,
        cauchy_,
        geometric_,
        random_,
        bernoulli,
        multinomial,
    )
}
"""What tensors offer."""


def install() -> None:
    """Give Tensor its random methods."""
    for name, f in METHODS.items():
        setattr(Tensor, name, f)
