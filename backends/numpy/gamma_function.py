"""The logarithm of the gamma function and its derivative in numpy, in float64 throughout."""

from __future__ import annotations

GAMMA_FUNCTIONS = {
    "lgamma": '''
def lgamma(x, out):
    """ln |Γ(x)|, after Cephes: a rational function on [2, 3] and what leads there, from 13 upward
    Stirling's series, below 0.5 the reflection formula."""
    x = np.asarray(x, np.float64)
    low = x < 0.5
    y = np.where(low, 1 - x, x)
    u = np.minimum(y, 13)
    factor = np.ones_like(y)
    for _ in range(11):
        large = u >= 3
        u = np.where(large, u - 1, u)
        factor = np.where(large, factor * u, factor)
    for _ in range(2):
        small = u < 2
        factor = np.where(small, factor / u, factor)
        u = np.where(small, u + 1, u)
    u = u - 2
    value = np.log(factor) + u * np.polyval(
        (-1.37825152569120859100e3, -3.88016315134637840924e4, -3.31612992738871184744e5,
         -1.16237097492762307383e6, -1.72173700820839662146e6, -8.53555664245765465627e5), u
    ) / np.polyval(
        (1, -3.51815701436523470549e2, -1.70642106651881159223e4, -2.20528590553854454839e5,
         -1.13933444367982507207e6, -2.53252307177582951285e6, -2.01889141433532773231e6), u)
    z = 1 / (y * y)
    series = np.polyval((-1.910443077728e-3, 8.4171387781295e-4, -5.952379913043012e-4,
                         7.93650793500350248e-4, -2.777777777777681622553e-3,
                         8.333333333333333331554247e-2), z) / y
    stirling = (y - 0.5) * np.log(y) - y + 0.91893853320467274178 + series
    value = np.where(y < 13, value, stirling)
    reflected = -np.log(np.abs(np.sin(np.pi * (x - np.rint(x)))) / np.pi) - value
    value = np.where(low, reflected, value)
    value = np.where(np.isinf(x) | ((x <= 0) & (x == np.floor(x))), np.inf, value)
    np.copyto(out, value, casting="same_kind")
''',
    "digamma": '''
def digamma(x, out):
    """The derivative of ln Γ(x): an asymptotic series above 10, reflection below 0."""
    x = np.asarray(x, np.float64)
    low = x < 0
    y = np.where(low, 1 - x, x)
    shift = np.zeros_like(y)
    for _ in range(10):
        small = y < 10
        shift = np.where(small, shift + 1 / y, shift)
        y = np.where(small, y + 1, y)
    z = 1 / (y * y)
    series = z * np.polyval((8.33333333333333333333e-2, -2.10927960927960927961e-2,
                             7.57575757575757575758e-3, -4.16666666666666666667e-3,
                             3.96825396825396825397e-3, -8.33333333333333333333e-3,
                             8.33333333333333333333e-2), z)
    value = np.log(y) - 0.5 / y - series - shift
    value = np.where(low, value - np.pi / np.tan(np.pi * (x - np.rint(x))), value)
    value = np.where(low & (x == np.floor(x)), np.nan, value)
    value = np.where(x == 0, np.copysign(np.inf, -x), value)
    np.copyto(out, value, casting="same_kind")
''',
}
"""Definitions for the generated module."""
