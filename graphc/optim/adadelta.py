"""Adadelta: steps as long as those before them were, in proportion to the gradient's size."""

from __future__ import annotations

from typing import Any, ClassVar

from graphc.errors import GraphcValueError
from graphc.ir.node import Node, elementwise
from graphc.memory import zeros_like
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
    plus,
    times,
)
from graphc.tensor import Tensor


class Adadelta(RecordedOptimizer):
    """x - lr · d, d = g · √(u + ε) / √(v + ε), with running means u of d² and v of g²."""

    added: ClassVar[dict[str, Any]] = UNNAMED

    def __init__(
        self,
        params: Parameters,
        lr: Any = 1.0,
        rho: float = 0.9,
        eps: float = 1e-6,
        weight_decay: float = 0,
        foreach: bool | None = None,
        *,
        capturable: bool = False,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        check_rate(lr)
        if not 0.0 <= rho <= 1.0:
            raise GraphcValueError(f"Invalid rho value: {rho}")
        check_not_negative(eps, "epsilon value")
        check_not_negative(weight_decay, "weight_decay value")
        defaults = {
            "lr": lr,
            "rho": rho,
            "eps": eps,
            "weight_decay": weight_decay,
            "maximize": maximize,
            "capturable": capturable,
            "foreach": foreach,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults)

    def initial_state(self, group: Settings, parameter: Tensor) -> dict[str, Tensor]:
        return {name: zeros_like(parameter) for name in ("square_avg", "acc_delta")}

    @staticmethod
    def update(x: Node, dy: Node, state: State, settings: Settings) -> Updated:
        rho, eps = settings["rho"], settings["eps"]
        gradient = descent(x, dy, settings)
        square = times(state["square_avg"], rho) + times(gradient * gradient, 1 - rho)
        before, size = (elementwise("sqrt", plus(y, eps)) for y in (state["acc_delta"], square))
        step = before / size * gradient
        lengths = times(state["acc_delta"], rho) + times(step * step, 1 - rho)
        return x - times(step, settings["lr"]), {"square_avg": square, "acc_delta": lengths}
