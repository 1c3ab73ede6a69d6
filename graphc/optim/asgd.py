"""Averaged gradient descent: ``ax`` is the mean of where the parameter has been."""

from __future__ import annotations

from typing import Any, ClassVar

from graphc.ir.dtype import float32, float64
from graphc.ir.node import Node, cast, elementwise
from graphc.memory import full, zeros_like
from graphc.ops.elementwise import equal, number, where
from graphc.optim.optimizer import Parameters
from graphc.optim.recorded import (
    UNNAMED,
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


class ASGD(RecordedOptimizer):
    """x · (1 - λ · η) - η · g, η = lr / (1 + λ · lr · t)^α"""

    added: ClassVar[dict[str, Any]] = UNNAMED

    def __init__(
        self,
        params: Parameters,
        lr: Any = 1e-2,
        lambd: float = 1e-4,
        alpha: float = 0.75,
        t0: float = 1e6,
        weight_decay: float = 0,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
        capturable: bool = False,
    ) -> None:
        check_rate(lr)
        check_not_negative(weight_decay, "weight_decay value")
        defaults = {
            "lr": lr,
            "lambd": lambd,
            "alpha": alpha,
            "t0": t0,
            "weight_decay": weight_decay,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "capturable": capturable,
        }
        super().__init__(params, defaults)

    def initial_state(self, group: Settings, parameter: Tensor) -> dict[str, Tensor]:
        device = str(parameter.device)
        return {
            "eta": full((), float(group["lr"]), float32, device),
            "mu": full((), 1.0, float32, device),
            "ax": zeros_like(parameter),
        }

    @staticmethod
    def prepare(settings: Settings) -> Settings:
        """The rate of the next step, and its weight in the mean."""
        lr, step = settings["lr"], settings["step"]
        slowed = elementwise("pow", 1 + settings["lambd"] * lr * step, settings["alpha"])
        counted = elementwise("maximum", step - settings["t0"], 1.0)
        return {**settings, "eta": lr / slowed, "mu": 1.0 / counted}

    @staticmethod
    def update(x: Node, dy: Node, state: State, settings: Settings) -> Updated:
        eta, mu, mean = (state[name] for name in ("eta", "mu", "ax"))
        gradient = descent(x, dy, settings)
        x = times(x, 1 - settings["lambd"] * cast(eta, float64)) - times(gradient, eta)
        moved = mean + times(x - mean, mu)
        mean = where(equal(mu, number(1.0, mu)), x, moved)
        rate, weight = (cast(settings[name], eta.dtype) for name in ("eta", "mu"))
        return x, {"eta": rate, "mu": weight, "ax": mean}
