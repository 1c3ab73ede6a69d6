"""Schedules that follow half a cosine."""

from __future__ import annotations

import math
from math import cos, pi
from typing import Any

from graphc.errors import GraphcValueError
from graphc.optim.lr_scheduler.scheduler import LRScheduler, Rates
from graphc.optim.optimizer import Optimizer


class CosineAnnealingLR(LRScheduler):
    """Down to ``eta_min`` along half a cosine in ``T_max`` epochs, and up again."""

    def __init__(
        self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0, last_epoch: int = -1
    ) -> None:
        self.T_max = T_max
        self.eta_min = eta_min
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> Rates:
        """The rates before, moved by the quotient of two cosines."""
        rates = self._rates()
        if self._is_initial:
            return rates
        epoch, total, low = self.last_epoch, self.T_max, self.eta_min
        if self._step_count == 1 and epoch > 0:
            return self._get_closed_form_lr()
        if (epoch - 1 - total) % (2 * total) == 0:
            pairs = zip(rates, self.base_lrs, strict=True)
            return [lr + (base - low) * (1 - cos(pi / total)) / 2 for lr, base in pairs]
        quotient = (1 + cos(pi * epoch / total)) / (1 + cos(pi * (epoch - 1) / total))
        return [quotient * (lr - low) + low for lr in rates]

    def _get_closed_form_lr(self) -> Rates:
        low, angle = self.eta_min, pi * self.last_epoch / self.T_max
        return [low + (base - low) * (1 + cos(angle)) / 2 for base in self.base_lrs]


class CosineAnnealingWarmRestarts(LRScheduler):
    """Half a cosine again and again, each ``T_mult`` times as long as the one before."""

    def __init__(
        self,
        optimizer: Optimizer,
        T_0: int,
        T_mult: int = 1,
        eta_min: float = 0.0,
        last_epoch: int = -1,
    ) -> None:
        if not isinstance(T_0, int) or T_0 <= 0:
            raise GraphcValueError(f"Expected positive integer T_0, but got {T_0}")
        if not isinstance(T_mult, int) or T_mult < 1:
            raise GraphcValueError(f"Expected integer T_mult >= 1, but got {T_mult}")
        if not isinstance(eta_min, float | int):
            raise GraphcValueError(
                f"Expected float or int eta_min, but got {eta_min} of type {type(eta_min)}"
            )
        self.T_0 = T_0
        self.T_i = T_0
        self.T_mult = T_mult
        self.eta_min = eta_min
        self.T_cur: Any = last_epoch
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> Rates:
        """The rates at the place ``T_cur`` in a period of ``T_i`` epochs."""
        self._rates()
        low, angle = self.eta_min, pi * self.T_cur / self.T_i
        return [low + (base - low) * (1 + cos(angle)) / 2 for base in self.base_lrs]

    def step(self, epoch: float | None = None) -> None:
        """Go on to the next epoch, or to the one given, which may be a fraction."""
        if epoch is None and self.last_epoch < 0:
            epoch = 0
        if epoch is None:
            epoch = self.last_epoch + 1
            self.T_cur = self.T_cur + 1
            if self.T_cur >= self.T_i:
                self.T_cur = self.T_cur % self.T_i
                self.T_i = self.T_i * self.T_mult
        elif epoch < 0:
            raise GraphcValueError(f"Expected non-negative epoch, but got {epoch}")
        else:
            self._go_to(epoch)
        self.last_epoch = math.floor(epoch)
        self._set_rates()

    def _go_to(self, epoch: float) -> None:
        first, factor = self.T_0, self.T_mult
        if epoch < first:
            self.T_i, self.T_cur = first, epoch
        elif factor == 1:
            self.T_cur = epoch % first
        else:
            period = int(math.log(epoch / first * (factor - 1) + 1, factor))
            self.T_cur = epoch - first * (factor**period - 1) / (factor - 1)
            self.T_i = first * factor**period
