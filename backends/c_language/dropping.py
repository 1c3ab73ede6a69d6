"""How kernels of attention drop weights: by the words of a generator's counters.

A weight is dropped where its number in [0, 1), of 24 bits of a word, is less than the probability.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import Any

from graphc.backends.c_language.types import number
from graphc.ir.dtype import DType, float32
from graphc.lowering.operands import Operand
from graphc.ops.composite import Composite
from graphc.ops.random import kept_scale


@dataclass(frozen=True)
class Dropping:
    """Which weights are dropped; the weight of a key has word query · keys + key of the draw."""

    dropout: float
    offset: int
    """Counters to skip."""
    step: int
    """How far the state's second number is from its first."""
    keys: int
    """Weights of a row."""
    even: bool
    """Whether the keys that are done together begin at the first word of a counter."""
    dtype: DType
    """That of queries."""

    @staticmethod
    def of(op: Composite, operands: tuple[Operand, ...], *, even: bool = True) -> Dropping | None:
        """As a use of attention says it, or None; ``even``: whether pieces of an even row are."""
        if not op.present[4]:
            return None
        query, key, *_ = operands
        options: dict[str, Any] = dict(op.options)
        return Dropping(
            dropout=options["dropout"],
            offset=options["offset"],
            step=operands[sum(op.present[:4])].strides[0],
            keys=key.shape[-2],
            even=even and key.shape[-2] % 4 == 0,
            dtype=query.dtype,
        )

    @property
    def limit(self) -> int:
        """A weight is dropped where the first 24 bits of its word are less."""
        return ceil(float(float32.numpy.type(self.dropout)) * 2**24)

    @property
    def scale(self) -> str:
        """By what the other weights are multiplied, in C."""
        return number(self.dtype, kept_scale(self.dropout))

    @property
    def says(self) -> str:
        """What is done."""
        return f", {self.dropout:g} of the weights dropped"
