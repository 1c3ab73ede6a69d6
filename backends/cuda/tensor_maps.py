"""Tensor maps: how the device's own copy engine finds the tiles of a batch of matrices.

Source: the CUDA driver API's reference manual, ``cuTensorMapEncodeTiled``.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import dataclass

from graphc.backends.cuda import libcuda
from graphc.ir.types import Shape

NBYTES, ALIGNED = 128, 64
"""Of an encoded map."""
FLOAT16, BFLOAT16, TFLOAT32 = 6, 9, 11
"""Values of CUtensorMapDataType. Elements of the last one are rounded as they are copied."""
SWIZZLE_128B, PROMOTION_256B = 3, 3
"""Pieces of 16 bytes change places within 128 bytes; what is read comes to the cache by 256."""
KINDS = {"float16": FLOAT16, "bfloat16": BFLOAT16, "tf32": TFLOAT32}


@dataclass(frozen=True)
class TensorMap:
    """A batch of matrices, and the tile that one copy brings; innermost extents first."""

    kind: str
    """The type that products are computed in."""
    extents: Shape
    strides: Shape
    """In bytes, of all but the innermost."""
    box: Shape

    def encoded(self, address: int, encode: Callable[..., int] | None = None) -> bytes:
        """The map of memory at an address, as a kernel takes it."""
        room = (ctypes.c_char * (NBYTES + ALIGNED))()
        place = ctypes.addressof(room)
        place += -place % ALIGNED
        rank = len(self.extents)
        given = (
            ctypes.c_void_p(place),
            KINDS[self.kind],
            rank,
            ctypes.c_void_p(address),
            (ctypes.c_uint64 * rank)(*self.extents),
            (ctypes.c_uint64 * rank)(*self.strides),
            (ctypes.c_uint32 * rank)(*self.box),
            (ctypes.c_uint32 * rank)(*[1] * rank),
            0,  # no interleaving
            SWIZZLE_128B,
            PROMOTION_256B,
            0,  # zeros where a tile is beyond the matrix
        )
        libcuda.check((encode or libcuda.library().cuTensorMapEncodeTiled)(*given))
        return ctypes.string_at(place, NBYTES)
