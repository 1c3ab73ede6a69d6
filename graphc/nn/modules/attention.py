"""Attention by several heads as a module."""

from __future__ import annotations

from typing import Any

from graphc.errors import GraphcValueError
from graphc.ir.dtype import DType
from graphc.nn import init
from graphc.nn.attention import Heads, canonical_mask
from graphc.nn.modules.linear import Linear
from graphc.nn.modules.module import Module
from graphc.nn.parameter import new_parameter
from graphc.tensor import Tensor


class NonDynamicallyQuantizableLinear(Linear):
    """The projection of what the heads attend to."""


class MultiheadAttention(Module):
    """Several attentions side by side, each to projections of its own."""

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        dropout: float = 0.0,
        bias: bool = True,
        add_bias_kv: bool = False,
        add_zero_attn: bool = False,
        kdim: int | None = None,
        vdim: int | None = None,
        batch_first: bool = False,
        device: Any = None,
        dtype: DType | None = None,
    ) -> None:
        if embed_dim <= 0 or num_heads <= 0:
            raise GraphcValueError(
                "embed_dim and num_heads must be greater than 0, got "
                f"embed_dim={embed_dim} and num_heads={num_heads} instead"
            )
        super().__init__()
        self.embed_dim, self.num_heads, self.head_dim = embed_dim, num_heads, embed_dim // num_heads
        self.kdim = embed_dim if kdim is None else kdim
        self.vdim = embed_dim if vdim is None else vdim
        self._qkv_same_embed_dim = self.kdim == self.vdim == embed_dim
        self.dropout, self.batch_first = dropout, batch_first
        if embed_dim % num_heads:
            raise AssertionError("embed_dim must be divisible by num_heads")
        columns = {"q_proj_weight": embed_dim, "k_proj_weight": self.kdim}
        columns["v_proj_weight"] = self.vdim
        same = self._qkv_same_embed_dim
        if same:
            self.in_proj_weight = new_parameter((3 * embed_dim, embed_dim), device, dtype)
        for name, count in columns.items():
            own = None if same else new_parameter((embed_dim, count), device, dtype)
            self.register_parameter(name, own)
        if not same:
            self.register_parameter("in_proj_weight", None)
        self.register_parameter(
            "in_proj_bias", new_parameter((3 * embed_dim,), device, dtype) if bias else None
        )
        self.out_proj = NonDynamicallyQuantizableLinear(embed_dim, embed_dim, bias, device, dtype)
        self.bias_k = self.bias_v = None
        if add_bias_kv:
            self.bias_k = new_parameter((1, 1, embed_dim), device, dtype)
            self.bias_v = new_parameter((1, 1, embed_dim), device, dtype)
        self.add_zero_attn = add_zero_attn
        self._reset_parameters()

    @property
    def _projections(self) -> tuple[Any, ...]:
        if self._qkv_same_embed_dim:
            return (self.in_proj_weight,)
        return self.q_proj_weight, self.k_proj_weight, self.v_proj_weight

    def _reset_parameters(self) -> None:
        """Draw the projections by Xavier's rule; biases of projections are zero."""
        for weight in self._projections:
            init.xavier_uniform_(weight)
        if self.in_proj_bias is not None:
            init.zeros_(self.in_proj_bias)
            init.zeros_(self.out_proj.bias)
        for bias in (self.bias_k, self.bias_v):
            if bias is not None:
                init.xavier_normal_(bias)

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        key_padding_mask: Tensor | None = None,
        need_weights: bool = True,
        attn_mask: Tensor | None = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        names = ("key_padding_mask", "attn_mask")
        padding = canonical_mask(key_padding_mask, names[0], query.dtype, attn_mask, names[1])
        mask = canonical_mask(attn_mask, names[1], query.dtype)
        more = () if self.bias_k is None or self.bias_v is None else (self.bias_k, self.bias_v)
        heads = Heads(
            self.num_heads,
            self.embed_dim,
            self._projections,
            self.in_proj_bias,
            more,
            self.add_zero_attn,
            self.out_proj.weight,
            self.out_proj.bias,
            self.dropout if self.training else 0.0,
            self.batch_first and query.ndim == 3,
        )
        return heads.attend(
            query,
            key,
            value,
            (mask, padding),
            causal=is_causal,
            need_weights=need_weights,
            average=average_attn_weights,
        )
