"""NAdam: Adam with Nesterov's momentum."""

from __future__ import annotations

from typing import Any, ClassVar

from graphc.functions.arithmetic import lerp
from graphc.ir.dtype import float32
from graphc.ir.node import Node, cast, elementwise
from graphc.memory import full, zeros_like
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


class NAdam(RecordedOptimizer):
    """x - lr · (μ' · m / (1 - Πμ') + (1 - μ) · g / (1 - Πμ)) / (√v̂ + ε), μ' the next step's μ."""

    added: ClassVar[dict[str, Any]] = DECOUPLED

    def __init__(
        self,
        params: Parameters,
        lr: Any = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum_decay: float = 4e-3,
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
        check_not_negative(momentum_decay, "momentum_decay value")
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "momentum_decay": momentum_decay,
            "decoupled_weight_decay": decoupled_weight_decay,
            "maximize": maximize,
            "foreach": foreach,
            "capturable": capturable,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults)

    def initial_state(self, group: Settings, parameter: Tensor) -> dict[str, Tensor]:
        moments = {name: zeros_like(parameter) for name in ("exp_avg", "exp_avg_sq")}
        device = str(parameter.device)
        return {"mu_product": full((), 1.0, float32, device), **moments}

    @staticmethod
    def prepare(settings: Settings) -> Settings:
        """The weights of the momentum in this step and the next, and v's loss by starting at 0."""
        beta1, beta2 = settings["betas"]
        step, decay = settings["step"], settings["momentum_decay"]
        now, after = (
            beta1 * (1.0 - 0.5 * elementwise("pow", 0.96, count * decay))
            for count in (step, step + 1)
        )
        return {
            **settings,
            "mu": now,
            "mu_next": after,
            "kept": 1 - elementwise("pow", beta2, step),
        }

    @staticmethod
    def update(x: Node, dy: Node, state: State, settings: Settings) -> Updated:
        beta1, beta2 = settings["betas"]
        mu, mu_next, lr = settings["mu"], settings["mu_next"], settings["lr"]
        x, gradient = decayed(x, dy, settings)
        product = times(state["mu_product"], mu)
        mean = lerp(state["exp_avg"], gradient, typed(1 - beta1, x))
        square = times(state["exp_avg_sq"], beta2) + times(gradient * gradient, 1 - beta2)
        root = plus(elementwise("sqrt", square / typed(settings["kept"], x)), settings["eps"])
        so_far = cast(product, mu.dtype)
        x = x - times(gradient, lr * (1.0 - mu) / (1.0 - so_far)) / root
        x = x - times(mean, lr * mu_next / (1.0 - so_far * mu_next)) / root
        return x, {"mu_product": product, "exp_avg": mean, "exp_avg_sq": square}
