"""Einstein's summation: products summed over the subscripts that the result does not have."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from math import prod
from string import ascii_letters
from typing import Any

from graphc.errors import GraphcRuntimeError
from graphc.functions.diagonals import diagonal
from graphc.ir.node import Node, elementwise
from graphc.ops.function import function
from graphc.ops.movement import expand, permute, reshape
from graphc.ops.precision import multiplied
from graphc.ops.reduce import Sum

Labels = str
"""One letter to a dimension."""


def _einsum_name(equation: str, *operands: Any) -> str:
    """The name of PyTorch's last step."""
    given = operands[0] if isinstance(operands[0], list | tuple) else operands
    subscripts, result = _parsed(equation, given)
    summed = set("".join(subscripts)) - set(result)
    if len(given) > 1:
        return "ViewBackward0" if summed else "MulBackward0"
    return "SumBackward1" if summed else "PermuteBackward0"


@function(method=False, grad_name=_einsum_name)
def einsum(equation: str, *operands: Any) -> Node:
    """The sum of products that ``equation`` says, such as ``"bij,bjk->bik"``."""
    given: Sequence[Node] = operands
    if len(operands) == 1 and isinstance(operands[0], list | tuple):
        given = operands[0]
    subscripts, result = _parsed(equation, given)
    extents = _extents(given, subscripts)
    terms = [_without_repeats(x, labels) for x, labels in zip(given, subscripts, strict=True)]
    value, labels = terms[0]
    for i, (other, others) in enumerate(terms[1:], start=1):
        needed = set(result).union(*(later for _, later in terms[i + 1 :]))
        value, labels = _product(value, labels, other, others, needed, extents)
    value, labels = _summed(value, labels, set(result))
    return permute(value, tuple(labels.index(c) for c in result))


def _parsed(equation: str, operands: Sequence[Node]) -> tuple[list[Labels], Labels]:
    """The labels of each operand and of the result; ``...`` becomes letters of its own."""
    text = equation.replace(" ", "")
    inputs, arrow, output = text.partition("->")
    terms = inputs.split(",")
    if len(terms) != len(operands):
        more = "more" if len(operands) > len(terms) else "fewer"
        raise GraphcRuntimeError(
            f"einsum(): {more} operands were provided than specified in the equation"
        )
    for c in text.replace("...", "").replace("->", "").replace(",", ""):
        if c not in ascii_letters:
            raise GraphcRuntimeError(
                f"einsum(): invalid subscript given at index {equation.index(c)} in the equation "
                "string, subscripts must be in [a-zA-Z]"
            )
    spare = [c for c in ascii_letters if c not in text]
    widths = [
        x.rank - len(term.replace("...", "")) for x, term in zip(operands, terms, strict=True)
    ]
    widest = max((w for w, term in zip(widths, terms, strict=True) if "..." in term), default=0)
    names = "".join(spare[: max(widest, 0)])
    labels = []
    for position, (term, width, x) in enumerate(zip(terms, widths, operands, strict=True)):
        if width < 0 or (width and "..." not in term):
            raise GraphcRuntimeError(
                "einsum(): the number of subscripts in the equation "
                f"({len(term.replace('...', ''))}) does not match the number of dimensions "
                f"({x.rank}) for operand {position} and no ellipsis was given"
            )
        labels.append(term.replace("...", names[len(names) - width :] if width else ""))
    if arrow:
        return labels, _checked(output.replace("...", names), labels)
    counts = Counter(c for term in labels for c in term)
    single = sorted(c for c, n in counts.items() if n == 1 and c not in names)
    return labels, names + "".join(single)


def _checked(result: Labels, labels: list[Labels]) -> Labels:
    for c in result:
        if result.count(c) > 1:
            raise GraphcRuntimeError(
                f"einsum(): output subscript {c} appears more than once in the output"
            )
        if not any(c in term for term in labels):
            raise GraphcRuntimeError(
                f"einsum(): output subscript {c} does not appear in the equation for any input "
                "operand"
            )
    return result


def _extents(operands: Sequence[Node], subscripts: list[Labels]) -> dict[str, int]:
    extents: dict[str, int] = {}
    for position, (x, labels) in enumerate(zip(operands, subscripts, strict=True)):
        _check_repeats(x, labels, position)
        for axis, (c, n) in enumerate(zip(labels, x.shape, strict=True)):
            known = extents.setdefault(c, n)
            if n != known and 1 not in (n, known):
                raise GraphcRuntimeError(
                    f"einsum(): subscript {c} has size {n} for operand {position} which does not "
                    f"broadcast with previously seen size {known} (dimension {axis})"
                )
            extents[c] = max(n, known) if 1 in (n, known) else n
    return extents


def _check_repeats(x: Node, labels: Labels, position: int) -> None:
    """Raise where a label that stands twice in one operand has two extents."""
    for axis, c in enumerate(labels):
        extent = x.shape[labels.index(c)]
        if x.shape[axis] != extent:
            raise GraphcRuntimeError(
                f"einsum(): subscript {c} is repeated for operand {position} but the sizes don't "
                f"match, {x.shape[axis]} != {extent}"
            )


def _without_repeats(x: Node, labels: Labels) -> tuple[Node, Labels]:
    """The diagonal over every label that stands twice in one operand."""
    while len(set(labels)) < len(labels):
        c = next(c for c in labels if labels.count(c) > 1)
        first, second = labels.index(c), labels.rindex(c)
        x = diagonal(x, 0, first, second)
        labels = labels[:first] + labels[first + 1 : second] + labels[second + 1 :] + c
    return x, labels


def _summed(x: Node, labels: Labels, needed: set[str]) -> tuple[Node, Labels]:
    """``x`` summed over the labels that nothing needs any more."""
    axes = tuple(axis for axis, c in enumerate(labels) if c not in needed)
    if not axes:
        return x, labels
    kept = [axis for axis in range(x.rank) if axis not in axes]
    total = reshape(Sum(axes)(x), tuple(x.shape[axis] for axis in kept))
    return total, "".join(labels[axis] for axis in kept)


def _product(
    x: Node, left: Labels, y: Node, right: Labels, needed: set[str], extents: dict[str, int]
) -> tuple[Node, Labels]:
    """Two operands as one, by a matrix product over the labels that end here."""
    x, left = _summed(x, left, needed | set(right))
    y, right = _summed(y, right, needed | set(left))
    shared = [c for c in left if c in right]
    batch = [c for c in shared if c in needed]
    summed = [c for c in shared if c not in needed]
    rows = [c for c in left if c not in right]
    columns = [c for c in right if c not in left]
    labels = "".join((*batch, *rows, *columns))
    if not summed:
        a = _aligned(x, left, labels)
        b = _aligned(y, right, labels)
        return elementwise("mul", a, b), labels
    groups = [[extents[c] for c in part] for part in (batch, rows, summed, columns)]
    b_size, m, k, n = (prod(part) for part in groups)
    a = _grouped(x, left, [*batch, *rows, *summed], extents, (b_size, m, k))
    b = _grouped(y, right, [*batch, *summed, *columns], extents, (b_size, k, n))
    if not batch:
        a, b = reshape(a, (m, k)), reshape(b, (k, n))
    shape = (*groups[0], *groups[1], *groups[3])
    return reshape(multiplied(a, b), shape), labels


def _aligned(x: Node, labels: Labels, target: Labels) -> Node:
    """``x`` with the dimensions in the order of ``target``, and extent one where it has none."""
    order = tuple(labels.index(c) for c in target if c in labels)
    moved = permute(x, order)
    extents = iter(moved.shape)
    return reshape(moved, tuple(next(extents) if c in labels else 1 for c in target))


def _grouped(
    x: Node, labels: Labels, order: list[str], extents: dict[str, int], shape: tuple[int, ...]
) -> Node:
    """``x`` with its dimensions in ``order``, taken together to ``shape``."""
    moved = permute(x, tuple(labels.index(c) for c in order))
    return reshape(expand(moved, tuple(extents[c] for c in order)), shape)
