"""Transforms of short stretches of a signal, and the signal again from these."""

from __future__ import annotations

from typing import Any

from graphc import fft
from graphc.errors import GraphcRuntimeError
from graphc.factories import ones
from graphc.surface import LIFTED
from graphc.tensor import Tensor


def stft(
    input: Tensor,
    n_fft: int,
    hop_length: int | None = None,
    win_length: int | None = None,
    window: Tensor | None = None,
    center: bool = True,
    pad_mode: str = "reflect",
    normalized: bool = False,
    onesided: bool | None = None,
    return_complex: bool | None = None,
    align_to_window: bool | None = None,
) -> Tensor:
    """The transforms of stretches of ``n_fft`` elements, ``hop_length`` apart: ``[..., n, t]``."""
    is_real = not (input.is_complex() or (window is not None and window.is_complex()))
    if return_complex is None and is_real:
        raise GraphcRuntimeError(
            "stft requires the return_complex parameter be given for real inputs, and will further "
            "require that return_complex=True in a future PyTorch release."
        )
    if center and align_to_window is not None:
        raise GraphcRuntimeError("stft align_to_window should only be set when center = false")
    if not 1 <= input.ndim <= 2:
        raise _misfit("stft", f"expected a 1D or 2D tensor, but got {input.ndim}D")
    hop, weights = _stretch("stft", input, n_fft, hop_length, win_length, window)
    half = is_real if onesided is None else onesided
    if half and not is_real:
        raise GraphcRuntimeError("Cannot have onesided output if window or input is complex")
    rows = input if input.ndim == 2 else input[None]
    if center:
        rows = LIFTED["pad"](rows[:, None], [n_fft // 2] * 2, pad_mode)[:, 0]
    if rows.shape[-1] < n_fft:
        raise _misfit("stft", f"expected 0 < n_fft <= {rows.shape[-1]}, but got n_fft={n_fft}")
    pieces = LIFTED["unfold"](rows, 1, n_fft, hop)
    norm = "ortho" if normalized else None
    transform = fft.rfft if half else fft.fft
    found = transform(pieces if weights is None else pieces * weights, norm=norm).transpose(1, 2)
    found = found if input.ndim == 2 else found[0]
    return LIFTED["view_as_real"](found) if return_complex is False else found  # type: ignore[no-any-return]


def istft(
    input: Tensor,
    n_fft: int,
    hop_length: int | None = None,
    win_length: int | None = None,
    window: Tensor | None = None,
    center: bool = True,
    normalized: bool = False,
    onesided: bool | None = None,
    length: int | None = None,
    return_complex: bool = False,
) -> Tensor:
    """The signal of which ``input`` is the ``stft``: stretches added up, over their weights."""
    if not input.is_complex():
        raise GraphcRuntimeError(
            "istft requires a complex-valued input tensor matching the output from stft with "
            "return_complex=True."
        )
    hop, weights = _stretch("istft", input, n_fft, hop_length, win_length, window)
    spectra = (input if input.ndim == 3 else input[None]).transpose(1, 2)
    half = spectra.shape[-1] != n_fft if onesided is None else onesided
    expected = n_fft // 2 + 1 if half else n_fft
    if spectra.shape[-1] != expected:
        raise _misfit(
            "istft",
            "expected the frequency dimension (3rd to the last) of the input tensor to match n_fft "
            f"{'/ 2 + 1 when onesided=True' if half else 'when onesided=False'}, but got "
            f"{spectra.shape[-1]}",
        )
    norm = "ortho" if normalized else None
    pieces = fft.irfft(spectra, n_fft, norm=norm) if half else fft.ifft(spectra, norm=norm)
    if not return_complex and not half:
        pieces = pieces.real
    if weights is None:
        weights = ones(n_fft, dtype=pieces.real.dtype, device=input.device)
    count = spectra.shape[1]
    total = _added(pieces * weights, hop)
    squares = (weights * weights.conj()).expand(1, count, n_fft)
    below = _added(squares, hop)
    start = n_fft // 2 if center else 0
    stop = total.shape[-1] - start if length is None else start + length
    kept = slice(start, min(stop, total.shape[-1]))
    signal = total[:, kept] / below[:, kept]
    if signal.shape[-1] < stop - start:
        signal = LIFTED["pad"](signal, [0, stop - start - signal.shape[-1]])
    return signal if input.ndim == 3 else signal[0]


def _stretch(
    name: str,
    input: Tensor,
    n_fft: int,
    hop_length: int | None,
    win_length: int | None,
    window: Tensor | None,
) -> tuple[int, Tensor | None]:
    """The distance between stretches, and the window filled up with zeros to their extent."""
    hop = n_fft // 4 if hop_length is None else hop_length
    width = n_fft if win_length is None else win_length
    if hop <= 0:
        raise _misfit(name, f"expected hop_length > 0, but got hop_length={hop}")
    if not 0 < width <= n_fft:
        raise _misfit(name, f"expected 0 < win_length <= n_fft, but got win_length={width}")
    if window is not None and tuple(window.shape) != (width,):
        raise _misfit(
            name,
            f"expected a 1D window tensor of size equal to win_length={width}, but got window "
            f"with size {list(window.shape)}",
        )
    if window is None:
        if width == n_fft:
            return hop, None
        window = ones(width, dtype=input.real.dtype, device=input.device)
    left = (n_fft - width) // 2
    return hop, LIFTED["pad"](window, [left, n_fft - width - left])


def _added(pieces: Tensor, hop: int) -> Tensor:
    """``[batch, count, extent]`` laid out ``hop`` apart and added up where they overlap."""
    batch, count, extent = pieces.shape
    size = extent + hop * (count - 1)
    columns = pieces.transpose(1, 2)
    made = LIFTED["fold"](columns, (1, size), (1, extent), stride=(1, hop))
    return made.reshape(batch, size)  # type: ignore[no-any-return]


def _misfit(name: str, message: str) -> GraphcRuntimeError:
    return GraphcRuntimeError(f"{name}(): {message}")


METHODS: dict[str, Any] = {"stft": stft, "istft": istft}
"""What tensors offer."""
NAMESPACE: dict[str, Any] = METHODS
"""What the package offers by name."""
