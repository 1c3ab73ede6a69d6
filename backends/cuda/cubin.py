"""What a cubin says of its kernels: read from its ELF sections, without a tool or a device.

The attributes of kernels in ``.nv.info`` are those that ``cuobjdump -elf`` names: 0x2f is the
number of registers (EIATTR_REGCOUNT), 0x12 the stack (EIATTR_MIN_STACK_SIZE).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from graphc.errors import GraphcValueError

REGISTERS, STACK = 0x2F, 0x12
SYMBOLS = 2
"""The type of a section that is a table of symbols."""
ENTRY = 0x10
"""The mark of a symbol that is a kernel, not a function that kernels call."""
RESERVED = 1024
"""Bytes of shared memory that the driver has in each block, from sm_90 on."""


@dataclass(frozen=True)
class Resources:
    """What one kernel takes."""

    registers: int
    """Of each thread."""
    stack: int
    """Bytes of local memory of each thread: spilled registers, and arrays indexed at run time."""
    shared: int
    """Bytes of each block's shared memory whose size the compiler knows."""
    code: int
    """Bytes of instructions."""


@dataclass(frozen=True)
class _Section:
    name: str
    kind: int
    offset: int
    size: int
    link: int


def resources(image: bytes) -> dict[str, Resources]:
    """What each kernel of a cubin takes, by its name.

    Raises:
        GraphcValueError: the bytes are no cubin.
    """
    try:
        return _resources(image)
    except (struct.error, ValueError, IndexError, StopIteration) as error:
        raise GraphcValueError(f"this is no cubin: {error}") from None


def _resources(image: bytes) -> dict[str, Resources]:
    if not image.startswith(b"\x7fELF\x02"):
        raise ValueError(f"it begins with {image[:5]!r}")
    sections = _sections(image)
    sizes = {x.name: x.size for x in sections}
    symbols = _symbols(image, sections)
    told = _attributes(image, next(x for x in sections if x.name == ".nv.info"))
    reserved = RESERVED if ".nv.shared.reserved.0" in sizes else 0
    found = {}
    for number, (name, is_kernel) in symbols.items():
        if is_kernel:
            shared = sizes.get(f".nv.shared.{name}", reserved) - reserved
            registers, stack = told[REGISTERS, number], told.get((STACK, number), 0)
            found[name] = Resources(registers, stack, shared, sizes[f".text.{name}"])
    return found


def _sections(image: bytes) -> list[_Section]:
    (begin,) = struct.unpack_from("<Q", image, 40)
    each, count, names = struct.unpack_from("<HHH", image, 58)
    read = [struct.unpack_from("<IIQQQQII", image, begin + i * each) for i in range(count)]
    at = read[names][4]
    return [_Section(_text(image, at + x[0]), x[1], x[4], x[5], x[6]) for x in read]


def _text(image: bytes, at: int) -> str:
    return image[at : image.index(b"\0", at)].decode()


def _symbols(image: bytes, sections: list[_Section]) -> Mapping[int, tuple[str, bool]]:
    """The name of each symbol, by its number, and whether it is a kernel."""
    table = next(x for x in sections if x.kind == SYMBOLS)
    names = sections[table.link].offset
    found = {}
    for number in range(table.size // 24):
        name, info, other = struct.unpack_from("<IBB", image, table.offset + 24 * number)
        is_function = info & 0xF == 2
        found[number] = _text(image, names + name), is_function and bool(other & ENTRY)
    return found


def _attributes(image: bytes, section: _Section) -> dict[tuple[int, int], int]:
    """The values of the attributes that are of a symbol, by attribute and symbol."""
    return {(kind, symbol): value for kind, symbol, value in _values(image, section)}


def _values(image: bytes, section: _Section) -> Iterator[tuple[int, int, int]]:
    at, end = section.offset, section.offset + section.size
    while at + 4 <= end:
        form, kind, size = struct.unpack_from("<BBH", image, at)
        at += 4
        if form == 4:  # the size is of what follows; in other forms it is the value itself
            if size == 8:
                yield kind, *struct.unpack_from("<II", image, at)
            at += size


def report(image: bytes) -> str:
    """A table of what each kernel takes, in the order of their names."""
    lines = [f"{'kernel':<40} {'registers':>9} {'stack':>7} {'shared':>7} {'code':>8}"]
    for name, x in sorted(resources(image).items()):
        lines.append(f"{name:<40} {x.registers:>9} {x.stack:>7} {x.shared:>7} {x.code:>8}")
    return "\n".join(lines)
