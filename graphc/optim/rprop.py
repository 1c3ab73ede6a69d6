"""Rprop: steps by the signs of the gradients alone."""

from __future__ import annotations

from typing import Any, ClassVar

from graphc.errors import GraphcValueError
from graphc.ir.node import Node, elementwise
from graphc.memory import zeros_like
from graphc.ops.elementwise import equal, number, where
from graphc.optim.optimizer import Parameters
from graphc.optim.recorded import (
    UNNAMED,
    RecordedOptimizer,
    Settings,
    State,
    Updated,
    check_rate,
    everywhere,
    typed,
)
from graphc.tensor import Tensor


class Rprop(RecordedOptimizer):
    """x - sign(g) · s; s grows while the sign stays, and shrinks where it has changed."""

    added: ClassVar[dict[str, Any]] = UNNAMED

    def __init__(
        self,
        params: Parameters,
        lr: Any = 1e-2,
        etas: tuple[float, float] = (0.5, 1.2),
        step_sizes: tuple[float, float] = (1e-6, 50),
        *,
        capturable: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        check_rate(lr)
        if not 0.0 < etas[0] < 1.0 < etas[1]:
            raise GraphcValueError(f"Invalid eta values: {etas[0]}, {etas[1]}")
        defaults = {
            "lr": lr,
            "etas": etas,
            "step_sizes": step_sizes,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "capturable": capturable,
        }
        super().__init__(params, defaults)

    def initial_state(self, group: Settings, parameter: Tensor) -> dict[str, Tensor]:
        size = everywhere(float(group["lr"]), parameter)
        return {"prev": zeros_like(parameter), "step_size": size}

    @staticmethod
    def update(x: Node, dy: Node, state: State, settings: Settings) -> Updated:
        gradient = -dy if settings["maximize"] else dy
        shrink, grow = settings["etas"]
        least, most = (typed(bound, x) for bound in settings["step_sizes"])
        product = gradient * state["prev"]
        same, turned = product > 0.0, product < 0.0
        kept = where(equal(product, number(0.0, x)), 1.0, product)  # nan stays nan
        factor = where(same, typed(grow, x), where(turned, typed(shrink, x), kept))
        size = elementwise(
            "minimum", elementwise("maximum", factor * state["step_size"], least), most
        )
        gradient = where(turned, 0.0, gradient)
        return x - elementwise("sign", gradient) * size, {"prev": gradient, "step_size": size}
