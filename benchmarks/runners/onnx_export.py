"""`python -m benchmarks.runners.onnx_export WORKLOAD FILE`: the PyTorch model as an ONNX file.

A program of its own, so that PyTorch and its threads stay out of the process that times ONNX
Runtime.
"""

from __future__ import annotations

import sys

import torch

from benchmarks.runners.models import make_model
from benchmarks.workloads import WORKLOADS


def main() -> None:
    name, path = sys.argv[1:]
    case = WORKLOADS[name].case()
    model = make_model(name, case).eval().requires_grad_(False)
    torch.onnx.export(
        model,
        (torch.from_numpy(case.inputs["x"]),),
        path,
        opset_version=20,
        input_names=["x"],
        output_names=["y"],
        dynamo=True,
        external_data=False,
    )


if __name__ == "__main__":
    main()
