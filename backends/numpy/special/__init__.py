"""The heavy kernels of the numpy backend: each a generated function that writes into `out`."""

from __future__ import annotations

from graphc.backends.numpy.special.common import Rendered
from graphc.backends.numpy.special.convolution import (
    convolution,
    convolution_input_grad,
    convolution_weight_grad,
    output_sizes,
)
from graphc.backends.numpy.special.indexing import (
    embedding_grad,
    gather,
    index,
    index_put,
    indexed_shape,
    scatter,
    take,
)
from graphc.backends.numpy.special.pooling import (
    average_pool,
    average_pool_grad,
    max_pool,
    max_pool_grad,
    pool_output_sizes,
)
from graphc.backends.numpy.special.random import (
    integers,
    normal,
    permutation,
    philox,
    philox_blocks,
    uniform,
)
from graphc.backends.numpy.special.scan_sort import argsort, cumulative, sort, top_k

__all__ = [
    "Rendered",
    "argsort",
    "average_pool",
    "average_pool_grad",
    "convolution",
    "convolution_input_grad",
    "convolution_weight_grad",
    "cumulative",
    "embedding_grad",
    "gather",
    "index",
    "index_put",
    "indexed_shape",
    "integers",
    "max_pool",
    "max_pool_grad",
    "normal",
    "output_sizes",
    "permutation",
    "philox",
    "philox_blocks",
    "pool_output_sizes",
    "scatter",
    "sort",
    "take",
    "top_k",
    "uniform",
]
