"""What the templates of the mathematical functions are given for ``float`` and ``double``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import log, pi

from graphc.backends.native import polynomials, quarter_turns
from graphc.backends.native.polynomials import Coefficients, constants, polynomial

Facts = Mapping[str, object]

TYPES: tuple[Facts, ...] = (
    {
        "t": "float",
        "f": "f",
        "static": "static",
        "u": "uint32_t",
        "bits": 32,
        "one": "1.0f",
        "shift": 23,
        "bias": 127,
        "magic": "0x1.8p23f",
        "whole": "0x1p23f",
        "least": "0x1p-126f",
        "tiny": "0x1p-24f",
        "log2_e": "1.44269504f",
        "ln2": "0.693147181f",
        "ln2_high": "0.693145752f",
        "ln2_low": "1.42860677e-6f",
        "bits_of_one": "0x3f800000",
        "artanh_half": "0.549306144f",
        "root": "0x3f3504f3",
        "integer": "0x4b000000",
        "mask": "0x007fffff",
    },
    {
        "t": "double",
        "static": "static",
        "f": "",
        "u": "uint64_t",
        "bits": 64,
        "one": "1.0",
        "shift": 52,
        "bias": 1023,
        "magic": "0x1.8p52",
        "whole": "0x1p52",
        "least": "0x1p-1022",
        "tiny": "0x1p-53",
        "log2_e": "1.4426950408889634",
        "ln2": "0.6931471805599453",
        "ln2_high": "0.6931471803691238",
        "ln2_low": "1.9082149292705877e-10",
        "bits_of_one": "0x3ff0000000000000",
        "artanh_half": "0.5493061443340548",
        "root": "0x3fe6a09e667f3bcd",
        "integer": "0x4330000000000000",
        "mask": "0x000fffffffffffff",
    },
)
"""The formats of the two types and their constants."""

EXPONENTIAL = "math_exponential.c.j2"
LOGARITHM = "math_logarithm.c.j2"
ERROR = "math_error.c.j2"
TRIGONOMETRIC = "math_trigonometric.c.j2"
POWER = "math_power.c.j2"

LIMITS: Mapping[str, Mapping[str, tuple[str, str]]] = {
    "exp2": {"float": ("-151.0f", "128.0f"), "double": ("-1076.0", "1024.0")},
    "expm1": {"float": ("-19.0f", "89.0f"), "double": ("-38.0", "710.0")},
}
"""Beyond these operands a function is its limit, or infinite."""

ULP: Mapping[str, Mapping[str, float]] = {
    "exp": {"float": 1.75, "double": 1.65},
    "exp2": {"float": 1.7, "double": 1.9},
    "expm1": {"float": 1.7, "double": 2.2},
    "tanh": {"float": 1.8, "double": 1.8},
    "sigmoid": {"float": 2.95, "double": 2.8},
    "log": {"float": 0.95, "double": 1.3},
    "log2": {"float": 1.9, "double": 1.8},
    "log1p": {"float": 1.4, "double": 1.3},
    "erf": {"float": 2.4, "double": 1.6},
    "sin": {"float": 1.6, "double": 1.0},
    "cos": {"float": 1.6, "double": 1.0},
    "pow": {"float": 0.51, "double": 1.9},
    "hypot": {"float": 0.51, "double": 2.1},
}
"""The largest error of each function in units of the last place, as the tests measure it."""

POLYNOMIALS: Mapping[str, tuple[str, Mapping[str, tuple[str, Coefficients]]]] = {
    "power_of_two": (EXPONENTIAL, {}),
    "scaled": (EXPONENTIAL, {}),
    "bounded": (EXPONENTIAL, {}),
    "split_of": (EXPONENTIAL, {}),
    "exp_rest": (EXPONENTIAL, {"p": ("r", polynomials.EXP_WIDE)}),
    "exp": (EXPONENTIAL, {}),
    "exp2": (EXPONENTIAL, {"p": ("r", polynomials.EXP2)}),
    "expm1_rest": (EXPONENTIAL, {"p": ("r", polynomials.EXPM1)}),
    "expm1": (EXPONENTIAL, {}),
    "tanh": (
        EXPONENTIAL,
        {"p": ("h", polynomials.EXP_OF_TWICE), "q": ("z", polynomials.TANH)},
    ),
    "sigmoid": (EXPONENTIAL, {}),
    "parts_of": (LOGARITHM, {}),
    "log1p_rest": (LOGARITHM, {"p": ("z", polynomials.LOG)}),
    "log": (LOGARITHM, {}),
    "log2": (LOGARITHM, {}),
    "log1p": (LOGARITHM, {}),
    "completed_power": (POWER, {}),
}
"""Functions whose text is the same for both types: the template, and the polynomials in it with
their variables."""


def functions() -> Iterator[tuple[str, str, str, Facts]]:
    """The name of each function, its template, the block in it and what it is given."""
    yield from _alike()
    yield from _error()
    yield from _turning()
    yield from _powers()


def _alike() -> Iterator[tuple[str, str, str, Facts]]:
    for name, (template, used) in POLYNOMIALS.items():
        for kind in TYPES:
            t = str(kind["t"])
            lines = {key: polynomial(key, x, values[t], t) for key, (x, values) in used.items()}
            facts = {**kind, **lines}
            facts["lowest"], facts["highest"] = LIMITS.get(name, {}).get(t, ("", ""))
            facts["ulp"] = ULP.get(name, {}).get(t, 0)
            yield f"{name}_{t}", template, name, facts


def _error() -> Iterator[tuple[str, str, str, Facts]]:
    for kind in TYPES:
        t = str(kind["t"])
        used = {
            "near": polynomials.ERF_NEAR,
            "near_over": polynomials.ERF_NEAR_OVER,
            "far": polynomials.ERF_FAR,
            "far_over": polynomials.ERF_FAR_OVER,
        }
        facts = {key: constants(x.get(t, ()), t) for key, x in used.items()}
        yield f"erf_{t}", ERROR, f"erf_{t}", {**facts, "ulp": ULP["erf"][t]}


def _turning() -> Iterator[tuple[str, str, str, Facts]]:
    high, low = quarter_turns.parts(105)
    facts = {
        "high": quarter_turns.lines(high),
        "low": quarter_turns.lines(low),
        "half_pi": repr(pi / 2),
        "sine": polynomial("p", "z", polynomials.SIN["float"], "float"),
        "cosine": polynomial("p", "z", polynomials.COS["float"], "float"),
    }
    yield "turned_of_float", TRIGONOMETRIC, "turned_float", facts
    for name in ("sin", "cos"):
        yield f"{name}_float", TRIGONOMETRIC, f"{name}_float", {"ulp": ULP[name]["float"]}


def _powers() -> Iterator[tuple[str, str, str, Facts]]:
    facts = {
        "logarithm": polynomial("l", "z", polynomials.POW_LOG["float"], "double"),
        "power": polynomial("p", "r", polynomials.POW_EXP2["float"], "double"),
        "ulp": ULP["pow"]["float"],
    }
    yield "pow_float", POWER, "pow_float", facts
    factor = 2 / (3 * log(2))
    facts = {
        "logarithm": polynomial("l", "z", polynomials.POW_LOG["double"], "double"),
        "power": polynomial("p", "r", polynomials.EXP2["double"], "double"),
        "factor": repr(factor),
        "factor_upper": "0.9617967009544373",
        "factor_rest": "-7.028461650952758e-09",
        "ulp": ULP["pow"]["double"],
    }
    for name in ("upper_double", "log2_double_twice", "pow_double"):
        yield name, POWER, name, facts
