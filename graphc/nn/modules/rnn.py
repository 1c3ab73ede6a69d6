"""Recurrent layers over whole sequences."""

from __future__ import annotations

import math
import numbers
import warnings
from typing import Any

from graphc.errors import GraphcRuntimeError, GraphcTypeError, GraphcValueError
from graphc.factories import zeros
from graphc.ir.dtype import DType, float32
from graphc.nn import init
from graphc.nn.modules.module import Module
from graphc.nn.parameter import Parameter, new_parameter
from graphc.nn.utils.rnn import PackedSequence
from graphc.ops.random import RandomUniform
from graphc.random import draw
from graphc.surface import LIFTED
from graphc.tensor import Tensor

GATES = {"RNN_TANH": 1, "RNN_RELU": 1, "LSTM": 4, "GRU": 3}
"""How many numbers a step computes for each of the hidden state's."""


class RNNBase(Module):
    """Layers of a recurrent network, each in one direction or in both."""

    def __init__(
        self,
        mode: str,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: Any = None,
        dtype: DType | None = None,
    ) -> None:
        super().__init__()
        self.mode, self.input_size, self.hidden_size = mode, input_size, hidden_size
        self.num_layers, self.bias, self.batch_first = num_layers, bias, batch_first
        self.dropout, self.bidirectional, self.proj_size = float(dropout), bidirectional, proj_size
        _check_dropout(dropout, num_layers)
        _check_sizes(self)
        if mode not in GATES:
            raise GraphcValueError(f"Unrecognized RNN mode: {mode}")
        self._all_weights: list[list[str]] = []
        for layer in range(num_layers):
            for suffix in ("", "_reverse") if bidirectional else ("",):
                shapes = self._shapes(layer)
                for name, shape in shapes.items():
                    setattr(self, name + suffix, new_parameter(shape, device, dtype))
                self._all_weights.append([name + suffix for name in shapes])
        self.reset_parameters()

    @property
    def _directions(self) -> int:
        return 2 if self.bidirectional else 1

    def _shapes(self, layer: int) -> dict[str, tuple[int, ...]]:
        """The parameters of a layer in one direction."""
        gates = GATES[self.mode] * self.hidden_size
        hidden = self.proj_size or self.hidden_size
        features = hidden * self._directions if layer else self.input_size
        shapes: dict[str, tuple[int, ...]] = {
            f"weight_ih_l{layer}": (gates, features),
            f"weight_hh_l{layer}": (gates, hidden),
        }
        if self.bias:
            shapes |= {f"bias_ih_l{layer}": (gates,), f"bias_hh_l{layer}": (gates,)}
        if self.proj_size:
            shapes[f"weight_hr_l{layer}"] = (hidden, self.hidden_size)
        return shapes

    def reset_parameters(self) -> None:
        """Draw all parameters from U(-k, k), k = 1 / √hidden_size."""
        bound = 1.0 / math.sqrt(self.hidden_size)
        for weight in self.parameters():
            init.uniform_(weight, -bound, bound)

    def flatten_parameters(self) -> None:
        """Nothing: weights need not lie next to each other."""

    @property
    def all_weights(self) -> list[list[Parameter]]:
        """The parameters of each layer and direction."""
        return [[getattr(self, name) for name in names] for names in self._all_weights]

    @property
    def _flat_weights(self) -> list[Parameter]:
        return [weight for weights in self.all_weights for weight in weights]

    def check_input(self, input: Tensor, batch_sizes: Tensor | None) -> None:
        """Raise where the input is not of the type and shape that the layer takes."""
        own = self.all_weights[0][0].dtype
        if input.dtype is not own:
            raise GraphcValueError(
                f"RNN input dtype ({input.dtype}) does not match weight dtype ({own}). Convert "
                f"input: input.to({own}), or convert model: model.to({input.dtype})"
            )
        expected = 3 if batch_sizes is None else 2
        if input.ndim != expected:
            raise GraphcRuntimeError(f"input must have {expected} dimensions, got {input.ndim}")
        if self.input_size != input.shape[-1]:
            raise GraphcRuntimeError(
                "input.size(-1) must be equal to input_size. Expected "
                f"{self.input_size}, got {input.shape[-1]}"
            )

    def _state_shapes(self, batch: int) -> list[tuple[int, int, int]]:
        """The shapes of what is carried from step to step: the hidden state first."""
        return [(self.num_layers * self._directions, batch, self.proj_size or self.hidden_size)]

    def _check_states(self, states: tuple[Tensor, ...], batch: int) -> None:
        for state, expected in zip(states, self._state_shapes(batch), strict=True):
            if tuple(state.shape) != expected:
                raise GraphcRuntimeError(
                    f"Expected hidden size {expected}, got {list(state.shape)}"
                )

    def _unbatched(self, states: tuple[Tensor, ...] | None, *, batched: bool) -> Any:
        """Initial states given for one sequence with a batch of one."""
        if states is None:
            return None
        _check_state_ranks(states, batched=batched)
        return states if batched else tuple(x.unsqueeze(1) for x in states)

    def _padded(self, input: Tensor, states: tuple[Tensor, ...] | None) -> tuple[Any, ...]:
        """The outputs and last states for sequences of one length."""
        if input.ndim not in (2, 3):
            noun = " tensor" if self.mode.startswith("RNN") else ""
            raise GraphcValueError(
                f"{type(self).__name__}: Expected input to be 2D or 3D, got {input.ndim}D{noun} "
                "instead"
            )
        batched, axis = input.ndim == 3, 0 if self.batch_first else 1
        x: Any = input if batched else input.unsqueeze(axis)
        states = self._unbatched(states, batched=batched)
        output, *last = self._run(x, None, states, x.shape[axis])
        if batched:
            return output, *last
        return output.squeeze(axis), *(state.squeeze(1) for state in last)

    def _packed(self, packed: PackedSequence, states: tuple[Any, ...] | None) -> tuple[Any, ...]:
        """The outputs and last states for sequences of several lengths."""
        data, sizes, order, back = packed
        if states is not None and order is not None:
            states = tuple(state.index_select(1, order) for state in states)
        output, *last = self._run(data, sizes, states, int(sizes[0]))
        if back is not None:
            last = [state.index_select(1, back) for state in last]
        return PackedSequence(output, sizes, order, back), *last

    def _run(
        self, x: Tensor, sizes: Tensor | None, states: tuple[Tensor, ...] | None, batch: int
    ) -> tuple[Any, ...]:
        self.check_input(x, sizes)
        if states is None:
            shapes = self._state_shapes(batch)
            states = tuple(zeros(shape, dtype=x.dtype, device=x.device) for shape in shapes)
        self._check_states(states, batch)
        counts = None if sizes is None else tuple(sizes.tolist())
        result: tuple[Any, ...] = LIFTED["recurrent"](
            x,
            counts,
            states,
            [self._weights_in_order(names) for names in self._all_weights],
            self._noise(x, counts),
            self.mode,
            self.dropout,
            self._directions,
            self.batch_first and sizes is None,
        )
        return result

    def _weights_in_order(self, names: list[str]) -> list[Parameter | None]:
        found: list[Parameter | None] = [getattr(self, name) for name in names]
        if not self.bias:
            found[2:2] = [None, None]
        return found if self.proj_size else [*found, None]

    def _noise(self, x: Tensor, counts: tuple[int, ...] | None) -> list[Tensor]:
        """What decides on the outputs to be dropped, for each layer but the last."""
        if not (self.training and self.dropout):
            return []
        rows = sum(counts) if counts is not None else x.shape[0] * x.shape[1]
        shape = (rows, (self.proj_size or self.hidden_size) * self._directions)
        return [
            draw(RandomUniform(shape, float32), name="dropout", device=x._place)
            for _ in range(self.num_layers - 1)
        ]

    def extra_repr(self) -> str:
        text = f"{self.input_size}, {self.hidden_size}"
        usual = {
            "proj_size": 0,
            "num_layers": 1,
            "bias": True,
            "batch_first": False,
            "dropout": 0,
            "bidirectional": False,
        }
        for name, value in usual.items():
            if getattr(self, name) != value:
                text += f", {name}={getattr(self, name)}"
        return text


class _Single(RNNBase):
    """Layers that carry their hidden state alone."""

    def forward(self, input: Any, hx: Tensor | None = None) -> tuple[Any, Tensor]:
        states = None if hx is None else (hx,)
        run: Any = self._packed if isinstance(input, PackedSequence) else self._padded
        output, hidden = run(input, states)
        return output, hidden


class RNN(_Single):
    """h' = tanh(x · weight_ihᵀ + bias_ih + h · weight_hhᵀ + bias_hh), or relu of it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        _refuse_projection(kwargs)
        if len(args) > 3:
            nonlinearity, args = args[3], (*args[:3], *args[4:])
        else:
            nonlinearity = kwargs.pop("nonlinearity", "tanh")
        if nonlinearity not in ("tanh", "relu"):
            raise GraphcValueError(
                f"Unknown nonlinearity '{nonlinearity}'. Select from 'tanh' or 'relu'."
            )
        super().__init__(f"RNN_{nonlinearity.upper()}", *args, **kwargs)
        self.nonlinearity = nonlinearity


class GRU(_Single):
    """h' = (1 - z) · n + z · h: gates decide how much of the state is new."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        _refuse_projection(kwargs)
        super().__init__("GRU", *args, **kwargs)


class LSTM(RNNBase):
    """Long short-term memory: gates decide what a cell keeps, takes in and shows."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__("LSTM", *args, **kwargs)

    def _state_shapes(self, batch: int) -> list[tuple[int, int, int]]:
        hidden = super()._state_shapes(batch)
        return [*hidden, (self.num_layers * self._directions, batch, self.hidden_size)]

    def _check_states(self, states: tuple[Tensor, ...], batch: int) -> None:
        for i, (state, expected) in enumerate(zip(states, self._state_shapes(batch), strict=True)):
            if tuple(state.shape) != expected:
                raise GraphcRuntimeError(
                    f"Expected hidden[{i}] size {expected}, got {list(state.shape)}"
                )

    def forward(
        self, input: Any, hx: tuple[Tensor, Tensor] | None = None
    ) -> tuple[Any, tuple[Tensor, Tensor]]:
        states = None if hx is None else tuple(hx)
        run: Any = self._packed if isinstance(input, PackedSequence) else self._padded
        output, hidden, cell = run(input, states)
        return output, (hidden, cell)


def _refuse_projection(given: dict[str, Any]) -> None:
    if "proj_size" in given:
        raise GraphcValueError("proj_size argument is only supported for LSTM, not RNN or GRU")


def _check_dropout(dropout: Any, layers: int) -> None:
    number = isinstance(dropout, numbers.Number) and not isinstance(dropout, bool)
    if not number or not 0 <= dropout <= 1:
        raise GraphcValueError(
            "dropout should be a number in range [0, 1] representing the probability of an "
            "element being zeroed"
        )
    if dropout > 0 and layers == 1:
        warnings.warn(
            "dropout option adds dropout after all but last recurrent layer, so non-zero dropout "
            f"expects num_layers greater than 1, but got dropout={dropout} and "
            f"num_layers={layers}",
            stacklevel=4,
        )


def _check_sizes(layer: RNNBase) -> None:
    """Raise where a setting is not of its type or range."""
    for name, kind in (
        ("bias", bool),
        ("batch_first", bool),
        ("input_size", int),
        ("hidden_size", int),
    ):
        value = getattr(layer, name)
        if not isinstance(value, kind):
            raise GraphcTypeError(
                f"{name} should be of type {kind.__name__}, got: {type(value).__name__}"
            )
        if kind is int and value <= 0:
            raise GraphcValueError(f"{name} must be greater than zero")
    if layer.num_layers <= 0:
        raise GraphcValueError("num_layers must be greater than zero")
    if layer.proj_size < 0:
        raise GraphcValueError(
            "proj_size should be a positive integer or zero to disable projections"
        )
    if layer.proj_size >= layer.hidden_size:
        raise GraphcValueError("proj_size has to be smaller than hidden_size")


def _check_state_ranks(states: tuple[Tensor, ...], *, batched: bool) -> None:
    rank, input = (3, "batched 3-D") if batched else (2, "unbatched 2-D")
    if all(state.ndim == rank for state in states):
        return
    if len(states) == 1:
        raise GraphcRuntimeError(
            f"For {input} input, hx should also be {rank}-D but got {states[0].ndim}-D tensor"
        )
    ranks = ", ".join(f"{state.ndim}-D" for state in states)
    raise GraphcRuntimeError(
        f"For {input} input, hx and cx should also be {rank}-D but got ({ranks}) tensors"
    )
