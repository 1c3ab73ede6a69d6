"""Numbers in order: the arrays in which keys are dealt out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

FEW = 40
"""Keys up to which inserting one after the other is faster than dealing out, as measured."""


def facts(bits: int) -> Mapping[str, object]:
    """What the template of putting keys of so many bits in order is given."""
    return {"bits": bits, "few": FEW}


@dataclass(frozen=True)
class Arrays:
    """The arrays of one task, in which ``n`` keys of so many bits are put in order."""

    n: int
    bits: int

    @property
    def _sizes(self) -> tuple[int, int]:
        """Bytes of an array of keys, and of one of numbers, in whole cache lines."""
        return -(-self.n * self.bits // 512) * 64, -(-self.n * 4 // 64) * 64

    @property
    def nbytes(self) -> int:
        return 2 * sum(self._sizes)

    def lines(self, work: str) -> list[str]:
        """Their declarations, in the memory at ``work``."""
        keys, numbers = self._sizes
        kind = f"uint{self.bits}_t"
        return [
            f"{kind} *keys = (void *)({work}), *more_keys = (void *)({work} + {keys});",
            f"uint32_t *numbers = (void *)({work} + {2 * keys});",
            f"uint32_t *more_numbers = (void *)({work} + {2 * keys + numbers});",
        ]

    def more(self, work: str) -> list[str]:
        """The declarations of an array of keys and one of numbers that follow them."""
        keys, _ = self._sizes
        return [
            f"uint{self.bits}_t *some = (void *)({work} + {self.nbytes});",
            f"uint32_t *stood = (void *)({work} + {self.nbytes + keys});",
        ]
