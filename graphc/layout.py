"""How elements lie in memory, by PyTorch's names. All memory here is strided."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Layout:
    """A layout, or an order of the dimensions in memory."""

    name: str

    def __repr__(self) -> str:
        return f"torch.{self.name}"


strided = Layout("strided")
contiguous_format = Layout("contiguous_format")
preserve_format = Layout("preserve_format")
channels_last = Layout("channels_last")
channels_last_3d = Layout("channels_last_3d")
memory_format = Layout
