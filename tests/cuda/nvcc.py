"""Takes nvcc's arguments, and compiles for the CPU."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from tests.cuda.emulation import digest, library


def main(arguments: list[str]) -> int:
    """``-cubin -arch=sm_90 program.cu -o program.cubin``, or ``--version``."""
    if "--version" in arguments:
        print("the CUDA emulator", digest()[:16])
        return 0
    (source,) = (x for x in arguments if x.endswith(".cu"))
    target = arguments[arguments.index("-o") + 1]
    check = bool(os.environ.get("GRAPHC_TEST_CHECK"))
    try:
        made = library(Path(source).read_text(encoding="utf-8"), check=check)
    except RuntimeError as error:
        print(error, file=sys.stderr)
        return 1
    Path(target).write_bytes(made.read_bytes())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
