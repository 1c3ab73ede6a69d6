"""Modules, parameters and the functions they are made of, under PyTorch's names."""

from __future__ import annotations

from graphc.nn import functional, init, modules, parallel, parameter, utils
from graphc.nn.modules import *  # noqa: F403  (the layers, listed in modules.__all__)
from graphc.nn.parallel import DataParallel
from graphc.nn.parameter import (
    Buffer,
    Parameter,
    UninitializedBuffer,
    UninitializedParameter,
)

__all__ = [
    *modules.__all__,
    "Buffer",
    "DataParallel",
    "Parameter",
    "UninitializedBuffer",
    "UninitializedParameter",
    "functional",
    "init",
    "parallel",
    "parameter",
    "utils",
]
