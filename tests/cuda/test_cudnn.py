"""What graphc knows of cuDNN's interface is what the library's own header says."""

from __future__ import annotations

from ctypes import c_int, sizeof
from pathlib import Path

import pytest

from graphc.backends.cuda import cudnn
from tests.cuda import toolkit

ROOT = toolkit.root()
FOUND = ROOT and toolkit.header_of(toolkit.CUDNN, ROOT)
HEADERS = [toolkit.CUDNN.declared, *([FOUND] if FOUND else [])]
"""NVIDIA's own where its package is installed, which is as large as all that is tested here."""
pytestmark = pytest.mark.skipif(ROOT is None, reason="there is no CUDA toolkit")

TYPE_NAMES = {"FLOAT": "float32", "HALF": "float16", "BFLOAT16": "bfloat16"}
KINDS = {"forward": "FWD", "input": "BWD_DATA", "weight": "BWD_FILTER"}
RESULTS = ("FwdAlgo", "BwdDataAlgo", "BwdFilterAlgo")
FIELDS = {
    "algo": "algorithm",
    "status": "status",
    "time": "time",
    "memory": "workspace",
    "determinism": "determinism",
    "mathType": "math",
    "reserved": "reserved",
}


def numbers() -> dict[str, int]:
    """All that stands in the header, by its names there."""
    found = {f"CUDNN_DATA_{name}": cudnn.TYPES[x] for name, x in TYPE_NAMES.items()}
    for kind, algorithms in cudnn.PLAIN.items():
        for name, number in algorithms.items():
            found[f"CUDNN_CONVOLUTION_{KINDS[kind]}_ALGO_{name}"] = number
    return {
        **found,
        "CUDNN_STATUS_SUCCESS": 0,
        "CUDNN_TENSOR_NCHW": cudnn.CHANNELS_FIRST,
        "CUDNN_TENSOR_NHWC": cudnn.CHANNELS_LAST,
        "CUDNN_CROSS_CORRELATION": cudnn.CORRELATION,
        "CUDNN_DEFAULT_MATH": cudnn.DEFAULT,
        "CUDNN_TENSOR_OP_MATH": cudnn.TENSOR_CORES,
        "CUDNN_FMA_MATH": cudnn.MULTIPLY_ADD,
        "CUDNN_DETERMINISTIC": cudnn.REPEATABLE,
        "sizeof(cudnnDataType_t)": sizeof(c_int),
        "sizeof(cudnnMathType_t)": sizeof(c_int),
    }


def layout() -> dict[str, int]:
    """Where the fields of what the library fills in lie."""
    found: dict[str, int] = {}
    for kind in RESULTS:
        result = f"cudnnConvolution{kind}Perf_t"
        found[f"sizeof({result})"] = sizeof(cudnn.Found)
        for name, field in FIELDS.items():
            found[f"offsetof({result}, {name})"] = getattr(cudnn.Found, field).offset
    return found


@pytest.mark.parametrize("header", HEADERS, ids=lambda x: x.name)
def test_the_header_says_the_same(header: Path, tmp_path: Path) -> None:
    counts = (f"CUDNN_CONVOLUTION_{kind}_ALGO_COUNT <= {cudnn.ALL}" for kind in KINDS.values())
    equal = (f"{name} == {value}" for name, value in {**numbers(), **layout()}.items())
    toolkit.check_header(toolkit.CUDNN, header, (*equal, *counts), tmp_path)
