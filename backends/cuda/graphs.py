"""What was given to a stream, to be given again as one: CUDA graphs, which PyCUDA does not offer.

Source: the CUDA driver API's reference, "Stream Management" and "Graph Management".
"""

from __future__ import annotations

import ctypes
from typing import Any

from graphc.backends.cuda.libcuda import check, library

RELAXED = 2
"""CU_STREAM_CAPTURE_MODE_RELAXED: other threads may do what cannot be captured."""


class Graph:
    """What is given to a stream within ``with``, to be given again as one."""

    def __init__(self, stream: Any) -> None:
        self.made = ctypes.c_void_p()
        self.library = library()
        self.stream = ctypes.c_void_p(stream.handle)
        self._launch = self.library.cuGraphLaunch

    def __enter__(self) -> Graph:
        check(self.library.cuStreamBeginCapture_v2(self.stream, RELAXED))
        return self

    def __exit__(self, *exception: object) -> None:
        recorded = ctypes.c_void_p()
        result = self.library.cuStreamEndCapture(self.stream, ctypes.byref(recorded))
        try:
            if exception[0] is None:
                check(result)
                make = self.library.cuGraphInstantiateWithFlags
                check(make(ctypes.byref(self.made), recorded, ctypes.c_ulonglong(0)))
        finally:
            if recorded:
                self.library.cuGraphDestroy(recorded)

    def launch(self) -> None:
        """Do it all again."""
        result = self._launch(self.made, self.stream)
        if result:
            check(result)

    def __del__(self) -> None:
        if self.made:
            self.library.cuGraphExecDestroy(self.made)
