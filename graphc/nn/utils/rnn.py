"""Sequences of several lengths, padded or packed, for recurrent layers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, Self

import numpy as np

from graphc.errors import GraphcRuntimeError, GraphcValueError
from graphc.functions.operands import C_NAMES
from graphc.ir import dtype as types
from graphc.storage import Array, Storage
from graphc.surface import LIFTED
from graphc.tensor import Tensor, from_storage


class _Packed(NamedTuple):
    data: Tensor
    batch_sizes: Tensor
    sorted_indices: Tensor | None
    unsorted_indices: Tensor | None


class PackedSequence(_Packed):
    """The elements of sequences ordered by time, with how many sequences reach each step."""

    def __new__(
        cls,
        data: Any,
        batch_sizes: Tensor | None = None,
        sorted_indices: Tensor | None = None,
        unsorted_indices: Tensor | None = None,
    ) -> Self:
        if batch_sizes is None:
            if not (isinstance(data, list | tuple) and len(data) == 2):
                raise AssertionError("Expected data to be a list or tuple of length 2")
            data, batch_sizes = data
        elif batch_sizes.device.type != "cpu":
            raise GraphcValueError("batch_sizes should always be on CPU.")
        if unsorted_indices is None:
            unsorted_indices = invert_permutation(sorted_indices)
        return super().__new__(cls, data, batch_sizes, sorted_indices, unsorted_indices)

    def _with(self, data: Tensor) -> Self:
        if data is self.data:
            return self
        return type(self)(data, self.batch_sizes, self.sorted_indices, self.unsorted_indices)

    def to(self, *args: Any, **kwargs: Any) -> Self:
        """The same sequences in another element type or on another device."""
        return self._with(self.data.to(*args, **kwargs))

    def cpu(self) -> Self:
        """The same sequences in the memory of the host."""
        return self.to("cpu")

    def pin_memory(self) -> Self:
        """The same sequences: memory of the host needs no pinning here."""
        return self

    def double(self) -> Self:
        return self.to(types.float64)

    def float(self) -> Self:
        return self.to(types.float32)

    def half(self) -> Self:
        return self.to(types.float16)

    def long(self) -> Self:
        return self.to(types.int64)

    def int(self) -> Self:
        return self.to(types.int32)

    def short(self) -> Self:
        return self.to(types.int16)

    def char(self) -> Self:
        return self.to(types.int8)

    def byte(self) -> Self:
        return self.to(types.uint8)

    @property
    def is_cuda(self) -> bool:
        return self.data.device.type == "cuda"


def _held(array: Array, like: Tensor | None = None) -> Tensor:
    device = "" if like is None else str(like.device)
    return from_storage(Storage(np.ascontiguousarray(array, np.int64), device=device))


def invert_permutation(permutation: Tensor | None) -> Tensor | None:
    """The permutation that undoes ``permutation``."""
    if permutation is None:
        return None
    return _held(np.argsort(permutation._value(), kind="stable"), permutation)


def _lengths(given: Any) -> Array:
    if isinstance(given, Tensor):
        return given._value().astype(np.int64)
    return np.asarray([int(n) if np.ndim(n) == 0 else n for n in given], np.int64)


def pack_padded_sequence(
    input: Tensor, lengths: Any, batch_first: bool = False, enforce_sorted: bool = True
) -> PackedSequence:
    """The first ``lengths`` elements of each sequence of ``input``, the longest sequence first."""
    found = _lengths(lengths)
    order = None
    if not enforce_sorted:
        places = np.argsort(-found, kind="stable")
        found, order = found[places], _held(places, input)
        input = input.index_select(0 if batch_first else 1, order)
    batch, steps = input.shape[:2] if batch_first else reversed(input.shape[:2])
    _check_lengths(found, batch, steps)
    going = np.arange(steps)[: found[0], None] < found
    time, sequence = np.nonzero(going)
    rows = sequence * steps + time if batch_first else time * batch + sequence
    data = LIFTED["packed_rows"](input, _held(rows, input))
    return PackedSequence(data, _held(going.sum(1)), order)


def _check_lengths(lengths: Array, batch: int, steps: int) -> None:
    if lengths.ndim != 1:
        raise GraphcRuntimeError(
            f"'lengths' argument should be a 1D CPU int64 tensor, but got {lengths.ndim}D cpu "
            f"{C_NAMES[lengths.dtype.name]} tensor"
        )
    if len(lengths) != batch:
        raise GraphcRuntimeError(
            "Expected `len(lengths)` to be equal to batch_size, but got "
            f"{len(lengths)} (batch_size={batch})"
        )
    if (lengths <= 0).any():
        raise GraphcRuntimeError(
            "Length of all samples has to be greater than 0, but found an element in 'lengths' "
            "that is <= 0"
        )
    if (lengths[1:] > lengths[:-1]).any():
        raise GraphcRuntimeError(
            "`lengths` array must be sorted in decreasing order when `enforce_sorted` is True. "
            "You can pass `enforce_sorted=False` to pack_padded_sequence and/or pack_sequence to "
            "sidestep this requirement if you do not need ONNX exportability."
        )
    if lengths[0] > steps:
        raise GraphcRuntimeError(
            f"Expected the lengths to be at most that of the input, {steps}, but got {lengths[0]}"
        )


def pad_packed_sequence(
    sequence: PackedSequence,
    batch_first: bool = False,
    padding_value: float = 0.0,
    total_length: int | None = None,
) -> tuple[Tensor, Tensor]:
    """The sequences with padding after their ends, and their lengths, in the original order."""
    sizes = sequence.batch_sizes._value()
    longest = len(sizes)
    if total_length is not None and total_length < longest:
        raise GraphcValueError(
            "Expected total_length to be at least the length of the longest sequence in input, "
            f"but got total_length={total_length} and max sequence length being {longest}"
        )
    rows = np.full((total_length or longest, sizes[0]), sizes.sum())
    going = np.arange(sizes[0]) < sizes[:, None]
    rows[:longest][going] = np.arange(sizes.sum())
    places = _held(rows.T if batch_first else rows, sequence.data)
    padded: Tensor = LIFTED["unpacked_rows"](sequence.data, places, padding_value, batch_first)
    lengths, back = going.sum(0), sequence.unsorted_indices
    if back is None:
        return padded, _held(lengths)
    dim = 0 if batch_first else 1
    return padded.index_select(dim, back), _held(lengths[back._value()])


def pad_sequence(
    sequences: Iterable[Tensor],
    batch_first: bool = False,
    padding_value: float = 0.0,
    padding_side: str = "right",
) -> Tensor:
    """The sequences as one tensor, filled up to the length of the longest."""
    if not isinstance(sequences, Iterable):
        raise GraphcRuntimeError(
            "pad_sequence: Expected iterable for input sequences, but got arg of type: "
            f"{type(sequences)}"
        )
    given = tuple(sequences)
    result: Tensor = LIFTED["padded_sequences"](given, batch_first, padding_value, padding_side)
    return result


def unpad_sequence(
    padded_sequences: Tensor, lengths: Tensor, batch_first: bool = False
) -> list[Tensor]:
    """The sequences without what fills them up."""
    rows = padded_sequences if batch_first else padded_sequences.transpose(0, 1)
    pairs = zip(rows.unbind(0), lengths.tolist(), strict=True)
    return [row[:length].clone() for row, length in pairs]


def pack_sequence(sequences: Sequence[Tensor], enforce_sorted: bool = True) -> PackedSequence:
    """The sequences packed, the longest first."""
    lengths = [x.shape[0] for x in sequences]
    return pack_padded_sequence(pad_sequence(sequences), lengths, enforce_sorted=enforce_sorted)


def unpack_sequence(packed_sequences: PackedSequence) -> list[Tensor]:
    """The sequences that were packed."""
    padded, lengths = pad_packed_sequence(packed_sequences, batch_first=True)
    return unpad_sequence(padded, lengths, batch_first=True)
