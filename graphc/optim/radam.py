"""RAdam: Adam whose first steps do not divide by a variance that is not yet known."""

from __future__ import annotations

from typing import Any, ClassVar

from graphc.functions.arithmetic import lerp
from graphc.ir.node import Node, elementwise
from graphc.memory import zeros_like
from graphc.ops.elementwise import where
from graphc.optim.optimizer import Parameters
from graphc.optim.recorded import (
    DECOUPLED,
    RecordedOptimizer,
    Settings,
    State,
    Updated,
    check_betas,
    check_not_negative,
    check_rate,
    decayed,
    plus,
    times,
    typed,
)
from graphc.tensor import Tensor


class RAdam(RecordedOptimizer):
    """x - lr · m̂ · r / (√v̂ + ε); without r and the division where v is of too few gradients."""

    added: ClassVar[dict[str, Any]] = DECOUPLED

    def __init__(
        self,
        params: Parameters,
        lr: Any = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        decoupled_weight_decay: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
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
            "maximize": maximize,
            "foreach": foreach,
            "capturable": capturable,
            "decoupled_weight_decay": decoupled_weight_decay,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults)

    def initial_state(self, group: Settings, parameter: Tensor) -> dict[str, Tensor]:
        return {name: zeros_like(parameter) for name in ("exp_avg", "exp_avg_sq")}

    @staticmethod
    def prepare(settings: Settings) -> Settings:
        """How long the average behind v is, and the root that makes its variance that of many."""
        beta1, beta2 = settings["betas"]
        step = settings["step"]
        first, power = (elementwise("pow", beta, step) for beta in (beta1, beta2))
        longest = 2 / (1 - beta2) - 1
        length = longest - 2 * step * power / (1 - power)
        ratio = (length - 4) * (length - 2) * longest
        rectified = ratio / ((longest - 4) * (longest - 2) * length) * (1 - power)
        return {
            **settings,
            "step_size": settings["lr"] / (1 - first),
            "root": elementwise("sqrt", rectified),
            "known": length > 5.0,
        }

    @staticmethod
    def update(x: Node, dy: Node, state: State, settings: Settings) -> Updated:
        beta1, beta2 = settings["betas"]
        x, gradient = decayed(x, dy, settings)
        mean = lerp(state["exp_avg"], gradient, typed(1 - beta1, x))
        square = times(state["exp_avg_sq"], beta2) + times(gradient * gradient, 1 - beta2)
        root = plus(elementwise("sqrt", square), settings["eps"])
        step = times(mean, settings["step_size"])
        step = where(settings["known"], step * (typed(settings["root"], x) / root), step)
        return x - step, {"exp_avg": mean, "exp_avg_sq": square}
