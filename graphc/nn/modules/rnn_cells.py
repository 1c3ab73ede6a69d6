"""Single steps of recurrent layers."""

from __future__ import annotations

import math
from typing import Any

from graphc.errors import GraphcRuntimeError, GraphcValueError
from graphc.factories import zeros
from graphc.ir.dtype import DType
from graphc.nn import init
from graphc.nn.modules.module import Module
from graphc.nn.parameter import new_parameter
from graphc.surface import LIFTED
from graphc.tensor import Tensor


class RNNCellBase(Module):
    """The weights of a step."""

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool,
        num_chunks: int,
        device: Any = None,
        dtype: DType | None = None,
    ) -> None:
        super().__init__()
        self.input_size, self.hidden_size, self.bias = input_size, hidden_size, bias
        rows = num_chunks * hidden_size
        self.weight_ih = new_parameter((rows, input_size), device, dtype)
        self.weight_hh = new_parameter((rows, hidden_size), device, dtype)
        for name in ("bias_ih", "bias_hh"):
            given = new_parameter((rows,), device, dtype) if bias else None
            self.register_parameter(name, given)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw all parameters from U(-k, k), k = 1 / √hidden_size."""
        bound = 1.0 / math.sqrt(self.hidden_size) if self.hidden_size > 0 else 0.0
        for weight in self.parameters():
            init.uniform_(weight, -bound, bound)

    def extra_repr(self) -> str:
        text = f"{self.input_size}, {self.hidden_size}"
        return text if self.bias is True else f"{text}, bias={self.bias}"

    def _check_rank(self, what: str, x: Tensor) -> None:
        if x.ndim not in (1, 2):
            raise GraphcValueError(
                f"{type(self).__name__}: Expected {what} to be 1D or 2D, got {x.ndim}D instead"
            )

    def _zeros(self, input: Tensor) -> Tensor:
        shape = (input.shape[0], self.hidden_size)
        return zeros(shape, dtype=input.dtype, device=input.device)

    def _step(self, kernel: str, input: Tensor, hx: Tensor | None) -> Tensor:
        """The hidden state after a step of one sequence or of a batch."""
        self._check_rank("input", input)
        if hx is not None:
            self._check_rank("hidden", hx)
        batched = input.ndim == 2
        x = input if batched else input.unsqueeze(0)
        if hx is None:
            hx = self._zeros(x)
        elif not batched:
            hx = hx.unsqueeze(0)
        result: Tensor = LIFTED[kernel](x, hx, *self._weights())
        return result if batched else result.squeeze(0)

    def _weights(self) -> tuple[Any, ...]:
        return self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh


class RNNCell(RNNCellBase):
    """h' = tanh(x · weight_ihᵀ + bias_ih + h · weight_hhᵀ + bias_hh), or relu of it."""

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        nonlinearity: str = "tanh",
        device: Any = None,
        dtype: DType | None = None,
    ) -> None:
        super().__init__(input_size, hidden_size, bias, 1, device, dtype)
        self.nonlinearity = nonlinearity

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        if self.nonlinearity not in ("tanh", "relu"):
            raise GraphcRuntimeError(f"Unknown nonlinearity: {self.nonlinearity}")
        return self._step(f"rnn_{self.nonlinearity}_cell", input, hx)

    def extra_repr(self) -> str:
        text = super().extra_repr()
        usual = self.nonlinearity == "tanh"
        return text if usual else f"{text}, nonlinearity={self.nonlinearity}"


class GRUCell(RNNCellBase):
    """h' = (1 - z) · n + z · h: gates decide how much of the state is new."""

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        device: Any = None,
        dtype: DType | None = None,
    ) -> None:
        super().__init__(input_size, hidden_size, bias, 3, device, dtype)

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        return self._step("gru_cell", input, hx)


class LSTMCell(RNNCellBase):
    """Long short-term memory: gates decide what a cell keeps, takes in and shows."""

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        device: Any = None,
        dtype: DType | None = None,
    ) -> None:
        super().__init__(input_size, hidden_size, bias, 4, device, dtype)

    def forward(
        self, input: Tensor, hx: tuple[Tensor, Tensor] | None = None
    ) -> tuple[Tensor, Tensor]:
        self._check_rank("input", input)
        for i, state in enumerate(hx or ()):
            self._check_rank(f"hx[{i}]", state)
        batched = input.ndim == 2
        x = input if batched else input.unsqueeze(0)
        if hx is None:
            states: tuple[Tensor, ...] = (self._zeros(x),) * 2
        else:
            states = hx if batched else tuple(state.unsqueeze(0) for state in hx)
        hidden, cell = LIFTED["lstm_cell"](x, states, *self._weights())
        return (hidden, cell) if batched else (hidden.squeeze(0), cell.squeeze(0))
