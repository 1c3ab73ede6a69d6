"""Generated C kernels in a program of their own, watched by the compiler's sanitizers."""

from __future__ import annotations

import ctypes
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from graphc.backends.native.compilers import compiler
from graphc.backends.native.flags import FLAGS
from graphc.backends.native.targets import Target
from tests.backends.native_alone import Array
from tests.backends.native_samples import Use, text_of

SANITIZE = (
    "-fsanitize=address,undefined",
    "-fno-sanitize-recover=all",
    "--param=asan-instrumentation-with-call-threshold=0",
    "-g1",
    "-O1",
)
"""Not fewer optimisations than that, for some of the code is only there after inlining. Checks are
calls, and of what is there to debug only lines are told, for these take the compiler less long."""

MAIN = r"""
#include <stdio.h>

/* How large an array's memory is, where its first element lies, and how large one is; results are
   written to the output. */
struct buffer { long bytes, first, item, is_result; };

static void need(int fine) {
    if (!fine) {
        fputs("the driver's files are broken\n", stderr);
        exit(2);
    }
}

/* Runs a kernel on arrays that are allocated exactly, or, `shifted`, end exactly and are aligned to
   their elements alone. */
static void call(void (*run)(void **), const struct buffer *buffers, int count, const long *work,
                 int works, int shifted, FILE *in, FILE *out) {
    char *memory[64];
    void *p[64];
    for (int i = 0; i < count; i++) {
        const long before = shifted && !buffers[i].is_result ? buffers[i].item : 0;
        memory[i] = malloc(before + buffers[i].bytes);
        need(memory[i] != NULL);
        need(fread(memory[i] + before, 1, buffers[i].bytes, in) == (size_t)buffers[i].bytes);
        p[i] = memory[i] + before + buffers[i].first;
    }
    for (int i = 0; i < works; i++) {
        void *space = NULL;
        need(posix_memalign(&space, 64, work[i]) == 0);
        p[count + i] = memory[count + i] = memset(space, 255, work[i]);
    }
    run(p);
    for (int i = 0; i < count; i++)
        if (buffers[i].is_result)
            need(fwrite(memory[i], 1, buffers[i].bytes, out) == (size_t)buffers[i].bytes);
    for (int i = 0; i < count + works; i++) free(memory[i]);
}
"""


def memory_of(x: Array) -> tuple[Array, int]:
    """The memory in which an array's elements lie, as bytes, and where the first of them is."""
    if x.size == 0:
        return np.empty(0, np.uint8), 0
    reach = [stride * (extent - 1) for stride, extent in zip(x.strides, x.shape, strict=True)]
    low, high = sum(r for r in reach if r < 0), sum(r for r in reach if r > 0)
    data = ctypes.string_at(x.ctypes.data + low, high - low + x.itemsize)
    return np.frombuffer(data, np.uint8), -low


def program(uses: Sequence[Use], target: Target) -> tuple[str, bytes]:
    """A C program that runs every kernel twice, and its input."""
    mades = [each.made(f"kernel{i}", target) for i, each in enumerate(uses)]
    arrays = [[*each.operands, *each.results] for each in uses]
    text = [text_of(mades, [len(x) for x in arrays]), MAIN, "int main(int count, char **names) {"]
    text += ["    need(count == 3);"]
    text += ['    FILE *in = fopen(names[1], "rb"), *out = fopen(names[2], "wb");']
    text += ["    need(in != NULL && out != NULL);"]
    data = b""
    for i, (each, made, given) in enumerate(zip(uses, mades, arrays, strict=True)):
        found = [memory_of(x) for x in given]
        rows = [
            f"{{{memory.size}, {first}, {x.itemsize}, {int(j >= len(each.operands))}}}"
            for j, (x, (memory, first)) in enumerate(zip(given, found, strict=True))
        ]
        sizes = ", ".join(map(str, made.workspace)) or "0"
        text += [
            "    {",
            f"        static const struct buffer buffers[] = {{{', '.join(rows)}}};",
            f"        static const long work[] = {{{sizes}}};",
            "        for (int shifted = 0; shifted < 2; shifted++)",
            f"            call(run{i}, buffers, {len(rows)}, work, {len(made.workspace)}, shifted,",
            "                 in, out);",
            "    }",
        ]
        data += b"".join(memory.tobytes() for memory, _ in found) * 2
    text += ["    need(fclose(in) == 0 && fclose(out) == 0);", "    return 0;", "}", ""]
    return "\n".join(text), data


def sanitized(uses: Sequence[Use], folder: Path, target: Target) -> list[list[list[Array]]]:
    """The results of every use, of either run; raises where a sanitizer finds something."""
    text, data = program(uses, target)
    path, binary = folder / "kernels.c", folder / "kernels"
    path.write_text(text)
    (folder / "input").write_bytes(data)
    flags = [*compiler().spelled((*FLAGS, *target.flags)), *SANITIZE]
    command = [*compiler().command, *flags, str(path), "-o", str(binary), "-lm"]
    subprocess.run(command, check=True)
    run = [str(binary), str(folder / "input"), str(folder / "output")]
    options = {"ASAN_OPTIONS": "detect_leaks=0", "UBSAN_OPTIONS": "print_stacktrace=1"}
    done = subprocess.run(run, env={**os.environ, **options}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = np.frombuffer((folder / "output").read_bytes(), np.uint8)
    results, at = [], 0
    for each in uses:
        both = []
        for _ in range(2):
            made = []
            for x in each.results:
                memory, first = memory_of(x)
                part = found[at : at + memory.size]
                at += memory.size
                made.append(np.ndarray(x.shape, x.dtype, part.tobytes(), first, x.strides))
            both.append(made)
        results.append(both)
    assert at == found.size
    return results
