"""The functions of neural networks, under PyTorch's names."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from inspect import signature
from typing import TYPE_CHECKING, Any

from graphc import choices
from graphc.nn import fractional_pools, pools, resizes
from graphc.nn.attention import multi_head_attention_forward
from graphc.nn.bags import embedding_bag
from graphc.nn.dropouts import (
    alpha_dropout,
    dropout,
    dropout1d,
    dropout2d,
    dropout3d,
    feature_alpha_dropout,
    gumbel_softmax,
    rrelu,
    scaled_dot_product_attention,
)
from graphc.nn.grids import affine_grid, grid_sample
from graphc.nn.lookups import embedding, one_hot, triplet_margin_with_distance_loss
from graphc.nn.sequence_loss import ctc_loss
from graphc.nn.softmaxes import log_softmax, softmax, softmin
from graphc.nn.statistics import batch_norm, group_norm, instance_norm
from graphc.nn.unpools import max_unpool1d, max_unpool2d, max_unpool3d
from graphc.ops.function import FUNCTIONS
from graphc.surface import LIFTED, assign
from graphc.tensor import Tensor

INPLACE = (
    "celu",
    "elu",
    "hardsigmoid",
    "hardswish",
    "hardtanh",
    "leaky_relu",
    "mish",
    "relu",
    "relu6",
    "selu",
    "silu",
    "threshold",
)
"""What can write its result into its input: the last argument, ``inplace``, says so."""
WRITING = ("celu", "elu", "hardtanh", "leaky_relu", "relu", "selu", "threshold")
"""What has a form of its own that writes, such as ``relu_``."""


def with_inplace(name: str) -> Callable[..., Tensor]:
    """The function ``name`` with a further argument ``inplace``."""
    lifted = LIFTED[name]
    count = len(signature(FUNCTIONS[name].call).parameters)

    @wraps(lifted)
    def call(input: Tensor, *args: Any, inplace: bool = False, **kwargs: Any) -> Tensor:
        if len(args) == count:
            *args, inplace = args  # type: ignore[assignment]
        result: Tensor = lifted(input, *args, **kwargs)
        return assign(input, result, f"{name}_") if inplace else result

    return call


def _in_place(name: str) -> Callable[..., Tensor]:
    call = with_inplace(name)

    def write(input: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        return call(input, *args, inplace=True, **kwargs)

    write.__name__ = write.__qualname__ = f"{name}_"
    write.__doc__ = f"``{name}``, written into the input."
    return write


NAMES = {name: LIFTED[name] for name, f in FUNCTIONS.items() if f.functional}
NAMES |= {name: with_inplace(name) for name in INPLACE}
NAMES |= {f"{name}_": _in_place(name) for name in WRITING}
NAMES |= pools.NAMES | fractional_pools.NAMES | resizes.NAMES
NAMES["pdist"] = choices.NAMESPACE["pdist"]
NAMES["unfold"] = LIFTED["patch_columns"]  # of tensors, ``unfold`` means another thing
globals().update(NAMES)

__all__ = [
    "ctc_loss",
    "max_unpool1d",
    "max_unpool2d",
    "max_unpool3d",
    "affine_grid",
    "grid_sample",
    "embedding_bag",
    "alpha_dropout",
    "batch_norm",
    "dropout",
    "dropout1d",
    "dropout2d",
    "dropout3d",
    "embedding",
    "feature_alpha_dropout",
    "group_norm",
    "gumbel_softmax",
    "instance_norm",
    "log_softmax",
    "multi_head_attention_forward",
    "one_hot",
    "rrelu",
    "scaled_dot_product_attention",
    "softmax",
    "softmin",
    "triplet_margin_with_distance_loss",
    *NAMES,
]

if TYPE_CHECKING:

    def __getattr__(name: str) -> Callable[..., Tensor]: ...
