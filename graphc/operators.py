"""PyTorch's operators by the names and arguments that they have beside ``nn.functional``'s."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import graphc.nn.functional as F
from graphc.errors import GraphcNotImplementedError
from graphc.factories import empty
from graphc.nn.utils.weight_norm import norm_except_dim, weighted
from graphc.surface import LIFTED
from graphc.tensor import Tensor

GRID_MODES = ("bilinear", "nearest", "bicubic")
GRID_BORDERS = ("zeros", "border", "reflection")
Three = tuple[Tensor, Tensor, Tensor]


# -- norms --------------------------------------------------------------------------------------


def _inverse_root(x: Tensor, dims: Any, eps: float, keepdim: bool = False) -> tuple[Tensor, Tensor]:
    """The means and 1 / √(variance + eps)."""
    mean = x.mean(dims, keepdim=keepdim)
    variance = x.var(dims, correction=0, keepdim=keepdim)
    return mean, (variance + eps).rsqrt()


def native_layer_norm(
    input: Tensor,
    normalized_shape: Sequence[int],
    weight: Tensor | None,
    bias: Tensor | None,
    eps: float,
) -> Three:
    """``layer_norm`` with the means and 1 / √(variance + eps)."""
    out = LIFTED["layer_norm"](input, normalized_shape, weight, bias, eps)
    dims = tuple(range(-len(normalized_shape), 0))
    return (out, *_inverse_root(input, dims, eps, keepdim=True))


def native_group_norm(
    input: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    N: int,
    C: int,
    HxW: int,
    group: int,
    eps: float,
) -> Three:
    """``group_norm`` with the means and 1 / √(variance + eps)."""
    out = LIFTED["group_norm"](input, group, weight, bias, eps)
    return (out, *_inverse_root(input.reshape(N, group, C // group * HxW), 2, eps))


def native_batch_norm(
    input: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    training: bool,
    momentum: float,
    eps: float,
) -> Three:
    """``batch_norm``, in training with the means and 1 / √(variance + eps)."""
    moments = running_mean, running_var
    out = F.batch_norm(input, *moments, weight, bias, training, momentum, eps)
    if not training:
        nothing = empty(0, dtype=input.dtype, device=input.device)
        return out, nothing, nothing.clone()
    dims = [d for d in range(input.ndim) if d != 1]
    return (out, *_inverse_root(input.detach(), dims, eps))


def batch_norm(
    input: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    training: bool,
    momentum: float,
    eps: float,
    cudnn_enabled: bool,
) -> Tensor:
    """``nn.functional.batch_norm``."""
    return F.batch_norm(input, running_mean, running_var, weight, bias, training, momentum, eps)


def instance_norm(
    input: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    use_input_stats: bool,
    momentum: float,
    eps: float,
    cudnn_enabled: bool,
) -> Tensor:
    """``nn.functional.instance_norm``."""
    moments = running_mean, running_var
    return F.instance_norm(input, *moments, weight, bias, use_input_stats, momentum, eps)


# -- noise --------------------------------------------------------------------------------------


def dropout(input: Tensor, p: float, train: bool) -> Tensor:
    """``nn.functional.dropout``."""
    return F.dropout(input, p, train)


def dropout_(input: Tensor, p: float, train: bool) -> Tensor:
    """``dropout``, written into the input."""
    return F.dropout(input, p, train, inplace=True)


def alpha_dropout(input: Tensor, p: float, train: bool) -> Tensor:
    """``nn.functional.alpha_dropout``."""
    return F.alpha_dropout(input, p, train)


def feature_alpha_dropout(input: Tensor, p: float, train: bool) -> Tensor:
    """``nn.functional.feature_alpha_dropout``."""
    return F.feature_alpha_dropout(input, p, train)


def rrelu(
    input: Tensor,
    lower: float = 1 / 8,
    upper: float = 1 / 3,
    training: bool = False,
    generator: Any = None,
) -> Tensor:
    """``nn.functional.rrelu``."""
    return F.rrelu(input, lower, upper, training)


def rrelu_(
    input: Tensor,
    lower: float = 1 / 8,
    upper: float = 1 / 3,
    training: bool = False,
    generator: Any = None,
) -> Tensor:
    """``rrelu``, written into the input."""
    return F.rrelu(input, lower, upper, training, inplace=True)


# -- the rest -----------------------------------------------------------------------------------


def embedding(
    weight: Tensor,
    indices: Tensor,
    padding_idx: int = -1,
    scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> Tensor:
    """``nn.functional.embedding`` with its operands the other way round."""
    padding = padding_idx if padding_idx >= 0 else None
    return F.embedding(
        indices, weight, padding, scale_grad_by_freq=scale_grad_by_freq, sparse=sparse
    )


def ctc_loss(
    log_probs: Tensor,
    targets: Tensor,
    input_lengths: Any,
    target_lengths: Any,
    blank: int = 0,
    reduction: int = 1,
    zero_infinity: bool = False,
) -> Tensor:
    """``nn.functional.ctc_loss``, with a number for the reduction: none, mean or sum."""
    how = ("none", "mean", "sum")[reduction]
    lengths = input_lengths, target_lengths
    return F.ctc_loss(log_probs, targets, *lengths, blank, how, zero_infinity)


def constant_pad_nd(input: Tensor, pad: Sequence[int], value: float = 0) -> Tensor:
    """``nn.functional.pad`` with a number."""
    return F.pad(input, pad, value=value)


def convolution(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    transposed: bool,
    output_padding: Sequence[int],
    groups: int,
) -> Tensor:
    """The convolution of as many dimensions as there are strides, transposed or not."""
    kind = f"conv{'_transpose' if transposed else ''}{weight.ndim - 2}d"
    rest = (output_padding, groups, dilation) if transposed else (dilation, groups)
    return LIFTED[kind](input, weight, bias, stride, padding, *rest)  # type: ignore[no-any-return]


def grid_sampler(
    input: Tensor, grid: Tensor, interpolation_mode: int, padding_mode: int, align_corners: bool
) -> Tensor:
    """``nn.functional.grid_sample``, with numbers for its modes."""
    modes = GRID_MODES[interpolation_mode], GRID_BORDERS[padding_mode]
    return F.grid_sample(input, grid, *modes, align_corners)


def affine_grid_generator(theta: Tensor, size: Sequence[int], align_corners: bool) -> Tensor:
    """``nn.functional.affine_grid``."""
    return F.affine_grid(theta, size, align_corners)


def _weight_norm(v: Tensor, g: Tensor, dim: int = 0) -> Tensor:
    """g · v / ‖v‖"""
    return weighted(v, g, dim)


def embedding_renorm_(weight: Tensor, indices: Tensor, max_norm: float, norm_type: float) -> Tensor:
    """The rows that are looked up, scaled down to ``max_norm`` in place."""
    if weight.requires_grad:
        raise GraphcNotImplementedError(
            "the derivative for 'embedding_renorm_' is not implemented."
        )
    F.embedding(indices, weight, max_norm=max_norm, norm_type=norm_type)
    return weight


NAMESPACE: dict[str, Any] = {
    **{
        f.__name__: f
        for f in (
            *(native_layer_norm, native_group_norm, native_batch_norm, batch_norm, instance_norm),
            *(dropout, dropout_, alpha_dropout, feature_alpha_dropout, rrelu, rrelu_, embedding),
            *(ctc_loss, constant_pad_nd, convolution, grid_sampler, affine_grid_generator),
            *(norm_except_dim, _weight_norm, embedding_renorm_),
        )
    },
    "grid_sampler_2d": grid_sampler,
    "grid_sampler_3d": grid_sampler,
}
"""What the package offers by name."""
