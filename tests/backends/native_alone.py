"""One generated C kernel, compiled alone and called on numpy arrays."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import ml_dtypes  # noqa: F401  numpy learns bfloat16
import numpy as np

from graphc.backends import disk
from graphc.backends.c_language.types import stored
from graphc.backends.native.compilers import compiler
from graphc.backends.native.flags import FLAGS
from graphc.backends.native.library import prelude
from graphc.backends.native.made import Made, Maker, Setting
from graphc.backends.native.targets import Target, host
from graphc.ir.dtype import dtype_of_numpy
from graphc.ir.node import Node
from graphc.lowering.operands import Operand

Array = np.ndarray[Any, np.dtype[Any]]


def operand_of(array: Array) -> Operand:
    """How the array lies in memory."""
    dtype = dtype_of_numpy(array.dtype)
    assert dtype is not None
    strides = tuple(x // array.itemsize for x in array.strides)
    return Operand(array.shape, strides, dtype)


def source(made: Made, parameters: Sequence[Operand]) -> str:
    """A C file with the kernel and ``run``, which does every task of every stage in order."""
    pointers = [f"(void *)p[{i}]" for i in range(len(parameters) + len(made.workspace))]
    arguments = [*pointers, *(["0"] if made.errors else [])]
    lines = [
        f"    for (long i = 0; i < {stage.tasks}; i++) {stage.function}(i, {', '.join(arguments)});"
        for stage in made.stages
    ]
    run = "\n".join(["void run(void **p) {", *lines, "}"])
    return "\n".join([prelude(made.helpers), made.text, run, ""])


def call(
    maker: Maker,
    node: Node,
    operands: Sequence[Array],
    folder: Path,
    *,
    results: Sequence[Array] | None = None,
    threads: int = 2,
    target: Target | None = None,
    sanitize: bool = False,
) -> list[Array]:
    """The results of a kernel of ``node`` on the arrays, as they lie."""
    target = target or host()
    given = list(operands)
    if results is None:
        results = [np.empty(t.shape, t.dtype.numpy) for t in node.types]
    found = list(results)
    parameters = tuple(operand_of(x) for x in (*given, *found))
    count = len(given)
    setting = Setting(node, parameters[:count], parameters[count:], threads, target)
    made = maker("kernel", setting)
    run = compiled(source(made, parameters), folder, target)
    work = [np.full(n + 64, 255, np.uint8) for n in made.workspace]
    addresses = [x.ctypes.data for x in (*given, *found)]
    addresses += [-(-x.ctypes.data // 64) * 64 for x in work]
    run((ctypes.c_void_p * len(addresses))(*addresses))
    return found


def compiled(text: str, folder: Path, target: Target) -> Any:
    """The function ``run`` of a C file."""
    return library_of(text, folder, target).run


def library_of(text: str, folder: Path, target: Target) -> Any:
    """A C file, compiled without a warning, or found where libraries are kept by what made them."""
    found = compiler()
    warnings = ("-Wall", "-Werror", "-Wno-unused")
    flags = [*found.spelled((*FLAGS, *target.flags)), *warnings, "-shared", "-fPIC"]
    key = disk.key_of((text, *flags, found.identity))
    path = disk.find(key)
    if path is None:
        source = folder / f"kernels{len(list(folder.glob('*.c')))}.c"
        source.write_text(text)
        library = disk.building() / "library.so"
        command = [*found.command, *flags, str(source), "-o", str(library), "-lm"]
        try:
            subprocess.run(command, check=True)
            path = disk.put(key, library)
        finally:
            shutil.rmtree(library.parent)
    return ctypes.CDLL(str(path))


__all__ = ["call", "compiled", "library_of", "operand_of", "source", "stored"]
