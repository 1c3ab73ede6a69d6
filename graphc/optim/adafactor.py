"""Adafactor: Adam's second moment of a matrix kept by rows and columns alone."""

from __future__ import annotations

from math import sqrt
from typing import Any, ClassVar

import numpy as np

from graphc.errors import GraphcValueError
from graphc.functions.arithmetic import lerp
from graphc.ir.dtype import float64
from graphc.ir.node import Node, cast, elementwise
from graphc.memory import full, zeros_like
from graphc.ops.movement import reshape
from graphc.ops.reduce import Sum, mean
from graphc.optim.optimizer import Parameters
from graphc.optim.recorded import (
    RecordedOptimizer,
    Settings,
    State,
    Updated,
    check_rate,
    times,
    typed,
)
from graphc.tensor import Tensor


class Adafactor(RecordedOptimizer):
    """x - α · u / max(1, |u| / d), u = g / √v, α in proportion to the size of x."""

    added: ClassVar[dict[str, Any]] = {"foreach": None}

    def __init__(
        self,
        params: Parameters,
        lr: Any = 1e-2,
        beta2_decay: float = -0.8,
        eps: tuple[float | None, float] = (None, 1e-3),
        d: float = 1.0,
        weight_decay: float = 0.0,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
    ) -> None:
        if lr < 0.0:
            raise GraphcValueError(f"Learning rate should be >= 0 but is: {lr}")
        check_rate(lr)
        for name, value in (("epsilon1", eps[0]), ("epsilon2", eps[1])):
            if value is not None and not value >= 0.0:
                raise GraphcValueError(f"{name} should be >= 0 but is: {value}")
        if not beta2_decay <= 0.0:
            raise GraphcValueError(f"beta2_decay should be <= 0 but is: {beta2_decay}")
        if not d >= 1.0:
            raise GraphcValueError(f"Clipping threshold d should be >= 1 but is: {d}")
        if not weight_decay >= 0.0:
            raise GraphcValueError(f"weight_decay should be >= 0 but is: {weight_decay}")
        defaults = {
            "lr": lr,
            "beta2_decay": beta2_decay,
            "eps": eps,
            "d": d,
            "weight_decay": weight_decay,
            "foreach": foreach,
            "maximize": maximize,
        }
        super().__init__(params, defaults)

    def initial_state(self, group: Settings, parameter: Tensor) -> dict[str, Tensor]:
        shape, dtype = parameter._type.shape, parameter._type.dtype
        if len(shape) < 2:
            return {"variance": zeros_like(parameter)}
        rows, columns = (*shape[:-1], 1), (*shape[:-2], 1, shape[-1])
        device = str(parameter.device)
        return {
            "row_var": full(rows, 0.0, dtype, device),
            "col_var": full(columns, 0.0, dtype, device),
        }

    @staticmethod
    def prepare(settings: Settings) -> Settings:
        """How much of the second moment is new, and the largest relative step."""
        step = settings["step"]
        most = elementwise("minimum", settings["lr"], 1.0 / elementwise("sqrt", step))
        return {**settings, "new": elementwise("pow", step, settings["beta2_decay"]), "most": most}

    @staticmethod
    def update(x: Node, dy: Node, state: State, settings: Settings) -> Updated:
        gradient = -dy if settings["maximize"] else dy
        relative, least = settings["eps"]
        if relative is None:
            relative = float(np.finfo(x.dtype.numpy).eps)
        size = elementwise("maximum", least, _size(x)) * settings["most"]
        if settings["weight_decay"]:
            x = times(x, 1 - settings["lr"] * settings["weight_decay"])
        variance, after = _moments(gradient, state, settings["new"], relative)
        smallest = typed(relative * relative, x)
        step = gradient * elementwise("rsqrt", elementwise("maximum", variance, smallest))
        shrink = elementwise("maximum", 1.0, _size(step) / settings["d"])
        return x - times(step, size / shrink), after


def _size(x: Node) -> Node:
    """The root of the mean square, as a number of double precision."""
    length = elementwise("sqrt", Sum(tuple(range(x.rank)))(x * x))
    return cast(reshape(length, ()), float64) / sqrt(x.type.size)


def _moments(dy: Node, state: State, new: Node, least: Any) -> tuple[Node, State]:
    """The estimate of the second moment, and what is kept of it."""
    weight = typed(new, dy)
    square = dy * dy
    if "variance" in state:
        variance = lerp(state["variance"], square, weight)
        return variance, {"variance": variance}
    rows = lerp(state["row_var"], mean(square, (dy.rank - 1,)), weight)
    columns = lerp(state["col_var"], mean(square, (dy.rank - 2,)), weight)
    total = elementwise("maximum", mean(rows, (dy.rank - 2,)), typed(least, dy))
    return rows * columns / total, {"row_var": rows, "col_var": columns}
