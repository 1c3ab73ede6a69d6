"""PyCUDA on the stand-in driver: what waits for what, capture, memory, errors, several devices."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.cuda import toolkit
from tests.cuda.session import environment

pytestmark = [
    pytest.mark.network,
    pytest.mark.skipif(toolkit.root() is None, reason="there is no CUDA toolkit"),
]
START = '''
import ctypes, os, pathlib, subprocess, tempfile
import numpy as np
import pycuda.driver as cuda

SOURCE = """
__device__ int calls[4];
extern "C" __global__ void twice(const float *x, float *y, int n) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) y[i] = 2 * x[i];
}
extern "C" __global__ void __launch_bounds__(64) late(float *x) {
    extern __shared__ float s[];
    s[threadIdx.x] = x[threadIdx.x];
    __syncthreads();
    x[threadIdx.x] = s[blockDim.x - 1 - threadIdx.x];
}
"""
def compiled(source):
    folder = pathlib.Path(tempfile.mkdtemp())
    (folder / "a.cu").write_text(source)
    nvcc = [os.environ["GRAPHC_NVCC"], "-cubin", "-arch=sm_90", "-std=c++17"]
    subprocess.run([*nvcc, str(folder / "a.cu"), "-o", str(folder / "a.cubin")], check=True)
    return (folder / "a.cubin").read_bytes()
def pinned(value):
    made = cuda.pagelocked_empty(100, np.float32)
    made[:] = value
    return made
cuda.init()
context = cuda.Device(0).retain_primary_context()
context.push()
module = cuda.module_from_buffer(compiled(SOURCE))
twice = module.get_function("twice").prepare("PPi")
x, y = pinned(1), pinned(7)
a, b = cuda.mem_alloc(400), cuda.mem_alloc(400)
stream, other = cuda.Stream(1), cuda.Stream(1)
def launch(to, given=a, made=b):
    twice.prepared_async_call((1, 1), (128, 1, 1), to, given, made, 100)
try:
'''
END = """
finally:
    context.pop()
"""


def run(body: str, **settings: str) -> None:
    """Run a program whose assertions are the test."""
    lines = "".join(f"    {line}\n" for line in body.strip().splitlines())
    command = [sys.executable, "-c", START + lines + END]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env={**environment(), **settings}
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_work_is_done_when_it_is_waited_for() -> None:
    run(
        """
cuda.memcpy_htod_async(a, x, stream)
launch(stream)
cuda.memcpy_dtoh_async(y, b, stream)
assert (y == 7).all()
other.synchronize()
assert (y == 7).all()
stream.synchronize()
assert (y == 2).all()
x[:] = 5
cuda.memcpy_htod_async(a, x, stream)
x[:] = 6
stream.synchronize()
cuda.memcpy_dtoh(y, a)
assert (y == 6).all(), "pinned memory is read when the copy is done"
"""
    )


def test_a_copy_to_ordinary_memory_is_done_when_it_returns() -> None:
    run(
        """
plain = np.full(100, 3, np.float32)
cuda.memcpy_htod_async(a, plain, stream)
plain[:] = 4
launch(stream)
cuda.memcpy_dtoh_async(plain, b, stream)
assert (plain == 6).all()
"""
    )


def test_streams_wait_for_the_default_one_unless_they_say_no() -> None:
    run(
        """
ordinary = cuda.Stream(0)
cuda.memcpy_htod(a, x)
cuda.memcpy_htod(b, y)
launch(ordinary)
out = np.empty(100, np.float32)
cuda.memcpy_dtoh(out, b)
assert (out == 2).all()
cuda.memcpy_htod(b, y)
launch(stream)
cuda.memcpy_dtoh(out, b)
assert (out == 7).all(), "the stream does not wait for the default one, nor that for it"
"""
    )


def test_events() -> None:
    run(
        """
first, last = cuda.Event(), cuda.Event()
cuda.memcpy_htod(a, x)
first.record(stream)
launch(stream)
last.record(stream)
other.wait_for_event(last)
cuda.memcpy_dtoh_async(y, b, other)
other.synchronize()
assert (y == 2).all()
assert last.query() and last.time_since(first) >= 0
x[:] = 4
cuda.memcpy_htod_async(a, x, stream)
first.record(stream)
launch(stream)
cuda.memcpy_dtoh_async(y, b, stream)
first.synchronize()
assert (y == 2).all()
stream.synchronize()
assert (y == 8).all()
"""
    )


CAPTURE = """
library = ctypes.CDLL("libcuda.so.1")
handle, graph, made = ctypes.c_void_p(stream.handle), ctypes.c_void_p(), ctypes.c_void_p()
def begin(mode=2):
    assert library.cuStreamBeginCapture_v2(handle, mode) == 0
def end():
    return library.cuStreamEndCapture(handle, ctypes.byref(graph))
"""


def test_a_graph_is_replayed() -> None:
    run(
        CAPTURE
        + """
event = cuda.Event()
begin()
cuda.memcpy_htod_async(a, x, stream)
event.record(stream)
other.wait_for_event(event)
launch(other)
back = cuda.Event()
back.record(other)
stream.wait_for_event(back)
cuda.memcpy_dtoh_async(y, b, stream)
assert end() == 0
count = ctypes.c_size_t()
assert library.cuGraphGetNodes(graph, None, ctypes.byref(count)) == 0 and count.value == 3
assert library.cuGraphInstantiateWithFlags(ctypes.byref(made), graph, ctypes.c_ulonglong(0)) == 0
assert library.cuGraphDestroy(graph) == 0
context.synchronize()
assert (y == 7).all(), "nothing was done while it was captured"
for value in (1, 3):
    x[:] = value
    assert library.cuGraphLaunch(made, handle) == 0
    assert (y != 2 * value).all()
    stream.synchronize()
    assert (y == 2 * value).all()
assert library.cuGraphExecDestroy(made) == 0
"""
    )


def test_what_a_capture_forbids() -> None:
    run(
        CAPTURE
        + """
begin()
assert library.cuStreamSynchronize(handle) == 900
assert end() == 901
begin(mode=0)
place = ctypes.c_uint64()
assert library.cuMemAlloc_v2(ctypes.byref(place), ctypes.c_size_t(64)) == 900
assert end() == 901
begin(mode=2)
assert library.cuMemAlloc_v2(ctypes.byref(place), ctypes.c_size_t(64)) == 0
assert end() == 0
assert library.cuStreamBeginCapture_v2(None, 2) == 900
"""
    )


def test_memory_runs_out_and_comes_back() -> None:
    run(
        """
free, total = cuda.mem_get_info()
assert total == 1000000 and free == total - 800
held = cuda.mem_alloc(900000)
try:
    cuda.mem_alloc(200000)
except cuda.MemoryError:
    pass
else:
    raise AssertionError("there was memory")
held.free()
assert cuda.mem_get_info()[0] == free
cuda.mem_alloc(200000).free()
""",
        GRAPHC_TEST_MEMORY="1000000",
    )


def test_several_devices() -> None:
    run(
        """
assert cuda.Device.count() == 3
second = cuda.Device(2).retain_primary_context()
second.push()
assert cuda.Context.get_device() == cuda.Device(2)
free = cuda.mem_get_info()[0]
c, d = cuda.mem_alloc(400), cuda.mem_alloc(400)
assert cuda.mem_get_info()[0] == free - 800
second.pop()
assert cuda.Context.get_device() == cuda.Device(0)
assert cuda.mem_get_info()[0] == free - 800
try:
    cuda.Device(3)
except cuda.LogicError as error:
    assert "invalid device ordinal" in str(error)
else:
    raise AssertionError("there was a device")
""",
        GRAPHC_TEST_DEVICES="3",
    )


def test_errors_are_told_where_they_are_waited_for() -> None:
    run(
        """
launch(stream, made=int(b) + 4)
launch(stream, given=b, made=a)
try:
    stream.synchronize()
except cuda.Error as error:
    assert "in twice" in str(error) and "out of bounds: write" in str(error), error
    assert "kernels.cpp:5" in str(error), error
else:
    raise AssertionError("there was no error")
""".replace("launch(stream, made", "cuda.memcpy_htod(a, x)\nlaunch(stream, made"),
        GRAPHC_TEST_CHECK="1",
    )
    run(
        """
try:
    launch(stream)
    stream.synchronize()
except cuda.Error as error:
    assert "uninitialised: read of global memory" in str(error), error
else:
    raise AssertionError("there was no error")
cuda.memcpy_htod(a, x)
launch(stream)
stream.synchronize()
""",
        GRAPHC_TEST_CHECK="1",
    )


def test_launches_that_cannot_be() -> None:
    run(
        """
late = module.get_function("late")
def refused(said, **how):
    try:
        late(a, **how)
    except cuda.Error as error:
        assert said in str(error), error
    else:
        raise AssertionError(said)
refused("too many resources", block=(65, 1, 1), grid=(1, 1))
refused("invalid argument", block=(2000, 1, 1), grid=(1, 1))
refused("invalid argument", block=(64, 1, 1), grid=(1, 1), shared=60000)
late.set_attribute(cuda.function_attribute.MAX_DYNAMIC_SHARED_SIZE_BYTES, 60000)
cuda.memcpy_htod(a, np.arange(100, dtype=np.float32))
late(a, block=(64, 1, 1), grid=(1, 1), shared=60000)
cuda.memcpy_dtoh(y, a)
assert (y[:64] == np.arange(64)[::-1]).all()
try:
    cuda.module_from_buffer(b"\\x7fELF" + bytes(200))
except cuda.Error as error:
    assert "no kernel image" in str(error)
else:
    raise AssertionError("a kernel for another processor")
place, size = module.get_global("calls")
assert size == 16
cuda.memcpy_htod(place, np.arange(4, dtype=np.int32))
out = np.empty(4, np.int32)
cuda.memcpy_dtoh(out, place)
assert out.tolist() == [0, 1, 2, 3]
"""
    )
