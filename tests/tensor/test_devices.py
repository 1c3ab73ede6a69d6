"""Devices by name, and what is said where there is no CUDA device that could be used."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import graphc

MISSING = {
    "no PyCUDA": (None, 'CUDA needs PyCUDA: `pip install "graphc[cuda]"`'),
    "no driver": (
        'raise ImportError("libcuda.so.1: cannot open shared object file")',
        "PyCUDA does not find NVIDIA's driver: libcuda.so.1: cannot open shared object file",
    ),
    "a driver that fails": (
        "class Error(Exception): pass\ndef init(): raise Error('no CUDA-capable device')",
        "NVIDIA's driver does not work: no CUDA-capable device",
    ),
    "no device": (
        "class Error(Exception): pass\ndef init(): pass\n"
        "class Device:\n    count = staticmethod(lambda: 0)",
        "there is no CUDA device",
    ),
}
"""What stands in the place of PyCUDA's driver module, and what is missing then."""
PROGRAM = """
import sys
if {hidden}:
    class Hidden:
        def find_spec(self, name, path=None, target=None):
            if name.partition(".")[0] == "pycuda":
                raise ModuleNotFoundError("No module named 'pycuda'", name="pycuda")
    sys.meta_path.insert(0, Hidden())
import graphc as torch
print(torch.cuda.is_available(), torch.cuda.device_count(), torch.cuda.why_not())
print(torch.backends.status()["cuda"])
for attempt in (
    lambda: torch.ones(2, device="cuda"),
    lambda: torch.ones(2).cuda(),
    lambda: torch.nn.Linear(2, 2).to("cuda:0"),
    lambda: torch.cuda.get_device_name(),
    lambda: torch.cuda.synchronize(),
):
    try:
        attempt()
    except RuntimeError as error:
        print(str(error).splitlines()[0])
torch.cuda.empty_cache()
device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
print((torch.ones(2, device=device) * 2).tolist(), torch.compile(lambda x: x + 1)(torch.ones(1)))
"""


@pytest.mark.parametrize("what", MISSING)
def test_what_is_missing_is_named(what: str, tmp_path: Path) -> None:
    text, why = MISSING[what]
    if text is not None:
        (tmp_path / "pycuda").mkdir()
        (tmp_path / "pycuda" / "__init__.py").write_text("")
        (tmp_path / "pycuda" / "driver.py").write_text(text)
    program = f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
    program += PROGRAM.format(hidden=text is None)
    command = [sys.executable, "-c", program]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    assert said[:2] == [f"False 0 {why}", f"does not work: {why}"]
    assert said[2:7] == [f"No CUDA GPUs are available: {why}"] * 5
    assert said[7:] == ["[2.0, 2.0] tensor([2.])"]


def test_the_default_device_of_a_block() -> None:
    with graphc.device("cpu") as place:
        assert str(place) == "cpu"
        assert graphc.ones(2).device == place
    with pytest.raises(RuntimeError, match="Expected one of cpu, cuda device type"):
        graphc.set_default_device("nowhere")
    assert str(graphc.get_default_device()) == "cpu"
