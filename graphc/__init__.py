"""graphc: PyTorch programs as one static graph, rendered as source that can be read."""

from __future__ import annotations

from importlib import import_module
from math import e, inf, nan, pi
from typing import Any

from graphc import amp as amp
from graphc import autograd as autograd
from graphc import backends as backends
from graphc import (
    choices,
    counts,
    data_dependent,
    factories,
    foreach,
    from_data,
    histograms,
    low_rank,
    methods,
    operators,
    queries,
    sampling,
    segments,
    settings,
    shape_changes,
    short_time,
    strided_views,
    surface,
    view_copies,
    window_functions,
)
from graphc import cuda as cuda
from graphc import distributed as distributed
from graphc import fft as fft
from graphc import linalg as linalg
from graphc import nn as nn
from graphc import optim as optim
from graphc import random as random
from graphc import serialization as serialization
from graphc import special as special
from graphc import utils as utils
from graphc.amp import (
    GradScaler,
    autocast,
    get_autocast_dtype,
    is_autocast_enabled,
    set_autocast_dtype,
    set_autocast_enabled,
)
from graphc.autograd.anomaly import set_anomaly_enabled
from graphc.autograd.grad_mode import (
    enable_grad,
    inference_mode,
    is_grad_enabled,
    is_inference_mode_enabled,
    no_grad,
    set_grad_enabled,
)
from graphc.compiled import compile
from graphc.device import Device, device
from graphc.errors import GraphcError
from graphc.from_data import tensor
from graphc.ir.dtype import (
    DType,
    bfloat16,
    complex64,
    complex128,
    float16,
    float32,
    float64,
    get_default_dtype,
    int8,
    int16,
    int32,
    int64,
    set_default_dtype,
    uint8,
)
from graphc.layout import (
    channels_last,
    channels_last_3d,
    contiguous_format,
    memory_format,
    preserve_format,
    strided,
)
from graphc.printing import get_printoptions, set_printoptions
from graphc.random import Generator, get_rng_state, initial_seed, manual_seed, seed, set_rng_state
from graphc.serialization import load, save
from graphc.size import Size
from graphc.tensor import Tensor
from graphc.threads import get_num_threads, set_num_threads
from graphc.typename import typename

__version__ = "0.1.0"

dtype = DType
newaxis = None

_functions = surface.install()
methods.install()
globals().update(
    {
        **_functions,
        **sampling.NAMESPACE,
        **factories.NAMESPACE,
        **from_data.NAMESPACE,
        **queries.NAMESPACE,
        **methods.NAMESPACE,
        **data_dependent.NAMESPACE,
        **shape_changes.NAMESPACE,
        **strided_views.NAMESPACE,
        **window_functions.NAMESPACE,
        **settings.NAMESPACE,
        **short_time.NAMESPACE,
        **choices.NAMESPACE,
        **foreach.NAMESPACE,
        **view_copies.NAMESPACE,
        **operators.NAMESPACE,
        **histograms.NAMESPACE,
        **segments.NAMESPACE,
        **low_rank.NAMESPACE,
        **counts.NAMESPACE,
    }
)


def __getattr__(name: str) -> Any:
    """What few programs need is imported when it is first asked for."""
    if name in ("distributions", "func", "jit", "signal"):
        return import_module(f"graphc.{name}")
    if name == "vmap":
        return import_module("graphc.func").vmap
    raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
