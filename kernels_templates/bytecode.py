"""Compiled templates, kept beside them as Python keeps its own modules' bytecode."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from contextlib import suppress
from importlib.util import cache_from_source
from io import BytesIO
from pathlib import Path

from jinja2 import BytecodeCache
from jinja2.bccache import Bucket


class Bytecode(BytecodeCache):
    """What Jinja made of a template, in the folder ``__pycache__`` beside it.

    Jinja itself knows by a sum of the template whether it still is what was compiled.
    """

    def get_cache_key(self, name: str, filename: str | None = None) -> str:
        return filename or ""

    def load_bytecode(self, bucket: Bucket) -> None:
        """Fill the bucket, if there is a file."""
        with suppress(Exception):  # a broken file can raise anything, and is as good as none
            bucket.load_bytecode(BytesIO(_place(bucket.key).read_bytes()))

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Write the file all at once, where that is allowed."""
        if sys.dont_write_bytecode or not bucket.key:
            return
        with suppress(OSError):
            place = _place(bucket.key)
            place.parent.mkdir(exist_ok=True)
            handle, name = tempfile.mkstemp(dir=place.parent)
            with os.fdopen(handle, "wb") as file:
                bucket.write_bytecode(file)
            shutil.copymode(bucket.key, name)
            os.replace(name, place)


def _place(template: str) -> Path:
    return Path(cache_from_source(template))
