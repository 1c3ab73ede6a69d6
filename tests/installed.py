"""What installing a package leaves behind, for tests of packages that are not installed."""

from __future__ import annotations

import tomllib
from pathlib import Path


def register(folder: Path, text: str) -> None:
    """The metadata of a package whose pyproject.toml has these entry points."""
    groups = tomllib.loads(text)["project"]["entry-points"]
    metadata = folder / "example-0.1.dist-info"
    metadata.mkdir()
    metadata.joinpath("METADATA").write_text("Metadata-Version: 2.1\nName: example\nVersion: 0.1\n")
    lines = [
        line
        for group, names in groups.items()
        for line in (f"[{group}]", *(f"{name} = {place}" for name, place in names.items()))
    ]
    metadata.joinpath("entry_points.txt").write_text("\n".join(lines) + "\n")
