"""Adam and AdamW: steps divided by the root of the gradient's own second moment."""

from __future__ import annotations

from typing import Any, ClassVar

from graphc.errors import GraphcValueError
from graphc.functions.arithmetic import lerp
from graphc.ir.node import Node, elementwise
from graphc.memory import zeros_like
from graphc.optim.optimizer import Parameters
from graphc.optim.recorded import (
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


class Adam(RecordedOptimizer):
    """x - lr · m̂ / (√v̂ + ε), with running means m of the gradient and v of its square."""

    added: ClassVar[dict[str, Any]] = {
        "amsgrad": False,
        "maximize": False,
        "foreach": None,
        "capturable": False,
        "differentiable": False,
        "decoupled_weight_decay": False,
        "fused": None,
    }

    def __init__(
        self,
        params: Parameters,
        lr: Any = 1e-3,
        betas: tuple[Any, Any] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        amsgrad: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
        decoupled_weight_decay: bool = False,
    ) -> None:
        check_rate(lr)
        check_not_negative(eps, "epsilon value")
        check_betas(betas)
        _check_kinds(betas)
        check_not_negative(weight_decay, "weight_decay value")
        defaults = {
            "lr": lr,
            "betas": tuple(betas),
            "eps": eps,
            "weight_decay": weight_decay,
            "amsgrad": amsgrad,
            "maximize": maximize,
            "foreach": foreach,
            "capturable": capturable,
            "differentiable": differentiable,
            "fused": fused,
            "decoupled_weight_decay": decoupled_weight_decay,
        }
        super().__init__(params, defaults)

    def initial_state(self, group: Settings, parameter: Tensor) -> dict[str, Tensor]:
        names = ["exp_avg", "exp_avg_sq"]
        if group["amsgrad"]:
            names.append("max_exp_avg_sq")
        return {name: zeros_like(parameter) for name in names}

    @staticmethod
    def prepare(settings: Settings) -> Settings:
        """The length of a step without bias, and what brings the root of v to its own size."""
        first, second = (
            1 - elementwise("pow", beta, settings["step"]) for beta in settings["betas"]
        )
        return {
            **settings,
            "step_size": settings["lr"] / first,
            "scale": 1.0 / elementwise("sqrt", second),
        }

    @staticmethod
    def update(x: Node, dy: Node, state: State, settings: Settings) -> Updated:
        beta1, beta2 = settings["betas"]
        x, gradient = decayed(x, dy, settings)
        mean = lerp(state["exp_avg"], gradient, typed(1 - beta1, x))
        square = times(state["exp_avg_sq"], beta2) + times(gradient * gradient, 1 - beta2)
        after = {"exp_avg": mean, "exp_avg_sq": square}
        if settings["amsgrad"]:
            square = elementwise("maximum", state["max_exp_avg_sq"], square)
            after["max_exp_avg_sq"] = square
        # A product, where PyTorch divides: each element is divided only once.
        root = times(elementwise("sqrt", square), settings["scale"])
        return x - times(mean, settings["step_size"]) / plus(root, settings["eps"]), after


class AdamW(Adam):
    """Adam with a decay of the weights that leaves the moments alone."""

    def __init__(
        self,
        params: Parameters,
        lr: Any = 1e-3,
        betas: tuple[Any, Any] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        super().__init__(
            params,
            lr,
            betas,
            eps,
            weight_decay,
            amsgrad,
            foreach=foreach,
            maximize=maximize,
            capturable=capturable,
            differentiable=differentiable,
            fused=fused,
            decoupled_weight_decay=True,
        )

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        for group in self.param_groups:
            group["decoupled_weight_decay"] = True


def _check_kinds(betas: tuple[Any, Any]) -> None:
    kinds = {Tensor if isinstance(beta, Tensor) else type(beta) for beta in betas}
    if kinds not in ({float}, {Tensor}):
        raise GraphcValueError("betas must be either both floats or both Tensors")
