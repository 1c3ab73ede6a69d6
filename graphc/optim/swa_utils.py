"""Averages of a model's weights over its training, and the schedule that goes with them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from copy import deepcopy
from itertools import chain
from math import cos, pi
from typing import Any

from graphc.autograd import no_grad
from graphc.errors import GraphcValueError
from graphc.from_data import tensor
from graphc.ir.dtype import int64
from graphc.nn.modules.batchnorm import _BatchNorm
from graphc.nn.modules.module import Module
from graphc.optim.lr_scheduler.scheduler import LRScheduler, Rates, per_group
from graphc.optim.optimizer import Optimizer
from graphc.tensor import Tensor

Average = Callable[[Tensor, Tensor, Any], Tensor]
"""Of an average, the current value and how many values the average is of: the new average."""
Averages = Callable[[list[Tensor], list[Tensor], Any], None]
"""The same of lists, in the place of the first."""


def _check_decay(decay: float) -> None:
    if not 0.0 <= decay <= 1.0:
        raise GraphcValueError(
            f"Invalid decay value {decay} provided. Please provide a value in [0,1] range."
        )


def get_ema_avg_fn(decay: float = 0.999) -> Average:
    """An average that forgets: ``decay · average + (1 - decay) · value``"""
    _check_decay(decay)

    @no_grad()
    def ema_update(ema_param: Tensor, current_param: Tensor, num_averaged: Any) -> Any:
        return decay * ema_param + (1 - decay) * current_param

    return ema_update


def get_swa_avg_fn() -> Average:
    """The mean of all values."""

    @no_grad()
    def swa_update(averaged_param: Tensor, current_param: Tensor, num_averaged: Any) -> Any:
        return averaged_param + (current_param - averaged_param) / (num_averaged + 1)

    return swa_update


def _in_place(average: Average) -> Averages:
    @no_grad()
    def update(averages: list[Tensor], values: list[Tensor], num_averaged: Any) -> None:
        for kept, value in zip(averages, values, strict=True):
            kept.copy_(average(kept, value, num_averaged))

    return update


def get_ema_multi_avg_fn(decay: float = 0.999) -> Averages:
    """``get_ema_avg_fn``, of lists in place."""
    return _in_place(get_ema_avg_fn(decay))


def get_swa_multi_avg_fn() -> Averages:
    """``get_swa_avg_fn``, of lists in place."""
    return _in_place(get_swa_avg_fn())


class AveragedModel(Module):
    """A copy of a model whose parameters are averages of the model's."""

    n_averaged: Tensor

    def __init__(
        self,
        model: Module,
        device: Any = None,
        avg_fn: Average | None = None,
        multi_avg_fn: Averages | None = None,
        use_buffers: bool = False,
    ) -> None:
        super().__init__()
        if avg_fn is not None and multi_avg_fn is not None:
            raise AssertionError("Only one of avg_fn and multi_avg_fn should be provided")
        self.module = deepcopy(model)
        if device is not None:
            self.module = self.module.to(device)
        self.register_buffer("n_averaged", tensor(0, dtype=int64, device=device))
        self.avg_fn = avg_fn
        self.multi_avg_fn = multi_avg_fn
        self.use_buffers = use_buffers

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What the averaged model says."""
        return self.module(*args, **kwargs)

    def update_parameters(self, model: Module) -> None:
        """Take the model's present values into the averages; the first are copied."""
        kept = [x.detach() for x in self._averaged(self.module)]
        values = [x.detach() for x in self._averaged(model)]
        values = [x.to(average.device) for average, x in zip(kept, values, strict=True)]
        if self.n_averaged == 0:
            for average, value in zip(kept, values, strict=True):
                average.copy_(value)
        else:
            self._average(kept, values)
        if not self.use_buffers:
            for mine, theirs in zip(self.module.buffers(), model.buffers(), strict=True):
                mine.detach().copy_(theirs.detach().to(mine.device))
        self.n_averaged += 1

    def _averaged(self, model: Module) -> Iterable[Tensor]:
        if self.use_buffers:
            return chain(model.parameters(), model.buffers())
        return model.parameters()

    def _average(self, kept: list[Tensor], values: list[Tensor]) -> None:
        groups: dict[tuple[str, Any], list[tuple[Tensor, Tensor]]] = {}
        for average, value in zip(kept, values, strict=True):
            groups.setdefault((str(average.device), average.dtype), []).append((average, value))
        update = self.multi_avg_fn or _in_place(self.avg_fn or get_swa_avg_fn())
        for (device, _), pairs in groups.items():
            averages, current = map(list, zip(*pairs, strict=True))
            update(averages, current, self.n_averaged.to(device))


@no_grad()
def update_bn(loader: Iterable[Any], model: Module, device: Any = None) -> None:
    """Measure the running statistics of batch normalisations anew, over all batches."""
    layers = [x for x in model.modules() if isinstance(x, _BatchNorm)]
    if not layers:
        return
    momenta, was_training = [x.momentum for x in layers], model.training
    for layer in layers:
        layer.reset_running_stats()
        layer.momentum = None
    model.train()
    for batch in loader:
        input = batch[0] if isinstance(batch, list | tuple) else batch
        model(input if device is None else input.to(device))
    for layer, momentum in zip(layers, momenta, strict=True):
        layer.momentum = momentum
    model.train(was_training)


class SWALR(LRScheduler):
    """From each group's rate to ``swa_lr`` within ``anneal_epochs``, where it stays."""

    def __init__(
        self,
        optimizer: Optimizer,
        swa_lr: Any,
        anneal_epochs: int = 10,
        anneal_strategy: str = "cos",
        last_epoch: int = -1,
    ) -> None:
        for rate, group in zip(
            per_group("swa_lr", optimizer, swa_lr), optimizer.param_groups, strict=True
        ):
            group["swa_lr"] = rate
        if anneal_strategy not in ("cos", "linear"):
            raise GraphcValueError(
                f"anneal_strategy must be one of 'cos' or 'linear', instead got {anneal_strategy}"
            )
        self._anneal_strategy = anneal_strategy
        if not isinstance(anneal_epochs, int) or anneal_epochs < 0:
            raise GraphcValueError(
                f"anneal_epochs must be equal or greater than 0, got {anneal_epochs}"
            )
        self.anneal_epochs = anneal_epochs
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> Rates:
        """Between the rate from which the last one came and ``swa_lr``."""
        rates = self._rates()
        step = self._step_count - 1
        if not self.anneal_epochs:
            step = max(1, step)
        before, now = self._share(step - 1), self._share(step)
        goals = [group["swa_lr"] for group in self.optimizer.param_groups]
        pairs = list(zip(rates, goals, strict=True))
        if before == 1:
            starts = goals
        else:
            starts = [(lr - before * goal) / (1 - before) for lr, goal in pairs]
        return [goal * now + start * (1 - now) for goal, start in zip(goals, starts, strict=True)]

    def _share(self, step: int) -> float:
        """How much of the way to ``swa_lr`` is done after so many steps."""
        share = max(0, min(1, step / max(1, self.anneal_epochs)))
        return (1 - cos(pi * share)) / 2 if self._anneal_strategy == "cos" else share
