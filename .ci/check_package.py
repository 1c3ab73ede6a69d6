"""Checks the built archives and the tracked files: size, contents, no machine's paths."""

from __future__ import annotations

import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

MAXIMUM = 4_000_000
"""Bytes of the wheel's files as they are installed, before Python adds its bytecode."""
WANTED = (
    "graphc/__init__.py",
    "graphc/py.typed",
    "graphc/backends/__init__.py",
    "graphc/backends/cuda/__init__.py",
    "graphc/backends/native/__init__.py",
    "graphc/backends/numpy/__init__.py",
    "graphc/kernels_templates/program.c.j2",
    "graphc/kernels_templates/program.cu.j2",
    "graphc/kernels_templates/program.numpy.j2",
)
MACHINE_PATH = re.compile(rb"(?<![\w.~/])/(?:home|root|Users|work|opt|mnt|srv)/[\w.-]")


def names_of(archive: Path) -> list[str]:
    """The paths within, without the folder that an sdist puts around them."""
    if archive.suffix == ".whl":
        return zipfile.ZipFile(archive).namelist()
    with tarfile.open(archive) as opened:
        return [name.partition("/")[2] for name in opened.getnames()]


def installed_size(archive: Path) -> int:
    """The bytes of a wheel's files; an sdist is not installed as it is."""
    if archive.suffix != ".whl":
        return 0
    return sum(entry.file_size for entry in zipfile.ZipFile(archive).infolist())


def tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files"], check=True, capture_output=True, text=True).stdout
    return [path for line in listed.splitlines() if (path := Path(line)).is_file()]


def faults(archives: list[Path]) -> list[str]:
    found = []
    for archive in archives:
        names = set(names_of(archive))
        found += [f"{archive.name}: {name} is missing" for name in WANTED if name not in names]
        if (size := installed_size(archive)) > MAXIMUM:
            found.append(f"{archive.name}: {size} bytes unpacked, more than {MAXIMUM}")
    for path in tracked():
        found += [
            f"{path}: a machine's path: {match[0].decode()}..."
            for match in MACHINE_PATH.finditer(path.read_bytes())
        ]
    return found


def main() -> None:
    problems = faults([Path(name) for name in sys.argv[1:]])
    print("\n".join(problems) or "the package is whole")
    sys.exit(bool(problems))


if __name__ == "__main__":
    main()
