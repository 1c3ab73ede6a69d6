"""Imports point down: each part of the compiler knows only the parts below it."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("graphc", "backends", "kernels_templates")

FORBIDDEN = {
    "graphc.ir": (
        "graphc.autodiff",
        "graphc.capture",
        "graphc.compiled",
        "graphc.compiler",
        "graphc.functions",
        "graphc.lowering",
        "graphc.nn",
        "graphc.ops",
        "graphc.optim",
        "graphc.passes",
        "graphc.recording",
        "graphc.running",
        "graphc.surface",
        "graphc.tensor",
    ),
    "graphc.ops": (
        "graphc.capture",
        "graphc.compiled",
        "graphc.compiler",
        "graphc.functions",
        "graphc.lowering",
        "graphc.nn",
        "graphc.optim",
        "graphc.passes",
        "graphc.recording",
        "graphc.running",
        "graphc.surface",
        "graphc.tensor",
    ),
    "graphc.functions": (
        "graphc.capture",
        "graphc.compiled",
        "graphc.compiler",
        "graphc.lowering",
        "graphc.nn",
        "graphc.optim",
        "graphc.passes",
    ),
    "graphc.distributions": (
        "graphc.compiler",
        "graphc.lowering",
        "graphc.optim",
        "graphc.passes",
    ),
    "graphc.func": ("graphc.compiler", "graphc.lowering", "graphc.optim", "graphc.passes"),
    "graphc.nn": ("graphc.compiler", "graphc.lowering", "graphc.optim", "graphc.passes"),
    "graphc.optim": ("graphc.compiler", "graphc.lowering", "graphc.passes"),
    "graphc.utils": ("graphc.compiler", "graphc.lowering", "graphc.passes"),
    "graphc.passes": (
        "graphc.capture",
        "graphc.compiled",
        "graphc.compiler",
        "graphc.functions",
        "graphc.lowering",
        "graphc.nn",
        "graphc.optim",
        "graphc.tensor",
    ),
    "graphc.lowering": (
        "graphc.capture",
        "graphc.compiled",
        "graphc.compiler",
        "graphc.functions",
        "graphc.nn",
        "graphc.optim",
        "graphc.tensor",
    ),
    "graphc.backends": (
        "graphc.autodiff",
        "graphc.capture",
        "graphc.compiled",
        "graphc.compiler",
        "graphc.functions",
        "graphc.nn",
        "graphc.optim",
        "graphc.recording",
        "graphc.running",
        "graphc.surface",
        "graphc.tensor",
    ),
}
"""What a part must not import: whatever stands above it."""

ONLY_JINJA = frozenset({"jinja2", *sys.stdlib_module_names})
"""What the templates' package may import beside itself."""
PEERS = frozenset({"jax", "jaxlib", "onnx", "onnxruntime", "tensorflow", "tinygrad", "torch"})
TARGETS = frozenset({"cuda", "pycuda", "cupy", "cffi", "numba", "llvmlite"})


def module_of(path: Path) -> str:
    parts = list(path.relative_to(ROOT).with_suffix("").parts)
    if parts[0] != "graphc":
        parts.insert(0, "graphc")
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def sources() -> list[Path]:
    found = [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py"))]
    # graphc/backends and graphc/kernels_templates are links to the folders beside graphc/.
    links = [ROOT / "graphc" / name for name in FOLDERS]
    return [path for path in found if not any(path.is_relative_to(link) for link in links)]


def within(module: str, part: str) -> bool:
    return module == part or module.startswith(f"{part}.")


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """Each imported module with its line; of ``from a import b`` both ``a`` and ``a.b``."""
    module = module_of(path)
    package = module if path.stem == "__init__" else module.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, name.name) for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*above, *([base] if base else [])])
            yield node.lineno, base
            if base != "__future__":
                yield from ((node.lineno, f"{base}.{name.name}") for name in node.names)


SOURCES = sources()


def shown(path: Path, line: int, imported: str, why: str) -> str:
    return f"{path.relative_to(ROOT)}:{line} imports {imported}: {why}"


def test_the_walk_sees_every_part() -> None:
    modules = {module_of(path) for path in SOURCES}
    assert {"graphc", "graphc.ir", "graphc.ops", "graphc.backends"} <= modules
    assert "graphc.kernels_templates" in modules
    assert len(SOURCES) == len(modules)


@pytest.mark.parametrize("part", FORBIDDEN)
def test_imports_point_down(part: str) -> None:
    wrong = [
        shown(path, line, imported, f"it stands above {part}")
        for path in SOURCES
        if within(module_of(path), part)
        for line, imported in imports(path)
        if any(within(imported, upper) for upper in FORBIDDEN[part])
    ]
    assert not wrong, "\n".join(wrong)


def test_templates_import_jinja_alone() -> None:
    wrong = [
        shown(path, line, imported, "templates know jinja2 alone")
        for path in SOURCES
        if within(module_of(path), "graphc.kernels_templates")
        for line, imported in imports(path)
        if imported.partition(".")[0] not in ONLY_JINJA
        and not within(imported, "graphc.kernels_templates")
    ]
    assert not wrong, "\n".join(wrong)


def test_no_peer_is_imported() -> None:
    wrong = [
        shown(path, line, imported, "graphc needs none of its peers")
        for path in SOURCES
        for line, imported in imports(path)
        if imported.partition(".")[0] in PEERS
    ]
    assert not wrong, "\n".join(wrong)


def test_the_compiler_names_no_target() -> None:
    """A backend is loaded by its name, at run time; nothing above it imports one."""
    wrong = [
        shown(path, line, imported, "a backend is loaded by its name")
        for path in SOURCES
        if not within(module_of(path), "graphc.backends")
        for line, imported in imports(path)
        if imported.partition(".")[0] in TARGETS
        or (within(imported, "graphc.backends") and imported.count(".") > 1 and is_module(imported))
    ]
    assert not wrong, "\n".join(wrong)


def is_module(name: str) -> bool:
    return any(within(module_of(path), name) for path in SOURCES)


SHARED = "c_language"
"""The package of what backends share that write C or CUDA C: it is no backend, and knows none."""


def test_backends_do_not_know_each_other() -> None:
    own = sorted(path.name for path in (ROOT / "backends").iterdir() if path.is_dir())
    wrong = [
        shown(path, line, imported, f"the backend {name} stands alone")
        for name in own
        for path in SOURCES
        if within(module_of(path), f"graphc.backends.{name}")
        for line, imported in imports(path)
        for other in own
        if other not in (name, SHARED) and within(imported, f"graphc.backends.{other}")
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("link", ["backends", "kernels_templates"])
def test_links(link: str) -> None:
    """Without symbolic links, git writes a file that holds the link's target."""
    place = ROOT / "graphc" / link
    assert place.is_dir(), f"{place} is no folder: clone with `git -c core.symlinks=true clone`"
    if place.is_symlink():
        assert place.readlink() == Path("..") / link
