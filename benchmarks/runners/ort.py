"""ONNX Runtime on the models that torch.onnx exports; inference only."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnxruntime

from benchmarks.cases import Case
from benchmarks.runners import Job, Unsupported
from benchmarks.workloads import WORKLOADS

DISTRIBUTIONS = ("onnxruntime",)
SETTINGS = onnxruntime.SessionOptions()


def start(threads: int) -> dict[str, Any]:
    SETTINGS.intra_op_num_threads = threads
    SETTINGS.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    return {"onnxruntime": onnxruntime.__version__, "threads": threads}


def build(name: str, case: Case) -> Job:
    if WORKLOADS[name].kind != "infer":
        raise Unsupported("inference only")
    with TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        export = [sys.executable, "-m", "benchmarks.runners.onnx_export", name, str(path)]
        subprocess.run(export, check=True, stdout=sys.stderr)
        session = onnxruntime.InferenceSession(
            str(path), SETTINGS, providers=["CPUExecutionProvider"]
        )
    x = case.inputs["x"]
    y = np.empty(session.run(None, {"x": x})[0].shape, np.float32)
    binding = session.io_binding()
    binding.bind_cpu_input("x", x)
    binding.bind_ortvalue_output("y", onnxruntime.OrtValue.ortvalue_from_numpy(y))
    return Job(
        lambda: session.run_with_iobinding(binding), lambda _: [binding.copy_outputs_to_cpu()[0]]
    )
