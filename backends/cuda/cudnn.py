"""cuDNN, NVIDIA's library of convolutions, through ctypes: it need not be there.

Source: ``cudnn_cnn.h`` and ``cudnn_ops.h`` of cuDNN 9, and its reference, "Legacy API". Only
algorithms are taken that add up the products themselves, in the same order every time.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping
from ctypes import byref, c_float, c_int, c_size_t, c_void_p
from functools import cache, partial
from typing import Any

from graphc.backends.cuda.by_library import WORKSPACE
from graphc.backends.cuda.correlation import CALLED, ORDER, Correlation, Images, Kind, Problem
from graphc.backends.cuda.external import Descriptors, External, find, needed
from graphc.ir.dtype import float32

NAME = "libcudnn.so.9"
WHEELS = ("cudnn/lib",)
"""Where the wheels have the library, within the package ``nvidia``."""
TYPES = {"float32": 0, "float16": 2, "bfloat16": 9}
"""``cudnnDataType_t``."""
SUMS = TYPES["float32"]
CHANNELS_FIRST, CHANNELS_LAST = 0, 1
"""``CUDNN_TENSOR_NCHW`` and ``CUDNN_TENSOR_NHWC``."""
CORRELATION = 1
"""``CUDNN_CROSS_CORRELATION``: the kernel is not turned round."""
DEFAULT, TENSOR_CORES, MULTIPLY_ADD = 0, 1, 3
"""``CUDNN_DEFAULT_MATH``, ``CUDNN_TENSOR_OP_MATH`` and ``CUDNN_FMA_MATH``."""
REPEATABLE = 1
"""``CUDNN_DETERMINISTIC``."""
FOUND_BY: dict[Kind, str] = {
    "forward": "cudnnGetConvolutionForwardAlgorithm_v7",
    "input": "cudnnGetConvolutionBackwardDataAlgorithm_v7",
    "weight": "cudnnGetConvolutionBackwardFilterAlgorithm_v7",
}
PLAIN: dict[Kind, dict[str, int]] = {
    "forward": {"IMPLICIT_GEMM": 0, "IMPLICIT_PRECOMP_GEMM": 1, "GEMM": 2, "DIRECT": 3},
    "input": {"1": 1},
    "weight": {"1": 1},
}
"""Algorithms that are neither Winograd's nor by Fourier transforms, nor add by atomics."""
ALL = 8
"""No kind has more algorithms."""


class Found(ctypes.Structure):
    """``cudnnConvolutionFwdAlgoPerf_t``, and the same of the gradients."""

    _fields_ = [
        ("algorithm", c_int),
        ("status", c_int),
        ("time", c_float),
        ("workspace", c_size_t),
        ("determinism", c_int),
        ("math", c_int),
        ("reserved", c_int * 3),
    ]


class Library(External):
    """The library as it was loaded."""

    name, prefix, tells = "cuDNN", "cudnn", "GetErrorString"

    def __init__(self, loaded: Any) -> None:
        super().__init__(loaded)
        for name in CALLED.values():
            getattr(loaded, name).argtypes = [
                *[c_void_p] * 7, c_int, c_void_p, c_size_t, *[c_void_p] * 3,
            ]  # fmt: skip


@cache
def library() -> Library | None:
    """The library, where it can be loaded."""
    return find(Library, (NAME,), WHEELS)


class Plan(Descriptors):
    """A problem as the library has it described, on a device in whose context the caller is."""

    def __init__(self, library: Library, device: Any, x: Problem) -> None:
        super().__init__(library)
        self.device, self.problem = device, x
        self.handle = library.handle(device)
        layout = CHANNELS_LAST if x.channels_last else CHANNELS_FIRST
        weight = self._new("Filter")
        self._set("FilterNd", weight, TYPES[x.dtype.name], layout, len(x.w), _integers(x.w))
        self.described = {"x": self._images(x.x), "w": weight, "y": self._images(x.y)}
        self.how = self._new("Convolution")
        moves = (_integers(n) for n in (x.padding, x.stride, x.dilation))
        self._set("ConvolutionNd", self.how, len(x.stride), *moves, CORRELATION, SUMS)
        library.check(library.loaded.cudnnSetConvolutionGroupCount(self.how, x.groups))
        self.one, self.zero = c_float(1), c_float(0)

    def _new(self, kind: str) -> c_void_p:
        return self.new(f"Create{kind}Descriptor", f"Destroy{kind}Descriptor")

    def _set(self, kind: str, which: c_void_p, *values: Any) -> None:
        put = getattr(self.library.loaded, f"cudnnSet{kind}Descriptor")
        self.library.check(put(which, *values))

    def _images(self, x: Images) -> c_void_p:
        made, kind = self._new("Tensor"), TYPES[self.problem.dtype.name]
        self._set("TensorNd", made, kind, len(x.shape), _integers(x.shape), _integers(x.strides))
        return made

    def multiply_by(self, math: int) -> None:
        """Say what multiplies."""
        self.library.check(self.library.loaded.cudnnSetConvolutionMathType(self.how, math))

    def algorithms(self, count: int) -> list[tuple[int, int, int]]:
        """The ways that the library would take, the best first: algorithm, math and workspace."""
        x = self.problem
        is_exact = x.dtype is float32 and not x.tf32
        self.multiply_by(MULTIPLY_ADD if is_exact else TENSOR_CORES)
        allowed = (MULTIPLY_ADD,) if is_exact else (DEFAULT, TENSOR_CORES, MULTIPLY_ADD)
        first, second, third = (self.described[name] for name in ORDER[x.kind])
        results, number = (Found * ALL)(), c_int()
        status = getattr(self.library.loaded, FOUND_BY[x.kind])(
            self.handle, first, second, self.how, third, ALL, byref(number), results
        )
        if status:  # there is none for such a convolution
            return []
        plain = PLAIN[x.kind].values()
        return [
            (each.algorithm, each.math, each.workspace)
            for each in results[: number.value]
            if each.status == 0
            and each.determinism == REPEATABLE
            and each.algorithm in plain
            and each.math in allowed
            and each.workspace <= WORKSPACE
        ][:count]

    def run(self, algorithm: int, addresses: Mapping[str, int], workspace: int) -> None:
        """Give the convolution to the device's stream."""
        library, kind = self.library, self.problem.kind
        stream = c_void_p(self.device.stream.handle)
        library.check(library.loaded.cudnnSetStream(self.handle, stream))
        (a, b, result) = ((self.described[x], addresses[x]) for x in ORDER[kind])
        library.check(
            getattr(library.loaded, CALLED[kind])(
                self.handle, byref(self.one), *a, *b, self.how, algorithm,
                addresses.get("workspace"), workspace, byref(self.zero), *result,
            )
        )  # fmt: skip


def _integers(values: tuple[int, ...]) -> Any:
    return (c_int * len(values))(*values)


def issue(device: Any, given: Correlation, named: Mapping[str, int]) -> Callable[[], None]:
    """What gives a convolution to the device's stream, over arguments at these addresses."""
    plan = Plan(needed(library(), Library.name, given.function), device, given.problem)
    plan.multiply_by(given.math)
    return partial(plan.run, given.algorithm, named, given.workspace)
