"""graphc: PyTorch programs as one static graph, rendered as source that can be read."""

from __future__ import annotations

from graphc import surface
from graphc.ir.dtype import bool_ as bool
from graphc.ir.dtype import float32, float64, int64
from graphc.tensor import Tensor

globals().update(surface.install())

from graphc import random, sampling
from graphc.random import Generator, manual_seed

sampling.install()
globals().update(sampling.NAMESPACE)
