"""Texts of programs on disk, by the recorded graphs that they are of: later processes need no
passes and no templates for a program that an earlier one had."""

from __future__ import annotations

import hashlib
import os
import pickle
import sys
import time
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import numpy as np

from graphc import ir
from graphc.backend import Sources
from graphc.backends import disk
from graphc.ir.encoding import NotEncodable, encoded
from graphc.ir.graph import Graph

DIGEST = hashlib.sha256().digest_size
ROOT = os.path.dirname(ir.__path__[0])
PARTS = (".py", ".j2")
"""Endings of the files that decide what is written."""


def recalled(graph: Graph, settings: str, write: Callable[[], Sources]) -> Sources:
    """What ``write`` gives for a recorded graph, from disk where an earlier process left it.

    ``settings`` tell all that the text depends on beside the graph and graphc itself.
    """
    try:
        key = _key(graph, settings, _state(ROOT))
    except (NotEncodable, OSError):
        return write()
    path = disk.folder() / f"{key}.sources"
    found = _read(path)
    if found is None:
        found = write()
        data = pickle.dumps(found, pickle.HIGHEST_PROTOCOL)
        disk.write(path, hashlib.sha256(data).digest() + data)
    return found


def _key(graph: Graph, settings: str, state: str) -> str:
    """The name of a program's text: all that it is made from, and by."""
    machine = f"{settings} {os.cpu_count()}"
    return disk.key_of((encoded(graph), machine, np.__version__, sys.version, state))


def _read(path: Path) -> Sources | None:
    """What a file holds, or None where there is none or it is broken."""
    try:
        data = path.read_bytes()
        if hashlib.sha256(data[DIGEST:]).digest() != data[:DIGEST]:
            return None
        os.utime(path)
        found = pickle.loads(data[DIGEST:])
    except OSError:
        return None
    assert isinstance(found, Sources)
    return found


@cache
def _state(root: str) -> str:
    """This very state of graphc: its files with their sizes and times.

    Raises where one is newer than this process, which may have read it as it was before.
    """
    begun = time.time_ns() - time.process_time_ns()
    files = sorted(_files(root))
    if any(changed > begun for _, _, changed in files):
        raise NotEncodable("graphc was changed while it was running")
    return repr(files)


def _files(folder: str) -> Iterator[tuple[str, int, int]]:
    for entry in os.scandir(folder):
        if entry.is_dir():
            yield from _files(entry.path)
        elif entry.name.endswith(PARTS):
            found = entry.stat()
            yield entry.path, found.st_size, found.st_mtime_ns
