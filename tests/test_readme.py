"""Every command and every snippet of the README runs, and what it shows is what comes out.

A Python block is run after those before it, in one namespace. A block under a comment
``<!-- prints: EXPRESSION -->`` is not run: it is the text that the expression gives; with
``from: WORDS`` before the comment's end, the line with these words and what is indented below it.
``python tests/test_readme.py`` writes those texts anew.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from textwrap import dedent
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"
FILE = "train.py"
"""What generated text calls the blocks."""
BLOCK = re.compile(
    r"(?:<!-- prints: (?P<prints>.+?)(?: from: (?P<start>.+?))? -->\n)?"
    r"^```(?P<language>\w+)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
NEEDED = {"torch_": "torch", "jax_": "jax", "ort": "onnxruntime", "train_digits": "sklearn"}
"""Words of a command that need a package which the tests alone do not."""


@dataclass(frozen=True)
class Block:
    """A fenced block of a Markdown file."""

    language: str
    text: str
    prints: str | None
    """The expression that gives the text."""
    start: str | None
    """Words in the line of the expression's text with which the block starts."""
    line: int
    """The line of its first line of text."""

    def shown(self, namespace: dict[str, Any]) -> str:
        """What the block is to be."""
        assert self.prints is not None
        text = str(eval(self.prints, namespace))
        if self.start is not None:
            found = re.search(
                rf"^( *).*{re.escape(self.start)}.*\n(\1 .*\n| *\n)*(\1}}\n)?", text, re.MULTILINE
            )
            assert found is not None, f"{self.start!r} does not occur in {self.prints}"
            text = dedent(found[0])
        return text.strip("\n") + "\n"


def line_of(text: str, place: int) -> int:
    return text.count("\n", 0, place) + 1


def blocks(path: Path, *languages: str) -> list[Block]:
    text = path.read_text(encoding="utf-8")
    found = BLOCK.finditer(text)
    return [
        Block(m["language"], m["text"], m["prints"], m["start"], line_of(text, m.start("text")))
        for m in found
        if m["language"] in languages
    ]


def run_snippets(path: Path) -> Iterator[tuple[Block, str]]:
    """Run the Python blocks in turn; yields each that shows a text, with what it should be.

    A block is a file of its own to what it runs: generated text names the block's own lines.
    """
    namespace: dict[str, Any] = {"__name__": "readme"}
    for block in blocks(path, "python", "c"):
        if block.prints is not None:
            yield block, block.shown(namespace)
            continue
        try:
            exec(compile(block.text, FILE, "exec"), namespace)
        except Exception as error:
            error.add_note(f"in the block at {path.name}:{block.line}")
            raise


def copy_of_the_project(folder: Path) -> Path:
    """A fresh copy, links as links, without what a run leaves behind."""
    ignored = shutil.ignore_patterns(".git", ".*_cache", ".venv", "__pycache__", "*.egg-info")
    return Path(shutil.copytree(ROOT, folder / "graphc", symlinks=True, ignore=ignored))


def commands() -> list[Any]:
    """The README's commands; those that make an environment install packages."""
    lines = [line for block in blocks(README, "bash") for line in block.text.splitlines()]
    return [
        pytest.param(
            line,
            marks=[pytest.mark.network] if "pip install" in line else [],
            id=line.rpartition("/")[2],
        )
        for line in lines
        if line and not line.startswith("#")
    ]


@pytest.mark.parametrize("command", commands())
def test_command(command: str, tmp_path: Path) -> None:
    installs = "pip install" in command
    for word, package in NEEDED.items():
        if word in command and not installs and find_spec(package) is None:
            pytest.skip(f"needs {package}")
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST_", "PYTHON"))}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    project = copy_of_the_project(tmp_path)
    try:
        subprocess.run(["bash", "-c", command], cwd=project, env=environment, check=True)
    finally:
        shutil.rmtree(project)


def test_snippets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for block, expected in run_snippets(README):
        assert block.text == expected, f"{block.prints}: run `python tests/test_readme.py`"


def test_links_lead_somewhere() -> None:
    for name in ("README.md", "CONTRIBUTING.md", "benchmarks/README.md"):
        path = ROOT / name
        prose = BLOCK.sub("", path.read_text(encoding="utf-8"))
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", prose):
            assert (path.parent / target).exists(), f"{name} links to {target}"


def write_outputs(path: Path) -> None:
    """Put into each block that shows a text what is shown there now."""
    text = path.read_text(encoding="utf-8")
    for block, expected in run_snippets(path):
        head = f"<!-- prints: {block.prints}{f' from: {block.start}' if block.start else ''} -->"
        head += f"\n```{block.language}\n"
        assert text.count(f"{head}{block.text}```") == 1
        text = text.replace(f"{head}{block.text}```", f"{head}{expected}```")
    path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    with TemporaryDirectory() as scratch:
        os.chdir(scratch)
        write_outputs(README)
