"""The C statements of a kernel's loops: rows, sweeps over their elements, what is done for each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import gcd, prod

from graphc.backends.c_language.statements import (
    INDICES,
    Lines,
    combined,
    ramp,
    start_of,
    terms,
)
from graphc.backends.c_language.types import computed, is_low, load, number, store
from graphc.backends.native.library import spelled
from graphc.backends.native.streams import STEP, Streams
from graphc.backends.native.targets import TARGETS, Target
from graphc.backends.native.totals import Total, begun, clause, ended
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

NEAR = 8
"""Elements between those that are worked on together, above which their distance is hidden."""
BLOCK = 64
"""Rows that lie side by side in memory and are worked on together."""


def is_column(kernel: Kernel) -> bool:
    """Whether rows lie side by side, so that the inner loop runs from row to row."""
    return any(axis.reduced for axis in kernel.axes) and not kernel.axes[-1].reduced


class Writer:
    """Writes a kernel's loops for one task."""

    def __init__(
        self,
        kernel: Kernel,
        parameters: Sequence[str],
        bounds: dict[int, tuple[str, str]],
        steps: Mapping[int, int] | None = None,
        target: Target = TARGETS["portable"],
    ) -> None:
        self.kernel = kernel
        self.streams = Streams(kernel, target.ahead)
        self.of_totals = target.totals
        self.steps = steps or {}
        """How much of an axis each task has."""
        self.in_lanes = False
        self.parameters = parameters
        """The pointers' names."""
        self.bounds = bounds
        """The axes of which the task has a part, from one name to another."""
        self.indices: Sequence[str] = INDICES[: len(kernel.axes)]
        self.lines = Lines()
        self.helpers: set[str] = set()
        self.totals: dict[Access, Total] = {}
        self.apart: dict[int, str] = {}
        """The names of distances that the compiler is not to know."""
        self.special: dict[int, str] = {}
        """The elements of parameters that are found otherwise than by their strides."""
        axes = kernel.axes
        within = [i for i, axis in enumerate(axes) if axis.reduced]
        self.is_column = is_column(kernel)
        self.block, self.is_even = self._block(self.steps.get(len(axes) - 1))
        self.rows = [i for i, a in enumerate(axes) if not a.reduced][
            : -1 if self.is_column else None
        ]
        if not within:
            self.rows = list(range(len(axes) - 1))
        self.within = [i for i in range(len(axes)) if i not in self.rows]
        self.row_strides = self._row_strides(within)

    def _block(self, part: int | None) -> tuple[int, bool]:
        """How many rows side by side make a block, and whether all blocks have as many."""
        if not self.is_column:
            return 1, True
        extent = self.kernel.axes[-1].extent
        part = part or extent
        for size in (BLOCK, BLOCK // 2, BLOCK // 4):
            if part % size == 0 and extent % size == 0:
                return size, True
        return min(BLOCK, part), part == extent <= BLOCK

    def _row_strides(self, within: Sequence[int]) -> tuple[int, ...]:
        """The strides of a row that is kept in scratch memory."""
        strides, step = [0] * len(self.kernel.axes), 1
        if self.is_column:
            strides[-1], step = 1, self.block
        for axis in reversed(within):
            strides[axis] = step
            step *= self.kernel.axes[axis].extent
        return tuple(strides)

    @property
    def row_size(self) -> int:
        """Elements of a row of scratch memory."""
        count = prod(axis.extent for axis in self.kernel.axes if axis.reduced)
        return count * self.block

    # -- loops ---------------------------------------------------------------------------------

    def _loop(self, axis: int, low: str | None = None, high: str | None = None) -> None:
        index = self.indices[axis]
        bounds = self.bounds.get(axis, ("0", str(self.kernel.axes[axis].extent)))
        low, high = low or bounds[0], high or bounds[1]
        self.lines.open(f"for (long {index} = {low}; {index} < {high}; {index}++)")

    def write(self) -> None:
        """The loops over rows, and in them the sweeps."""
        if not any(axis.reduced for axis in self.kernel.axes):
            self._plain()
            return
        for axis in self.rows:
            self._loop(axis)
        if self.is_column:
            self._blocks()
        else:
            self._row()
        self.lines.close(len(self.rows))

    def _plain(self) -> None:
        """One sweep over everything, with no rows."""
        (sweep,) = self.kernel.sweeps
        axes = range(len(self.kernel.axes))
        if not axes:
            self._actions(sweep.body, [])
            return
        self._nest(list(axes), sweep.body, [])

    def _nest(
        self, axes: Sequence[int], body: Sequence[Action], totals: Sequence[Reduction]
    ) -> None:
        """Loops over ``axes``, the innermost vectorised."""
        inner = axes[-1]
        low, high = self._inner_bounds(inner)
        fixed, moving = self._hoisted(body, inner)
        for axis in axes[:-1]:
            self._loop(axis)
        self._actions(fixed, [])
        local = [x for x in body if isinstance(x, Reduction) and x.result and inner in x.axes]
        scalars = [*totals, *local]
        lanes = self._lanes(inner, scalars)
        for x in local:
            self.lines.add(*begun(x, lanes))
        streams = [] if scalars and not lanes else self.streams.of(moving, inner)
        if lanes:
            self._in_lanes(inner, moving, local, lanes, streams)
        elif streams:
            self._in_steps(inner, moving, streams)
        else:
            clauses = "".join(clause(x) for x in scalars)
            self.lines.add(f"#pragma omp simd{clauses}")
            self._loop(inner, low, high)
            self._actions(moving, local)
            self.lines.close()
        for x in local:
            self._end_total(x, lanes)
            self._add_up(x, x.value.name)
        self.lines.close(len(axes) - 1)

    def _lanes(self, inner: int, scalars: Sequence[Reduction]) -> int:
        """In how many lanes the totals of a loop are added up; none where it does not divide.

        One vector of totals would wait for each addition to end before the next.
        """
        if not scalars or self.is_column:
            return 0
        sizes = [4 if is_low(x.value.dtype) else x.value.dtype.itemsize for x in scalars]
        size = max(sizes)
        lanes = self.of_totals // size // (1 if len(scalars) < 3 else 2)
        extent = self.kernel.axes[inner].extent
        unit = gcd(extent, self.steps.get(inner, extent))
        return lanes if unit % lanes == 0 and min(sizes) >= 4 else 0

    def _end_total(self, x: Reduction, lanes: int) -> None:
        if lanes:
            statement, helper = ended(x, lanes)
            self.lines.add(statement)
            self.helpers.add(helper)

    def _in_lanes(
        self,
        inner: int,
        body: Sequence[Action],
        local: Sequence[Reduction],
        lanes: int,
        streams: Sequence[Access],
    ) -> None:
        """The inner loop in steps of as many elements as there are lanes."""
        index = self.indices[inner]
        self._begin_step(inner, lanes, streams)
        self.lines.add("#pragma omp simd")
        self.lines.open(f"for (long l = 0; l < {lanes}; l++)")
        self.lines.add(f"const long {index} = first + l;")
        self.in_lanes = True
        self._actions(body, local)
        self.in_lanes = False
        self.lines.close(2)

    def _in_steps(self, inner: int, body: Sequence[Action], streams: Sequence[Access]) -> None:
        """The inner loop in steps before which memory is asked for."""
        extent = self.kernel.axes[inner].extent
        unit = self.block if self._is_blocked(inner) else self.steps.get(inner, extent)
        is_even = gcd(extent, unit) % STEP == 0
        high = self._begin_step(inner, STEP, streams)
        if not is_even:
            after = f"first + {STEP}"
            self.lines.add(f"const long stop = {after} < {high} ? {after} : {high};")
        self.lines.add("#pragma omp simd")
        self._loop(inner, "first", f"first + {STEP}" if is_even else "stop")
        self._actions(body, [])
        self.lines.close(2)

    def _begin_step(self, inner: int, step: int, streams: Sequence[Access]) -> str:
        """Open the loop over steps of the inner loop; where that ends."""
        low, high = self._inner_bounds(inner)
        self.lines.open(f"for (long first = {low}; first < {high}; first += {step})")
        names = [*self.indices]
        names[inner] = "first"
        for x in streams:
            place = f"{self.parameters[x.parameter]} + {terms(x.strides, names)}"
            self.lines.add(*self.streams.statements(x, place, step))
        return high

    @property
    def _end(self) -> str:
        return f"begin + {self.block}" if self.is_even else "end"

    def _is_blocked(self, axis: int) -> bool:
        """Whether a loop along the axis goes through a block of rows that lie side by side."""
        return self.is_column and axis == len(self.kernel.axes) - 1

    def _inner_bounds(self, axis: int) -> tuple[str, str]:
        if self._is_blocked(axis):
            return "begin", self._end
        return self.bounds.get(axis, ("0", str(self.kernel.axes[axis].extent)))

    def _hoisted(self, body: Sequence[Action], inner: int) -> tuple[list[Action], list[Action]]:
        """The loads that do not change in the inner loop, and the rest."""
        fixed = [
            x
            for x in body
            if isinstance(x, Load)
            and not isinstance(x.source, Kept)
            and not x.source.strides[inner]
        ]
        return list(fixed), [x for x in body if x not in fixed]

    def _row(self) -> None:
        """The sweeps of one row whose elements are contiguous, or nearly so."""
        for sweep in self.kernel.sweeps:
            self._actions(sweep.row, [])
            if not sweep.body:
                continue
            totals = [x for x in sweep.body if isinstance(x, Reduction) and x.result is None]
            lanes = self._lanes(self.within[-1], totals)
            for x in totals:
                self.lines.add(*begun(x, lanes))
            self._nest(self.within, sweep.body, totals)
            for x in totals:
                self._end_total(x, lanes)
            self._rounded(totals)

    def _rounded(self, totals: Sequence[Reduction]) -> None:
        """A total of low-precision floats, added up as float, becomes a value of their type."""
        for x in totals:
            if is_low(x.value.dtype):
                self.helpers.add(f"round_{x.value.dtype.name}")
                name = self._name(x.value)
                self.lines.add(f"{name} = round_{x.value.dtype.name}({name});")

    def _blocks(self) -> None:
        """The sweeps of a block of rows that lie side by side."""
        last = len(self.kernel.axes) - 1
        low, high = self.bounds.get(last, ("0", str(self.kernel.axes[last].extent)))
        block = self.block
        self.lines.open(f"for (long begin = {low}; begin < {high}; begin += {block})")
        if not self.is_even:
            self.lines.add(f"const long end = begin + {block} < {high} ? begin + {block} : {high};")
        for name, dtype in self._row_values():
            self.lines.add(f"{computed(dtype)} {name}[{block}];")
        for sweep in self.kernel.sweeps:
            if sweep.row:
                self._loop(last, "begin", self._end)
                self._actions(sweep.row, [])
                self.lines.close()
            if not sweep.body:
                continue
            totals = [x for x in sweep.body if isinstance(x, Reduction) and x.result is None]
            if totals:
                self._loop(last, "begin", self._end)
                for x in totals:
                    self.lines.add(f"{self._name(x.value)} = {start_of(x.op, x.value.dtype)};")
                self.lines.close()
            self._nest(self.within, sweep.body, [])
            if any(is_low(x.value.dtype) for x in totals):
                self._loop(last, "begin", self._end)
                self._rounded(totals)
                self.lines.close()
        self.lines.close()

    def _row_values(self) -> dict[tuple[str, DType], None]:
        values: dict[tuple[str, DType], None] = {}
        for sweep in self.kernel.sweeps:
            for x in (*sweep.row, *sweep.body):
                if not isinstance(x, Store | Keep) and x.value.is_row:
                    values[x.value.name, x.value.dtype] = None
        return values

    # -- actions -------------------------------------------------------------------------------

    def _name(self, value: Value | Scalar) -> str:
        """The expression for a value."""
        assert isinstance(value, Value)
        if value.is_row and self.is_column:
            return f"{value.name}[{self.indices[-1]} - begin]"
        return value.name

    def _operand(self, value: Value | Scalar, dtype: DType) -> str:
        return self._name(value) if isinstance(value, Value) else number(dtype, value)

    def place(self, access: Access | Kept) -> str:
        """The element in memory."""
        if isinstance(access, Kept):
            strides = list(self.row_strides)
            index = terms(strides, self.indices)
            return f"kept{access.scratch}[{index}{' - begin' if self.is_column else ''}]"
        self._note_apart(access.strides)
        special = self.special.get(access.parameter)
        index = terms(access.strides, self.indices, self.apart)
        return special or f"{self.parameters[access.parameter]}[{index}]"

    def _note_apart(self, strides: Sequence[int]) -> None:
        """Hide a large distance between elements that are worked on together."""
        if strides and abs(strides[-1]) > NEAR:
            stride = strides[-1]
            self.apart[stride] = f"apart_{'minus_' * (stride < 0)}{abs(stride)}"
            self.helpers.add("opaque")

    def distances(self) -> list[str]:
        """The declarations of the distances that are hidden from the compiler."""
        return [f"const long {name} = opaque({x});" for x, name in self.apart.items()]

    def _define(self, value: Value, expression: str) -> None:
        if value.is_row and self.is_column:
            self.lines.add(f"{self._name(value)} = {expression};")
        else:
            self.lines.add(f"const {computed(value.dtype)} {value.name} = {expression};")

    def perform(self, actions: Sequence[Action]) -> None:
        """Write what is done for an element whose indices are known."""
        self._actions(actions, [])

    def _actions(self, actions: Sequence[Action], local: Sequence[Reduction]) -> None:
        for x in actions:
            if isinstance(x, Load):
                self._define(x.value, self._loaded(x))
            elif isinstance(x, Step):
                types = [y.dtype for y in x.node.inputs]
                operands = [self._operand(v, t) for v, t in zip(x.operands, types, strict=True)]
                text, called = spelled(x.node, operands)
                self.helpers |= called
                self._define(x.value, text)
            elif isinstance(x, Keep):
                self.lines.add(f"{self.place(Kept(x.scratch))} = {self._name(x.value)};")
            elif isinstance(x, Store):
                self._low(x.target.dtype)
                value = self._operand(x.value, x.target.dtype)
                self.lines.add(store(x.target.dtype, self.place(x.target), value))
            elif x.result is None or x in local:
                value = self._operand(x.operand, x.value.dtype)
                total = f"{x.value.name}_lanes[l]" if self.in_lanes else self._name(x.value)
                self._take(x.op, x.value.dtype, total, value)
            else:
                self._add_up(x, self._operand(x.operand, x.value.dtype))

    def _low(self, dtype: DType) -> None:
        if is_low(dtype):
            self.helpers |= {f"widen_{dtype.name}", f"narrow_{dtype.name}"}

    def _loaded(self, x: Load) -> str:
        source = x.source
        if isinstance(source, Ramp):
            return ramp(source, self.indices, wraps=True)
        if isinstance(source, Kept):
            return self.place(source)
        self._low(source.dtype)
        return load(source.dtype, self.place(source))

    def _take(self, op: str, dtype: DType, total: str, value: str) -> None:
        self.lines.add(combined(op, dtype, total, value, wraps=True))

    def _add_up(self, x: Reduction, value: str) -> None:
        """Take a value into a total in memory."""
        assert x.result is not None
        total = self.totals[x.result]
        place = f"{total.name}[{terms(total.strides, self.indices)}]"
        self._take(x.op, x.value.dtype, place, value)
