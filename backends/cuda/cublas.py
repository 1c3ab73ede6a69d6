"""cuBLASLt, NVIDIA's library of products, through ctypes: it need not be there.

Source: the cuBLAS library's reference, "Using the cuBLASLt API", and ``cublasLt.h``.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping
from ctypes import byref, c_float, c_int, c_size_t, c_uint64, c_void_p, sizeof
from functools import cache, partial
from typing import Any

from graphc.backends.cuda.by_library import WORKSPACE
from graphc.backends.cuda.external import Descriptors, External, find, needed
from graphc.backends.cuda.multiplication import Matrix, Multiplication, Problem

NAMES = ("libcublasLt.so.13", "libcublasLt.so.12")
WHEELS = ("cu13/lib", "cublas/lib")
"""Where the wheels of CUDA 13 and 12 have the library, within the package ``nvidia``."""
TYPES = {"float32": 0, "float16": 2, "bfloat16": 14}
"""``cudaDataType``."""
SUMS = TYPES["float32"]
COMPUTE, COMPUTE_TF32 = 68, 77
"""``CUBLAS_COMPUTE_32F`` and ``CUBLAS_COMPUTE_32F_FAST_TF32``."""
DESCRIPTION = {"TRANSA": 3, "TRANSB": 4, "EPILOGUE": 7, "BIAS_POINTER": 8}
"""``CUBLASLT_MATMUL_DESC_...``"""
LAYOUT = {"BATCH_COUNT": 5, "STRIDED_BATCH_OFFSET": 6}
"""``CUBLASLT_MATRIX_LAYOUT_...``"""
PREFERENCE = {
    "MAX_WORKSPACE_BYTES": 1,
    "REDUCTION_SCHEME_MASK": 3,
    "MIN_ALIGNMENT_A_BYTES": 5,
    "MIN_ALIGNMENT_B_BYTES": 6,
    "MIN_ALIGNMENT_C_BYTES": 7,
    "MIN_ALIGNMENT_D_BYTES": 8,
}
"""``CUBLASLT_MATMUL_PREF_...``"""
IN_COMPUTE_TYPE = 2
"""``CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE``: parts of sums are added before they are rounded."""
EPILOGUES = {"": 1, "relu": 2, "gelu": 32}
WITH_BIAS = 4
"""``CUBLASLT_EPILOGUE_...``; that with a bias alone is no sum with the default one."""


class Algorithm(ctypes.Structure):
    """``cublasLtMatmulAlgo_t``: how a product is computed, which only the library can read."""

    _fields_ = [("data", c_uint64 * 8)]


class Found(ctypes.Structure):
    """``cublasLtMatmulHeuristicResult_t``."""

    _fields_ = [
        ("algorithm", Algorithm),
        ("workspace", c_size_t),
        ("state", c_int),
        ("waves", c_float),
        ("reserved", c_int * 4),
    ]


def epilogue(x: Problem) -> int:
    """``cublasLtEpilogue_t``: what becomes of the sums."""
    found = EPILOGUES[x.activation]
    if not x.bias:
        return found
    return found | WITH_BIAS if x.activation else WITH_BIAS


class Library(External):
    """The library as it was loaded."""

    name, prefix, tells = "cuBLASLt", "cublasLt", "GetStatusString"

    def __init__(self, loaded: Any) -> None:
        super().__init__(loaded)
        loaded.cublasLtMatrixLayoutCreate.argtypes = [
            c_void_p, c_int, c_uint64, c_uint64, ctypes.c_int64,
        ]  # fmt: skip
        loaded.cublasLtMatmul.argtypes = [*[c_void_p] * 14, c_size_t, c_void_p]


@cache
def library() -> Library | None:
    """The library, where it can be loaded."""
    return find(Library, NAMES, WHEELS)


class Plan(Descriptors):
    """A problem as the library has it described, on a device in whose context the caller is."""

    def __init__(self, library: Library, device: Any, x: Problem) -> None:
        super().__init__(library)
        self.device, self.problem = device, x
        self.handle = library.handle(device)
        compute = COMPUTE_TF32 if x.tf32 else COMPUTE
        self.description = self._new("MatmulDesc", c_int(compute), c_int(SUMS))
        # Its columns are our rows: the right operand comes first.
        self.a, self.b, self.d = (self._layout(m) for m in (x.right, x.left, x.result))
        self._describe("TRANSA", c_int(x.right.transposed))
        self._describe("TRANSB", c_int(x.left.transposed))
        self._describe("EPILOGUE", c_int(epilogue(x)))
        self.one, self.zero = c_float(1), c_float(0)

    def _new(self, kind: str, *arguments: Any) -> c_void_p:
        return self.new(f"{kind}Create", f"{kind}Destroy", *arguments)

    def _set(self, kind: str, which: c_void_p, number: int, value: Any) -> None:
        put = getattr(self.library.loaded, f"cublasLt{kind}SetAttribute")
        self.library.check(put(which, number, byref(value), c_size_t(sizeof(value))))

    def _describe(self, name: str, value: Any) -> None:
        self._set("MatmulDesc", self.description, DESCRIPTION[name], value)

    def _layout(self, x: Matrix) -> c_void_p:
        kind = TYPES[self.problem.dtype.name]
        made = self._new("MatrixLayout", kind, x.rows, x.columns, x.line)
        if self.problem.batch > 1:
            batch, apart = c_int(self.problem.batch), ctypes.c_int64(x.apart)
            self._set("MatrixLayout", made, LAYOUT["BATCH_COUNT"], batch)
            self._set("MatrixLayout", made, LAYOUT["STRIDED_BATCH_OFFSET"], apart)
        return made

    def algorithms(self, count: int, bias: int) -> list[tuple[bytes, int]]:
        """The ways that the library would take, the best first, and the bytes that each needs.

        ``bias`` is an address that is aligned as that of the bias will be.
        """
        x = self.problem
        if x.bias:
            self._describe("BIAS_POINTER", c_void_p(bias))
        preference = self._new("MatmulPreference")
        aligned = (x.right.alignment, x.left.alignment, x.result.alignment, x.result.alignment)
        values: Mapping[str, Any] = {
            "MAX_WORKSPACE_BYTES": c_uint64(WORKSPACE),
            "REDUCTION_SCHEME_MASK": ctypes.c_uint32(IN_COMPUTE_TYPE),
            **{
                f"MIN_ALIGNMENT_{letter}_BYTES": ctypes.c_uint32(n)
                for letter, n in zip("ABCD", aligned, strict=True)
            },
        }
        for name, value in values.items():
            self._set("MatmulPreference", preference, PREFERENCE[name], value)
        results, number = (Found * count)(), c_int()
        status = self.library.loaded.cublasLtMatmulAlgoGetHeuristic(
            self.handle, self.description, self.a, self.b, self.d, self.d, preference,
            c_int(count), results, byref(number),
        )  # fmt: skip
        if status:  # there is none for such a product
            return []
        found = (results[i] for i in range(number.value))
        return [(bytes(each.algorithm), each.workspace) for each in found if not each.state]

    def run(self, algorithm: Algorithm, addresses: Mapping[str, int], workspace: int) -> None:
        """Give the product to the device's stream."""
        if self.problem.bias:
            self._describe("BIAS_POINTER", c_void_p(addresses["bias"]))
        self.library.check(
            self.library.loaded.cublasLtMatmul(
                self.handle, self.description,
                byref(self.one), addresses["right"], self.a, addresses["left"], self.b,
                byref(self.zero), addresses["result"], self.d, addresses["result"], self.d,
                byref(algorithm), addresses.get("workspace"), workspace,
                self.device.stream.handle,
            )
        )  # fmt: skip


def issue(device: Any, given: Multiplication, named: Mapping[str, int]) -> Callable[[], None]:
    """What gives a product to the device's stream, over arguments at these addresses."""
    plan = Plan(needed(library(), Library.name, given.function), device, given.problem)
    algorithm = Algorithm.from_buffer_copy(given.algorithm)
    return partial(plan.run, algorithm, named, given.workspace)
