"""Schedules of the learning rate: plain Python, since the rate is an input of every program."""

from __future__ import annotations

from graphc.optim.lr_scheduler.annealing import CosineAnnealingLR, CosineAnnealingWarmRestarts
from graphc.optim.lr_scheduler.cycles import CyclicLR, OneCycleLR
from graphc.optim.lr_scheduler.factors import (
    ConstantLR,
    ExponentialLR,
    LambdaLR,
    LinearLR,
    MultiplicativeLR,
    MultiStepLR,
    PolynomialLR,
    StepLR,
)
from graphc.optim.lr_scheduler.plateau import ReduceLROnPlateau
from graphc.optim.lr_scheduler.scheduler import LRScheduler, _LRScheduler
from graphc.optim.lr_scheduler.sequential import ChainedScheduler, SequentialLR

__all__ = [
    "ChainedScheduler",
    "ConstantLR",
    "CosineAnnealingLR",
    "CosineAnnealingWarmRestarts",
    "CyclicLR",
    "ExponentialLR",
    "LRScheduler",
    "LambdaLR",
    "LinearLR",
    "MultiStepLR",
    "MultiplicativeLR",
    "OneCycleLR",
    "PolynomialLR",
    "ReduceLROnPlateau",
    "SequentialLR",
    "StepLR",
    "_LRScheduler",
]
