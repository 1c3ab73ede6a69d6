"""Schedules that raise the rate and lower it again, and the momentum the other way."""

from __future__ import annotations

import math
import types
from collections.abc import Callable
from typing import Any

from graphc.errors import GraphcValueError
from graphc.optim.lr_scheduler.scheduler import (
    LRScheduler,
    Rates,
    check_optimizer,
    per_group,
    set_value,
)
from graphc.optim.optimizer import Optimizer


def _uses_beta(optimizer: Optimizer) -> bool:
    """Whether the momentum is the first of the betas."""
    if "momentum" not in optimizer.defaults and "betas" not in optimizer.defaults:
        raise GraphcValueError(
            "optimizer must support momentum or beta1 with `cycle_momentum` option enabled"
        )
    return "betas" in optimizer.defaults


def _set_momentum(group: dict[str, Any], value: float, use_beta1: bool) -> None:
    if use_beta1:
        group["betas"] = (value, *group["betas"][1:])
    else:
        group["momentum"] = value


class _Cycle(LRScheduler):
    """A schedule that changes the momentum too, unless told not to."""

    cycle_momentum: bool
    use_beta1: bool
    base_momentums: Rates
    max_momentums: Rates

    def _begin_momentum(self, wanted: bool, base: Any, top: Any, last_epoch: int) -> None:
        """Set the momentum of each group to the top, and keep both ends."""
        self.cycle_momentum = wanted
        if not wanted:
            return
        optimizer = self.optimizer
        self.use_beta1 = _uses_beta(optimizer)
        self.base_momentums = per_group("base_momentum", optimizer, base)
        self.max_momentums = per_group("max_momentum", optimizer, top)
        ends = zip(self.base_momentums, self.max_momentums, strict=True)
        for group, (low, high) in zip(optimizer.param_groups, ends, strict=True):
            if last_epoch == -1:
                _set_momentum(group, high, self.use_beta1)
                group["max_momentum"] = high
                group["base_momentum"] = low


class CyclicLR(_Cycle):
    """Up from ``base_lr`` to ``max_lr`` and down again, in a line, again and again."""

    def __init__(
        self,
        optimizer: Optimizer,
        base_lr: float | list[float],
        max_lr: float | list[float],
        step_size_up: int = 2000,
        step_size_down: int | None = None,
        mode: str = "triangular",
        gamma: float = 1.0,
        scale_fn: Callable[[float], float] | None = None,
        scale_mode: str = "cycle",
        cycle_momentum: bool = True,
        base_momentum: float | list[float] = 0.8,
        max_momentum: float | list[float] = 0.9,
        last_epoch: int = -1,
    ) -> None:
        check_optimizer(optimizer)
        self.optimizer = optimizer
        base_lrs = per_group("base_lr", optimizer, base_lr)
        if last_epoch == -1:
            for lr, group in zip(base_lrs, optimizer.param_groups, strict=True):
                set_value(group, "lr", lr)
        self.max_lrs = per_group("max_lr", optimizer, max_lr)
        up = float(step_size_up)
        self.total_size = up + (up if step_size_down is None else float(step_size_down))
        self.step_ratio = up / self.total_size
        if mode not in ("triangular", "triangular2", "exp_range") and scale_fn is None:
            raise GraphcValueError("mode is invalid and scale_fn is None")
        self.mode = mode
        self.gamma = gamma
        self._scale_fn_custom = scale_fn
        self.scale_mode = scale_mode
        if scale_fn is None:
            self.scale_mode = "iterations" if mode == "exp_range" else "cycle"
        self._begin_momentum(cycle_momentum, base_momentum, max_momentum, last_epoch)
        super().__init__(optimizer, last_epoch)
        self.base_lrs = base_lrs

    def scale_fn(self, x: float) -> float:
        """By how much cycle ``x``, or step ``x``, is scaled."""
        if self._scale_fn_custom is not None:
            scaled: float = self._scale_fn_custom(x)
            return scaled
        if self.mode == "triangular2":
            return float(2.0 ** (1 - x))
        return float(self.gamma**x) if self.mode == "exp_range" else 1.0

    def get_lr(self) -> Rates:
        """The rates at ``last_epoch``; sets the momentum too."""
        self._rates()
        cycle = math.floor(1 + self.last_epoch / self.total_size)
        x = 1.0 + self.last_epoch / self.total_size - cycle
        height = x / self.step_ratio if x <= self.step_ratio else (x - 1) / (self.step_ratio - 1)
        scale = self.scale_fn(cycle if self.scale_mode == "cycle" else self.last_epoch)
        if self.cycle_momentum:
            momentums = zip(self.base_momentums, self.max_momentums, strict=True)
            for group, (base, top) in zip(self.optimizer.param_groups, momentums, strict=True):
                _set_momentum(group, top - (top - base) * height * scale, self.use_beta1)
        pairs = zip(self.base_lrs, self.max_lrs, strict=True)
        return [base + (top - base) * height * scale for base, top in pairs]

    def state_dict(self) -> dict[str, Any]:
        """Everything but the optimizer and a plain function; what a callable object holds."""
        state, function = super().state_dict(), self._scale_fn_custom
        plain = function is None or isinstance(function, types.FunctionType)
        state["_scale_fn_custom"] = None if plain else vars(function).copy()
        return state

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what another schedule's ``state_dict`` gave."""
        held = state_dict["_scale_fn_custom"]
        super().load_state_dict({k: x for k, x in state_dict.items() if k != "_scale_fn_custom"})
        if held is not None:
            vars(self._scale_fn_custom).update(held)


class OneCycleLR(_Cycle):
    """Once up to ``max_lr`` and then far down, over all the steps of a training."""

    def __init__(
        self,
        optimizer: Optimizer,
        max_lr: float | list[float],
        total_steps: int | None = None,
        epochs: int | None = None,
        steps_per_epoch: int | None = None,
        pct_start: float = 0.3,
        anneal_strategy: str = "cos",
        cycle_momentum: bool = True,
        base_momentum: float | list[float] = 0.85,
        max_momentum: float | list[float] = 0.95,
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
        three_phase: bool = False,
        last_epoch: int = -1,
    ) -> None:
        check_optimizer(optimizer)
        self.optimizer = optimizer
        self.total_steps = _total_steps(total_steps, epochs, steps_per_epoch)
        if not isinstance(pct_start, float) or not 0 <= pct_start <= 1:
            raise GraphcValueError(f"Expected float between 0 and 1 pct_start, but got {pct_start}")
        if anneal_strategy not in ("cos", "linear"):
            raise GraphcValueError(
                f"anneal_strategy must be one of 'cos' or 'linear', instead got {anneal_strategy}"
            )
        self._schedule_phases = _phases(self.total_steps, pct_start, three_phase)
        self._anneal_func_type = anneal_strategy
        top_lrs = per_group("max_lr", optimizer, max_lr)
        if last_epoch == -1:
            for group, top in zip(optimizer.param_groups, top_lrs, strict=True):
                group["initial_lr"] = top / div_factor
                group["max_lr"] = top
                group["min_lr"] = group["initial_lr"] / final_div_factor
        self._begin_momentum(cycle_momentum, base_momentum, max_momentum, last_epoch)
        super().__init__(optimizer, last_epoch)

    def _between(self, start: Any, end: Any, share: float) -> Any:
        if self._anneal_func_type == "linear":
            return (end - start) * share + start
        return end + (start - end) / 2.0 * (math.cos(math.pi * share) + 1)

    def get_lr(self) -> Rates:
        """The rates at ``last_epoch``; sets the momentum too."""
        self._rates()
        number = self.last_epoch
        if number > self.total_steps:
            raise GraphcValueError(
                f"Tried to step {number} times. The specified number of total steps is "
                f"{self.total_steps}"
            )
        start, phase = 0.0, self._schedule_phases[0]
        for following in self._schedule_phases[1:]:
            if number <= phase["end_step"]:
                break
            start, phase = phase["end_step"], following
        share = (number - start) / (phase["end_step"] - start)
        if self.cycle_momentum:
            for group in self.optimizer.param_groups:
                ends = group[phase["start_momentum"]], group[phase["end_momentum"]]
                _set_momentum(group, self._between(*ends, share), self.use_beta1)
        return [
            self._between(group[phase["start_lr"]], group[phase["end_lr"]], share)
            for group in self.optimizer.param_groups
        ]


def _total_steps(total: Any, epochs: Any, per_epoch: Any) -> int:
    if total is None and (epochs is None or per_epoch is None):
        raise GraphcValueError("You must define either total_steps OR (epochs AND steps_per_epoch)")
    given = {"total_steps": total}
    if total is None:
        given = {"epochs": epochs, "steps_per_epoch": per_epoch}
    for name, count in given.items():
        if not isinstance(count, int) or count <= 0:
            raise GraphcValueError(f"Expected positive integer {name}, but got {count}")
    return math.prod(given.values())


def _phases(total: int, share: float, three: bool) -> list[dict[str, Any]]:
    """The ways from one rate to another, each with the step at which it ends."""
    first = float(share * total) - 1
    ways = [(first, "initial_lr", "max_lr", "max_momentum", "base_momentum")]
    if three:
        second = float(2 * share * total) - 2
        ways.append((second, "max_lr", "initial_lr", "base_momentum", "max_momentum"))
        ways.append((total - 1, "initial_lr", "min_lr", "max_momentum", "max_momentum"))
    else:
        ways.append((total - 1, "max_lr", "min_lr", "base_momentum", "max_momentum"))
    names = ("end_step", "start_lr", "end_lr", "start_momentum", "end_momentum")
    return [dict(zip(names, way, strict=True)) for way in ways]
