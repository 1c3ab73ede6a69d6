"""Random numbers from Philox4x32-10, a counter-based generator, in bounded chunks.

The stream (J. Salmon et al., Parallel random numbers: as easy as 1, 2, 3, SC11): the key is
(seed mod 2**32, seed >> 32); counter c, 64 bits, stands for the words (c mod 2**32, c >> 32, 0, 0);
ten rounds turn it into four words of 32 bits. Word i of a kernel's stream is word i mod 4 of
counter offset + i div 4 (modulo 2**64), offset being state[1] plus the kernel's literal one. From
the words w, in order:

    uint32      element i is w[i]
    uniform     float32: (w[i] >> 8) * 2**-24
                float64: ((w[2i] >> 5) * 2**26 + (w[2i + 1] >> 6)) * 2**-53
    normal      float32: of u = ((w[2i] >> 8) + 1) * 2**-24 and
                v = (w[2i + 1] >> 8) * (2 pi 2**-24), in float32, elements 2i and 2i + 1
                are sqrt(-2 log u) cos v and sqrt(-2 log u) sin v
                float64: the same of u = 1 - uniform(w[4i], w[4i + 1]) and
                v = 2 pi uniform(w[4i + 2], w[4i + 3]), in float64
    integers    high - low <= 2**32: low + (w[i] * (high - low) >> 32)
                wider: low + (w[2i] + w[2i + 1] * 2**32) mod (high - low)
    permutation the stable argsort of the 64-bit keys w[2i] + w[2i + 1] * 2**32

A kernel uses ceil(words / 4) counters (`philox_blocks`), whatever the number of workers.
"""

from __future__ import annotations

import math

from graphc.backends.numpy.special.common import Rendered, Scratch, parameters
from graphc.kernels_templates import render

_LANES = 1 << 15
"""Counters in a chunk: six arrays of 256 KiB; with fewer, workers wait for each other."""


_PAIR_FLOAT32 = (
    "words >>= np.uint32(8)",
    "radius[part] = words[0::2]",
    "radius[part] += 1",
    "radius[part] *= np.float32(2**-24)",
    "angle[part] = words[1::2]",
    f"angle[part] *= np.float32({2 * math.pi!r} * 2**-24)",
)
"""Lines that leave u in `radius` and the angle in `angle`, float32."""

_PAIR_FLOAT64 = (
    "words[0::2] >>= np.uint32(5)",
    "words[1::2] >>= np.uint32(6)",
    "for target, place in ((radius[part], 0), (angle[part], 2)):",
    "    target[...] = words[place::4]",
    "    target *= 2.0**26",
    "    target += words[place + 1 :: 4]",
    "    target *= 2.0**-53",
    "np.subtract(1, radius[part], out=radius[part])",
    f"angle[part] *= {2 * math.pi!r}",
)
"""The same in float64."""

_BOX_MULLER = (
    "np.log(radius[part], out=radius[part])",
    "radius[part] *= -2",
    "np.sqrt(radius[part], out=radius[part])",
    "np.cos(angle[part], out=wave[part])",
    "wave[part] *= radius[part]",
    "flat[first:last:2] = wave[part, : (last - first + 1) // 2]",
    "np.sin(angle[part], out=wave[part])",
    "wave[part] *= radius[part]",
    "flat[first + 1 : last : 2] = wave[part, : (last - first) // 2]",
)
"""Lines that fill pairs of elements from both."""


def philox_blocks(words: int) -> int:
    """The counters that a kernel of so many words uses: what the offset is to advance by."""
    return -(-words // 4)


def _lanes(words: int) -> int:
    """Counters in a chunk: fewer where the whole stream is shorter; even, for pairs of words."""
    return max(2, min(_LANES, philox_blocks(words)))


def _render(
    name: str,
    origin: str,
    summary: str,
    *,
    count: int,
    per_element: int,
    offset: int,
    parts: int,
    fill: list[str],
    extra: tuple[tuple[str, int, str], ...] = (),
    target: str = "out.reshape(-1)",
    whole: tuple[tuple[str, str], ...] = (),
    after: tuple[str, ...] = (),
) -> Rendered:
    """A kernel of `count` elements of `per_element` words each.

    `extra` names scratch of one chunk: (name, words an element of it stands for, dtype); `whole`
    scratch of all the elements.
    """
    lanes = _lanes(count * per_element)
    elements = lanes * 4 // per_element
    chunks = -(-count // elements)
    parts = max(1, min(parts, chunks))
    scratch: Scratch = (
        ((parts, 6, lanes), "uint64"),
        ((parts, 4 * lanes), "uint32"),
        *(((parts, 4 * lanes // words), dtype) for _, words, dtype in extra),
        *(((count,), dtype) for _, dtype in whole),
    )
    names = ("lanes", "output", *(n for n, _, _ in extra), *(n for n, _ in whole))
    text = render(
        "philox.numpy.j2",
        name=name,
        origin=origin,
        summary=summary,
        arguments=parameters(names),
        offset=offset,
        lanes=lanes,
        elements=elements,
        count=count,
        chunks=chunks,
        parts=parts,
        target=target,
        fill=fill,
        after=after,
    )
    return Rendered(text, scratch)


def philox(
    name: str, count: int, *, offset: int = 0, parts: int = 2, origin: str = "Random words."
) -> Rendered:
    """`count` uint32 words, into `out` of any shape; `name(state, out, *scratch)`."""
    return _render(
        name, origin, f"{count} uint32: element i is word i of the stream.",
        count=count, per_element=1, offset=offset, parts=parts,
        fill=["flat[first:last] = words[: last - first]"],
    )  # fmt: skip


def uniform(
    name: str,
    count: int,
    dtype: str,
    *,
    offset: int = 0,
    parts: int = 2,
    origin: str = "Uniform variates.",
) -> Rendered:
    """`count` variates in [0, 1), float32 of 24 bits or float64 of 53."""
    if dtype == "float32":
        fill = [
            "words >>= np.uint32(8)",
            "flat[first:last] = words[: last - first]",
            "flat[first:last] *= np.float32(2**-24)",
        ]
        formula = "(word i >> 8) * 2**-24"
    else:
        fill = [
            "words[0::2] >>= np.uint32(5)",
            "words[1::2] >>= np.uint32(6)",
            "flat[first:last] = words[0::2][: last - first]",
            "flat[first:last] *= 2.0**26",
            "flat[first:last] += words[1::2][: last - first]",
            "flat[first:last] *= 2.0**-53",
        ]
        formula = "((word 2i >> 5) * 2**26 + (word 2i + 1 >> 6)) * 2**-53"
    return _render(
        name, origin, f"{count} {dtype} in [0, 1): element i is {formula}.",
        count=count, per_element=1 if dtype == "float32" else 2, offset=offset, parts=parts,
        fill=fill,
    )  # fmt: skip


def normal(
    name: str,
    count: int,
    dtype: str,
    *,
    offset: int = 0,
    parts: int = 2,
    origin: str = "Normal variates.",
) -> Rendered:
    """`count` variates of mean 0 and variance 1 by Box and Muller, float32 or float64."""
    per_element = 1 if dtype == "float32" else 2
    fill = [*(_PAIR_FLOAT32 if per_element == 1 else _PAIR_FLOAT64), *_BOX_MULLER]
    summary = f"from words {2 * per_element}i to {2 * per_element}i + {2 * per_element - 1}"
    pair = 2 * per_element
    return _render(
        name, origin, f"{count} {dtype}: elements 2i and 2i + 1 {summary} (Box and Muller).",
        count=count, per_element=per_element, offset=offset, parts=parts, fill=fill,
        extra=(("radius", pair, dtype), ("angle", pair, dtype), ("wave", pair, dtype)),
    )  # fmt: skip


def integers(
    name: str,
    count: int,
    low: int,
    high: int,
    *,
    offset: int = 0,
    parts: int = 2,
    origin: str = "Random integers.",
) -> Rendered:
    """`count` integers in [low, high), into `out` of any integer dtype that holds them."""
    size = high - low
    if size <= 2**32:
        per_element = 1
        fill = [
            "wide[part] = words",
            f"wide[part] *= np.uint64({size})",
            "wide[part] >>= half",
        ]
        formula = f"{low} + (word i * {size} >> 32)"
    else:
        per_element = 2
        fill = [
            "wide[part] = words[1::2]",
            "wide[part] <<= half",
            "wide[part] |= words[0::2]",
            f"wide[part] %= np.uint64({size})",
        ]
        formula = f"{low} + (word 2i + 2**32 * word 2i + 1) mod {size}"
    fill += [
        f"wide[part] += np.uint64({low % 2**64})" if low else "",
        "flat[first:last] = wide[part, : last - first].view(np.int64)",
    ]
    return _render(
        name, origin, f"{count} in [{low}, {high}): element i is\n    {formula}.",
        count=count, per_element=per_element, offset=offset, parts=parts,
        fill=[line for line in fill if line], extra=(("wide", per_element, "uint64"),),
    )  # fmt: skip


def permutation(
    name: str,
    count: int,
    *,
    offset: int = 0,
    parts: int = 2,
    origin: str = "A random permutation.",
) -> Rendered:
    """A permutation of range(count), into an int64 `out` (count,)."""
    return _render(
        name, origin, f"The stable argsort of {count} keys, word 2i + 2**32 * word 2i + 1.",
        count=count, per_element=2, offset=offset, parts=parts,
        fill=[
            "some = flat[first:last]",
            "some[...] = words[1::2][: last - first]",
            "some <<= half",
            "some |= words[0::2][: last - first]",
        ],
        target="sort_keys", whole=(("sort_keys", "uint64"),),
        after=('out[...] = np.argsort(sort_keys, kind="stable")',),
    )  # fmt: skip
