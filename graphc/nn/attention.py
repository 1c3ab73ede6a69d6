"""Attention by several heads, and its masks."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from typing import Any

from graphc.errors import GraphcRuntimeError
from graphc.ir.dtype import DType, bool_, float32
from graphc.nn.dropouts import scaled_dot_product_attention
from graphc.ops.random import RandomUniform
from graphc.random import draw
from graphc.size import Size
from graphc.surface import LIFTED
from graphc.tensor import Tensor


class SDPBackend(Enum):
    """PyTorch's kernels of attention."""

    ERROR = -1
    MATH = 0
    FLASH_ATTENTION = 1
    EFFICIENT_ATTENTION = 2
    CUDNN_ATTENTION = 3
    OVERRIDEABLE = 4


@contextmanager
def sdpa_kernel(
    backends: SDPBackend | Sequence[SDPBackend], set_priority: bool = False
) -> Iterator[None]:
    """Nothing changes within: each backend here has one way to compute attention."""
    given = [backends] if isinstance(backends, SDPBackend) else list(backends)
    if not all(isinstance(x, SDPBackend) for x in given):
        raise AssertionError("Backend must be an instance of SDPBackend or a list of them")
    yield


def canonical_mask(
    mask: Tensor | None, name: str, dtype: DType, other: Tensor | None = None, other_name: str = ""
) -> Tensor | None:
    """A mask as numbers to add to the scores; warns where it is of another type than ``other``."""
    if mask is None:
        return None
    floating = mask.dtype.is_floating_point
    if mask.dtype is not bool_ and not floating:
        raise AssertionError(f"only bool and floating types of {name} are supported")
    if other is not None and mask.dtype is not other.dtype:
        warnings.warn(
            f"Support for mismatched {name} and {other_name} is deprecated. Use same type for "
            "both instead.",
            stacklevel=3,
        )
    return mask if floating else LIFTED["additive_mask"](mask, dtype)


Masks = tuple[Tensor | None, Tensor | None]
"""A mask of the scores, and one of the keys of each sequence."""


@dataclass(frozen=True)
class Heads:
    """The settings and weights of attention by several heads."""

    count: int
    embedding: int
    weights: tuple[Tensor, ...]
    """One for query, key and value together, or one each."""
    bias: Tensor | None
    more: tuple[Tensor, ...]
    """A key and a value for all sequences, or nothing."""
    add_zero: bool
    out_weight: Tensor
    out_bias: Tensor | None
    dropout: float
    batch_first: bool
    static: tuple[Tensor | None, Tensor | None] = (None, None)
    """A key and a value of all heads in the place of the projected ones."""

    def attend(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        masks: Masks,
        *,
        causal: bool,
        need_weights: bool,
        average: bool,
    ) -> tuple[Tensor, Tensor | None]:
        """The values attended to, and the weights where they are needed."""
        batched = _check_ranks(query, key, value, masks, self.count)
        if not batched:
            query, key, value = _with_batch(query, key, value, int(not self.batch_first))
            masks = masks[0], None if masks[1] is None else masks[1].unsqueeze(0)
        padding = canonical_mask(masks[1], "key_padding_mask", query.dtype, masks[0], "attn_mask")
        if causal and masks[0] is None:
            raise GraphcRuntimeError(
                "Need attn_mask if specifying the is_causal hint. You may use the Transformer "
                "module method `generate_square_subsequent_mask` to create this mask."
            )
        given, causal = masks[0], causal and padding is None
        if causal and not need_weights:
            given = None
        attn_mask = canonical_mask(given, "attn_mask", query.dtype)
        self._check_shapes(query, key, value, attn_mask)
        q, k, v = self._projected(query, key, value)
        mask = self._mask(attn_mask, padding, q, k)
        result, weights = self._weighed(q, k, v, mask, need_weights, causal=causal)
        args = (self.out_weight, self.out_bias, self.batch_first, batched)
        output: Tensor = LIFTED["joined_heads"](result, *args)
        if weights is not None and average:
            weights = weights.mean(dim=1)
        if weights is not None and not batched:
            weights = weights.squeeze(0)
        return output, weights

    def _projected(self, query: Tensor, key: Tensor, value: Tensor) -> list[Tensor]:
        settings = (self.bias, self.more, self.add_zero, self.count, self.batch_first)
        found = list(LIFTED["projected_heads"](query, key, value, self.weights, *settings))
        batch, heads, _, features = found[0].shape
        for i, (name, x) in enumerate(zip("kv", self.static, strict=True), 1):
            if x is None:
                continue
            for axis, expected in ((0, batch * heads), (2, features)):
                if x.shape[axis] != expected:
                    raise AssertionError(
                        f"expecting static_{name}.size({axis}) of {expected}, but got "
                        f"{x.shape[axis]}"
                    )
            found[i] = x.reshape(batch, heads, x.shape[1], features)
        return found

    def _mask(
        self, attn_mask: Tensor | None, padding: Tensor | None, query: Tensor, key: Tensor
    ) -> Tensor | None:
        """Both masks as one of the scores; what was appended to the keys is not masked."""
        batch, keys = query.shape[0], key.shape[2]
        added = bool(self.more) + self.add_zero
        if added:
            pad = LIFTED["pad"]
            attn_mask, padding = (
                None if x is None else pad(x, (0, added)) for x in (attn_mask, padding)
            )
        if padding is not None:
            for axis, expected in ((0, batch), (1, keys)):
                if padding.shape[axis] != expected:
                    raise AssertionError(
                        f"Expected key_padded_mask.shape[{axis}] to be {expected}, but got "
                        f"{padding.shape[axis]}"
                    )
        if attn_mask is None and padding is None:
            return None
        mask: Tensor = LIFTED["mask_of_heads"](attn_mask, padding, batch, self.count)
        return mask

    def _weighed(
        self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, shown: bool, *, causal: bool
    ) -> tuple[Tensor, Tensor | None]:
        if not shown:
            return scaled_dot_product_attention(q, k, v, mask, self.dropout, causal), None
        noise = None
        if self.dropout:
            shape = (*q.shape[:3], k.shape[2])
            noise = draw(RandomUniform(shape, float32), name="dropout", device=q._place)
        output, weights = LIFTED["weighted_heads"](q, k, v, mask, noise, self.dropout)
        return output, weights

    def _check_shapes(
        self, query: Tensor, key: Tensor, value: Tensor, attn_mask: Tensor | None
    ) -> None:
        embedding = query.shape[-1]
        if embedding != self.embedding:
            raise AssertionError(
                f"was expecting embedding dimension of {self.embedding}, but got {embedding}"
            )
        if embedding % self.count:
            raise AssertionError(f"embed_dim {embedding} not divisible by num_heads {self.count}")
        if len(self.weights) == 1 and key.shape != value.shape:
            shapes = [_shown(x, self.batch_first) for x in (key, value)]
            raise AssertionError(f"key shape {shapes[0]} does not match value shape {shapes[1]}")
        if key.shape[:2] != value.shape[:2]:
            dims = [_shown(x, self.batch_first, 2) for x in (key, value)]
            raise AssertionError(
                f"key's sequence and batch dims {dims[0]} do not match value's {dims[1]}"
            )
        if len(self.weights) == 3:
            _check_weights(self.weights, self.bias, query, key, value)
        if attn_mask is not None:
            time = int(self.batch_first)
            scores = (query.shape[time], key.shape[time])
            lead = (query.shape[1 - time] * self.count,) if attn_mask.ndim == 3 else ()
            if tuple(attn_mask.shape) != (*lead, *scores):
                raise GraphcRuntimeError(
                    f"The shape of the {attn_mask.ndim}D attn_mask is {attn_mask.shape}, but "
                    f"should be {(*lead, *scores)}."
                )


def _shown(x: Tensor, batch_first: bool, count: int = 3) -> Size:
    """The first extents in PyTorch's order, time first."""
    first, second, *rest = x.shape
    return Size((second, first, *rest)[:count] if batch_first else (first, second, *rest)[:count])


def _with_batch(query: Tensor, key: Tensor, value: Tensor, axis: int) -> tuple[Tensor, ...]:
    """The same with a batch of one, and the same tensor where they were."""
    made: dict[int, Tensor] = {}
    for x in (query, key, value):
        made.setdefault(id(x), x.unsqueeze(axis))
    return tuple(made[id(x)] for x in (query, key, value))


def _check_ranks(query: Tensor, key: Tensor, value: Tensor, masks: Masks, heads: int) -> bool:
    """Whether there is a batch. Raises where the operands disagree on it."""
    rank, (attn_mask, padding) = query.ndim, masks
    if rank not in (2, 3):
        raise AssertionError(
            f"query should be unbatched 2D or batched 3D tensor but received {rank}-D query tensor"
        )
    which = "For batched (3-D)" if rank == 3 else "For unbatched (2-D)"
    if key.ndim != rank or value.ndim != rank:
        raise AssertionError(
            f"{which} `query`, expected `key` and `value` to be {rank}-D but found {key.ndim}-D "
            f"and {value.ndim}-D tensors respectively"
        )
    if padding is not None and padding.ndim != rank - 1:
        raise AssertionError(
            f"{which} `query`, expected `key_padding_mask` to be `None` or {rank - 1}-D but found "
            f"{padding.ndim}-D tensor instead"
        )
    if attn_mask is not None and attn_mask.ndim not in (2, 3):
        raise AssertionError(
            f"{which} `query`, expected `attn_mask` to be `None`, 2-D or 3-D but found "
            f"{attn_mask.ndim}-D tensor instead"
        )
    if rank == 2 and attn_mask is not None and attn_mask.ndim == 3:
        expected = (heads, query.shape[0], key.shape[0])
        if tuple(attn_mask.shape) != expected:
            raise AssertionError(
                f"Expected `attn_mask` shape to be {expected} but got {attn_mask.shape}"
            )
    return rank == 3


def _check_weights(
    weights: tuple[Tensor, ...], bias: Tensor | None, query: Tensor, key: Tensor, value: Tensor
) -> None:
    names, own = ("query", "key", "value"), query.shape[-1]
    for name, weight, x in zip(names, weights, (query, key, value), strict=True):
        expected = (own, x.shape[-1])
        if tuple(weight.shape) != expected:
            raise AssertionError(
                f"expecting {name} weights shape of {expected}, but got {weight.shape}"
            )


def _present(names: tuple[str, ...], found: tuple[Tensor | None, ...], separate: bool) -> Any:
    for name, x in zip(names, found, strict=True):
        if x is None:
            raise AssertionError(f"use_separate_proj_weight is {separate} but {name} is None")
    return found


def multi_head_attention_forward(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    embed_dim_to_check: int,
    num_heads: int,
    in_proj_weight: Tensor | None,
    in_proj_bias: Tensor | None,
    bias_k: Tensor | None,
    bias_v: Tensor | None,
    add_zero_attn: bool,
    dropout_p: float,
    out_proj_weight: Tensor,
    out_proj_bias: Tensor | None,
    training: bool = True,
    key_padding_mask: Tensor | None = None,
    need_weights: bool = True,
    attn_mask: Tensor | None = None,
    use_separate_proj_weight: bool = False,
    q_proj_weight: Tensor | None = None,
    k_proj_weight: Tensor | None = None,
    v_proj_weight: Tensor | None = None,
    static_k: Tensor | None = None,
    static_v: Tensor | None = None,
    average_attn_weights: bool = True,
    is_causal: bool = False,
) -> tuple[Tensor, Tensor | None]:
    """What ``num_heads`` heads attend to, and their weights where they are needed."""
    if use_separate_proj_weight:
        names = ("q_proj_weight", "k_proj_weight", "v_proj_weight")
        weights = _present(names, (q_proj_weight, k_proj_weight, v_proj_weight), True)
    else:
        weights = _present(("in_proj_weight",), (in_proj_weight,), False)
    for here, x, other, y in (("k", bias_k, "v", bias_v), ("v", bias_v, "k", bias_k)):
        if x is not None and y is None:
            raise AssertionError(f"bias_{here} is set but bias_{other} is None")
    more = () if bias_k is None or bias_v is None else (bias_k, bias_v)
    for name, static in (("key", static_k), ("value", static_v)):
        if more and static is not None:
            raise AssertionError(f"bias cannot be added to static {name}.")
    heads = Heads(
        num_heads,
        embed_dim_to_check,
        weights,
        in_proj_bias,
        more,
        add_zero_attn,
        out_proj_weight,
        out_proj_bias,
        dropout_p if training else 0.0,
        False,
        (static_k, static_v),
    )
    return heads.attend(
        query,
        key,
        value,
        (attn_mask, key_padding_mask),
        causal=is_causal,
        need_weights=need_weights,
        average=average_attn_weights,
    )
