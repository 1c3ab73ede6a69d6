"""Random tensors, drawn from a generator."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from typing import Any

import numpy as np

from graphc.device import usable
from graphc.errors import GraphcRuntimeError, GraphcTypeError
from graphc.factories import made_like, size_given
from graphc.from_data import Shape, as_leaf, extents
from graphc.functions.operands import C_NAMES, c_type, not_implemented
from graphc.ir.dtype import DType, bool_, float32, float64, get_default_dtype, int64, real_type
from graphc.memory import is_known
from graphc.ops.random import RandomInteger, RandomNormal, RandomPermutation, RandomUniform
from graphc.outputs import write_out
from graphc.random import Generator, draw
from graphc.recording import session
from graphc.surface import LIFTED
from graphc.tensor import Tensor
from graphc.typename import short_typename

LOW_STEPS = {"float16": 2.0**11, "bfloat16": 2.0**8}
"""How many numbers in [0, 1) the types of 16 bits have at an even distance."""


def floating(kernel: str, dtype: DType | None) -> DType:
    """The type asked for. Raises where it is neither floating nor complex."""
    found = dtype or get_default_dtype()
    if not found.is_inexact:
        raise not_implemented(kernel, found)
    return found


def wide(dtype: DType) -> DType:
    """The type in which numbers for ``dtype`` are drawn."""
    return float64 if dtype is float64 else float32


def converted(x: Tensor, dtype: DType) -> Tensor:
    """``x`` in another element type."""
    result: Tensor = x if x.dtype is dtype else x.to(dtype)
    return result


def uniform(
    shape: Shape, dtype: DType, generator: Generator | None = None, device: str = "cpu"
) -> Tensor:
    """Numbers in [0, 1); in a type of 16 bits rounded down, so that 1 is never reached."""
    if dtype.is_complex:
        pairs = uniform((*shape, 2), real_type(dtype), generator, device)
        return LIFTED["view_as_complex"](pairs)  # type: ignore[no-any-return]
    numbers = draw(RandomUniform(shape, wide(dtype)), generator, "rand", device)
    steps = LOW_STEPS.get(dtype.name)
    return numbers if steps is None else converted((numbers * steps).floor() / steps, dtype)


def standard_normal(
    shape: Shape, dtype: DType, generator: Generator | None = None, device: str = "cpu"
) -> Tensor:
    """Numbers of mean zero and variance one, of complex ones one half in each part."""
    if dtype.is_complex:
        pairs = standard_normal((*shape, 2), real_type(dtype), generator, device) * sqrt(0.5)
        return LIFTED["view_as_complex"](pairs)  # type: ignore[no-any-return]
    return converted(draw(RandomNormal(shape, wide(dtype)), generator, "randn", device), dtype)


def exponential(
    shape: Shape,
    dtype: DType,
    rate: float = 1.0,
    generator: Generator | None = None,
    device: str = "cpu",
) -> Tensor:
    """Numbers of density λ · exp(-λ · x), none of them zero."""
    numbers = draw(RandomUniform(shape, wide(dtype)), generator, "exponential", device)
    tiny = float(np.finfo(numbers.dtype.numpy).eps) / 2
    return converted(LIFTED["clamp"](LIFTED["log1p"](-numbers), max=-tiny) / -rate, dtype)


def _made(x: Tensor, out: Tensor | None, requires_grad: bool = False) -> Tensor:
    return as_leaf(x, requires_grad) if out is None else write_out(out, x)


def rand(
    *given: Any,
    size: Any = None,
    generator: Generator | None = None,
    out: Tensor | None = None,
    dtype: DType | None = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
) -> Tensor:
    """Uniform numbers in [0, 1)."""
    found = floating("check_uniform_bounds", dtype)
    shape = size_given("rand", given, size)
    return _made(uniform(shape, found, generator, usable(device)), out, requires_grad)


def randn(
    *given: Any,
    size: Any = None,
    generator: Generator | None = None,
    out: Tensor | None = None,
    dtype: DType | None = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
) -> Tensor:
    """Normal numbers of mean zero and variance one."""
    found = floating("normal_kernel_cpu", dtype)
    shape = size_given("randn", given, size)
    return _made(standard_normal(shape, found, generator, usable(device)), out, requires_grad)


def integers(
    low: int,
    high: int,
    shape: Shape,
    dtype: DType,
    generator: Generator | None,
    device: str = "cpu",
) -> Tensor:
    """Integers in [low, high). Raises where the type does not hold them all."""
    if low >= high:
        raise GraphcRuntimeError(
            f"random_ expects 'from' to be less than 'to', but got from={low} >= to={high}"
        )
    if not dtype.is_floating_point:
        least, most = (0, 1) if dtype is bool_ else _limits(dtype)
        for name, bound in (("from", low), ("to - 1", high - 1)):
            if not least <= bound <= most:
                raise GraphcRuntimeError(f"{name} is out of bounds for {c_type(dtype)}")
    numbers = draw(RandomInteger(shape, int64, low=low, high=high), generator, "randint", device)
    return converted(numbers, dtype)


def _limits(dtype: DType) -> tuple[int, int]:
    found = np.iinfo(dtype.numpy)
    return int(found.min), int(found.max)


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
    if size is None and given:
        size = given.pop()
    if high is None and given:
        high = given.pop()
    if low is None:
        low = given.pop() if given else 0
    if given or high is None or size is None:
        got = ", ".join(map(short_typename, bounds_and_size))
        raise GraphcTypeError(
            f"randint() received an invalid combination of arguments - got ({got})"
        )
    if not isinstance(size, Sequence):
        raise GraphcTypeError(
            f"randint(): argument 'size' must be tuple of ints, not {short_typename(size)}"
        )
    low, high = _integer("randint", "low", low), _integer("randint", "high", high)
    shape, place = extents("randint", (size,)), usable(device)
    numbers = integers(low, high, shape, dtype or int64, generator, place)
    return _made(numbers, out, requires_grad)


def _integer(function: str, name: str, x: Any) -> int:
    if not hasattr(x, "__index__"):
        raise GraphcTypeError(
            f"{function}(): argument '{name}' (position 1) must be int, not {short_typename(x)}"
        )
    return int(x)


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
    shape = extents("randperm", (_integer("randperm", "n", n),))
    numbers = draw(RandomPermutation(shape, int64), generator, "randperm", usable(device))
    return _made(converted(numbers, dtype or int64), out, requires_grad)


def rand_like(input: Tensor, *, dtype: DType | None = None, **options: Any) -> Tensor:
    """Uniform numbers in [0, 1), as many as there are in ``input``."""
    like = made_like("rand_like", input)
    return rand(like.shape, dtype=dtype or like.dtype, **_like(like, options))


def randn_like(input: Tensor, *, dtype: DType | None = None, **options: Any) -> Tensor:
    """Normal numbers of mean zero and variance one, as many as there are in ``input``."""
    like = made_like("randn_like", input)
    return randn(like.shape, dtype=dtype or like.dtype, **_like(like, options))


def randint_like(input: Tensor, *bounds: int, dtype: DType | None = None, **options: Any) -> Tensor:
    """Integers in [low, high), as many as there are in ``input``."""
    like = made_like("randint_like", input)
    return randint(*bounds, size=like.shape, dtype=dtype or like.dtype, **_like(like, options))


def _like(input: Tensor, options: dict[str, Any]) -> dict[str, Any]:
    options.pop("memory_format", None)
    return {**options, "device": options.get("device") or input.device}


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
    if isinstance(std, Tensor) and is_known(std) and (std._value() < 0).any():
        raise GraphcRuntimeError("normal expects all elements of std >= 0.0")
    tensors = [x for x in (mean, std) if isinstance(x, Tensor)]
    if not tensors and size is None:
        raise GraphcTypeError(
            "normal() received an invalid combination of arguments - got "
            f"({short_typename(mean)}, {short_typename(std)})"
        )
    if tensors:
        shape = tuple(tensors[0].shape)
        if len(tensors) == 2 and tensors[0].shape != tensors[1].shape:
            shape = tuple(LIFTED["add"](*tensors).shape)
        found = floating("normal_kernel_cpu", tensors[0].dtype)
    else:
        shape, found = extents("normal", (size,)), floating("normal_kernel_cpu", dtype)
    place = tensors[0]._place if tensors else "cpu"
    numbers = standard_normal(shape, found, generator, place)
    return _made(LIFTED["add"](LIFTED["mul"](numbers, std), mean), out, requires_grad)


def bernoulli(
    input: Tensor,
    p: float | None = None,
    *,
    generator: Generator | None = None,
    out: Tensor | None = None,
) -> Tensor:
    """1 with the probability that ``input`` gives, or with ``p``; else 0."""
    chance: Any = _chances(input) if p is None else probability(p)
    noise = uniform(tuple(input.shape), wide(input.dtype), generator, input._place)
    return _made(converted(noise < chance, input.dtype), out)


def _chances(input: Tensor) -> Tensor:
    if not input.dtype.is_floating_point:
        raise not_implemented("bernoulli_tensor_cpu_p_", input.dtype)
    if is_known(input) and not ((input._value() >= 0) & (input._value() <= 1)).all():
        raise GraphcRuntimeError("Expected p_in >= 0 && p_in <= 1 to be true, but got false.")
    return input.detach()  # type: ignore[no-any-return]


def probability(p: float) -> float:
    """``p``, if it is a probability."""
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
    weights = converted(input.detach(), wide(input.dtype))
    rows = weights if weights.ndim == 2 else weights.unsqueeze(0)
    if replacement:
        chosen = chosen_again(rows, num_samples, generator)
    else:
        shape = tuple(rows.shape)
        race = rows / exponential(shape, rows.dtype, 1.0, generator, input._place)
        chosen = race.topk(num_samples, -1)[1]
    return _made(chosen if input.ndim == 2 else chosen.squeeze(0), out)


def chosen_again(rows: Tensor, count: int, generator: Generator | None) -> Tensor:
    """``count`` indices of each row, drawn with its weights, each from the whole row."""
    totals = rows.cumsum(-1)
    noise = uniform((rows.shape[0], count), wide(rows.dtype), generator, rows._place)
    wanted = (noise * totals[:, -1:]).unsqueeze(-1)
    return (totals.unsqueeze(1) <= wanted).sum(-1)  # type: ignore[no-any-return]


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
METHODS: dict[str, Any] = {"bernoulli": bernoulli, "multinomial": multinomial}
"""What tensors offer."""
