"""A program that takes nvcc's arguments after a folder of its own, and compiles for the CPU.

``python -S -m tests.cuda.nvcc CACHE -cubin -arch=sm_90 [-I folder] in.cu -o out`` writes a shared
object, which the stand-in driver loads as if it were a cubin. With GRAPHC_TEST_CHECK=1 its accesses
are checked.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.cuda.translation import compiled, digest

WITH_VALUE = ("-o", "-I", "-arch", "-gencode", "-std", "-D", "-O", "-Xptxas", "-Xcompiler")


def parsed(arguments: Sequence[str]) -> tuple[list[str], str | None, list[str]]:
    """The sources, the output, and what the preprocessor has to know."""
    sources: list[str] = []
    output: str | None = None
    preprocessor: list[str] = []
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
    check = os.environ.get("GRAPHC_TEST_CHECK", "0") == "1"
    if "--version" in arguments:
        # The two kinds differ here, or a cache by version would take one for the other.
        print("the CUDA emulator", digest()[:16], "checked" if check else "plain")
        return 0
    folder, *rest = arguments
    sources, output, preprocessor = parsed(rest)
    if len(sources) != 1:
        print(f"one source is expected, not {len(sources)}", file=sys.stderr)
        return 1
    source = Path(sources[0])
    try:
        text = source.read_text(encoding="utf-8")
        made = compiled(text, Path(folder), check=check, extra=preprocessor)
    except (OSError, RuntimeError) as error:
        print(error, file=sys.stderr)
        return 1
    Path(output or source.with_suffix(".cubin").name).write_bytes(made)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
