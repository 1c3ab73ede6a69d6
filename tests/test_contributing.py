"""The examples of CONTRIBUTING.md hold, in a copy of the project that has their files."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.installed import register

ROOT = Path(__file__).resolve().parents[1]
BLOCK = re.compile(r"^<!-- (.+?) -->\n```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)
COPIED = ("graphc", "backends", "kernels_templates")


@dataclass(frozen=True)
class Section:
    """The blocks under one heading, each with the comment that says what to do with it."""

    title: str
    blocks: tuple[tuple[str, str], ...]


def sections() -> list[Section]:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    parts = re.split(r"^## ", text, flags=re.MULTILINE)[1:]
    found = [Section(p.splitlines()[0], tuple(BLOCK.findall(p))) for p in parts]
    return [section for section in found if section.blocks]


def copy_of_the_sources(folder: Path) -> Path:
    ignored = shutil.ignore_patterns("__pycache__")
    for name in COPIED:
        shutil.copytree(ROOT / name, folder / name, symlinks=True, ignore=ignored)
    return folder


def apply(folder: Path, what: str, text: str) -> None:
    """Do with a block's text what the comment above it says."""
    action, _, place = what.partition(" to ")
    if action == "register":
        register(folder, text)
        return
    name, _, anchor = place.partition(" after: ")
    path = folder / name
    if action == "write":
        assert not path.exists(), f"{name} is there already"
        path.write_text(text, encoding="utf-8")
    elif action == "append":
        before = path.read_text(encoding="utf-8")
        path.write_text(f"{before.rstrip()}\n{text}", encoding="utf-8")
    else:
        assert action == "add", what
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        assert lines.count(f"{anchor}\n") == 1, f"{name} has no single line {anchor!r}"
        lines.insert(lines.index(f"{anchor}\n") + 1, text)
        path.write_text("".join(lines), encoding="utf-8")


@pytest.mark.parametrize("section", sections(), ids=lambda section: section.title)
def test_example(section: Section, tmp_path: Path) -> None:
    folder = copy_of_the_sources(tmp_path)
    runs = 0
    for what, text in section.blocks:
        if what != "run":
            apply(folder, what, text)
            continue
        runs += 1
        script = folder / f"run_{runs}.py"
        guard = f"import graphc\nassert graphc.__file__.startswith({str(folder)!r})\n"
        script.write_text(guard + text, encoding="utf-8")
        done = subprocess.run(
            [sys.executable, "-W", "error", str(script)],
            cwd=folder,
            env=dict(os.environ, PYTHONPATH=str(folder)),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
    assert runs, "the section has nothing to run"


def test_every_section_is_found() -> None:
    assert [s.title for s in sections()] == ["An op", "A pass", "A template", "A backend"]
    assert sum(len(s.blocks) for s in sections()) == len(
        re.findall(r"^<!--", (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"), re.MULTILINE)
    )
