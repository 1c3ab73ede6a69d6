"""The error function in numpy: a polynomial in float32, Cephes' rational functions in float64."""

from __future__ import annotations

SMALL = (
    -5.96761703e-4,
    4.99119423e-3,
    -2.67681349e-2,
    1.12819925e-1,
    -3.76125336e-1,
    1.28379166e-1,
)
"""erf(x) = x + x · p(x²) for |x| ≤ 475/512; the highest power first."""
LARGE = (
    -1.72853470e-5,
    3.83197126e-4,
    -3.88396438e-3,
    2.42546219e-2,
    -1.06777877e-1,
    -6.34846687e-1,
    -1.28717512e-1,
)
"""erf(x) = 1 - exp(-x + x · p(x)) above. Both are N. Juffa's, right to about an ulp."""


def _horner(coefficients: tuple[float, ...], x: str, out: str) -> list[str]:
    """Statements that evaluate a polynomial in place."""
    first, *rest = coefficients
    lines = [f"np.multiply({x}, {first!r}, out={out})"]
    for coefficient in rest[:-1]:
        lines.append(f"np.add({out}, {coefficient!r}, out={out})")
        lines.append(f"np.multiply({out}, {x}, out={out})")
    return [*lines, f"np.add({out}, {rest[-1]!r}, out={out})"]


ERF_FLOAT32 = "\n".join(
    [
        "np.abs({0}, out={t1})",
        "np.multiply({0}, {0}, out={t0})",
        *_horner(SMALL, "{t0}", "{out}"),
        "np.multiply({out}, {0}, out={out})",
        "np.add({out}, {0}, out={out})",
        *_horner(LARGE, "{t1}", "{t0}"),
        "np.multiply({t0}, {t1}, out={t0})",
        "np.subtract({t0}, {t1}, out={t0})",
        "np.exp({t0}, out={t0})",
        "np.subtract(1, {t0}, out={t0})",
        "np.copysign({t0}, {0}, out={t0})",
        "np.greater({t1}, 0.927734375, out={m0})",
        "np.copyto({out}, {t0}, where={m0})",
    ]
)

ERROR_FUNCTIONS = {
    "erf_parts": '''
def erf_parts(x):
    """erf(x) where |x| is at most 1, and erfc(|x|) where it is more; Cephes' approximations."""
    z = x * x
    near = x * np.polyval((9.60497373987051638749e0, 9.00260197203842689217e1,
                           2.23200534594684319226e3, 7.00332514112805075473e3,
                           5.55923013010394962768e4), z)
    near /= np.polyval((1.0, 3.35617141647503099647e1, 5.21357949780152679795e2,
                        4.59432382970980127987e3, 2.26290000613890934246e4,
                        4.92673942608635921086e4), z)
    a = np.clip(np.abs(x), 1, 28)
    far = np.polyval((2.46196981473530512524e-10, 5.64189564831068821977e-1,
                      7.46321056442269912687e0, 4.86371970985681366614e1,
                      1.96520832956077098242e2, 5.26445194995477358631e2,
                      9.34528527171957607540e2, 1.02755188689515710272e3,
                      5.57535335369399327526e2), a)
    far /= np.polyval((1.0, 1.32281951154744992508e1, 8.67072140885989742329e1,
                       3.54937778887819891062e2, 9.75708501743205489753e2,
                       1.82390916687909736289e3, 2.24633760818710981792e3,
                       1.65666309194161350182e3, 5.57535340817727675546e2), a)
    tail = np.polyval((5.64189583547755073984e-1, 1.27536670759978104416e0,
                       5.01905042251180477414e0, 6.16021097993053585195e0,
                       7.40974269950448939160e0, 2.97886665372100240670e0), a)
    tail /= np.polyval((1.0, 2.26052863220117276590e0, 9.39603524938001434673e0,
                        1.20489539808096656605e1, 1.70814450747565897222e1,
                        9.60896809063285878198e0, 3.36907645100081516050e0), a)
    high = a.astype(np.float32).astype(np.float64)  # its square is exact
    bell = np.exp(-high * high) * np.exp((high - a) * (high + a))
    return near, np.where(a < 8, far, tail) * bell
''',
    "erf": '''
def erf(x, out):
    """2/√π · ∫₀ˣ exp(-t²) dt"""
    x = np.asarray(x, np.float64)
    near, far = erf_parts(x)
    np.copyto(out, np.where(np.abs(x) <= 1, near, np.sign(x) * (1 - far)), casting="same_kind")
''',
    "erfc": '''
def erfc(x, out):
    """1 - erf(x), right in the tail too"""
    x = np.asarray(x, np.float64)
    near, far = erf_parts(x)
    far = np.where(x < 0, 2 - far, far)
    np.copyto(out, np.where(np.abs(x) <= 1, 1 - near, far), casting="same_kind")
''',
    "erfinv": '''
def erfinv(x, out):
    """The inverse of erf: M. Giles' approximation, then Newton's method, on ln erfc above 1."""
    x = np.asarray(x, np.float64)
    a = np.abs(x)
    w = -np.log((1 - a) * (1 + a))
    near = np.polyval((2.81022636e-08, 3.43273939e-07, -3.5233877e-06, -4.39150654e-06,
                       0.00021858087, -0.00125372503, -0.00417768164, 0.246640727,
                       1.50140941), w - 2.5)
    far = np.polyval((-0.000200214257, 0.000100950558, 0.00134934322, -0.00367342844,
                      0.00573950773, -0.0076224613, 0.00943887047, 1.00167406,
                      2.83297682), np.sqrt(np.maximum(w, 5)) - 3)
    y = np.where(w < 5, near, far) * a
    for _ in range(3):
        small, large = erf_parts(y)
        error = np.where(y <= 1, a - small, np.log(large / (1 - a)) * large)
        y = y + error / (2 / np.sqrt(np.pi) * np.exp(-y * y))
    y = np.where(a < 1, np.copysign(y, x), np.where(a == 1, np.copysign(np.inf, x), np.nan))
    np.copyto(out, y, casting="same_kind")
''',
}
"""Definitions for the generated module, in float64 throughout."""
