"""Compiled programs on disk, by what they were compiled from: any number of processes share them.

An entry is a shared object ``KEY.so`` or an image for a device ``KEY.cubin``, beside it the sum of
its bytes, by which a broken one is known, and the source; or the text of a program as it was
emitted, ``KEY.sources``. Each file appears whole, by a rename.
"""

from __future__ import annotations

import atexit
import hashlib
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterable
from functools import cache
from pathlib import Path

LIMIT = 512 * 1024 * 1024
"""Bytes of all entries together; those used longest ago go first."""
ABANDONED = 3600.0
"""Seconds after which a folder in which something was being built belongs to nobody."""
BUILDING = "building-"


def wished_folder() -> Path:
    """Where this system keeps caches, or where ``GRAPHC_CACHE_DIR`` says."""
    chosen = os.environ.get("GRAPHC_CACHE_DIR")
    if chosen:
        return Path(chosen)
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "graphc"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or tempfile.gettempdir()) / "graphc"
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "graphc"


def folder() -> Path:
    """The folder of the entries; a temporary one where the wished one cannot be written to."""
    try:
        wished = wished_folder()
    except RuntimeError:  # there is no home
        return _temporary()
    return wished if _is_writable(wished) else _temporary()


@cache
def _is_writable(wished: Path) -> bool:
    try:
        wished.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=wished):
            return True
    except OSError:
        return False


@cache
def _temporary() -> Path:
    made = tempfile.mkdtemp(prefix="graphc-")
    owner = os.getpid()

    def remove() -> None:
        if os.getpid() == owner:  # a forked child shares it
            shutil.rmtree(made, ignore_errors=True)

    atexit.register(remove)
    return Path(made)


def key_of(parts: Iterable[str]) -> str:
    """The name of what is made from these texts."""
    found = hashlib.sha256()
    for part in parts:
        data = part.encode()
        found.update(b"%d:" % len(data))
        found.update(data)
    return found.hexdigest()


def building() -> Path:
    """A new folder to build in, from which files can be renamed into the cache."""
    return Path(tempfile.mkdtemp(prefix=BUILDING, dir=folder()))


def write(path: Path, data: bytes) -> None:
    """Let a file have this content, all at once."""
    handle, name = tempfile.mkstemp(prefix=BUILDING, dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise


def find(key: str, ending: str = "so") -> Path | None:
    """The file of an entry, or None where there is none or it is broken."""
    path = folder() / f"{key}.{ending}"
    return None if _whole(path) is None else path


def read(key: str, ending: str) -> bytes | None:
    """What the file of an entry has, or None where there is none or it is broken."""
    return _whole(folder() / f"{key}.{ending}")


def _whole(path: Path) -> bytes | None:
    try:
        known = path.with_suffix(".sum").read_text(encoding="ascii")
        data = path.read_bytes()
        if hashlib.sha256(data).hexdigest() != known:
            return None
        os.utime(path)
    except (OSError, UnicodeDecodeError):
        return None
    return data


def put(key: str, built: Path) -> Path:
    """The entry made of a shared object, which is taken from where it was built."""
    path = folder() / f"{key}.so"
    digest = hashlib.sha256(built.read_bytes()).hexdigest()
    os.replace(built, path)
    _sum_up(path, digest)
    return path


def keep(key: str, ending: str, data: bytes) -> None:
    """Make an entry of these bytes."""
    path = folder() / f"{key}.{ending}"
    write(path, data)
    _sum_up(path, hashlib.sha256(data).hexdigest())


def _sum_up(path: Path, digest: str) -> None:
    write(path.with_suffix(".sum"), digest.encode())
    trim()


def trim() -> None:
    """Remove the entries used longest ago while all together are too large, and what was left."""
    sizes: dict[str, int] = {}
    used: dict[str, float] = {}
    now = time.time()
    for entry in os.scandir(folder()):
        try:
            found = entry.stat(follow_symlinks=False)
        except OSError:  # another process was faster
            continue
        if entry.name.startswith(BUILDING):
            if now - found.st_mtime > ABANDONED:
                _remove(Path(entry.path))
            continue
        stem = entry.name.partition(".")[0]
        sizes[stem] = sizes.get(stem, 0) + found.st_size
        used[stem] = max(used.get(stem, 0.0), found.st_mtime)
    total = sum(sizes.values())
    for stem in sorted(sizes, key=lambda stem: used[stem]):
        if total <= LIMIT:
            break
        for path in folder().glob(f"{stem}.*"):
            _remove(path)
        total -= sizes[stem]


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
