"""Muon: momentum whose matrix is made orthogonal before it is followed.

K. Jordan, Muon: an optimizer for hidden layers in neural networks (2024). J. Liu et al., Muon is
scalable for LLM training (2025), is the source of the rate that matches AdamW's.
"""

from __future__ import annotations

from math import sqrt
from typing import Any

from graphc.errors import GraphcValueError
from graphc.functions.arithmetic import lerp
from graphc.functions.norms import vector_norm
from graphc.ir.dtype import bfloat16, float32
from graphc.ir.node import Node, cast, elementwise
from graphc.memory import zeros_like
from graphc.ops.matmul import MatMul, transposed
from graphc.optim.optimizer import Parameters
from graphc.optim.recorded import RecordedOptimizer, Settings, State, Updated, check_rate, times
from graphc.size import Size
from graphc.tensor import Tensor

COEFFICIENTS = (3.4445, -4.7750, 2.0315)
"""Of the quintic, whose slope at zero is as great as can be."""
MOST_STEPS = 100


class Muon(RecordedOptimizer):
    """x · (1 - lr · λ) - lr · s · o, o the orthogonal matrix next to the momentum.

    It is for matrices; s follows from their shape.
    """

    counted = False

    def __init__(
        self,
        params: Parameters,
        lr: Any = 1e-3,
        weight_decay: float = 0.1,
        momentum: float = 0.95,
        nesterov: bool = True,
        ns_coefficients: tuple[float, float, float] = COEFFICIENTS,
        eps: float = 1e-7,
        ns_steps: int = 5,
        adjust_lr_fn: str | None = None,
    ) -> None:
        if isinstance(lr, Tensor) and lr.numel() != 1:
            raise GraphcValueError("Tensor lr must be 1-element")
        for label, value in (("Learning rate", lr), ("momentum", momentum)):
            if not value >= 0.0:
                raise GraphcValueError(f"{label} should be >= 0 but is: {value}")
        check_rate(lr)
        if not weight_decay >= 0.0:
            raise GraphcValueError(f"weight decay should be >= 0 but is: {weight_decay}")
        if adjust_lr_fn not in (None, "original", "match_rms_adamw"):
            raise GraphcValueError(f"Adjust learning rate function {adjust_lr_fn} is not supported")
        defaults = {
            "lr": lr,
            "weight_decay": weight_decay,
            "momentum": momentum,
            "nesterov": nesterov,
            "ns_coefficients": ns_coefficients,
            "eps": eps,
            "ns_steps": ns_steps,
            "adjust_lr_fn": adjust_lr_fn,
        }
        super().__init__(params, defaults)
        for group in self.param_groups:
            for p in group["params"]:
                if p.ndim != 2:
                    raise GraphcValueError(
                        "Muon only supports 2D parameters whereas we found a parameter with size: "
                        f"{Size(p.shape)}"
                    )

    def initial_state(self, group: Settings, parameter: Tensor) -> dict[str, Tensor]:
        _check_iteration(group)
        return {"momentum_buffer": zeros_like(parameter)}

    @staticmethod
    def update(x: Node, dy: Node, state: State, settings: Settings) -> Updated:
        momentum = settings["momentum"]
        buffer = lerp(state["momentum_buffer"], dy, 1 - momentum)
        step = lerp(dy, buffer, momentum) if settings["nesterov"] else buffer
        step = _orthogonal(step, settings)
        if settings["weight_decay"]:
            x = times(x, 1 - settings["lr"] * settings["weight_decay"])
        rate = settings["lr"] * _ratio(settings["adjust_lr_fn"], *x.shape)
        return x - times(cast(step, x.dtype), rate), {"momentum_buffer": buffer}


def _check_iteration(settings: Settings) -> None:
    if settings["ns_steps"] >= MOST_STEPS:
        raise GraphcValueError("Number of steps must be less than 100 for computational efficiency")
    if len(settings["ns_coefficients"]) != 3:
        raise GraphcValueError("Coefficients must be a tuple of exactly 3 values")


def _ratio(name: str | None, rows: int, columns: int) -> float:
    """How many times the rate a matrix of this size is given."""
    if name == "match_rms_adamw":
        return 0.2 * sqrt(max(rows, columns))
    return sqrt(max(1.0, rows / columns))


def _orthogonal(dy: Node, settings: Settings) -> Node:
    """The matrix with singular values near 1, by Newton and Schulz's iteration in bfloat16."""
    a, b, c = settings["ns_coefficients"]
    tall = dy.shape[0] > dy.shape[1]
    x = cast(dy, bfloat16)
    x = transposed(x) if tall else x
    # The greatest singular value is at most the root of the sum of all squares.
    length = vector_norm(cast(x, float32), 2, (0, 1))
    length = elementwise("maximum", cast(length, bfloat16), settings["eps"])
    x = cast(cast(x, float32) / cast(length, float32), bfloat16)
    for _ in range(settings["ns_steps"]):
        gram = MatMul()(x, transposed(x))
        change = _added(gram, b, gram, gram, c)
        x = _added(x, a, change, x, 1.0)
    return transposed(x) if tall else x


def _added(x: Node, of_x: Any, first: Node, second: Node, of_product: Any) -> Node:
    """x and a product, each times a number, rounded once; tf32 holds what bfloat16 does."""
    x, first, second = (cast(y, float32) for y in (x, first, second))
    product = MatMul(tf32=True)(first, second)
    return cast(times(x, of_x) + times(product, of_product), bfloat16)
