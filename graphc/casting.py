"""Autocast: which functions compute in a lower precision, and which in float32.

Source: PyTorch's documentation, "Autocast Op Reference", by the names that functions have here.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Any

from graphc.changes import bump_epoch
from graphc.errors import GraphcRuntimeError
from graphc.ir.dtype import DType, bfloat16, float16, float32, float64
from graphc.marks import ACTIVE
from graphc.surface import LIFTED
from graphc.tensor import Tensor

_PRODUCTS = (
    *("addbmm", "addmm", "baddbmm", "bmm", "einsum", "linear", "linalg_matmul", "matmul", "mm"),
    *("conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d"),
    *("attended", "linalg_vecdot", "projected_heads", "joined_heads", "weighted_heads"),
)
_LOSSES = (
    *("cosine_embedding_loss", "cross_entropy", "hinge_embedding_loss", "huber_loss", "kl_div"),
    *("l1_loss", "margin_ranking_loss", "mse_loss", "multi_margin_loss", "multilabel_margin_loss"),
    *("nll_loss", "poisson_nll_loss", "smooth_l1_loss", "soft_margin_loss", "triplet_margin_loss"),
    *("binary_cross_entropy_with_logits", "alignment_loss"),
)
LOWER = {
    "cuda": frozenset(
        (
            *_PRODUCTS,
            *("addmv", "addr", "chain_matmul", "linalg_multi_dot", "mv", "prelu"),
            *("gru_cell", "lstm_cell", "recurrent", "rnn_relu_cell", "rnn_tanh_cell"),
        )
    ),
    "cpu": frozenset((*_PRODUCTS, "recurrent")),
}
"""What computes in the lower precision, by the kind of device."""
FULL = {
    "cuda": frozenset(
        (
            *_LOSSES,
            *("acos", "asin", "cosh", "erfinv", "exp", "expm1", "log", "log10", "log1p", "log2"),
            *("pow", "reciprocal", "rsqrt", "sinh", "softplus", "tan"),
            *("cdist", "cosine_similarity", "cumprod", "cumsum", "dist", "frobenius_norm"),
            *("group_norm", "layer_norm", "linalg_matrix_norm", "linalg_vector_norm"),
            *("log_softmax", "logsumexp", "norm", "nuclear_norm", "pair_distances", "prod"),
            *("renorm", "softmax", "sum", "interpolate"),
        )
    ),
    "cpu": frozenset(
        (
            *_LOSSES,
            *("avg_pool3d", "binary_cross_entropy", "cdist", "cholesky", "cholesky_inverse"),
            *("cholesky_solve", "grid_sampled", "inverse", "linalg_cholesky", "linalg_cond"),
            *("linalg_eigh", "linalg_eigvalsh", "linalg_inv", "linalg_lstsq", "linalg_matrix_rank"),
            *("linalg_qr", "linalg_solve", "linalg_svd", "linalg_svdvals", "linalg_tensorinv"),
            *("linalg_tensorsolve", "prod", "svd", "trace", "triangular_solve", "qr"),
        )
    ),
}
"""What computes in float32."""
WIDEST = {
    "cuda": frozenset(
        (
            *("addcdiv", "addcmul", "atan2", "bilinear", "cat", "cross", "dot", "grid_sampled"),
            *("index_add", "put_at", "scatter_add", "stack", "tensordot", "vdot"),
        )
    ),
    "cpu": frozenset(("cat", "index_copy", "stack")),
}
"""What computes in the widest type among its operands."""
REFUSED = {"cuda": frozenset({"binary_cross_entropy"}), "cpu": frozenset[str]()}
UNSAFE = (
    "torch.nn.functional.binary_cross_entropy and torch.nn.BCELoss are unsafe to autocast.\n"
    "Many models use a sigmoid layer right before the binary cross entropy layer.\n"
    "In this case, combine the two layers using torch.nn.functional."
    "binary_cross_entropy_with_logits\nor torch.nn.BCEWithLogitsLoss.  "
    "binary_cross_entropy_with_logits and BCEWithLogits are\nsafe to autocast."
)


@dataclass
class Casting(threading.local):
    """For which kinds of devices this thread autocasts, and to which types."""

    enabled: dict[str, bool] = field(default_factory=lambda: {"cpu": False, "cuda": False})
    dtype: dict[str, DType] = field(default_factory=lambda: {"cpu": bfloat16, "cuda": float16})
    key: tuple[tuple[str, DType], ...] = ()
    """What the meaning of a function depends on."""

    def refresh(self) -> None:
        """Let calls of functions be looked at, or no longer."""
        bump_epoch()
        self.key = tuple((kind, self.dtype[kind]) for kind, on in self.enabled.items() if on)
        ACTIVE.cast = cast if any(self.enabled.values()) else None


CASTING = Casting()


def cast(
    name: str, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments of a call of the function ``name`` in the types that it is to compute in."""
    name = name.removesuffix(", apart")
    tensors = list(_tensors((*args, *kwargs.values())))
    kind = next((k for k in ("cuda", "cpu") if any(x.device.type == k for x in tensors)), "")
    if not kind or not CASTING.enabled[kind]:
        return args, kwargs
    if name in REFUSED[kind]:
        raise GraphcRuntimeError(UNSAFE)
    if name in LOWER[kind]:
        wanted = CASTING.dtype[kind]
    elif name in FULL[kind]:
        wanted = float32
    elif name in WIDEST[kind]:
        wide = any(x.dtype is float32 for x in tensors)
        wanted = float32 if wide else CASTING.dtype[kind]
    else:
        return args, kwargs

    def change(x: Any) -> Any:
        if isinstance(x, Tensor):
            return _converted(x, wanted, kind)
        if type(x) in (list, tuple):
            return type(x)([change(part) for part in x])
        return x

    return tuple(map(change, args)), {key: change(x) for key, x in kwargs.items()}


def _converted(x: Tensor, wanted: DType, kind: str) -> Tensor:
    if not x.dtype.is_floating_point or x.dtype in (float64, wanted) or x.device.type != kind:
        return x
    found: Tensor = LIFTED["converted"](x, wanted)
    return found


def _tensors(values: Any) -> Any:
    for x in values:
        if isinstance(x, Tensor):
            yield x
        elif type(x) in (list, tuple):
            yield from _tensors(x)
