"""Programs with complex numbers, for graphc and PyTorch alike: a model, its inputs and its loss."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.torch_peer import Array, normal

Program = Callable[[Any], tuple[Any, Callable[[Any], Any]]]
"""Given graphc or PyTorch: a module, and the loss of an input."""


def llama_block(m: Any) -> tuple[Any, Callable[[Any], Any]]:
    """Attention with rotary embeddings by complex multiplication, as Llama's own code has it."""
    nn, F = m.nn, m.nn.functional
    width, heads = 16, 2

    def frequencies(length: int) -> Any:
        steps = 1.0 / (10000.0 ** (m.arange(0, width // heads, 2)[: width // heads // 2] / 8))
        angles = m.outer(m.arange(length), steps).float()
        return m.polar(m.ones_like(angles), angles)

    def rotated(x: Any, turns: Any) -> Any:
        pairs = m.view_as_complex(x.float().reshape(*x.shape[:-1], -1, 2))
        return m.view_as_real(pairs * turns[None, :, None]).flatten(3).type_as(x)

    class Block(nn.Module):  # type: ignore[misc,name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.project = nn.Linear(width, 3 * width, bias=False)
            self.out = nn.Linear(width, width, bias=False)
            self.register_buffer("turns", frequencies(12), persistent=False)

        def forward(self, x: Any) -> Any:
            q, k, v = (y.view(*x.shape[:2], heads, -1) for y in self.project(x).chunk(3, dim=-1))
            turns = self.turns[: x.shape[1]]
            q, k = rotated(q, turns), rotated(k, turns)
            q, k, v = (y.transpose(1, 2) for y in (q, k, v))
            y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
            return x + self.out(y.transpose(1, 2).reshape(x.shape))

    model = Block()
    return model, lambda x: F.mse_loss(model(x), x.roll(1, 1))


def fnet_block(m: Any) -> tuple[Any, Callable[[Any], Any]]:
    """Mixing by a transform over tokens and features, of which the real part goes on."""
    nn = m.nn

    class Block(nn.Module):  # type: ignore[misc,name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = nn.LayerNorm(16), nn.LayerNorm(16)
            self.feed = nn.Sequential(nn.Linear(16, 32), nn.GELU(), nn.Linear(32, 16))

        def forward(self, x: Any) -> Any:
            x = self.first(x + m.fft.fft2(x, dim=(-2, -1)).real)
            return self.second(x + self.feed(x))

    model = Block()
    return model, lambda x: (model(x) - x.flip(1)).abs().mean()


def fourier_operator(m: Any) -> tuple[Any, Callable[[Any], Any]]:
    """A layer of a Fourier neural operator: complex weights of the lowest frequencies."""
    nn = m.nn

    class Spectral(nn.Module):  # type: ignore[misc,name-defined]
        def __init__(self, modes: int) -> None:
            super().__init__()
            self.modes = modes
            self.weight = nn.Parameter(0.1 * m.randn(16, 16, modes, dtype=m.cfloat))

        def forward(self, x: Any) -> Any:
            spectrum = m.fft.rfft(x)
            out = m.zeros(x.shape[0], 16, spectrum.shape[-1], dtype=m.cfloat)
            low = spectrum[:, :, : self.modes]
            out[:, :, : self.modes] = m.einsum("bix,iox->box", low, self.weight)
            return m.fft.irfft(out, n=x.shape[-1])

    class Layer(nn.Module):  # type: ignore[misc,name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.spectral, self.local = Spectral(4), nn.Conv1d(16, 16, 1)

        def forward(self, x: Any) -> Any:
            x = x.transpose(1, 2)
            return nn.functional.gelu(self.spectral(x) + self.local(x)).transpose(1, 2)

    model = Layer()
    return model, lambda x: ((model(x) - x.cumsum(1)) ** 2).mean()


def long_convolution(m: Any) -> tuple[Any, Callable[[Any], Any]]:
    """A filter as long as its input, by transforms of twice the length."""
    nn = m.nn

    class Filter(nn.Module):  # type: ignore[misc,name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.kernel = nn.Parameter(m.randn(16, 12) * 0.1)
            self.gate = nn.Linear(16, 16)

        def forward(self, x: Any) -> Any:
            size = 2 * x.shape[1]
            spectra = m.fft.rfft(x.transpose(1, 2), n=size) * m.fft.rfft(self.kernel, n=size)
            y = m.fft.irfft(spectra, n=size)[..., : x.shape[1]].transpose(1, 2)
            return y * self.gate(x).sigmoid()

    model = Filter()
    return model, lambda x: (model(x) - x).square().mean()


def state_space(m: Any) -> tuple[Any, Callable[[Any], Any]]:
    """A diagonal state space (S4D): the powers of complex poles are the filter's kernel."""
    nn = m.nn

    class Diagonal(nn.Module):  # type: ignore[misc,name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.decay = nn.Parameter(m.randn(16, 4) * 0.1 - 1)
            self.pulse = nn.Parameter(m.arange(4).float().repeat(16, 1))
            self.weight = nn.Parameter(m.randn(16, 4, dtype=m.cfloat))

        def forward(self, x: Any) -> Any:
            length = x.shape[1]
            poles = m.complex(-self.decay.exp(), self.pulse)
            powers = m.exp(poles[..., None] * m.arange(length))
            weight = self.weight * (m.exp(poles) - 1.0) / poles
            kernel = 2 * m.einsum("hn,hnl->hl", weight, powers).real
            spectra = m.fft.rfft(x.transpose(1, 2), n=2 * length) * m.fft.rfft(kernel, n=2 * length)
            return m.fft.irfft(spectra, n=2 * length)[..., :length].transpose(1, 2)

    model = Diagonal()
    return model, lambda x: (model(x) - x.tanh()).square().mean()


def spectral_loss(m: Any) -> tuple[Any, Callable[[Any], Any]]:
    """A linear layer by the distance of magnitudes and logarithms of short-time spectra."""
    model = m.nn.Linear(16, 16)

    def loss(x: Any) -> Any:
        window = m.hann_window(8)
        spectra = [
            m.stft(y.flatten(1), 8, 4, window=window, return_complex=True)
            for y in (model(x), x.flip(2))
        ]
        mine, goal = (s.abs() for s in spectra)
        distance = m.linalg.norm(goal - mine) / m.linalg.norm(goal)
        return distance + ((goal + 1e-2).log() - (mine + 1e-2).log()).abs().mean()

    return model, loss


def complex_network(m: Any) -> tuple[Any, Callable[[Any], Any]]:
    """Layers of complex weights with an activation of each part."""
    nn = m.nn
    first = nn.Linear(16, 16, dtype=m.cfloat)
    second = nn.Linear(16, 16, dtype=m.cfloat)

    class Network(nn.Module):  # type: ignore[misc,name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = first, second

        def forward(self, x: Any) -> Any:
            y = self.first(m.complex(x, x.roll(1, 2)))
            return self.second(m.complex(y.real.relu(), y.imag.relu()))

    model = Network()
    return model, lambda x: ((model(x) - x * 1j).abs() ** 2).mean() + model(x).angle().cos().mean()


PROGRAMS: dict[str, Program] = {
    f.__name__: f
    for f in (
        *(llama_block, fnet_block, fourier_operator, long_convolution),
        *(state_space, spectral_loss, complex_network),
    )
}


def batches(count: int) -> list[Array]:
    """Inputs of two rows, twelve places and sixteen features."""
    return [normal(2, 12, 16, dtype="float32", seed=i) for i in range(count)]
