"""Coefficients of the approximations that the generated mathematical functions use.

All of them are minimax approximations made for this library, the lowest power first; errors are
relative, for float and double.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

Coefficients = Mapping[str, Sequence[float]]
"""By the C type in which the value is computed."""

EXP: Coefficients = {
    "float": (0.49999994, 0.16666517, 0.04166825, 0.008369087, 0.0013818734),
    "double": (
        0.5,
        0.16666666666666688,
        0.041666666666666824,
        0.008333333333313882,
        0.0013888888888778073,
        0.00019841269903409758,
        2.48015875583584e-05,
        2.7557228632025728e-06,
        2.755706904290427e-07,
        2.511395570799465e-08,
        2.09772282976628e-09,
    ),
}
"""eʳ = 1 + r + r² · p(r) for |r| up to ln 2 / 2, within 2^-28 and 2^-63."""
EXPM1: Coefficients = {
    "float": (0.5, 0.16666667, 0.04166648, 0.008333282, 0.0013933353, 0.00019909786),
    "double": (
        0.5,
        0.16666666666666677,
        0.04166666666666669,
        0.00833333333332166,
        0.0013888888888870148,
        0.0001984126988608955,
        2.4801587356116982e-05,
        2.7557244219714643e-06,
        2.755724556645422e-07,
        2.510904052693133e-08,
        2.0923765628471364e-09,
    ),
}
"""eʳ - 1 = r + r² · p(r), within 2^-30 and 2^-60 of it."""
EXP2: Coefficients = {
    "float": (0.6931472, 0.24022648, 0.055503324, 0.009618437, 0.0013398903, 0.00015353545),
    "double": (
        0.6931471805599453,
        0.2402265069591013,
        0.055504108664820084,
        0.009618129107594074,
        0.001333355814677398,
        0.0001540353045719625,
        1.5252733493732218e-05,
        1.321543523043513e-06,
        1.017819928026067e-07,
        7.073793592876621e-09,
        4.4348244207530937e-10,
    ),
}
"""2ʳ = 1 + r · p(r) for |r| up to 1/2, within 2^-26 and 2^-55."""
LOG: Coefficients = {
    "float": (0.66666776, 0.39977717, 0.2986805),
    "double": (
        0.6666666666666726,
        0.39999999999455293,
        0.2857142873484586,
        0.2222219924288077,
        0.1818353352659192,
        0.15314758490100913,
        0.1478951719586289,
    ),
}
"""2 artanh(s) = 2s + s · z · p(z), z = s², for (1 + s) / (1 - s) within [√½, √2]; 2^-30, 2^-59."""
SIN: Coefficients = {
    "float": (-0.16666655, 0.008332179, -0.00019517269),
    "double": (
        -0.16666666666666632,
        0.00833333333332251,
        -0.00019841269829862576,
        2.7557313705647874e-06,
        -2.5050759665104176e-08,
        1.589685867881279e-10,
    ),
}
"""sin(r) = r + r · z · p(z), z = r², for |r| up to π/4, within 2^-27 and 2^-57."""
COS: Coefficients = {
    "float": (0.041666646, -0.001388737, 2.44386e-05),
    "double": (
        0.0416666666666666,
        -0.0013888888888874689,
        2.4801587289781316e-05,
        -2.7557314427487786e-07,
        2.0875732306184633e-09,
        -1.1360066462542497e-11,
    ),
}
"""cos(r) = 1 - z/2 + z² · p(z), z = r², for |r| up to π/4, within 2^-29 and 2^-59."""
POW_LOG: Coefficients = {
    "float": (
        2.8853900817778495,
        0.9617966941142605,
        0.5770779420744463,
        0.4122092838862747,
        0.31990432211409287,
        0.2829209059639244,
    ),
    "double": (
        0.6000000000000332,
        0.42857142855175206,
        0.3333333377626058,
        0.27272676803120394,
        0.230801267033503,
        0.19885398845169114,
        0.19793236932089409,
    ),
}
"""float: log₂(m) = s · p(z), s as for LOG, within 2^-45, in double. double: 3 artanh(s) =
s · (3 + z + z² · p(z)), within 2^-65."""
POW_EXP2: Coefficients = {
    "float": (
        0.9999999999615672,
        0.6931471807289701,
        0.2402265119936563,
        0.05550410352240435,
        0.00961802708851452,
        0.0013333923121639725,
        0.0001546934459690084,
        1.5201888494760432e-05,
    ),
}
"""2ʳ = p(r) for |r| up to 1/2, within 2^-34, in double."""
ERF_NEAR: Coefficients = {
    "float": (
        0.12837917,
        -0.37612626,
        0.112835854,
        -0.026853813,
        0.0051883277,
        -0.0008010195,
        7.8538644e-05,
    ),
    "double": (
        0.12837916709551256,
        -0.3171605680728379,
        -0.04794893539803747,
        -0.008754907652699737,
        -0.0004862583937520049,
        -2.0297235320295404e-05,
    ),
}
"""erf(x) = x + x · p(x²), for double with p(x²) over ``ERF_NEAR_OVER``, up to 1; 2^-28, 2^-58."""
ERF_NEAR_OVER: Coefficients = {
    "double": (
        1.0,
        0.45930988876979767,
        0.09325280785718103,
        0.010582199094738782,
        0.0006812133283838507,
        2.0297235320295404e-05,
    )
}
ERF_FAR: Coefficients = {
    "float": (
        0.7935802,
        -0.2617793,
        -0.040452898,
        0.01868938,
        0.00268649,
        -0.0014160387,
        6.896644e-05,
        1.5783255e-05,
    ),
    "double": (
        0.9999998909466317,
        1.3896743828457137,
        0.948398693256998,
        0.37292944767095115,
        0.08413557023708904,
        0.008898274495887693,
    ),
}
"""1 - erf(x) = p(x - 1)⁸ for float from 1 to 3.92, for double exp(-x²) · p(x) over
``ERF_FAR_OVER`` from 1 to 6; 2^-25 and 2^-59 of erf(x)."""
ERF_FAR_OVER: Coefficients = {
    "double": (
        1.0,
        2.5180523978888063,
        2.7897223635345676,
        1.754975802425548,
        0.668946215651826,
        0.14912246534439533,
        0.015771905014925515,
    )
}


def constants(values: Sequence[float], kind: str) -> list[str]:
    """The coefficients as C spells them."""
    return [f"{value!r}{'f' if kind == 'float' else ''}" for value in values]


def polynomial(name: str, x: str, values: Sequence[float], kind: str) -> list[str]:
    """C statements that evaluate a polynomial by Estrin's scheme, which leaves no long chain.

    They define the powers of ``x`` that it takes too: x2, x4 and so on.
    """
    powers, size = [], 2
    while size < len(values):
        factor = x if size == 2 else f"{x}{size // 2}"
        powers.append(f"{x}{size} = {factor} * {factor}")
        size *= 2
    pairs = []
    coefficients = constants(values, kind)
    for i in range(0, len(values), 2):
        pair = coefficients[i : i + 2]
        pairs.append(pair[0] if len(pair) == 1 else f"({pair[0]} + {pair[1]} * {x})")
    groups = []
    for i in range(0, len(pairs), 2):
        group = pairs[i : i + 2]
        groups.append(group[0] if len(group) == 1 else f"({group[0]} + {group[1]} * {x}2)")
    lines = [f"const {kind} {', '.join(powers)};"] if powers else []
    texts = [_nested(groups[i : i + 2], f"{x}4") for i in range(0, len(groups), 2)]
    first, *rest = [line for line in texts]
    if not rest:
        return [*lines, f"const {kind} {name} = {first};"]
    return [*lines, f"const {kind} {name} = {first}", f"    + {rest[0]} * {x}8;"]


def _nested(parts: Sequence[str], factor: str) -> str:
    """One part, or one plus another times a factor."""
    return parts[0] if len(parts) == 1 else f"({parts[0]} + {parts[1]} * {factor})"
