"""From a fused graph to the text of a CUDA C file, and the launches that are a step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from graphc.backend import Kernel as Text
from graphc.backend import Sources
from graphc.backends.cuda.by_library import ByLibrary
from graphc.backends.cuda.contraction import is_product, product
from graphc.backends.cuda.finished import can_finish
from graphc.backends.cuda.groups import groups, has_totals
from graphc.backends.cuda.heavy import maker_of, preferred
from graphc.backends.cuda.library import FUNCTIONS, prelude
from graphc.backends.cuda.made import Launch, Made, Setting, passed
from graphc.ir.dtype import DType, Scalar
from graphc.ir.graph import Graph
from graphc.ir.node import Input, Node
from graphc.ir.types import TensorType
from graphc.kernels_templates import render
from graphc.lowering.epilogues import finish_products
from graphc.lowering.names import Names
from graphc.lowering.operands import Operand, number_of
from graphc.lowering.orders import chosen_orders
from graphc.lowering.placement import Placement
from graphc.lowering.recompute import recompute
from graphc.lowering.views import Result, dense
from graphc.ops.creation import Arange
from graphc.passes.fuse import Fused
from graphc.passes.plan_memory import padded

if TYPE_CHECKING:
    from graphc.backends.cuda.tuning import Tuner

RESERVED = frozenset((*FUNCTIONS, "float16", "bfloat16", "pack"))
PLACEHOLDER = "graphc_kernel_name"


@dataclass(frozen=True)
class Address:
    """Where an argument of a launch points."""

    where: str
    """state, input, output, arena, constant, failed, or nowhere where a range is no memory."""
    number: int
    """Which array; 0 for the arena."""
    offset: int
    """In bytes."""
    name: str
    """In the text."""


@dataclass(frozen=True)
class Call:
    """A launch of a function with its arguments."""

    launch: Launch | ByLibrary
    arguments: tuple[Address, ...]
    origin: str
    """The function and the line of the user's program that it is for."""
    mapped: tuple[Address, ...] = ()
    """What each of the launch's tensor maps is of; they go before the arguments."""


@dataclass(frozen=True)
class Copy:
    """Bytes that move from one place to another."""

    source: Address
    target: Address
    nbytes: int


@dataclass(frozen=True)
class Interface:
    """What a program takes, changes and gives, and what a step does, in order."""

    inputs: tuple[TensorType, ...]
    state: tuple[TensorType, ...]
    outputs: tuple[TensorType, ...]
    written: tuple[int, ...]
    """Numbers of the state arrays that the step writes to."""
    written_inputs: tuple[int, ...]
    errors: tuple[tuple[str, str, str], ...]
    """Of each check the exception's name, its message as in ``Made``, and its kernel."""
    steps: tuple[Call | Copy, ...]
    constants: tuple[tuple[DType, Scalar], ...]
    """Numbers that kernels read from memory."""
    arena_bytes: int


class CudaPlacement(Placement):
    """Where values lie, for kernels that read operands again after they have written results."""

    def _overwrites(self, kernel: Node, result: int, slot: int) -> bool:
        if not super()._overwrites(kernel, result, slot):
            return False
        lowered = self.lowered[kernel]
        return not (has_totals(lowered) or lowered.scratch)


def emit(graph: Graph, arch: str = "", tuner: Tuner | None = None) -> Sources:
    """The program as one CUDA C file, for a processor such as ``sm_90``, or for any.

    With a ``tuner`` it depends on what that has measured.
    """
    return Emission(graph, arch, tuner).sources()


class Emission:
    """The state of one emission."""

    def __init__(self, graph: Graph, arch: str = "", tuner: Tuner | None = None) -> None:
        self.arch = arch
        graph = finish_products(recompute(graph, can_finish), can_finish)
        self.graph, self.tuner = graph, tuner
        self.memory = CudaPlacement(graph, chosen_orders(graph, preferred))
        self.names = Names(RESERVED)
        self.functions: dict[Made, tuple[str, Made]] = {}
        """By what it is without a name: each kernel's name, and what it is with it."""
        self.texts: list[Text] = []
        self.helpers: set[str] = set()
        self.errors: list[tuple[str, str, str]] = []
        self.steps: list[Call | Copy] = []
        self.labels: dict[Result, str] = {}
        self.constants: dict[tuple[DType, str], Scalar] = {}
        self.arena = 0
        """Bytes of all intermediate values."""

    def sources(self) -> Sources:
        """The whole text."""
        memory, graph = self.memory, self.graph
        self._name()
        kernels = [(kernel, *self._kernel(kernel)) for kernel in memory.schedule.order]
        memory.plan({kernel: made for kernel, _, made in kernels})
        self.arena = memory.arena_bytes
        for kernel, name, made in kernels:
            self._call(kernel, name, made)
        self._copy_out()
        self._update()
        written = {target for target, _ in graph.updates}
        interface = Interface(
            tuple(x.type for x in graph.inputs),
            tuple(x.type for x in graph.state),
            tuple(x.type for x in graph.outputs),
            tuple(i for i, x in enumerate(graph.state) if x in written),
            tuple(i for i, x in enumerate(graph.inputs) if x in written),
            tuple(self.errors),
            tuple(self.steps),
            tuple((dtype, value) for (dtype, _), value in self.constants.items()),
            self.arena,
        )
        text = render(
            "program.cu.j2",
            prelude=prelude(self.helpers),
            functions=[made.text for _, made in self.functions.values()],
            steps=[described(x) for x in self.steps],
            arena=interface.arena_bytes,
        )
        facts: dict[str, object] = {
            "cuda": interface,
            "live_peak": memory.live_peak,
            "kernels": len(self.texts),
        }
        return Sources(text, tuple(self.texts), "cu", interface.arena_bytes, facts)

    def _name(self) -> None:
        for node in (*self.graph.state, *self.graph.inputs):
            assert isinstance(node.op, Input)
            self.labels[node, 0] = self.names.new(node.op.label)
        for number, kernel in enumerate(self.memory.schedule.order):
            for i in range(len(kernel.types)):
                suffix = f"_{i}" if len(kernel.types) > 1 else ""
                self.labels[kernel, i] = self.names.new(f"t{number}{suffix}")

    # -- kernels ---------------------------------------------------------------------------------

    def _kernel(self, kernel: Node) -> tuple[str, Made]:
        """The name of a kernel's functions, and the kernel; equal ones are there once."""
        memory = self.memory
        setting = Setting(
            kernel,
            tuple(memory.operand(x) for x in kernel.inputs),
            tuple(memory.result(kernel, i) for i in range(len(kernel.types))),
            tuple(memory.views[x].offset for x in kernel.inputs),
            tuple((kernel, i) in memory.read for i in range(len(kernel.types))),
            self.arch,
        )
        aliased = memory.is_aliased(kernel)
        if isinstance(kernel.op, Fused):
            made = groups(PLACEHOLDER, setting, memory.ramps(kernel), aliased=aliased)
        elif is_product(kernel):
            make = product if self.tuner is None else self.tuner.product
            made = make(PLACEHOLDER, setting, memory.ramps(kernel), aliased=aliased)
        else:
            made = maker_of(kernel)(PLACEHOLDER, setting)
        return self._named(made, _function(kernel), str(kernel.origin))

    def _named(self, made: Made, wish: str, origin: str) -> tuple[str, Made]:
        found = self.functions.get(made)
        if found is not None:
            return found
        name = self.names.new(f"{wish}_{len(self.functions)}")
        text = made.text.replace(PLACEHOLDER, name).strip("\n")
        launches = tuple(
            replace(x, function=x.function.replace(PLACEHOLDER, name)) for x in made.launches
        )
        named = replace(made, text=text, launches=launches)
        self.functions[made] = (name, named)
        self.helpers |= made.helpers
        self.texts.append(Text(name, origin or wish, f"{prelude(made.helpers)}\n{text}\n"))
        return name, named

    # -- the step --------------------------------------------------------------------------------

    def _call(self, kernel: Node, name: str, made: Made) -> None:
        arguments = [self._operand(x) for x in kernel.inputs]
        arguments += [self._address((kernel, i)) for i in range(len(kernel.types))]
        for i in range(len(made.workspace)):
            offset = self.memory.planned.offsets[kernel, "workspace", i]
            arguments.append(Address("arena", 0, offset, f"{name} workspace {i}"))
        if made.errors:
            arguments.append(Address("failed", 0, 16 * len(self.errors), "failed"))
            self.errors += [(error, message, name) for error, message in made.errors]
        self._launch(made, arguments, str(kernel.origin))

    def _launch(self, made: Made, arguments: Sequence[Address], origin: str) -> None:
        for launch in made.launches:
            given, mapped = passed(launch, arguments)
            self.steps.append(Call(launch, tuple(given), origin, tuple(mapped)))

    def _operand(self, node: Node) -> Address:
        """Where the first element of an operand lies; numbers and ranges lie nowhere."""
        fixed = number_of(node)
        if fixed is not None:
            # By its text: 0 and -0 are equal, and nan is not.
            key = (node.dtype, repr(fixed.value))
            self.constants.setdefault(key, fixed.value)
            return Address("constant", list(self.constants).index(key), 0, str(fixed.value))
        view = self.memory.views[node]
        if isinstance(view.owner[0].op, Arange) and view.owner not in self.labels:
            return Address("nowhere", 0, 0, "a range")
        found = self._address(view.owner)
        return replace(found, offset=found.offset + view.offset * node.dtype.itemsize)

    def _address(self, owner: Result) -> Address:
        """Where a result, an input or a state array lies."""
        name = self.labels[owner]
        schedule, node = self.memory.schedule, owner[0]
        target = schedule.in_state.get(owner)
        if target is not None:
            return self._address((target, 0))
        if node in self.memory.given:
            if node in self.graph.state:
                return Address("state", self.graph.state.index(node), 0, name)
            return Address("input", self.graph.inputs.index(node), 0, name)
        number = schedule.in_output.get(owner)
        if number is not None:
            return Address("output", number, 0, name)
        return Address("arena", 0, self.memory.planned.offsets[owner], name)

    # -- what is returned, and updates -------------------------------------------------------------

    def _copy(self, node: Node, source: Operand, begin: Address, target: Address) -> None:
        """A copy of a value to contiguous memory."""
        copy = self.memory.copy_node(node)
        result = Operand(source.shape, dense(source.shape), source.dtype)
        setting = Setting(copy, (source,), (result,), (self.memory.views[node].offset,))
        _, made = self._named(groups(PLACEHOLDER, setting, [None]), "copy", "")
        self._launch(made, [begin, target], "")

    def _copy_out(self) -> None:
        """Copy what is returned and was not computed where it is returned."""
        for i, node in enumerate(self.graph.outputs):
            if self.memory.schedule.in_output.get(self.memory.views[node].owner) != i:
                target = Address("output", i, 0, f"output_{i}")
                self._copy(node, self.memory.operand(node), self._operand(node), target)

    def _update(self) -> None:
        """Write the updates that were not computed in place, after every read of old values."""
        later: list[tuple[Node, Address, Address]] = []
        memory = self.memory
        for target, value in self.graph.updates:
            owner = memory.views[value].owner
            if memory.schedule.in_state.get(owner) is target:
                continue
            place = self._address((target, 0))
            if owner[0] in memory.given:
                # An old value may be another's new one: it is read before any is written.
                old = Address("arena", 0, self.arena, f"old_{len(later)}")
                self.arena += padded(value.type.nbytes)
                self._copy(value, memory.operand(value), self._operand(value), old)
                later.append((value, old, place))
            else:
                self._copy(value, memory.operand(value), self._operand(value), place)
        self.steps += [Copy(old, place, value.type.nbytes) for value, old, place in later]


def _function(kernel: Node) -> str:
    """A name for a kernel: the function of the user's program, or else the op."""
    return kernel.origin.function.replace(".backward", "_grad") or kernel.op.name


def described(step: Call | Copy) -> str:
    """A step as a line of the text."""
    if isinstance(step, Copy):
        return f"{step.target.name} = {step.source.name}"
    origin = f": {step.origin.replace('*/', '* /')}" if step.origin else ""
    names = ", ".join(x.name for x in (*step.mapped, *step.arguments))
    if isinstance(step.launch, ByLibrary):
        return f"{step.launch.function} by {step.launch.called}({names}){origin}"
    grid, block = (" x ".join(map(str, _short(x))) for x in (step.launch.grid, step.launch.block))
    return f"{step.launch.function}<<<{grid}, {block}>>>({names}){origin}"


def _short(extents: tuple[int, int, int]) -> tuple[int, ...]:
    x, y, z = extents
    return (x, y, z) if z != 1 else (x, y) if y != 1 else (x,)
