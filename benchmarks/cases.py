"""What a runner needs to build a workload: settings, weights and inputs, in numpy alone.

Every runner gets the same arrays, made from a fixed seed, so that results can be compared before
anything is timed. Parameter names and layouts are PyTorch's: a Linear weight is (out, in), a
convolution weight (out, in, height, width), images are NCHW.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Arrays = dict[str, Array]
Generator = np.random.Generator


@dataclass
class Case:
    """The settings and arrays of one workload."""

    config: dict[str, Any]
    params: Arrays = field(default_factory=dict)
    """Trainable, float32."""
    buffers: Arrays = field(default_factory=dict)
    """The statistics of batch norms."""
    inputs: Arrays = field(default_factory=dict)


@dataclass(frozen=True)
class Workload:
    """What is timed."""

    name: str
    kind: Literal["train", "grad", "infer"]
    """A step is one optimizer step, a value with gradients, or one forward pass."""
    about: str
    make: Callable[[Generator], Case]
    flops: float = 0.0
    """Multiply-adds of matrix products and convolutions, times two."""
    traffic: float = 0.0
    """Bytes that must cross memory at the very least."""

    def case(self) -> Case:
        return self.make(np.random.default_rng(1234))


def uniform(rng: Generator, shape: tuple[int, ...], bound: float) -> Array:
    return (rng.random(shape, dtype=np.float32) * 2 - 1) * np.float32(bound)


def normal(rng: Generator, shape: tuple[int, ...], scale: float = 1.0) -> Array:
    return rng.standard_normal(shape, dtype=np.float32) * np.float32(scale)


def linear(rng: Generator, params: Arrays, name: str, n_in: int, n_out: int) -> None:
    bound = n_in**-0.5
    params[f"{name}.weight"] = uniform(rng, (n_out, n_in), bound)
    params[f"{name}.bias"] = uniform(rng, (n_out,), bound)


def conv(
    rng: Generator, params: Arrays, name: str, n_in: int, n_out: int, size: int, bias: bool = True
) -> None:
    bound = (n_in * size * size) ** -0.5
    params[f"{name}.weight"] = uniform(rng, (n_out, n_in, size, size), bound * (1 if bias else 1.7))
    if bias:
        params[f"{name}.bias"] = uniform(rng, (n_out,), bound)


def batch_norm(rng: Generator, case: Case, name: str, channels: int) -> None:
    case.params[f"{name}.weight"] = 1 + uniform(rng, (channels,), 0.2)
    case.params[f"{name}.bias"] = uniform(rng, (channels,), 0.1)
    case.buffers[f"{name}.running_mean"] = uniform(rng, (channels,), 0.1)
    case.buffers[f"{name}.running_var"] = 1 + uniform(rng, (channels,), 0.5)
