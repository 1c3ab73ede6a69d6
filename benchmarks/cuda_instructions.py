"""What NVIDIA's compiler made of graphc's CUDA kernels, and what that predicts, without a device.

    python -m benchmarks.cuda_instructions chain_bf16 matmul_4096_bf16 --arch sm_90

For each kernel: registers of a thread, bytes of shared memory and of spilled registers of a block,
and the warps that a multiprocessor has at once; the instructions of the hottest loop, by kind; the
cycles that each unit needs for one turn of it by all warps of a block, of which the largest is the
bound, and the share of it that the kernel's limit takes. ``rest`` is what comes before and after
the loop. A kernel without a loop is taken whole; ``--turns`` takes the loop around attention's over
columns. Latencies are not counted, nor are conflicts of
shared memory's banks: the share is the most that the instructions allow. It needs ``nvdisasm``,
of the package nvidia-cuda-nvdisasm.
"""

from __future__ import annotations

import argparse
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

from benchmarks.cuda_programs import PROGRAMS
from benchmarks.machine_code import Instruction, around, cycles, disassembled, hottest

REGISTERS = 64 * 1024
WARPS, BLOCKS = 64, 32
"""The most that a multiprocessor has at once."""
SHARED = {"sm_80": 164 * 1024, "sm_90": 228 * 1024}
"""Bytes of shared memory, by processor; others are taken for ``sm_90``."""
RESERVED = 1024
"""Bytes of it that each block has besides its own."""
BROUGHT = re.compile(r"barrier_expect\(barrier, (\d+)\)")
"""What the copy engine brings in a turn."""
SUMMARY = re.compile(r'/\* ([^\n]*?)(?: \*/)?\nextern "C" __global__ [^(]*\([^)]*\) (\w+)\(')
KINDS = {
    "mma": ("tensor",),
    "fp": ("math", "double"),
    "mufu": ("special",),
    "int": ("integer",),
    "imad": ("multiply",),
    "uni": ("uniform",),
    "ctl": ("control",),
}
"""Columns of the table, and their units."""


@dataclass(frozen=True)
class Examined:
    """A kernel as it was compiled."""

    name: str
    summary: str
    registers: int
    stack: int
    shared: int
    threads: int
    resident: int
    """Blocks that a multiprocessor has at once."""
    loop: Sequence[Instruction]
    rest: Sequence[Instruction]
    brought: int

    @property
    def warps(self) -> int:
        """Warps of a block."""
        return -(-self.threads // 32)

    @property
    def units(self) -> dict[str, float]:
        """Cycles of each unit for a turn of the loop by all warps of a block."""
        found = cycles(self.loop, self.brought / self.warps)
        return {unit: x * self.warps for unit, x in found.items()}

    @property
    def limit(self) -> str:
        """The unit that should bound the kernel: what it is for."""
        kinds = Counter(x.unit for x in self.loop if x.name)
        if kinds["tensor"]:
            return "tensor"
        return "math" if kinds["load shared"] and not kinds["load"] else "memory"

    @property
    def bound(self) -> tuple[str, float]:
        """The slowest unit and its cycles; memory counts where it is the limit, else the cache."""
        units = self.units
        units.pop("cache" if self.limit == "memory" else "memory", None)
        return max(units.items(), key=lambda x: x[1])

    @property
    def share(self) -> float:
        """What the limit takes of the bound."""
        return self.units.get(self.limit, 0.0) / self.bound[1]

    @property
    def outside(self) -> float:
        """Cycles of the slowest unit for what is done once."""
        found = cycles(self.rest)
        found.pop("memory", None)
        return max(found.values(), default=0.0) * self.warps

    def row(self) -> dict[str, str]:
        """What the table shows."""
        kinds = Counter(x.unit for x in self.loop if x.name)
        unit, most = self.bound
        return {
            "kernel": self.name,
            "regs": str(self.registers),
            "shared": str(self.shared),
            "stack": str(self.stack),
            "warps": f"{self.resident} x {self.warps}",
            "loop": str(sum(kinds.values())),
            **{key: str(sum(kinds[x] for x in of)) for key, of in KINDS.items()},
            "lds": widths(self.loop, "load shared"),
            "sts": widths(self.loop, "store shared"),
            "ldg": widths(self.loop, "load"),
            "stg": widths(self.loop, "store"),
            "cp": widths(self.loop, "copy"),
            "bound": f"{unit} {most:.0f}",
            "limit": f"{self.limit} {100 * self.share:.0f} %",
            "rest": f"{self.outside:.0f}",
        }


def widths(code: Sequence[Instruction], unit: str) -> str:
    """How many accesses of each width, in bytes of a thread, such as ``4x16 1x4``."""
    found = Counter(x.width for x in code if x.name and x.unit == unit)
    return " ".join(f"{n}x{width}" for width, n in sorted(found.items(), reverse=True)) or "-"


def resident(registers: int, shared: int, threads: int, arch: str) -> int:
    """Blocks that a multiprocessor has at once."""
    warps = -(-threads // 32)
    of_warp = -(-registers * 32 // 256) * 256
    room = SHARED.get(arch.rstrip("a"), SHARED["sm_90"])
    return min(BLOCKS, WARPS // warps, REGISTERS // of_warp // warps, room // (shared + RESERVED))


def examined(name: str, arch: str, turns: int = 0) -> Iterator[Examined]:
    """The kernels of a program, in the order in which they are launched first.

    With ``turns`` it is the loop around the hottest one, which is done so many times within.
    """
    import graphc
    from graphc.backends.cuda.cubin import resources

    function, given = PROGRAMS[name]()
    compiled = graphc.compile(function, *given, backend="cuda", arch=arch)
    image, sources = compiled.cubin(), compiled.last.program.sources
    code, taken = disassembled(image), resources(image)
    summaries = {function: text for text, function in SUMMARY.findall(sources.text)}
    texts: Mapping[str, str] = {k.name: k.text for k in compiled.kernels}
    launches: dict[str, Any] = {}
    for step in sources.facts["cuda"].steps:
        launch = getattr(step, "launch", None)
        if launch is not None:
            launches.setdefault(launch.function, launch)
    for function_name, launch in launches.items():
        found, instructions = taken[function_name], code[function_name]
        threads, shared = prod(launch.block), found.shared + launch.shared
        at = hottest(instructions)
        loop = list(instructions[at.first : at.last + 1]) if at else instructions
        if turns and at and any(x.products for x in loop):
            at, loop = around(instructions, at, turns)
        rest = [*instructions[: at.first], *instructions[at.last + 1 :]] if at else []
        brought = BROUGHT.search(texts.get(function_name, ""))
        yield Examined(
            function_name,
            summaries.get(function_name, ""),
            found.registers,
            found.stack,
            shared,
            threads,
            resident(found.registers, shared, threads, arch),
            loop,
            rest,
            int(brought[1]) if brought else 0,
        )


def table(kernels: Sequence[Examined]) -> str:
    """The rows, aligned, each after what the kernel computes."""
    rows = [x.row() for x in kernels]
    wide = {key: max(len(key), *(len(x[key]) for x in rows)) for key in rows[0]}
    lines = ["  ".join(key.ljust(wide[key]) for key in rows[0]).rstrip()]
    for kernel, row in zip(kernels, rows, strict=True):
        if kernel.summary:
            lines.append(f"  {kernel.summary}")
        lines.append("  ".join(x.ljust(wide[key]) for key, x in row.items()).rstrip())
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.cuda_instructions",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", choices=[[], *PROGRAMS], help="all if none is named")
    parser.add_argument("--arch", default="sm_90")
    told = "the loop around the hottest one, which takes so many turns within it"
    parser.add_argument("--turns", type=int, default=0, help=told)
    options = parser.parse_args(arguments)
    for name in options.names or PROGRAMS:
        kernels = list(examined(name, options.arch, options.turns))
        print(f"\n{name} for {options.arch}\n{table(kernels)}", flush=True)


if __name__ == "__main__":
    main()
