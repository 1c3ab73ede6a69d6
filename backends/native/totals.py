"""The C statements around a loop in which something is added up."""

from __future__ import annotations

from dataclasses import dataclass

from graphc.backends.c_language.statements import CLAUSE, start_of
from graphc.backends.c_language.types import computed
from graphc.lowering.kernel import Reduction


@dataclass(frozen=True)
class Total:
    """Where a reduction that is a result is added up: memory of the computed type."""

    reduction: Reduction
    name: str
    """The pointer."""
    strides: tuple[int, ...]


def begun(x: Reduction, lanes: int) -> list[str]:
    """Declarations of a total, or of its lanes, if there are any."""
    kind, start = computed(x.value.dtype), start_of(x.op, x.value.dtype)
    if not lanes:
        return [f"{kind} {x.value.name} = {start};"]
    name = f"{x.value.name}_lanes"
    if start == "0":
        return [f"{kind} {name}[{lanes}] = {{0}};"]
    return [f"{kind} {name}[{lanes}];", f"for (long l = 0; l < {lanes}; l++) {name}[l] = {start};"]


def ended(x: Reduction, lanes: int) -> tuple[str, str]:
    """The statement that takes lanes together to a total, and the helper that it calls."""
    kind = computed(x.value.dtype)
    helper = f"{x.op}_of_{lanes}_{kind}"
    return f"{kind} {x.value.name} = {helper}({x.value.name}_lanes);", helper


def clause(x: Reduction) -> str:
    """What tells a loop without lanes that it adds up."""
    if x.op in ("max", "min") and x.value.dtype.is_floating_point:
        return f" reduction({x.op}_nan:{x.value.name})"
    return f" reduction({CLAUSE[x.op]}:{x.value.name})"
