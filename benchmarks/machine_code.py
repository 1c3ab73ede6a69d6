"""What a cubin's instructions cost: read from what ``nvdisasm`` prints of them, without a device.

The costs are cycles of a multiprocessor for an instruction of a warp, by the unit that does it; the
units work at once, and the slowest bounds a loop. Source of the rates: the table "Throughput of
native arithmetic instructions" of NVIDIA's CUDA C++ programming guide, for compute capability 9.0;
those of tensor cores, shared memory, the cache and memory are what graphc chooses tiles by.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from graphc.backends.cuda.tiles import CACHED, RATES, SHARED, STORED
from graphc.backends.cuda.wheels import files

WHEELS = ("cu13/bin", "cuda_nvdisasm/bin", "cuda_nvcc/bin")
"""Where wheels have the disassembler, within the package ``nvidia``."""
LINE = re.compile(r"\s*/\*([0-9a-f]{4,})\*/\s+(?:(@!?U?P\w+)\s+)?([A-Z][\w.]*)\s*(.*?)\s*;")
LABEL = re.compile(r"(\.L_x_\d+):")
KERNEL = re.compile(r"\.section\s+\.text\.(\w+)")
TARGET = re.compile(r"\((\.L_x_\d+)\)")
GROUP_SHAPE = re.compile(r"HGMMA\.(\d+)x(\d+)x(\d+)")
WARP_SHAPE = re.compile(r"HMMA\.168(\d+)")
LANES = 32
GROUP = 4
"""Warps of a warpgroup, each of which has its multiplications among its instructions."""

MATH = ("FFMA", "FMUL", "FADD", "HFMA2", "HADD2", "HMUL2")
INTEGER_MULTIPLY = ("IMAD", "UIMAD")
SPECIAL = ("MUFU", "F2F", "F2I", "I2F", "FRND", "POPC", "FLO", "BREV")
DOUBLE = ("DFMA", "DMUL", "DADD", "DSETP")
CONTROL = (
    *("BRA", "BSSY", "BSYNC", "EXIT", "CALL", "RET", "NOP", "BAR", "WARPSYNC", "ELECT", "SYNCS"),
    *("DEPBAR", "LDGDEPBAR", "WARPGROUP", "FENCE", "MEMBAR", "BREAK", "YIELD", "NANOSLEEP"),
)
UNIFORM = re.compile(r"U[A-Z]|R2UR|S2UR|UMOV|VOTEU")
CYCLES = {"math": 0.25, "multiply": 0.5, "special": 2.0, "double": 0.5, "integer": 0.5}
"""Of arithmetic: 128, 64, 16, 64 and 64 lanes a cycle."""
ISSUE = 0.25
"""Each of four schedulers issues an instruction a cycle."""


@dataclass(frozen=True)
class Instruction:
    """One of a kernel."""

    predicate: str
    name: str
    """With what follows it after dots."""
    operands: str
    place: int
    target: str = ""
    """The label that it goes to, of a branch."""

    @property
    def base(self) -> str:
        """The name alone."""
        return self.name.partition(".")[0]

    @property
    def width(self) -> int:
        """Bytes that each lane reads or writes."""
        parts = self.name.split(".")
        if "LDSM" in parts[0]:
            return 4 * int(parts[-1]) if parts[-1].isdigit() else 4
        for part in parts:
            if part in ("128", "64"):
                return int(part) // 8
            if part in ("U8", "S8", "U16", "S16"):
                return int(part[1:]) // 8
        return 4

    @property
    def unit(self) -> str:
        """What does it."""
        base = self.base
        for unit, names in UNITS.items():
            if base in names:
                return unit
        return "uniform" if UNIFORM.match(base) else "integer"

    @property
    def products(self) -> int:
        """Multiplications with additions of tensor cores."""
        found = GROUP_SHAPE.match(self.name)
        if found:
            rows, columns, depth = map(int, found.groups())
            return rows * columns * depth // GROUP
        found = WARP_SHAPE.match(self.name)
        return 16 * 8 * int(found[1]) if found else 0


UNITS = {
    "tensor": ("HMMA", "HGMMA"),
    "math": MATH,
    "multiply": INTEGER_MULTIPLY,
    "special": SPECIAL,
    "double": DOUBLE,
    "load shared": ("LDS", "LDSM"),
    "store shared": ("STS", "STSM", "ATOMS"),
    "exchange": ("SHFL",),
    "local": ("LDL", "STL"),
    "load": ("LDG", "LD"),
    "store": ("STG", "ST", "RED", "ATOMG"),
    "copy": ("LDGSTS",),
    "bulk": ("UTMALDG", "UBLKCP"),
    "control": CONTROL,
}
"""Names without suffixes, by the unit."""


def tool() -> str:
    """The path of the disassembler.

    Raises:
        RuntimeError: it is not installed.
    """
    home = os.environ.get("CUDA_HOME", "/usr/local/cuda")
    places = [*files(WHEELS, "nvdisasm"), shutil.which("nvdisasm"), f"{home}/bin/nvdisasm"]
    for place in places:
        if place and os.access(place, os.X_OK):
            return place
    raise RuntimeError("nvdisasm is not here: install it with `pip install nvidia-cuda-nvdisasm`")


def disassembled(image: bytes) -> dict[str, list[Instruction]]:
    """The instructions of each kernel of a cubin, without what pads it. Raises as ``tool``."""
    with TemporaryDirectory() as folder:
        place = Path(folder, "program.cubin")
        place.write_bytes(image)
        done = subprocess.run([tool(), "-c", place], capture_output=True, text=True, check=True)
    return parsed(done.stdout)


def parsed(text: str) -> dict[str, list[Instruction]]:
    """The same from the disassembler's text; labels are instructions without a name."""
    found: dict[str, list[Instruction]] = {}
    current: list[Instruction] = []
    for line in text.splitlines():
        kernel = KERNEL.search(line)
        if kernel:
            current = found.setdefault(kernel[1], [])
        label = LABEL.match(line)
        if label:
            current.append(Instruction("", "", "", len(current), label[1]))
        read = LINE.match(line)
        if read:
            predicate, name, operands = read[2] or "", read[3], read[4]
            to = TARGET.search(operands) if name.startswith("BRA") else None
            current.append(
                Instruction(predicate, name, operands, len(current), to[1] if to else "")
            )
    return {name: _without_padding(code) for name, code in found.items()}


def _without_padding(code: list[Instruction]) -> list[Instruction]:
    """Up to the endless loop and the empty instructions that end every kernel."""
    last = len(code)
    while last and code[last - 1].base in ("NOP", "BRA", ""):
        last -= 1
    return code[:last]


@dataclass(frozen=True)
class Loop:
    """Where the instructions that are done again and again begin and end."""

    first: int
    last: int


def loops(code: Sequence[Instruction]) -> list[Loop]:
    """All loops: from a label to a branch that goes back to it."""
    labels = {x.target: i for i, x in enumerate(code) if not x.name}
    back = ((labels.get(x.target), i) for i, x in enumerate(code) if x.base == "BRA")
    return [Loop(first, last) for first, last in back if first is not None and first < last]


def work(code: Sequence[Instruction]) -> float:
    """How much of what a kernel is for is among instructions: products count most."""
    units = Counter(x.unit for x in code if x.name)
    useful = ("math", "special", "double", "load shared", "load", "store", "copy")
    return 1000 * units["tensor"] + sum(units[x] for x in useful)


def loads(code: Sequence[Instruction]) -> float:
    """How many reads of memory there are among instructions."""
    return sum(x.unit == "load" for x in code if x.name)


def hottest(code: Sequence[Instruction]) -> Loop | None:
    """The loop with the most work of those that have no loop with any within them.

    Where the kernel multiplies no tiles, only one that reads memory is what a kernel is about.
    """
    tiled = any(x.name and x.unit in ("tensor", "copy", "bulk") for x in code)
    about = work if tiled else loads
    found = [x for x in loops(code) if about(code[x.first : x.last + 1])]
    inner = [
        x
        for x in found
        if not any(y != x and x.first <= y.first and y.last <= x.last for y in found)
    ]
    return max(inner, key=lambda x: work(code[x.first : x.last + 1]), default=None)


def around(code: Sequence[Instruction], within: Loop, turns: int) -> tuple[Loop, list[Instruction]]:
    """The loop around another one, and what it does where all loops that multiply in it take turns.

    Raises:
        ValueError: there is none.
    """
    found = loops(code)
    outer = [x for x in found if x.first < within.first and within.last < x.last]
    if not outer:
        raise ValueError("there is no loop around the hottest one")
    at = min(outer, key=lambda x: x.last - x.first)
    done = list(code[at.first : at.last + 1])
    for x in found:
        inner = code[x.first : x.last + 1]
        if at.first < x.first and x.last < at.last and any(y.products for y in inner):
            done += list(inner) * (turns - 1)
    return at, done


def cycles(code: Sequence[Instruction], copied: float = 0.0) -> dict[str, float]:
    """Cycles for one warp, by unit; the copy engine brings ``copied`` bytes."""
    found: dict[str, float] = defaultdict(float)
    for x in code:
        if not x.name:
            continue
        found["issue"] += ISSUE
        unit, nbytes = x.unit, LANES * x.width
        if unit in CYCLES:
            found[unit] += CYCLES[unit]
        if unit == "tensor":
            found["tensor"] += _multiplying(x)
        if unit in ("load shared", "store shared", "copy", "exchange", "local"):
            found["shared"] += nbytes / SHARED
        if unit == "tensor" and x.base == "HGMMA":
            found["shared"] += _read_by_group(x) / SHARED
        if unit in ("load", "copy"):
            found["cache"] += nbytes / CACHED
        if unit in ("load", "store"):
            found["memory"] += nbytes / STORED
    found["cache"] += copied / CACHED
    return found


def _multiplying(x: Instruction) -> float:
    """Cycles that tensor cores take."""
    rate = RATES["tf32" if "TF32" in x.name else "half"]
    return x.products / (2 * rate if x.base == "HGMMA" else rate)


def _read_by_group(x: Instruction) -> float:
    """Bytes of shared memory that a warp's share of a warpgroup's multiplication reads."""
    found = GROUP_SHAPE.match(x.name)
    assert found
    rows, columns, depth = map(int, found.groups())
    size = 4 if "TF32" in x.name else 2
    return (rows + columns) * depth * size / GROUP
