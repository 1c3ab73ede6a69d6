"""Programs written by hand in C, with the interface of generated ones."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

from graphc.backend import Sources
from graphc.backends.native.executable import Interface, NativeExecutable
from graphc.ir.dtype import DType, float32
from graphc.ir.types import TensorType

FRAME = """
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static void one_by_one(void (*task)(long), long count) {{
    for (long i = 0; i < count; i++) task(i);
}}
static void (*parallel)(void (*)(long), long) = one_by_one;
static void *const *state, *const *given;
{globals}
void graphc_connect(void (*pool)(void (*)(long), long)) {{ parallel = pool; }}
int64_t graphc_step(void *const *states, void *const *arrays, int64_t *value) {{
    state = states, given = arrays;
    (void)value;
{body}
    return 0;
}}
"""


def typed(*shape: int, dtype: DType = float32) -> TensorType:
    """The type of an array."""
    return TensorType(shape, dtype)


def sources(
    body: str,
    inputs: tuple[TensorType, ...] = (),
    outputs: tuple[TensorType, ...] = (),
    *,
    globals: str = "",
    state: tuple[TensorType, ...] = (),
    written: tuple[int, ...] = (),
    written_inputs: tuple[int, ...] = (),
    errors: tuple[tuple[str, str, str], ...] = (),
    light: bool = False,
    threads: int = 1,
    target: str = "portable",
) -> Sources:
    """A program whose step is ``body``."""
    interface = Interface(
        inputs, state, written, outputs, errors, light, threads, target, written_inputs
    )
    text = FRAME.format(globals=globals, body=body)
    return Sources(text, (), "c", 0, {"native": interface})


def executable(
    body: str,
    inputs: tuple[TensorType, ...] = (),
    outputs: tuple[TensorType, ...] = (),
    **settings: object,
) -> NativeExecutable:
    """The same, compiled."""
    return NativeExecutable(sources(body, inputs, outputs, **settings))  # type: ignore[arg-type]


def run_python(script: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A script in a process of its own, which can import this module."""
    return subprocess.run(
        [sys.executable, "-c", dedent(script)],
        cwd=Path(__file__).parents[2],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
