"""Adamax: steps divided by a decaying maximum of the gradient's size."""

from __future__ import annotations

from typing import Any, ClassVar

from graphc.functions.arithmetic import lerp
from graphc.ir.node import Node, elementwise
from graphc.memory import zeros_like
from graphc.optim.optimizer import Parameters
from graphc.optim.recorded import (
    UNNAMED,
    RecordedOptimizer,
    Settings,
    State,
    Updated,
    check_betas,
    check_not_negative,
    check_rate,
    descent,
    plus,
    times,
    typed,
)
from graphc.tensor import Tensor


class Adamax(RecordedOptimizer):
    """x - lr · m̂ / u, u = max(β₂ · u, |g| + ε)"""

    added: ClassVar[dict[str, Any]] = UNNAMED

    def __init__(
        self,
        params: Parameters,
        lr: Any = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        capturable: bool = False,
    ) -> None:
        check_rate(lr)
        check_not_negative(eps, "epsilon value")
        check_betas(betas)
        check_not_negative(weight_decay, "weight_decay value")
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "capturable": capturable,
        }
        super().__init__(params, defaults)

    def initial_state(self, group: Settings, parameter: Tensor) -> dict[str, Tensor]:
        return {name: zeros_like(parameter) for name in ("exp_avg", "exp_inf")}

    @staticmethod
    def prepare(settings: Settings) -> Settings:
        first = 1 - elementwise("pow", settings["betas"][0], settings["step"])
        return {**settings, "step_size": settings["lr"] / first}

    @staticmethod
    def update(x: Node, dy: Node, state: State, settings: Settings) -> Updated:
        beta1, beta2 = settings["betas"]
        gradient = descent(x, dy, settings)
        mean = lerp(state["exp_avg"], gradient, typed(1 - beta1, x))
        size = plus(elementwise("abs", gradient), settings["eps"])
        largest = elementwise("maximum", times(state["exp_inf"], beta2), size)
        step = times(mean, settings["step_size"]) / largest
        return x - step, {"exp_avg": mean, "exp_inf": largest}
