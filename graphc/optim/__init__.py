"""Optimizers and schedules of the learning rate, under PyTorch's names."""

from __future__ import annotations

from graphc.optim.adam import Adam, AdamW
from graphc.optim.optimizer import Optimizer
from graphc.optim.sgd import SGD

__all__ = ["SGD", "Adam", "AdamW", "Optimizer"]
