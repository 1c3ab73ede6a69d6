"""The statements of what is done for an element or a row, several elements side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from graphc.backends.c_language.statements import Lines, combined, ramp, terms
from graphc.backends.c_language.types import computed, is_low, load, number, store, stored
from graphc.backends.cuda.library import spelled
from graphc.ir.dtype import DType, Scalar
from graphc.lowering.kernel import (
    Access,
    Action,
    Keep,
    Kept,
    Kernel,
    Load,
    Ramp,
    Reduction,
    Step,
    Store,
    Value,
)

LETTERS = "ijklmnopqrsuw"
"""Names of indices, outermost first."""
WIDEST = 16
"""Bytes that a thread reads or writes at once."""


@dataclass
class Writer:
    """Writes actions; ``width`` elements along the innermost axis are worked on by a thread."""

    kernel: Kernel
    parameters: Sequence[str]
    """The pointers' names."""
    offsets: Sequence[int]
    """How many elements after an aligned address each of them begins."""
    width: int = 1
    lines: Lines = field(default_factory=Lines)
    helpers: set[str] = field(default_factory=set)
    kept: dict[int, str] = field(default_factory=dict)
    """The expression for an element of each row of scratch memory."""
    names: list[str] = field(default_factory=list)
    """The indices' names; those of the kernel's axes if empty."""
    loaded: dict[str, str] = field(default_factory=dict)
    given: dict[int, str] = field(default_factory=dict)
    """The expression for an element of each parameter that is no memory; ``v`` counts elements."""

    def __post_init__(self) -> None:
        if not self.names:
            self.names = list(LETTERS[: len(self.kernel.axes)])

    @property
    def index_type(self) -> str:
        """The C type of indices: 64 bits only where something is that far away."""
        return "int" if reach(self.kernel) < 2**31 else "long"

    # -- elements side by side -------------------------------------------------------------------

    def is_packed(self, access: Access) -> bool:
        """Whether the elements that a thread works on lie side by side, at an aligned address."""
        strides = access.strides
        if access.parameter in self.given:
            return False
        if self.width == 1 or not strides or strides[-1] != 1:
            return False
        far = (*strides[:-1], self.offsets[access.parameter])
        return all(x % self.width == 0 for x in far)

    def elements(self, body: Sequence[Action]) -> None:
        """What is done for each element of a thread."""
        if self.width == 1:
            self.actions(body)
            return
        loads = [x for x in body if isinstance(x, Load) and isinstance(x.source, Access)]
        stores = [x for x in body if isinstance(x, Store)]
        self.loaded = {}
        for x in loads:
            assert isinstance(x.source, Access)
            if self.is_packed(x.source):
                pack = self._pack(x.source.dtype)
                self.loaded[x.value.name] = f"{x.value.name}_pack"
                place = self.place(x.source)
                self.lines.add(f"const {pack} {x.value.name}_pack = *(const {pack} *)&{place};")
        packed = {id(x): f"y{i}_pack" for i, x in enumerate(stores) if self.is_packed(x.target)}
        for y in stores:
            if id(y) in packed:
                self.lines.add(f"{self._pack(y.target.dtype)} {packed[id(y)]};")
        self.lines.add("#pragma unroll")
        self.lines.open(f"for (int v = 0; v < {self.width}; v++)")
        before = self.names[-1]
        self.names[-1] = f"({before} + v)"
        self.actions(body, packed)
        self.names[-1] = before
        self.lines.close()
        for y in stores:
            if id(y) in packed:
                pack = self._pack(y.target.dtype)
                self.lines.add(f"*({pack} *)&{self.place(y.target)} = {packed[id(y)]};")
        self.loaded = {}

    def _pack(self, dtype: DType) -> str:
        return f"pack<{stored(dtype)}, {self.width}>"

    # -- actions ---------------------------------------------------------------------------------

    def place(self, access: Access) -> str:
        """The element in memory."""
        return f"{self.parameters[access.parameter]}[{terms(access.strides, self.names)}]"

    def operand(self, value: Value | Scalar, dtype: DType) -> str:
        """The expression for a value."""
        return value.name if isinstance(value, Value) else number(dtype, value)

    def actions(self, actions: Sequence[Action], packed: dict[int, str] | None = None) -> None:
        """The statements, in order; stores into ``packed`` go to a thread's own memory."""
        for x in actions:
            if isinstance(x, Load):
                self._define(x.value, self._load(x))
            elif isinstance(x, Step):
                types = [y.dtype for y in x.node.inputs]
                given = [self.operand(v, t) for v, t in zip(x.operands, types, strict=True)]
                text, called = spelled(x.node, given)
                self.helpers |= called
                self._define(x.value, text)
            elif isinstance(x, Keep):
                self.lines.add(f"{self.kept[x.scratch]} = {x.value.name};")
            elif isinstance(x, Store):
                self._store(x, packed or {})
            else:
                self.take(x)

    def take(self, x: Reduction) -> None:
        """Take a value into a total."""
        value = self.operand(x.operand, x.value.dtype)
        self.lines.add(combined(x.op, x.value.dtype, x.value.name, value, wraps=False))

    def _define(self, value: Value, expression: str) -> None:
        self.lines.add(f"const {computed(value.dtype)} {value.name} = {expression};")

    def _store(self, x: Store, packed: dict[int, str]) -> None:
        self._low(x.target.dtype)
        value = self.operand(x.value, x.target.dtype)
        place = f"{packed[id(x)]}.at[v]" if id(x) in packed else self.place(x.target)
        self.lines.add(store(x.target.dtype, place, value))

    def _low(self, dtype: DType) -> None:
        if is_low(dtype):
            self.helpers |= {f"widen_{dtype.name}", f"narrow_{dtype.name}"}

    def _load(self, x: Load) -> str:
        source = x.source
        if isinstance(source, Ramp):
            return ramp(source, self.names, wraps=False)
        if isinstance(source, Kept):
            return self.kept[source.scratch]
        if source.parameter in self.given:
            return self.given[source.parameter]
        self._low(source.dtype)
        pack = self.loaded.get(x.value.name)
        return load(source.dtype, f"{pack}.at[v]" if pack else self.place(source))


def accesses(kernel: Kernel) -> list[Access]:
    """Every access to memory of a kernel."""
    found: list[Access] = []
    for sweep in kernel.sweeps:
        for x in (*sweep.row, *sweep.body):
            if isinstance(x, Load) and isinstance(x.source, Access):
                found.append(x.source)
            elif isinstance(x, Store):
                found.append(x.target)
            elif isinstance(x, Reduction) and x.result is not None:
                found.append(x.result)
    return found


def reach(kernel: Kernel) -> int:
    """The largest distance, in elements, of anything that a kernel reads or writes; or its size."""
    size = 1
    for axis in kernel.axes:
        size *= axis.extent
    far = [
        sum(abs(s) * n for s, n in zip(x.strides, kernel.space, strict=True))
        for x in accesses(kernel)
    ]
    return max([size, *far])


def width_of(kernel: Kernel, offsets: Sequence[int]) -> int:
    """How many elements a thread works on: as many as it can read at once."""
    if not kernel.axes:
        return 1
    dense = [x for x in accesses(kernel) if x.strides[-1] == 1]
    if not dense:
        return 1
    width = WIDEST // max(x.dtype.itemsize for x in dense)
    extent = kernel.axes[-1].extent
    while width > 1:
        writer = Writer(kernel, (), offsets, width)
        if extent % width == 0 and all(writer.is_packed(x) for x in dense):
            return width
        width //= 2
    return 1
