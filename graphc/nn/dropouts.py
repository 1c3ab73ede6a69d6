"""Functions of neural networks that draw random numbers."""

from __future__ import annotations

import warnings
from typing import Any

from graphc.errors import GraphcRuntimeError, GraphcValueError
from graphc.factories import zeros_like
from graphc.ir.dtype import float32
from graphc.ops.random import RandomUniform
from graphc.random import draw, skip, state_on
from graphc.sampling import exponential
from graphc.surface import LIFTED, assign
from graphc.tensor import Tensor


def _dropped(
    name: str, kernel: str, input: Tensor, p: float, training: bool, inplace: bool, *, whole: bool
) -> Tensor:
    """``input`` with elements, or ``whole`` channels, dropped."""
    if not 0.0 <= p <= 1.0:
        raise GraphcValueError(f"dropout probability has to be between 0 and 1, but got {p}")
    if not training or p == 0 or not input._type.size:
        return input
    shape = tuple(input.shape)
    if whole:
        if len(shape) < 2:
            raise GraphcRuntimeError("Feature dropout requires at least 2 dimensions in the input")
        shape = (*shape[:2], *(1,) * (len(shape) - 2))
    noise = draw(RandomUniform(shape, float32), name=name, device=input._place)
    result: Tensor = LIFTED[kernel](input, noise, p)
    return assign(input, result, f"{name}_") if inplace else result


def dropout(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Each element zero with probability ``p``, else divided by 1 - p."""
    return _dropped("dropout", "masked_by_noise", input, p, training, inplace, whole=False)


def alpha_dropout(
    input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False
) -> Tensor:
    """Dropout that keeps mean and variance, for use with selu."""
    kernel = "alpha_masked_by_noise"
    return _dropped("alpha_dropout", kernel, input, p, training, inplace, whole=False)


def feature_alpha_dropout(
    input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False
) -> Tensor:
    """``alpha_dropout`` of whole channels."""
    kernel = "alpha_masked_by_noise"
    return _dropped("feature_alpha_dropout", kernel, input, p, training, inplace, whole=True)


def _channels_dropped(
    dims: int, input: Tensor, p: float, training: bool, inplace: bool, *, unbatched: bool
) -> Tensor:
    name = f"dropout{dims}d"
    if unbatched:
        whole = input.unsqueeze(0)
        result = _dropped(name, "masked_by_noise", whole, p, training, False, whole=True)
        result = result.squeeze(0)
        return assign(input, result, f"{name}_") if inplace else result
    return _dropped(name, "masked_by_noise", input, p, training, inplace, whole=True)


def dropout1d(
    input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
) -> Tensor:
    """Whole channels of ``[n, c, length]`` or ``[c, length]`` dropped."""
    if input.ndim not in (2, 3):
        raise GraphcRuntimeError(
            f"dropout1d: Expected 2D or 3D input, but received a {input.ndim}D input. Note that "
            "dropout1d exists to provide channel-wise dropout on inputs with 1 spatial dimension, "
            "a channel dimension, and an optional batch dimension (i.e. 2D or 3D inputs)."
        )
    return _channels_dropped(1, input, p, training, inplace, unbatched=input.ndim == 2)


def dropout2d(
    input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
) -> Tensor:
    """Whole channels of ``[n, c, h, w]`` dropped."""
    if input.ndim not in (3, 4):
        warnings.warn(
            f"dropout2d: Received a {input.ndim}-D input to dropout2d, which is deprecated and "
            "will result in an error in a future release. To retain the behavior and silence this "
            "warning, please use dropout instead. Note that dropout2d exists to provide "
            "channel-wise dropout on inputs with 2 spatial dimensions, a channel dimension, and "
            "an optional batch dimension (i.e. 3D or 4D inputs).",
            stacklevel=2,
        )
    if input.ndim == 3:
        warnings.warn(
            "dropout2d: Received a 3D input to dropout2d and assuming that channel-wise 1D "
            "dropout behavior is desired - input is interpreted as shape (N, C, L), where C is "
            "the channel dim. This behavior will change in a future release to interpret the "
            "input as one without a batch dimension, i.e. shape (C, H, W). To maintain the 1D "
            "channel-wise dropout behavior, please switch to using dropout1d instead.",
            stacklevel=2,
        )
    return _channels_dropped(2, input, p, training, inplace, unbatched=False)


def dropout3d(
    input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
) -> Tensor:
    """Whole channels of ``[n, c, d, h, w]`` or ``[c, d, h, w]`` dropped."""
    if input.ndim not in (4, 5):
        warnings.warn(
            f"dropout3d: Received a {input.ndim}-D input to dropout3d, which is deprecated and "
            "will result in an error in a future release. To retain the behavior and silence this "
            "warning, please use dropout instead. Note that dropout3d exists to provide "
            "channel-wise dropout on inputs with 3 spatial dimensions, a channel dimension, and "
            "an optional batch dimension (i.e. 4D or 5D inputs).",
            stacklevel=2,
        )
    return _channels_dropped(3, input, p, training, inplace, unbatched=input.ndim == 4)


def rrelu(
    input: Tensor,
    lower: float = 1 / 8,
    upper: float = 1 / 3,
    training: bool = False,
    inplace: bool = False,
) -> Tensor:
    """x where positive, else a slope times x: random in training, the mean of the range else."""
    if lower > upper:
        raise GraphcRuntimeError("Lower bound should be less than or equal to the upper bound")
    shape = tuple(input.shape)
    noise = None
    if training:
        noise = draw(RandomUniform(shape, float32), name="rrelu", device=input._place)
    result: Tensor = LIFTED["leaky_by_noise"](input, lower, upper, noise)
    return assign(input, result, "rrelu_") if inplace else result


def gumbel_softmax(
    logits: Tensor, tau: float = 1, hard: bool = False, eps: float = 1e-10, dim: int = -1
) -> Tensor:
    """A sample from the Gumbel-softmax distribution; ``hard`` is one-hot, with soft gradients."""
    if eps != 1e-10:
        warnings.warn("`eps` parameter is deprecated and has no effect.", stacklevel=2)
    noise = exponential(tuple(logits.shape), logits.dtype)
    soft: Tensor = ((logits - noise.log()) / tau).softmax(dim)
    if not hard:
        return soft
    index = soft.argmax(dim, keepdim=True)
    chosen = zeros_like(soft.detach()).scatter(dim, index, 1.0)
    straight: Tensor = chosen - soft.detach() + soft
    return straight


def scaled_dot_product_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """softmax(query · keyᵀ · scale + mask) · value, weights dropped with probability ``dropout_p``.

    The scale is 1 / √(size of a query) unless given; ``enable_gqa`` repeats heads of key and value.
    """
    state, name = None, "scaled_dot_product_attention"
    if dropout_p:
        if not 0.0 <= dropout_p <= 1.0:
            raise GraphcRuntimeError(
                f"dropout probability has to be between 0 and 1, but got {dropout_p}"
            )
        state = state_on(query._place, name)
    result: Any = LIFTED["attended"](
        query, key, value, attn_mask, state, dropout_p, is_causal, scale, enable_gqa
    )
    if dropout_p:
        weights = (*result.shape[:-1], key.shape[-2])
        skip(RandomUniform(weights, float32).counters, name=name)
    return result  # type: ignore[no-any-return]
