"""Generated text: the same bytes in every process, whatever the seed of Python's hashes."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.programs import PROGRAMS

ROOT = Path(__file__).resolve().parents[1]
SEEDS = ("0", "1", "2", "12345", "random")
CODE = """
import sys
import graphc
from graphc.backends import recalled
from graphc.recording import session
from tests.programs import PROGRAMS

recalled._read = lambda path: None  # each process writes its own text

for name, program in PROGRAMS.items():
    folder = f"{sys.argv[1]}/{name}"
    model, optimizer, step = program.build(graphc)
    compiled = graphc.compile(step)
    for x, y in program.batches(2):
        compiled(graphc.tensor(x), graphc.tensor(y))
    compiled.dump(folder)
    model, optimizer, step = program.build(graphc)
    session.programs.clear()
    for x, y in program.batches(2):
        step(graphc.tensor(x), graphc.tensor(y)).item()
    with open(f"{folder}/plain.txt", "w") as file:
        file.writelines(p.program.sources.text for p in session.programs.values() if p.program)
"""


def digests(folder: Path) -> dict[str, str]:
    """A digest of each file below a folder."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def dumps(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The folders of dumps that fresh processes wrote: one for each seed, and the first again."""
    folders = []
    for number, seed in enumerate((*SEEDS, SEEDS[0])):
        folder = tmp_path_factory.mktemp(f"dump{number}")
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)}
        subprocess.run(
            [sys.executable, "-c", CODE, str(folder)], check=True, env=environment, cwd=folder
        )
        folders.append(folder)
    return folders


@pytest.mark.parametrize("name", PROGRAMS)
def test_every_text_of_a_program_is_the_same(name: str, dumps: list[Path]) -> None:
    first, *others = (digests(folder / name) for folder in dumps)
    assert any(name.startswith("program.") for name in first)
    assert {"plain.txt", "07-fuse.txt", "memory.txt", "graph.svg"} <= first.keys()
    assert sum(path.startswith("kernels") for path in first) > 5
    assert len(others) == len(SEEDS)
    for other in others:
        assert other == first


@pytest.mark.parametrize("name", PROGRAMS)
def test_no_text_says_where_or_when_it_was_written(name: str, dumps: list[Path]) -> None:
    for path in sorted((dumps[0] / name).rglob("*")):
        if path.is_file():
            text = path.read_text(encoding="utf-8")
            assert str(ROOT) not in text and str(dumps[0]) not in text
            assert not re.search(r"\b20\d\d-\d\d-\d\d\b", text), path
            # In C the bits of a number are a number; where Python's objects lie has twelve digits.
            digits = "{12}" if path.suffix == ".c" else "{8,}"
            assert not re.search(rf"\b0x[0-9a-f]{digits}\b", text), path
