"""Gradients by differences of the references, in float64."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from graphc.autodiff import gradients
from graphc.ir.graph import Graph
from graphc.ir.node import Input, Node, grad_mode, make_input
from graphc.ir.types import TensorType
from graphc.testing.operands import Array
from graphc.testing.programs import Use
from graphc.testing.table import Row, Tolerance, results

STEP = 1e-3
BY_DIFFERENCES = Tolerance("differences of fourth order, steps of 1/1000, in float64", 4e7, 4e6)

Function = Callable[[Sequence[Array]], float]


def weights(shape: tuple[int, ...], seed: int = 0) -> Array:
    """Numbers around one that tell the elements of a result apart."""
    count = int(np.prod(shape))
    return np.asarray(np.cos(np.arange(count) * 1.7 + seed).reshape(shape) + 0.25)


def slopes(function: Function, arrays: Sequence[Array], number: int) -> Array:
    """The derivative of ``function`` with respect to each element of one of the arrays."""
    x = arrays[number]
    found = np.zeros(x.shape)
    for place in np.ndindex(*x.shape):
        values = []
        for shift in (1, -1, 2, -2):
            moved = np.array(x)
            moved[place] += shift * STEP
            values.append(function([*arrays[:number], moved, *arrays[number + 1 :]]))
        found[place] = (8 * (values[0] - values[1]) - (values[2] - values[3])) / (12 * STEP)
    return found


def weighted(row: Row, use: Use) -> Function:
    """Σ weight · result over the floating-point results, by the reference."""
    floating = [i for i, x in enumerate(use.results) if x.dtype.is_floating_point]

    def function(arrays: Sequence[Array]) -> float:
        found = results(row, use.sample.op, arrays)
        return float(sum(np.sum(weights(found[i].shape, i) * found[i]) for i in floating))

    return function


@dataclass(frozen=True, eq=False)
class Differentiated:
    """The gradient of a use as nodes: of the operands that have one, by position."""

    use: Use
    seeds: tuple[tuple[Node, Array], ...]
    """Inputs for the weights of the results, and the weights."""
    gradients: tuple[tuple[int, Node | None], ...]
    """The position of each operand that asks for a gradient, and the gradient."""

    @property
    def graph(self) -> Graph:
        """The program that computes the gradients."""
        inputs = tuple(node for node, _ in (*self.use.given(), *self.seeds))
        return Graph(inputs, tuple(node for _, node in self.gradients if node is not None))

    def given(self) -> list[Array]:
        """The arrays for that program."""
        return [array for _, array in (*self.use.given(), *self.seeds)]

    def complete(self, found: Sequence[Array]) -> Iterator[tuple[int, Array]]:
        """The program's outputs by position, zeros where no gradient flows."""
        rest = iter(found)
        for number, node in self.gradients:
            shape = self.use.operands[number].shape
            yield number, np.zeros(shape) if node is None else next(rest)


def differentiate(use: Use, *, again: bool = False) -> Differentiated:
    """The gradient of the weighted sum of a use's results, by the op's own rule.

    It can be differentiated ``again`` only if that was said.
    """
    made: list[tuple[Node, Array]] = []
    seeds: list[Node | None] = []
    for i, result in enumerate(use.results):
        if not result.requires_grad:
            seeds.append(None)
            continue
        label = f"{_label(use)}_dy{i}"
        node = make_input(label, TensorType(result.shape, result.dtype), requires_grad=False)
        made.append((node, weights(result.shape, i).astype(result.dtype.numpy)))
        seeds.append(node)
    wanted = [i for i, x in enumerate(use.operands) if x.requires_grad]
    with grad_mode(again):
        found = gradients(use.results, seeds, [use.operands[i] for i in wanted])
    return Differentiated(use, tuple(made), tuple(zip(wanted, found, strict=True)))


def differentiate_again(first: Differentiated) -> Differentiated:
    """The gradient of the weighted sum of gradients that can be differentiated again."""
    flows = tuple(x for _, x in first.gradients if x is not None)
    second = differentiate(replace(first.use, results=flows))
    return replace(second, seeds=(*first.seeds, *second.seeds))


def _label(use: Use) -> str:
    return next(x.op.label for x in use.inputs if x is not None and isinstance(x.op, Input))
