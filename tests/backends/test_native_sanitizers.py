"""The kernels of generated C under AddressSanitizer and UndefinedBehaviorSanitizer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from graphc.backends.native.made import Made, Setting, Stage
from graphc.backends.native.targets import TARGETS, host
from graphc.ops.pooling import MaxPool
from graphc.testing.table import Sample
from tests.backends.native_samples import (
    Use,
    check_results,
    claimed_uses,
    node_of,
    samples_by_module,
    use_of,
)
from tests.backends.native_sanitized import sanitized

DTYPES = ("float32", "float64", "bfloat16", "int64", "bool")


def kernel(use: Use, target: str) -> tuple[str, tuple[int, ...]]:
    """A kernel's text and the sizes of its workspaces."""
    made = use.made("kernel", TARGETS[target])
    return made.text, made.workspace


def watched(module: str, dtype: str) -> list[tuple[str, list[tuple[str, Sample, Use]]]]:
    """The samples with the targets for which their kernels are made.

    Those of float32 are there for no instruction set too, where that makes another kernel.
    """
    samples = claimed_uses(module, dtype)
    found = [(host().name, samples)]
    if dtype == "float32":
        known = {kernel(use, host().name) for *_, use in samples}
        found.append(("portable", [x for x in samples if kernel(x[2], "portable") not in known]))
    return [(target, samples) for target, samples in found if samples]


@pytest.mark.parametrize(("module", "dtype"), samples_by_module(DTYPES))
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
