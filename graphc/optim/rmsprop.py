"""RMSprop: steps divided by the root of a running mean of the gradient's square."""

from __future__ import annotations

from typing import Any, ClassVar

from graphc.functions.arithmetic import lerp
from graphc.ir.node import Node, elementwise
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
    plus,
    times,
    typed,
)
from graphc.tensor import Tensor


class RMSprop(RecordedOptimizer):
    """x - lr · g / (√v + ε), v a running mean of g²; ``centered`` subtracts the square of g's."""

    added: ClassVar[dict[str, Any]] = {
        "momentum": 0,
        "centered": False,
        "foreach": None,
        "maximize": False,
        "differentiable": False,
        "capturable": False,
    }

    def __init__(
        self,
        params: Parameters,
        lr: Any = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum: float = 0,
        centered: bool = False,
        capturable: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        check_rate(lr)
        check_not_negative(eps, "epsilon value")
        check_not_negative(momentum, "momentum value")
        check_not_negative(weight_decay, "weight_decay value")
        check_not_negative(alpha, "alpha value")
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "alpha": alpha,
            "eps": eps,
            "centered": centered,
            "weight_decay": weight_decay,
            "capturable": capturable,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults)

    def initial_state(self, group: Settings, parameter: Tensor) -> dict[str, Tensor]:
        names = ["square_avg"]
        if group["momentum"] > 0:
            names.append("momentum_buffer")
        if group["centered"]:
            names.append("grad_avg")
        return {name: zeros_like(parameter) for name in names}

    @staticmethod
    def update(x: Node, dy: Node, state: State, settings: Settings) -> Updated:
        alpha, momentum = settings["alpha"], settings["momentum"]
        gradient = descent(x, dy, settings)
        square = times(state["square_avg"], alpha) + times(gradient * gradient, 1 - alpha)
        after, spread = {"square_avg": square}, square
        if settings["centered"]:
            mean = after["grad_avg"] = lerp(state["grad_avg"], gradient, typed(1 - alpha, x))
            spread = square - mean * mean
        root = plus(elementwise("sqrt", spread), settings["eps"])
        if not momentum:
            return x - times(gradient, settings["lr"]) / root, after
        buffer = times(state["momentum_buffer"], momentum) + gradient / root
        after["momentum_buffer"] = buffer
        return x - times(buffer, settings["lr"]), after
