"""The loss over many classes of which few are frequent, as a module."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from graphc.errors import GraphcRuntimeError, GraphcValueError
from graphc.memory import is_known
from graphc.nn.modules.container import ModuleList
from graphc.nn.modules.container import Sequential as Chain
from graphc.nn.modules.linear import Linear
from graphc.nn.modules.module import Module
from graphc.nn.softmaxes import log_softmax
from graphc.surface import LIFTED
from graphc.tensor import Tensor


class _ASMoutput(NamedTuple):
    output: Tensor
    loss: Tensor


class AdaptiveLogSoftmaxWithLoss(Module):
    """The logarithms of the targets' probabilities, and the mean of -ln p.

    The head has the frequent classes and a column for each cluster of others; a cluster has its
    classes' probabilities among its own. The clusters are computed for every row, so that no
    shape depends on the targets.
    """

    def __init__(
        self,
        in_features: int,
        n_classes: int,
        cutoffs: Sequence[int],
        div_value: float = 4.0,
        head_bias: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        _check_cutoffs(list(cutoffs), n_classes)
        self.in_features, self.n_classes = in_features, n_classes
        self.cutoffs = [*cutoffs, n_classes]
        self.div_value, self.head_bias = div_value, head_bias
        self.shortlist_size = self.cutoffs[0]
        self.n_clusters = len(self.cutoffs) - 1
        self.head_size = self.shortlist_size + self.n_clusters
        made: dict[str, Any] = {"device": device, "dtype": dtype}
        self.head = Linear(in_features, self.head_size, bias=head_bias, **made)
        self.tail = ModuleList()
        for i in range(self.n_clusters):
            hidden = int(in_features // (div_value ** (i + 1)))
            size = self.cutoffs[i + 1] - self.cutoffs[i]
            first = Linear(in_features, hidden, bias=False, **made)
            self.tail.append(Chain(first, Linear(hidden, size, bias=False, **made)))

    def reset_parameters(self) -> None:
        """Draw the weights anew."""
        self.head.reset_parameters()
        for chain in self.tail:
            for layer in chain:
                layer.reset_parameters()

    def forward(self, input_: Tensor, target_: Tensor) -> _ASMoutput:
        self._check(input_, target_)
        rows = input_ if target_.ndim else input_.unsqueeze(0)
        target = target_ if target_.ndim else target_.unsqueeze(0)
        head = log_softmax(self.head(rows), 1)
        column, output = target, 0.0
        for i, chain in enumerate(self.tail):
            low, high = self.cutoffs[i], self.cutoffs[i + 1]
            inside = (target >= low) & (target < high)
            column = LIFTED["where"](inside, self.shortlist_size + i, column)
            own = (target - low).clamp(0, high - low - 1)
            each = log_softmax(chain(rows), 1).gather(1, own.unsqueeze(1)).squeeze(1)
            output = output + LIFTED["where"](inside, each, 0.0)
        output = output + head.gather(1, column.unsqueeze(1)).squeeze(1)
        loss = (-output).mean()
        return _ASMoutput(output if target_.ndim else output.squeeze(0), loss)

    def _check(self, x: Tensor, target: Tensor) -> None:
        if target.ndim > 1:
            raise GraphcRuntimeError("0D or 1D target tensor expected, multi-target not supported")
        if target.ndim == 1 and x.shape[0] != target.shape[0]:
            raise GraphcRuntimeError(
                "Input and target should have the same size in the batch dimension."
            )
        if x.ndim != target.ndim + 1:
            raise GraphcRuntimeError(
                f"{target.ndim}D target tensor expects {target.ndim + 1}D input tensors, "
                f"but found inputs with size {x.size()}"
            )
        if is_known(target):
            least, most = target.min().item(), target.max().item()
            if least < 0 or most >= self.n_classes:
                raise GraphcRuntimeError(
                    f"Target values should be in [0, {self.n_classes - 1}], "
                    f"but values in range [{least}, {most}] were found. "
                )

    def log_prob(self, input: Tensor) -> Tensor:
        """The logarithm of each class's probability."""
        head = log_softmax(self.head(input), 1)
        parts = [head[:, : self.shortlist_size]]
        for i, chain in enumerate(self.tail):
            cluster = head[:, self.shortlist_size + i].unsqueeze(1)
            parts.append(log_softmax(chain(input), 1) + cluster)
        return LIFTED["cat"](parts, 1)  # type: ignore[no-any-return]

    def predict(self, input: Tensor) -> Tensor:
        """The most probable class of each row."""
        return self.log_prob(input).argmax(1)  # type: ignore[no-any-return]


def _check_cutoffs(cutoffs: list[int], n_classes: int) -> None:
    if not cutoffs:
        raise GraphcValueError("cutoffs should be a sequence of length larger than 0")
    bounds = [0, *cutoffs, n_classes]
    if any(a >= b for a, b in pairwise(bounds)) or any(int(c) != c for c in cutoffs):
        raise GraphcValueError(
            "cutoffs should be a sequence of unique, positive integers sorted in an increasing "
            "order, where each value is between 1 and n_classes-1"
        )
