"""Reductions that are results of their own become kernels of rows: what they go over is a row.

A group may give, beside what it computes for each element, totals over other axes, such as the
gradient of a norm's weight. A processor of many threads adds these up apart, from the operands.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from graphc.lowering.kernel import (
    Access,
    Action,
    Axis,
    Keep,
    Kept,
    Kernel,
    Load,
    Reduction,
    Step,
    Store,
    Sweep,
    Value,
)


@dataclass(frozen=True)
class Parts:
    """A kernel without its totals, and a kernel for those over the same axes."""

    main: Kernel | None
    """None where it has nothing else to do."""
    totals: tuple[Kernel, ...]
    spilled: tuple[Value, ...]
    """Values of rows that the main kernel leaves for the totals, each as a parameter after all
    others, in C order over the axes of rows."""


def is_total(x: Action) -> bool:
    """Whether an action adds up a result over axes that are not a row's."""
    return isinstance(x, Reduction) and x.result is not None


def parts(kernel: Kernel, parameters: int) -> Parts:
    """The kernel in parts; it has so many parameters."""
    found = [x for sweep in kernel.sweeps for x in sweep.body if is_total(x)]
    if not found:
        return Parts(kernel, (), ())
    return _Splitter(kernel, parameters).parts()


class _Splitter:
    """The state of one splitting."""

    def __init__(self, kernel: Kernel, parameters: int) -> None:
        self.kernel, self.parameters = kernel, parameters
        self.defined: dict[str, Action] = {}
        for sweep in kernel.sweeps:
            for x in (*sweep.row, *sweep.body):
                if isinstance(x, Load | Step | Reduction) and not _is_reread(x):
                    self.defined.setdefault(x.value.name, x)
        self.spilled: list[Value] = []
        strides, step = [0] * len(kernel.axes), 1
        for axis in reversed(range(len(kernel.axes))):
            if not kernel.axes[axis].reduced:
                strides[axis] = step
                step *= kernel.axes[axis].extent
        self.row_strides = tuple(strides)

    def parts(self) -> Parts:
        found = [x for s in self.kernel.sweeps for x in s.body if isinstance(x, Reduction)]
        together: dict[tuple[int, ...], list[Reduction]] = {}
        for x in found:
            if x.result is not None:
                together.setdefault(x.axes, []).append(x)
        kernels = tuple(self._totals(axes, xs) for axes, xs in together.items())
        return Parts(self._main(), kernels, tuple(self.spilled))

    def _main(self) -> Kernel | None:
        sweeps = []
        for sweep in self.kernel.sweeps:
            body = [x for x in sweep.body if not is_total(x)]
            wanted = [x for x in body if isinstance(x, Store | Keep | Reduction)]
            names = _needed(body, wanted)
            kept = [x for x in body if x in wanted or _name(x) in names]
            sweeps.append(Sweep(sweep.row, tuple(kept)))
        if self.spilled:
            stores = tuple(
                Store(x, self._spill(number, x)) for number, x in enumerate(self.spilled)
            )
            if sweeps[-1].body:
                sweeps.append(Sweep(stores, ()))
            else:
                sweeps[-1] = Sweep((*sweeps[-1].row, *stores), ())
        works = any(isinstance(x, Store) for s in sweeps for x in (*s.row, *s.body))
        return replace(self.kernel, sweeps=tuple(sweeps)) if works else None

    def _spill(self, number: int, value: Value) -> Access:
        return Access(self.parameters + number, self.row_strides, value.dtype)

    def _totals(self, over: tuple[int, ...], totals: Sequence[Reduction]) -> Kernel:
        """The kernel of rows that adds up all totals over some axes, and reads operands once."""
        axes = range(len(self.kernel.axes))
        free = [i for i in axes if i not in over]
        order = [*free, *over]
        if free and axes[-1] not in over:
            order = [*free[:-1], *over, free[-1]]
        body = [_moved(y, order) for y in self._closure(totals)]
        stores = []
        for x in totals:
            assert x.result is not None
            value = Value(f"{x.value.name}_total", x.value.dtype, is_row=True)
            within = tuple(i for i, axis in enumerate(order) if axis in over)
            body.append(Reduction(value, x.op, x.operand, within, None))
            stores.append(Store(value, _placed(x.result, order)))
        return Kernel(
            tuple(Axis(self.kernel.axes[i].extent, i in over) for i in order),
            (Sweep((), tuple(body)), Sweep(tuple(stores), ())),
            (),
        )

    def _closure(self, totals: Sequence[Reduction]) -> list[Action]:
        """What computes the operands of totals from memory, in order."""
        wanted: dict[str, None] = {}
        stack = [x.operand for x in totals]
        while stack:
            value = stack.pop()
            if not isinstance(value, Value) or value.name in wanted:
                continue
            wanted[value.name] = None
            action = self.defined[value.name]
            if isinstance(action, Step):
                stack += action.operands
        return [self._alone(y) for name, y in self.defined.items() if name in wanted]

    def _alone(self, x: Action) -> Action:
        """An action of the kernel in one that knows no rows of it."""
        if isinstance(x, Reduction):
            if x.value not in self.spilled:
                self.spilled.append(x.value)
            return Load(x.value, self._spill(self.spilled.index(x.value), x.value))
        return x


def _is_reread(x: Action) -> bool:
    return isinstance(x, Load) and isinstance(x.source, Kept)


def _name(x: Action) -> str:
    return x.value.name if isinstance(x, Load | Step | Reduction) else ""


def _needed(body: Sequence[Action], wanted: Iterable[Action]) -> set[str]:
    """The names of the values that the wanted actions need, of those defined in a body."""
    by_name = {_name(x): x for x in body}
    names: set[str] = set()
    stack: list[object] = []
    for x in wanted:
        stack.append(x.operand if isinstance(x, Reduction) else getattr(x, "value", None))
    while stack:
        value = stack.pop()
        if isinstance(value, Value) and value.name not in names and value.name in by_name:
            names.add(value.name)
            action = by_name[value.name]
            if isinstance(action, Step):
                stack += action.operands
    return names


def _placed(access: Access, order: Sequence[int]) -> Access:
    return replace(access, strides=tuple(access.strides[i] for i in order))


def _moved(x: Action, order: Sequence[int]) -> Action:
    """An action over the axes in another order."""
    if isinstance(x, Load) and not isinstance(x.source, Kept):
        source = replace(x.source, strides=tuple(x.source.strides[i] for i in order))
        return Load(replace(x.value, is_row=False), source)
    return x
