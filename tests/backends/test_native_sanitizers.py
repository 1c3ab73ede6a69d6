"""The kernels of generated C under AddressSanitizer and UndefinedBehaviorSanitizer."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from graphc.backends.native.heavy import TABLES
from graphc.backends.native.made import Made, Maker, Setting, Stage
from graphc.backends.native.targets import TARGETS, host
from graphc.ops.pooling import MaxPool
from graphc.testing.table import Sample, table
from tests.backends.native_samples import Use, check_results, node_of, sample_uses, use_of
from tests.backends.native_sanitized import sanitized

MODULES = [x for x in TABLES if find_spec(f"graphc.backends.native.{x}")]
DTYPES = ("float32", "float64", "bfloat16", "int64", "bool")


def claimed(module: str, dtype: str) -> list[tuple[str, Sample, Use]]:
    """The samples of a module's makers, but those that it leaves to other kernels."""
    code = import_module(f"graphc.backends.native.{module}")
    makers: dict[str, Maker] = getattr(code, module.upper())
    known = {name: maker for name, maker in makers.items() if name in table()}
    claims = getattr(code, "claims", lambda node: True)
    return [found for found in sample_uses(known, dtype) if claims(found[2].node)]


def cases() -> list[tuple[str, str]]:
    """Each module with each element type of its samples."""
    found = []
    for module in MODULES:
        rows = [table()[name] for name in TABLES[module].split() if name in table()]
        there = {x.name for row in rows for x in row.dtypes}
        found += [(module, dtype) for dtype in DTYPES if dtype in there]
    return found


def kernel(use: Use, target: str) -> tuple[str, tuple[int, ...]]:
    """A kernel's text and the sizes of its workspaces."""
    made = use.made("kernel", TARGETS[target])
    return made.text, made.workspace


def watched(module: str, dtype: str) -> list[tuple[str, list[tuple[str, Sample, Use]]]]:
    """The samples with the targets for which their kernels are made.

    Those of float32 are there for no instruction set too, where that makes another kernel.
    """
    samples = claimed(module, dtype)
    found = [(host().name, samples)]
    if dtype == "float32":
        known = {kernel(use, host().name) for *_, use in samples}
        found.append(("portable", [x for x in samples if kernel(x[2], "portable") not in known]))
    return [(target, samples) for target, samples in found if samples]


@pytest.mark.parametrize(("module", "dtype"), cases())
def test_nothing_is_found(module: str, dtype: str, tmp_path: Path) -> None:
    """Arrays and workspaces are exactly as large as they are said to be, and aligned no better."""
    for target, found in watched(module, dtype):
        both = sanitized([each for *_, each in found], tmp_path, TARGETS[target])
        for (name, sample, each), runs in zip(found, both, strict=True):
            for results in runs:
                check_results(name, sample, each.node, results)


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("y[8] = x[0];", "heap-buffer-overflow"),
        ("y[0] = x[8];", "heap-buffer-overflow"),
        ("((char *)space)[65] = 1;", "heap-buffer-overflow"),
        ("y[0] = x[0] / (float)(8 / (long)(x[0] * 0));", "division by zero"),
        ("y[0] = (float)*(const double *)(const void *)(x + 1);", "misaligned"),
    ],
)
def test_what_is_wrong_is_found(statement: str, message: str, tmp_path: Path) -> None:
    """A kernel that does wrong stops the program."""

    def wrong(name: str, setting: Setting) -> Made:
        parameters = "long task, const float *x, float *y, int64_t *z, void *space"
        text = f"static void {name}({parameters}) {{ {statement} }}"
        return Made(text, (Stage(name, 1),), (65,))

    x = np.ones((1, 1, 8), np.float32)
    node = node_of(MaxPool((1,), (1,), (0,), (1,), False), x)
    with pytest.raises(AssertionError, match=message):
        sanitized([use_of(wrong, node, x)], tmp_path, host())
