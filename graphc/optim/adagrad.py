"""Adagrad: steps divided by the root of the sum of all squares of the gradient so far."""

from __future__ import annotations

from typing import Any, ClassVar

from graphc.ir.dtype import float32
from graphc.ir.node import Node, elementwise
from graphc.memory import full
from graphc.optim.optimizer import Parameters
from graphc.optim.recorded import (
    RecordedOptimizer,
    Settings,
    State,
    Updated,
    check_not_negative,
    check_rate,
    descent,
    everywhere,
    plus,
    times,
)
from graphc.tensor import Tensor


class Adagrad(RecordedOptimizer):
    """x - lr / (1 + (t - 1) · decay) · g / (√Σ g² + ε)"""

    added: ClassVar[dict[str, Any]] = {
        "foreach": None,
        "maximize": False,
        "differentiable": False,
        "fused": None,
    }

    def __init__(
        self,
        params: Parameters,
        lr: Any = 1e-2,
        lr_decay: float = 0,
        weight_decay: float = 0,
        initial_accumulator_value: float = 0,
        eps: float = 1e-10,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        check_rate(lr)
        check_not_negative(lr_decay, "lr_decay value")
        check_not_negative(weight_decay, "weight_decay value")
        check_not_negative(initial_accumulator_value, "initial_accumulator_value value")
        check_not_negative(eps, "epsilon value")
        defaults = {
            "lr": lr,
            "lr_decay": lr_decay,
            "eps": eps,
            "weight_decay": weight_decay,
            "initial_accumulator_value": initial_accumulator_value,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "fused": fused,
        }
        super().__init__(params, defaults)
        for group in self.param_groups:
            count = full((), 0.0, float32, str(group["params"][0].device))
            for p in group["params"]:
                self.state[p] = {"step": count, **self.initial_state(group, p)}

    def initial_state(self, group: Settings, parameter: Tensor) -> dict[str, Tensor]:
        return {"sum": everywhere(self.defaults["initial_accumulator_value"], parameter)}

    @staticmethod
    def prepare(settings: Settings) -> Settings:
        slowed = 1 + (settings["step"] - 1) * settings["lr_decay"]
        return {**settings, "step_size": settings["lr"] / slowed}

    @staticmethod
    def update(x: Node, dy: Node, state: State, settings: Settings) -> Updated:
        gradient = descent(x, dy, settings)
        total = state["sum"] + gradient * gradient
        root = plus(elementwise("sqrt", total), settings["eps"])
        return x - times(gradient, settings["step_size"]) / root, {"sum": total}
