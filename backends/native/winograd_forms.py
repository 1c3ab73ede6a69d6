"""Winograd's transformations for kernels of three elements, by tiles of two or four of the result.

A tile of the result, with as many elements more as the kernel is long less one, are values of a
product of two polynomials: of the operand's elements and of the kernel's. Both are taken at a few
points, multiplied there, and the product's coefficients are found again.

The points of the larger form are 0, the square roots of 1/2 and 2 with both signs, and infinity:
since they are each other's inverses, no number that is met becomes large. With the whole numbers
0, 1, -1, 2, -2 that are used elsewhere, errors are about four times as large.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt


@dataclass(frozen=True)
class Form:
    """The transformations along one dimension: formulas of what comes out by what goes in."""

    size: int
    """Elements of the result in a tile."""
    operand: tuple[str, ...]
    weights: tuple[str, ...]
    result: tuple[str, ...]
    spread: tuple[str, ...]
    """From the gradient of the result to the points; the adjoint of ``result``."""
    gathered: tuple[str, ...]
    """From the points to the gradient of the weights; the adjoint of ``weights``."""

    @property
    def points(self) -> int:
        """At how many points the polynomials are taken."""
        return self.size + 2


def _large() -> Form:
    near, far = sqrt(0.5), sqrt(2)
    even = {"near": "{4} - 2.0f * {2}", "far": "{4} - 0.5f * {2}"}
    odd = {
        "near": f"{near!r}f * ({{3}} - 2.0f * {{1}})",
        "far": f"{far!r}f * ({{3}} - 0.5f * {{1}})",
    }
    operand = (
        "{0} + ({4} - 2.5f * {2})",
        f"({even['near']}) + {odd['near']}",
        f"({even['near']}) - {odd['near']}",
        f"({even['far']}) + {odd['far']}",
        f"({even['far']}) - {odd['far']}",
        "{1} + ({5} - 2.5f * {3})",
    )
    third, sixth = repr(-2 / 3), repr(1 / 6)
    weights = (
        "{0}",
        f"{third}f * ({{0}} + 0.5f * {{2}} + {near!r}f * {{1}})",
        f"{third}f * ({{0}} + 0.5f * {{2}} - {near!r}f * {{1}})",
        f"{sixth}f * ({{0}} + 2.0f * {{2}} + {far!r}f * {{1}})",
        f"{sixth}f * ({{0}} + 2.0f * {{2}} - {far!r}f * {{1}})",
        "{2}",
    )
    sums, differences = ("({1} + {2})", "({3} + {4})"), ("({1} - {2})", "({3} - {4})")
    result = (
        f"{{0}} + {sums[0]} + {sums[1]}",
        f"{near!r}f * {differences[0]} + {far!r}f * {differences[1]}",
        f"0.5f * {sums[0]} + 2.0f * {sums[1]}",
        f"{{5}} + {near / 2!r}f * {differences[0]} + {far * 2!r}f * {differences[1]}",
    )
    halves = "{0} + 0.5f * {2}", f"{near!r}f * ({{1}} + 0.5f * {{3}})"
    twice = "{0} + 2.0f * {2}", f"{far!r}f * ({{1}} + 2.0f * {{3}})"
    spread = (
        "{0}",
        f"({halves[0]}) + {halves[1]}",
        f"({halves[0]}) - {halves[1]}",
        f"({twice[0]}) + {twice[1]}",
        f"({twice[0]}) - {twice[1]}",
        "{3}",
    )
    gathered = (
        f"{{0}} + {third}f * {sums[0]} + {sixth}f * {sums[1]}",
        f"{-2 / 3 * near!r}f * {differences[0]} + {far / 6!r}f * {differences[1]}",
        f"{{5}} + {-1 / 3!r}f * {sums[0]} + {1 / 3!r}f * {sums[1]}",
    )
    return Form(4, operand, weights, result, spread, gathered)


SMALL_FORM = Form(
    2,
    ("{0} - {2}", "{1} + {2}", "{2} - {1}", "{1} - {3}"),
    ("{0}", "0.5f * ({0} + {2} + {1})", "0.5f * ({0} + {2} - {1})", "{2}"),
    ("{0} + {1} + {2}", "{1} - {2} - {3}"),
    ("{0}", "{0} + {1}", "{0} - {1}", "-{1}"),
    ("{0} + 0.5f * ({1} + {2})", "0.5f * ({1} - {2})", "0.5f * ({1} + {2}) + {3}"),
)
LARGE_FORM = _large()
FORMS = (SMALL_FORM, LARGE_FORM)
