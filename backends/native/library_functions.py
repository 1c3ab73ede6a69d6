"""The mathematical functions of the library: for each name the template, and the block in it.

What one of them calls itself is read off its text.
"""

from __future__ import annotations

from collections.abc import Iterator

from graphc.backends.c_language.functions import SMALL_ROTATIONS, Function, each_type, integers
from graphc.backends.native import mathematics, radix, turning
from graphc.backends.native.mathematics import TYPES

LIBM = (
    *("log10", "sqrt", "sin", "cos", "tan", "asin", "acos", "atan"),
    *("sinh", "cosh", "asinh", "acosh", "atanh", "erfc"),
)


def _all() -> Iterator[tuple[str, Function]]:
    for name in ("bits_of_float", "float_of_bits", "bits_of_double", "double_of_bits"):
        yield name, Function("bits.c.j2", name)
    for kind in ("float16", "bfloat16"):
        for name in ("widen", "narrow", "round", "nextafter"):
            yield f"{name}_{kind}", Function("low_precision.c.j2", f"{name}_{kind}")
    yield from each_type(
        "math_basic.c.j2",
        "maximum minimum fmax fmin abs sign signbit floor ceil trunc round relu copysign "
        "floor_divide remainder fmod nextafter logaddexp rsqrt int32_of int64_of",
        TYPES,
    )
    for kind, ulp in mathematics.ULP["hypot"].items():
        yield f"hypot_{kind}", Function("math_basic.c.j2", f"hypot_{kind}", {"ulp": ulp})
    yield from each_type(
        "math_integer.c.j2",
        "maximum minimum abs sign pow floor_divide remainder fmod gcd shift_left shift_right",
        integers(wraps=True),
    )
    for name in LIBM:
        for types in TYPES:
            yield (
                f"{name}_{types['t']}",
                Function("math_libm.c.j2", "unary", {**types, "name": name}),
            )
    for name in ("pow", "atan2"):
        for types in TYPES:
            yield (
                f"{name}_{types['t']}",
                Function("math_libm.c.j2", "binary", {**types, "name": name}),
            )
    for name, template, block, facts in mathematics.functions():
        yield name, Function(template, block, facts)
    yield from each_type("math_special.c.j2", "erfinv lgamma digamma", TYPES)
    for name in SMALL_ROTATIONS:
        yield name, Function("small_rotations.c.j2", name, {"static": "static"})
    for bits in (8, 16, 32, 64):
        yield f"turn_{bits}", Function("turn.c.j2", "turn", turning.facts(bits))
        yield f"ordered_{bits}", Function("radix.c.j2", "ordered", radix.facts(bits))


COMBINED = {
    "sum": "lanes[l] = lanes[l] + lanes[l + {half}];",
    "prod": "lanes[l] = lanes[l] * lanes[l + {half}];",
    "max": "lanes[l] = ((lanes[l] >= lanes[l + {half}]) | (lanes[l] != lanes[l])) "
    "? lanes[l] : lanes[l + {half}];",
    "min": "lanes[l] = ((lanes[l] <= lanes[l + {half}]) | (lanes[l] != lanes[l])) "
    "? lanes[l] : lanes[l + {half}];",
}
"""How two lanes of a total become one; an extreme is nan once an element is."""
OF_INTEGERS = {
    **COMBINED,
    "max": "lanes[l] = lanes[l] >= lanes[l + {half}] ? lanes[l] : lanes[l + {half}];",
    "min": "lanes[l] = lanes[l] <= lanes[l + {half}] ? lanes[l] : lanes[l + {half}];",
}


def _lanes() -> Iterator[tuple[str, Function]]:
    """The functions that end a total which was added up in lanes."""
    for kind, size in (("float", 4), ("double", 8), ("int32_t", 4), ("int64_t", 8)):
        for lanes in (256 // size, 128 // size, 64 // size):
            halves = [lanes >> n for n in range(1, lanes.bit_length())]
            combined = OF_INTEGERS if kind.startswith("int") else COMBINED
            for what, statement in combined.items():
                name = f"{what}_of_{lanes}_{kind}"
                facts = {"t": kind, "lanes": lanes, "halves": halves, "what": what, "name": name}
                yield name, Function("lanes.c.j2", "folded", {**facts, "statement": statement})


FUNCTIONS = {**dict(_all()), **dict(_lanes())}
