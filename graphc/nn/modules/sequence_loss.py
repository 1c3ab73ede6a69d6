"""The loss of sequences that are not aligned with their targets, as a module."""

from __future__ import annotations

from collections.abc import Sequence

import graphc.nn.functional as F
from graphc.nn.modules.module import Module
from graphc.tensor import Tensor


class CTCLoss(Module):
    """-ln of the probability of the targets, of all ways in which a sequence may spell them."""

    def __init__(
        self, blank: int = 0, reduction: str = "mean", zero_infinity: bool = False
    ) -> None:
        super().__init__()
        self.reduction, self.blank, self.zero_infinity = reduction, blank, zero_infinity

    def forward(
        self,
        log_probs: Tensor,
        targets: Tensor,
        input_lengths: Tensor | Sequence[int],
        target_lengths: Tensor | Sequence[int],
    ) -> Tensor:
        settings = (self.blank, self.reduction, self.zero_infinity)
        return F.ctc_loss(log_probs, targets, input_lengths, target_lengths, *settings)
