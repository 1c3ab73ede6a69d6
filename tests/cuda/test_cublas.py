"""What graphc knows of cuBLASLt's interface is what the library's own header says."""

from __future__ import annotations

from ctypes import c_int, sizeof
from itertools import product
from pathlib import Path

import pytest

from graphc.backends.cuda import cublas
from graphc.backends.cuda.multiplication import Matrix, Problem
from graphc.ir.dtype import float32
from tests.cuda import toolkit

ROOT = toolkit.root()
HEADERS = {
    "declared": toolkit.CUBLAS.declared,
    "nvidia": ROOT and toolkit.header_of(toolkit.CUBLAS, ROOT),
}
pytestmark = pytest.mark.skipif(ROOT is None, reason="there is no CUDA toolkit")


def numbers() -> dict[str, int]:
    """All that stands in the header, by its names there."""
    matrix = Matrix(1, 1, 1)
    found = {f"CUDA_R_{name}": cublas.TYPES[x] for name, x in TYPE_NAMES.items()}
    found |= {f"CUBLASLT_MATMUL_DESC_{k}": v for k, v in cublas.DESCRIPTION.items()}
    found |= {f"CUBLASLT_MATRIX_LAYOUT_{k}": v for k, v in cublas.LAYOUT.items()}
    found |= {f"CUBLASLT_MATMUL_PREF_{k}": v for k, v in cublas.PREFERENCE.items()}
    for activation, bias in product(cublas.EPILOGUES, (False, True)):
        name = "_".join(filter(None, (activation.upper(), "BIAS" * bias))) or "DEFAULT"
        x = Problem(float32, False, 1, matrix, matrix, matrix, bias, activation)
        found[f"CUBLASLT_EPILOGUE_{name}"] = cublas.epilogue(x)
    return {
        **found,
        "CUBLAS_OP_N": int(False),
        "CUBLAS_OP_T": int(True),
        "CUBLAS_STATUS_SUCCESS": 0,
        "CUBLAS_COMPUTE_32F": cublas.COMPUTE,
        "CUBLAS_COMPUTE_32F_FAST_TF32": cublas.COMPUTE_TF32,
        "CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE": cublas.IN_COMPUTE_TYPE,
    }


TYPE_NAMES = {"32F": "float32", "16F": "float16", "16BF": "bfloat16"}
FIELDS = {
    "algo": "algorithm",
    "workspaceSize": "workspace",
    "state": "state",
    "wavesCount": "waves",
    "reserved": "reserved",
}


def layout() -> dict[str, int]:
    """Where the fields of what the library fills in lie."""
    result = "cublasLtMatmulHeuristicResult_t"
    found = {f"offsetof({result}, {k})": getattr(cublas.Found, v).offset for k, v in FIELDS.items()}
    sizes = {
        "cublasLtMatmulAlgo_t": cublas.Algorithm,
        result: cublas.Found,
        "cublasComputeType_t": c_int,
        "cudaDataType_t": c_int,
        "cublasLtEpilogue_t": c_int,
        "cublasOperation_t": c_int,
    }
    return {**found, **{f"sizeof({k})": sizeof(v) for k, v in sizes.items()}}


@pytest.mark.parametrize("which", HEADERS)
def test_the_header_says_the_same(which: str, tmp_path: Path) -> None:
    header = HEADERS[which]
    if header is None:
        pytest.skip("there is no cublasLt.h: a wheel of nvidia-cublas has one")
    facts = (f"{k} == {v}" for k, v in {**numbers(), **layout()}.items())
    toolkit.check_header(toolkit.CUBLAS, header, facts, tmp_path)
