"""What a cubin says of its kernels is what the compiler reports; cubins need no device."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import graphc
from graphc import nn
from graphc.backends.cuda import compilation
from graphc.backends.cuda.cubin import Resources, report, resources
from graphc.errors import GraphcRuntimeError, GraphcValueError
from tests.cuda.compilers import compilers, needs_compiler

# What 8 blocks of 256 threads leave each thread are 32 registers: 64 values do not fit there.
SOURCE = """
extern "C" __global__ void plain(const float *x, float *y) { y[threadIdx.x] = 2 * x[threadIdx.x]; }
extern "C" __global__ void shared(const float *x, float *y) {
    __shared__ float s[300];
    s[threadIdx.x] = x[threadIdx.x];
    __syncthreads();
    y[threadIdx.x] = s[255 - threadIdx.x];
}
extern "C" __global__ void __launch_bounds__(256, 8) spilled(const float *x, float *y) {
    float v[64];
#pragma unroll
    for (int i = 0; i < 64; ++i) v[i] = x[threadIdx.x + 256 * i];
#pragma unroll
    for (int n = 1; n < 4; ++n) {
#pragma unroll
        for (int i = 0; i < 64; ++i) v[i] = v[i] * v[(i + n) % 64] + 1.0f;
    }
#pragma unroll
    for (int i = 0; i < 64; ++i) y[threadIdx.x + 256 * i] = v[i];
}
extern "C" __global__ void indexed(const int *x, int *y) {
    int v[40];
    for (int i = 0; i < 40; ++i) v[i] = x[i];
    for (int i = 0; i < 40; ++i) v[x[i]] += v[y[i]];
    for (int i = 0; i < 40; ++i) y[i] = v[i];
}
__device__ __noinline__ float called(const float *x, int i) { return i ? called(x, i - 1) : *x; }
extern "C" __global__ void calls(const float *x, float *y) { *y = called(x, threadIdx.x & 3); }
"""
KERNEL = re.compile(
    r"Compiling entry function '(\w+)'(?:.|\n)*?(\d+) bytes stack frame, (\d+) bytes spill stores"
    r"(?:.|\n)*?Used (\d+) registers([^\n]*)"
)
TOTAL, SHARED = re.compile(r"(\d+) bytes cumulative stack"), re.compile(r"(\d+) bytes smem")


def told(log: str) -> dict[str, tuple[int, int, int, int]]:
    """Registers, stack, shared memory and spills of each kernel, as the compiler reports them."""
    found = {}
    for name, frame, spills, registers, rest in KERNEL.findall(log):
        total, shared = TOTAL.search(rest), SHARED.search(rest)
        found[name] = (
            int(registers),
            int(total[1]) if total else int(frame),
            int(shared[1]) if shared else 0,
            int(spills),
        )
    return found


@needs_compiler
@pytest.mark.parametrize("arch", ["sm_80", "sm_90", "sm_90a"])
def test_resources_are_those_that_the_compiler_reports(arch: str) -> None:
    for compiler in compilers():
        image, log = compiler.compiled(SOURCE, arch, "--ptxas-options=-v")
        assert image, log
        hold_to_report(image, log)


def hold_to_report(image: bytes, log: str) -> None:
    said = told(log)
    found = resources(image)
    assert found.keys() == said.keys() == {"plain", "shared", "spilled", "indexed", "calls"}
    assert {k: (x.registers, x.stack, x.shared) for k, x in found.items()} == {
        k: x[:3] for k, x in said.items()
    }
    assert said["spilled"][3] > 0, "the planted spill is none"
    assert found["spilled"].registers == 32 and found["spilled"].stack > 0
    assert found["shared"].shared == 1200
    assert found["plain"].stack == 0 < found["indexed"].stack
    assert all(x.code > 0 for x in found.values())


@needs_compiler
def test_the_report_has_a_line_for_each_kernel() -> None:
    image = compilation.compile(SOURCE, "sm_90")
    head, *lines = report(image).splitlines()
    assert head.split() == ["kernel", "registers", "stack", "shared", "code"]
    assert [x.split()[0] for x in lines] == sorted(resources(image))
    assert Resources(*map(int, lines[0].split()[1:])) == resources(image)["calls"]


@needs_compiler
def test_what_is_no_cubin_is_refused() -> None:
    image = compilation.compile(SOURCE, "sm_90")
    for data in (b"", b"\x7fELF\x01", image[: len(image) // 2], image[:100]):
        with pytest.raises(GraphcValueError, match="no cubin"):
            resources(data)


@needs_compiler
def test_a_model_becomes_a_cubin(tmp_path: Path) -> None:
    """In a process that finds no PyCUDA: neither that nor a device is needed."""
    program = f"""
import sys
sys.modules["pycuda"] = None
import graphc
from graphc import nn
from graphc.backends.cuda.cubin import resources
model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 4))
optimizer = graphc.optim.SGD(model.parameters(), lr=0.1)
def step(x):
    optimizer.zero_grad()
    loss = model(x).square().mean()
    loss.backward()
    optimizer.step()
    return loss
compiled = graphc.compile(step, graphc.ones(3, 8), backend="cuda", arch="sm_90")
assert "__global__" in compiled.source()
kernels = resources(compiled.cubin())
assert all(kernel.registers for kernel in kernels.values())
assert set(kernels) >= {{kernel.name for kernel in compiled.kernels}}
compiled.dump({str(tmp_path)!r})
assert graphc.compile(model, graphc.ones(3, 8), backend="cuda", arch="sm_80").cubin()
try:
    compiled(graphc.ones(3, 8))
except RuntimeError as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == 'CUDA needs PyCUDA: `pip install "graphc[cuda]"`\n'
    image = (tmp_path / "program.cubin").read_bytes()
    assert (tmp_path / "resources.txt").read_text(encoding="utf-8") == f"{report(image)}\n"


def test_without_a_compiler_there_are_sources(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compilation, "_compiler", lambda *_: None)
    model = graphc.compile(nn.Linear(3, 2), graphc.ones(4, 3), backend="cuda", arch="sm_90")
    assert "__global__" in model.source()
    with pytest.raises(GraphcRuntimeError, match=r"needs a compiler.*graphc\[cuda\]"):
        model.cubin()
    model.dump(tmp_path)
    assert "needs a compiler" in (tmp_path / "resources.txt").read_text(encoding="utf-8")
    assert not (tmp_path / "program.cubin").exists()


def test_a_target_is_refused_where_it_means_nothing() -> None:
    model = nn.Linear(3, 2)
    with pytest.raises(GraphcValueError, match="unknown target '90': CUDA names"):
        graphc.compile(model, backend="cuda", arch="90")
    with pytest.raises(GraphcValueError, match="unknown backend 'numpy:sm_90'"):
        graphc.compile(model, backend="numpy", arch="sm_90")
    compiled = graphc.compile(model, graphc.ones(4, 3), backend="numpy")
    with pytest.raises(GraphcRuntimeError, match="backend 'numpy' are no cubins"):
        compiled.cubin()
