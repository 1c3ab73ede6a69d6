"""Names for generated source."""

from __future__ import annotations

import re
from collections.abc import Iterable


class Names:
    """Identifiers, each given once; none is a keyword or one of the ``reserved`` words."""

    def __init__(self, reserved: Iterable[str], keywords: Iterable[str] = ()) -> None:
        self.taken = set(reserved)
        self.keywords = frozenset(keywords)
        self.counts: dict[str, int] = {}

    def new(self, wish: str) -> str:
        """``wish`` as an identifier that nothing else has."""
        base = re.sub(r"\W+", "_", wish, flags=re.ASCII).strip("_") or "x"
        if base[0].isdigit() or base in self.keywords:
            base = f"x_{base}"
        name, count = base, self.counts.get(base, 1)
        while name in self.taken:
            count += 1
            name = f"{base}_{count}"
        self.counts[base] = count
        self.taken.add(name)
        return name
