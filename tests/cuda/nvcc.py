"""A program that takes nvcc's arguments, and compiles for the CPU: ``python -m tests.cuda.nvcc``.

``nvcc -cubin -arch=sm_90 [-I folder] [-std=c++17] in.cu -o out`` writes a shared object, which the
stand-in driver loads as if it were a cubin. Where EMULATOR_CHECK is 1 its accesses are checked.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.cuda.emulation import CompileError, digest_of_emulator, library

WITH_VALUE = ("-o", "-I", "-arch", "-gencode", "-std", "-D", "-O", "-Xptxas", "-Xcompiler")


def parsed(arguments: Sequence[str]) -> tuple[list[str], str | None, list[str]]:
    """The sources, the output, and what the preprocessor has to know."""
    sources, output, preprocessor = [], None, []
    rest = iter(arguments)
    for argument in rest:
        if argument in WITH_VALUE:
            value = next(rest)
            if argument == "-o":
                output = value
            elif argument in ("-I", "-D"):
                preprocessor.append(argument + value)
        elif argument.startswith(("-I", "-D")):
            preprocessor.append(argument)
        elif not argument.startswith("-"):
            sources.append(argument)
    return sources, output, preprocessor


def main(arguments: Sequence[str]) -> int:
    """What the program answers."""
    check = os.environ.get("EMULATOR_CHECK", "0") == "1"
    if "--version" in arguments:
        kind = "checked" if check else "plain"
        print(f"CUDA C for the CPU, {kind}\nrelease 13.0, {digest_of_emulator()[:16]}")
        return 0
    sources, output, preprocessor = parsed(arguments)
    if len(sources) != 1:
        print(f"one source is expected, not {len(sources)}", file=sys.stderr)
        return 1
    source = Path(sources[0])
    try:
        text = source.read_text(encoding="utf-8")
        found = library(text, check=check, extra=(*preprocessor, f"-I{source.resolve().parent}"))
    except (OSError, CompileError) as error:
        print(error, file=sys.stderr)
        return 1
    Path(output or source.with_suffix(".cubin").name).write_bytes(found.read_bytes())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
