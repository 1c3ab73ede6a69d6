"""CUDA sources are compiled by NVIDIA's compiler, and what is missing is named."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from graphc.backends import disk
from graphc.backends.cuda import compilation, libcuda, nvrtc
from graphc.backends.cuda.cubin import Resources
from graphc.backends.cuda.nvrtc import Nvrtc
from graphc.errors import GraphcRuntimeError
from graphc.ir.dtype import DType, bfloat16, float32, float64, int16
from graphc.testing.table import table
from tests.cuda import bounds
from tests.cuda.compilers import needs_compiler

LAUNCHED = """
extern "C" __global__ void doubled(const float *x, float *y) {
    y[threadIdx.x] = 2 * x[threadIdx.x]
}
"""


SAMPLES = 3
"""Of each row; ``python -m tests.cuda.bounds`` takes all, of all types."""


@needs_compiler
@pytest.mark.parametrize("arch", bounds.ARCHS)
@pytest.mark.parametrize("dtype", [float32, float64, bfloat16, int16], ids=lambda d: d.name)
def test_kernels_keep_within_bounds(dtype: DType, arch: str) -> None:
    """They compile, nothing is spilled, and what they take is what the template may take."""
    rows = [x for x in table().values() if dtype in x.dtypes]
    kernels = bounds.held(bounds.graph_of(rows, dtype, SAMPLES), arch)
    assert len(kernels) > len(rows)
    assert not [str(x) for x in kernels if x.broken()]


@needs_compiler
def test_a_kernel_beyond_its_bounds_is_named() -> None:
    """A spill, a kernel that is too large to launch, and a template without bounds."""
    kernel = bounds.Kernel("k", "rows.cu.j2", "", frozenset([(1024, 1, 1)]))
    right = Resources(registers=32, stack=0, shared=0, code=1)
    assert not bounds.Held(kernel, "sm_90", right).broken()
    for change, said in (
        ({"stack": 8}, "8 bytes of local memory, not at most 0"),
        ({"registers": 65}, "65 registers, not at most 40"),
        ({"shared": 9000}, "9000 bytes of shared memory, not at most 8448"),
    ):
        assert bounds.Held(kernel, "sm_90", replace(right, **change)).broken() == [said]
    large = replace(right, registers=72)
    product = replace(kernel, template="matrices.cu.j2")
    (said,) = bounds.Held(product, "sm_90", large).broken()
    assert said == "72 registers, not at most 64"
    unknown = replace(kernel, template="unheard_of.cu.j2")
    assert "no bounds" in bounds.Held(unknown, "sm_90", right).broken()[0]


@needs_compiler
def test_a_compilers_message_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRAPHC_CACHE_DIR", str(tmp_path))
    with pytest.raises(GraphcRuntimeError) as caught:
        compilation.compile(LAUNCHED, "sm_90")
    said = str(caught.value)
    assert 'error: expected a ";"' in said
    assert "\n    4 | }" in said, "the line that the compiler names is shown"
    (kept,) = tmp_path.glob("*.cu")
    assert str(kept) in said
    assert kept.read_text(encoding="utf-8") == LAUNCHED


@needs_compiler
@pytest.mark.parametrize("damage", ["cut", "changed", "empty", "unsummed"])
def test_a_broken_cubin_is_compiled_again(
    damage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRAPHC_CACHE_DIR", str(tmp_path))
    source = LAUNCHED.replace("[threadIdx.x]\n", "[threadIdx.x];\n")
    whole = compilation.compile(source, "sm_90")
    (path,) = tmp_path.glob("*.cubin")
    assert path.read_bytes() == whole
    if damage == "unsummed":
        path.with_suffix(".sum").unlink()
    else:
        changed = bytes([*whole[:300], whole[300] ^ 1, *whole[301:]])
        path.write_bytes({"cut": whole[:500], "changed": changed, "empty": b""}[damage])
    assert compilation.compile(source, "sm_90") == whole
    assert path.read_bytes() == whole
    assert disk.read(path.stem, "cubin") == whole


@needs_compiler
def test_a_cubin_is_compiled_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRAPHC_CACHE_DIR", str(tmp_path))
    source = LAUNCHED.replace("[threadIdx.x]\n", "[threadIdx.x];\n")
    first = compilation.compile(source, "sm_90")
    with monkeypatch.context() as context:
        context.setattr(type(compilation.compiler()), "compiled", None)
        assert compilation.compile(source, "sm_90") == first


def test_another_build_of_a_library_is_another(tmp_path: Path) -> None:
    """Builds of one version may compile differently, and a library tells its version alone."""
    path = tmp_path / "libnvrtc.so.13"
    path.write_bytes(b"one")
    first = Nvrtc(str(path), (13, 0)).identity
    assert first.splitlines()[-1] == "NVRTC 13.0"
    path.write_bytes(b"another")
    second = Nvrtc(str(path), (13, 0)).identity
    assert first != second
    assert Nvrtc(str(path), (13, 1)).identity != second


@pytest.mark.parametrize(("driver", "chosen"), [(None, 13), (14, 13), (13, 13), (12, 12), (11, 13)])
def test_the_library_is_no_newer_than_the_driver(
    driver: int | None, chosen: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of several that are installed; where all are newer, loading what it makes will tell."""
    there = [Nvrtc(f"libnvrtc.so.{major}", (major, 0)) for major in (13, 12)]
    monkeypatch.setattr(nvrtc, "_found", lambda: iter(there))
    monkeypatch.setattr(libcuda, "major_version", lambda: driver)
    found = nvrtc.find()
    assert found is not None
    assert found.version[0] == chosen


def test_what_is_missing_is_named() -> None:
    """In a process that finds no PyCUDA, whatever is installed here."""
    program = """
import sys
sys.modules["pycuda"] = None
import graphc
from graphc.backends import find, status
from graphc.compiler import Program
from graphc.ir.dtype import float32
from graphc.ir.graph import Graph
from graphc.ir.node import make_input
from graphc.ir.types import TensorType
x = make_input("x", TensorType((3,), float32))
print(status()["cuda"])
try:
    Program(Graph((x,), (x + 1.0,)), find("cuda"))
except RuntimeError as error:
    print(error)
print(graphc.tensor([1.0, 2.0]).sum().item())
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    first, second, third = done.stdout.splitlines()
    assert 'CUDA needs PyCUDA: `pip install "graphc[cuda]"`' in first
    assert second == 'CUDA needs PyCUDA: `pip install "graphc[cuda]"`'
    assert third == "3.0"


def test_no_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("CUDA_HOME", "/nowhere")
    monkeypatch.setattr("graphc.backends.cuda.nvrtc.find", lambda: None)
    with pytest.raises(GraphcRuntimeError, match=r"needs a compiler.*graphc\[cuda\]"):
        compilation.compiler()
