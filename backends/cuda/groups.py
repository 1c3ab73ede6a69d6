"""The CUDA functions of a fused group: its main kernel, and one for each of its totals."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from graphc.backends.c_language.statements import group_summary
from graphc.backends.c_language.types import stored
from graphc.backends.cuda.elements import elements
from graphc.backends.cuda.made import Launch, Made, Setting, parameters_of
from graphc.backends.cuda.parted import parted, parts_of
from graphc.backends.cuda.rows import DEAR, Rows, has_room, shape_of
from graphc.backends.cuda.totals import is_total, parts
from graphc.lowering.kernel import Kernel, Ramp
from graphc.lowering.operands import lowered_node


class Group:
    """The state of making one group's functions."""

    def __init__(self, name: str, setting: Setting, ramps: Sequence[Ramp | None], *, aliased: bool):
        self.name, self.setting = name, setting
        given = (setting.node, setting.operands, ramps, setting.results)
        self.kernel = lowered_node(*given)
        self.parameters = parameters_of(setting, aliased=aliased)
        if self.kernel.scratch and not has_room(self.kernel, self.parameters.offsets):
            self.kernel = lowered_node(*given, keep=DEAR)
        self.workspace: list[int] = []
        self.texts: list[str] = []
        self.launches: list[Launch] = []
        self.helpers: set[str] = set()

    def made(self) -> Made:
        """The functions."""
        found = parts(self.kernel, len(self.parameters.names))
        rows = prod(x.extent for x in self.kernel.axes if not x.reduced)
        for number, value in enumerate(found.spilled):
            self.parameters.add(f"rows{number}", f"{stored(value.dtype)} *rows{number}")
            self.workspace.append(rows * value.dtype.itemsize)
        kernels = [("", found.main), *((f"_total{i}", x) for i, x in enumerate(found.totals))]
        for suffix, kernel in kernels:
            if kernel is not None and _works(kernel):
                self._add(f"{self.name}{suffix}", kernel)
        return Made(
            "\n".join(self.texts),
            tuple(self.launches),
            tuple(self.workspace),
            helpers=frozenset(self.helpers),
        )

    def _add(self, name: str, kernel: Kernel) -> None:
        """One function more; what it keeps in memory comes after all other parameters."""
        about = group_summary(self.setting.node)
        if any(axis.reduced for axis in kernel.axes):
            count = parts_of(kernel, shape_of(kernel, self.parameters.offsets))
            if count > 1:
                self._add_parted(name, kernel, count)
                return
            self._took(Rows(name, about, kernel, self.parameters))
            return
        text, launch, called = elements(name, about, kernel, self.parameters)
        self.texts.append(text)
        self.launches.append(launch)
        self.helpers |= called

    def _took(self, rows: Rows) -> None:
        text, launch, called, kept = rows.made()
        self.workspace += kept
        self.texts.append(text)
        self.launches.append(launch)
        self.helpers |= called

    def _add_parted(self, name: str, kernel: Kernel, count: int) -> None:
        """Two functions: one reduces parts of rows, the other what it left."""
        before, about = len(self.parameters.names), group_summary(self.setting.node)
        found = parted(kernel, before, count)
        rows = prod(x.extent for x in kernel.axes if not x.reduced)
        for value in found.partial:
            own = f"parts{len(self.parameters.names)}"
            self.parameters.add(own, f"{stored(value.dtype)} *{own}")
            self.workspace.append(rows * count * value.dtype.itemsize)
        whole = f"{about}, in {count} parts"
        self._took(Rows(f"{name}_parts", whole, found.first, self.parameters, count, before))
        self._took(Rows(name, f"{about}, of its parts", found.second, self.parameters))


def groups(
    name: str, setting: Setting, ramps: Sequence[Ramp | None], *, aliased: bool = False
) -> Made:
    """The kernel of a fused group.

    ``ramps`` has the operands that are ranges rather than memory. ``aliased`` says that a result
    lies over an operand, element for element.
    """
    return Group(name, setting, ramps, aliased=aliased).made()


def has_totals(kernel: Kernel) -> bool:
    """Whether a part of the kernel reads operands after another has written results."""
    return any(is_total(x) for sweep in kernel.sweeps for x in sweep.body)


def _works(kernel: Kernel) -> bool:
    """Whether there is anything to do: some row, or some element."""
    return all(axis.extent or axis.reduced for axis in kernel.axes)
