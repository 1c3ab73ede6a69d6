"""Gradient descent, with or without momentum."""

from __future__ import annotations

from typing import Any, ClassVar

from graphc.errors import GraphcValueError
from graphc.ir.node import Node
from graphc.memory import zeros_like
from graphc.optim.optimizer import Parameters
from graphc.optim.recorded import (
    RecordedOptimizer,
    Settings,
    State,
    Updated,
    check_not_negative,
    check_rate,
    descent,
    times,
)
from graphc.tensor import Tensor


class SGD(RecordedOptimizer):
    """x - lr · b, where b is the gradient g or, with momentum, b ← m · b + (1 - d) · g."""

    counted = False
    added: ClassVar[dict[str, Any]] = {
        "nesterov": False,
        "maximize": False,
        "foreach": None,
        "differentiable": False,
        "fused": False,
    }

    def __init__(
        self,
        params: Parameters,
        lr: Any = 1e-3,
        momentum: float = 0,
        dampening: float = 0,
        weight_decay: float = 0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        check_rate(lr)
        check_not_negative(momentum, "momentum value")
        check_not_negative(weight_decay, "weight_decay value")
        if nesterov and (momentum <= 0 or dampening != 0):
            raise GraphcValueError("Nesterov momentum requires a momentum and zero dampening")
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "dampening": dampening,
            "weight_decay": weight_decay,
            "nesterov": nesterov,
            "maximize": maximize,
            "foreach": foreach,
            "differentiable": differentiable,
            "fused": fused,
        }
        super().__init__(params, defaults)

    def initial_state(self, group: Settings, parameter: Tensor) -> dict[str, Tensor]:
        """A buffer of zeros serves the first step too, unless it is dampened: m · 0 + g = g."""
        if not group["momentum"] or group["dampening"]:
            return {}
        return {"momentum_buffer": zeros_like(parameter)}

    @staticmethod
    def update(x: Node, dy: Node, state: State, settings: Settings) -> Updated:
        step = descent(x, dy, settings)
        momentum = settings["momentum"]
        if not momentum:
            return x - times(step, settings["lr"]), {}
        before = state.get("momentum_buffer")
        if before is None:
            buffer = step
        else:
            dampening = settings["dampening"]
            buffer = times(before, momentum) + (times(step, 1 - dampening) if dampening else step)
        step = step + times(buffer, momentum) if settings["nesterov"] else buffer
        return x - times(step, settings["lr"]), {"momentum_buffer": buffer}
