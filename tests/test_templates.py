"""Compiled templates that are kept beside them."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import pytest
from jinja2 import Environment, FileSystemLoader

from graphc.kernels_templates.bytecode import Bytecode

NAME = "greeting.c.j2"


class Counting(Environment):
    """An environment that counts what it compiles."""

    compiled = 0

    def _generate(self, *args: object, **kwargs: object) -> object:  # type: ignore[override]
        self.compiled += 1
        return super()._generate(*args, **kwargs)  # type: ignore[arg-type]


def rendered(folder: Path) -> tuple[str, int]:
    """The text of the template in a new environment, and how many were compiled for it."""
    environment = Counting(loader=FileSystemLoader(folder), bytecode_cache=Bytecode())
    return environment.get_template(NAME).render(name="you"), environment.compiled


@pytest.fixture(autouse=True)
def is_writing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    monkeypatch.setattr(sys, "pycache_prefix", None)


def test_a_template_is_compiled_once(tmp_path: Path) -> None:
    (tmp_path / NAME).write_text("Hello {{ name }}")
    assert [rendered(tmp_path) for _ in range(2)] == [("Hello you", 1), ("Hello you", 0)]
    (kept,) = (tmp_path / "__pycache__").iterdir()
    assert kept.name.startswith("greeting.c.")
    assert stat.S_IMODE(kept.stat().st_mode) == stat.S_IMODE((tmp_path / NAME).stat().st_mode)


def test_a_changed_template_is_compiled_anew(tmp_path: Path) -> None:
    template = tmp_path / NAME
    template.write_text("Hello {{ name }}")
    os.utime(template, (1, 1))
    rendered(tmp_path)
    template.write_text("Dear  {{ name }}")
    os.utime(template, (1, 1))
    assert [rendered(tmp_path) for _ in range(2)] == [("Dear  you", 1), ("Dear  you", 0)]


def test_a_broken_file_is_as_good_as_none(tmp_path: Path) -> None:
    (tmp_path / NAME).write_text("Hello {{ name }}")
    rendered(tmp_path)
    (kept,) = (tmp_path / "__pycache__").iterdir()
    whole = kept.read_bytes()
    for broken in (b"", whole[:20], whole[:-20], b"x" * len(whole), whole[:18] + b"x" * 50):
        kept.write_bytes(broken)
        assert rendered(tmp_path) == ("Hello you", 1)
        assert kept.read_bytes() == whole


def test_nothing_is_written_where_python_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / NAME).write_text("Hello {{ name }}")
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    assert [rendered(tmp_path) for _ in range(2)] == [("Hello you", 1)] * 2
    assert not (tmp_path / "__pycache__").exists()
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    (tmp_path / "__pycache__").write_text("no folder")
    assert [rendered(tmp_path) for _ in range(2)] == [("Hello you", 1)] * 2
