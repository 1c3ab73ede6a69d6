"""The heavy kernels of the numpy backend: each a generated function that writes into `out`."""

from __future__ import annotations

from .common import Rendered
from .convolution import convolution, convolution_input_grad, convolution_weight_grad

__all__ = [
    "Rendered",
    "convolution",
    "convolution_input_grad",
    "convolution_weight_grad",
]
