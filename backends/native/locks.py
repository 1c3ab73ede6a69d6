"""A lock that survives a fork."""

from __future__ import annotations

import os
from threading import Lock


class Exclusion:
    """A lock that a forked process finds open, whoever held it before."""

    def __init__(self) -> None:
        self.lock, self.process = Lock(), os.getpid()

    def __enter__(self) -> None:
        if self.process != os.getpid():
            self.lock, self.process = Lock(), os.getpid()
        self.lock.acquire()

    def __exit__(self, *error: object) -> None:
        self.lock.release()
