"""From a fused graph to the text of a C file."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import cached_property
from itertools import groupby
from typing import NamedTuple

from graphc.backend import Kernel as Text
from graphc.backend import Sources
from graphc.backends.c_language.types import number, stored
from graphc.backends.native.estimate import operations
from graphc.backends.native.executable import Interface
from graphc.backends.native.finished import finished
from graphc.backends.native.heavy import can_finish, maker_of, preferred
from graphc.backends.native.library import FUNCTIONS, prelude
from graphc.backends.native.made import Made, Setting, Stage
from graphc.backends.native.memory import Memory
from graphc.backends.native.parts import Definition, parts
from graphc.backends.native.sweeps import sweeps
from graphc.backends.native.targets import Target
from graphc.backends.native.tuning import Tuner
from graphc.ir.graph import Graph
from graphc.ir.node import Node
from graphc.kernels_templates import render
from graphc.lowering.epilogues import Finished, finish_products
from graphc.lowering.names import Names
from graphc.lowering.operands import Operand, number_of
from graphc.lowering.orders import chosen_orders
from graphc.lowering.recompute import recompute
from graphc.lowering.settled import set_apart, settled
from graphc.ops.creation import Arange
from graphc.passes.fuse import Fused

WORDS = (
    "arena step parallel task one_by_one failed failed_value fail float16 bfloat16 auto break case",
    "char const continue default do double else enum extern float for goto if inline int long",
    "register restrict return short signed sizeof static struct switch typedef union unsigned void",
    "volatile while states arrays value pool reserve release y0 y1 j0 j1 jn yn gamma div index",
    "exp log pow sin cos tan tanh sqrt abs floor ceil round main free malloc time random old",
    "mark mark_count",
)
RESERVED = frozenset(word for line in WORDS for word in line.split()) | FUNCTIONS.keys()
"""Words of C and names of its library that a value of the program must not have."""
PLACEHOLDER = "graphc_kernel_name"
PHASE = 40_000
"""Operations of a phase below which handing them out costs more than it saves."""
WORTH = 64 * 1024
"""Bytes of state from which on it is worth looking whether it has changed."""
SECTION = 40
"""Statements of a function that is one of several which make up a long step."""
LONG_STEP = 200
"""Statements from which a step is cut up, for twice as many take a compiler four times as long."""
LIGHT = 20_000
"""Multiplications and additions of a step below which nothing else can be done meanwhile."""


class Statement(NamedTuple):
    """A statement of the step."""

    note: str
    text: str
    functions: tuple[str, ...] = ()
    """Those of kernels that it calls, at once if there are several."""


def emit(
    graph: Graph,
    threads: int,
    target: Target,
    tuner: Tuner | None = None,
    *,
    prepares: bool = False,
    is_timed: bool = False,
) -> Sources:
    """The program as one C file; the same graph, thread count and target give the same text.

    With a ``tuner`` the text depends on what it has measured. ``prepares``: whether what follows
    from state that the steps leave as it is may be computed once, before them. ``is_timed``:
    whether a step notes the time after each of its statements.
    """
    made = Emission(graph, threads, target, tuner, prepares=prepares, is_timed=is_timed)
    return made.sources()


class Emission:
    """The state of one emission."""

    def __init__(
        self,
        graph: Graph,
        threads: int,
        target: Target,
        tuner: Tuner | None = None,
        *,
        prepares: bool = False,
        is_timed: bool = False,
    ) -> None:
        self.tuner, self.is_timed = tuner, is_timed
        prepares = prepares and _settled_bytes(graph) >= WORTH
        if prepares:
            graph = set_apart(graph)
        graph = finish_products(recompute(graph, can_finish), can_finish)
        self.graph, self.threads, self.target = graph, threads, target
        known = settled(graph) if prepares else frozenset()
        self.memory = Memory(graph, chosen_orders(graph, preferred), known)
        self.names = Names(RESERVED)
        self.functions: dict[Made, tuple[str, Made]] = {}
        """By what it is without a name: each kernel's name, and what it is with it."""
        self.texts: list[Text] = []
        self.definitions: list[Definition] = []
        self.helpers: set[str] = set()
        self.errors: list[tuple[str, str, str]] = []
        self.constants: dict[str, str] = {}
        self.tasks: list[tuple[str, list[str]]] = []
        self.steps: list[Statement] = []
        self.before: list[Statement] = []
        """The statements of what is prepared."""
        self.work = 0

    def sources(self) -> Sources:
        """The whole text."""
        memory, graph = self.memory, self.graph
        memory.name(self.names)
        kernels = [(kernel, *self._kernel(kernel)) for kernel in memory.schedule.order]
        memory.plan(
            {kernel: made for kernel, _, made in kernels},
            frozenset(k for k, _, x in kernels if memory.can_prepare(k) and not x.errors),
        )
        self._prepare(kernels)
        left = [x for x in kernels if x[0] not in memory.prepared]
        for _, members in groupby(left, key=lambda x: memory.phases[x[0]]):
            self._run(list(members))
        self._copy_out()
        self._update()
        text = self._render([x.text for x in self.definitions], self.helpers)
        written = {target for target, _ in graph.updates}
        interface = Interface(
            inputs=tuple(x.type for x in graph.inputs),
            state=tuple(x.type for x in graph.state),
            written=tuple(i for i, x in enumerate(graph.state) if x in written),
            outputs=tuple(x.type for x in graph.outputs),
            errors=tuple(self.errors),
            light=self.work < LIGHT,
            threads=self.threads,
            target=self.target.name,
            written_inputs=tuple(i for i, x in enumerate(graph.inputs) if x in written),
            settled=tuple(i for i, x in enumerate(graph.state) if x in memory.settled)
            if self.before
            else (),
        )
        facts: dict[str, object] = {
            "native": interface,
            "parts": parts(self.definitions, self._render) or (text,),
            "live_peak": memory.live_peak,
            "kernels": len(self.texts),
            "threads": self.threads,
        }
        if self.is_timed:
            facts["statements"] = tuple((x.functions, x.note) for x in self.steps)
        return Sources(text, tuple(self.texts), "c", memory.arena_bytes, facts)

    # -- kernels -------------------------------------------------------------------------------

    def _kernel(self, kernel: Node) -> tuple[str, Made]:
        """The name of a kernel's functions, and the kernel; equal ones are there once."""
        operands = tuple(self.memory.operand(x) for x in kernel.inputs)
        results = tuple(self.memory.result(kernel, i) for i in range(len(kernel.types)))
        read = tuple((kernel, i) in self.memory.read for i in range(len(kernel.types)))
        setting = Setting(
            kernel,
            operands,
            results,
            self.threads,
            self.target,
            read,
            tuple(x in self.memory.settled for x in kernel.inputs),
            self.tuner,
        )
        ramps = self.memory.ramps(kernel)
        if isinstance(kernel.op, Fused):
            made = sweeps(PLACEHOLDER, setting, ramps, self.memory.is_aliased(kernel))
        elif isinstance(kernel.op, Finished):
            made = finished(PLACEHOLDER, setting, ramps)
        else:
            made = maker_of(kernel)(PLACEHOLDER, setting)
        self.work += operations(kernel)
        return self._named(made, _function(kernel), str(kernel.origin))

    def _named(self, made: Made, wish: str, origin: str) -> tuple[str, Made]:
        found = self.functions.get(made)
        if found is not None:
            return found
        name = self.names.new(f"{wish}_{len(self.functions)}")
        text = made.text.replace(PLACEHOLDER, name).strip("\n")
        stages = tuple(
            replace(x, function=x.function.replace(PLACEHOLDER, name)) for x in made.stages
        )
        named = replace(made, text=text, stages=stages)
        self.functions[made] = (name, named)
        self.helpers |= made.helpers | ({"fail"} if made.errors else set())
        self.definitions.append(Definition(text, named))
        alone = prelude(made.helpers | ({"fail"} if made.errors else set()))
        self.texts.append(Text(name, origin or wish, f"{alone}\n{text}\n"))
        return name, named

    # -- the step ------------------------------------------------------------------------------

    def _run(self, members: list[tuple[Node, str, Made]]) -> None:
        """Run the kernels of a phase: the first stages of all at once, then the second ones."""
        calls = [
            (
                [x for x in made.stages if not x.prepares],
                self._arguments(kernel, name, made),
                _described(kernel),
            )
            for kernel, name, made in members
        ]
        work = sum(operations(kernel) for kernel, _, _ in members)
        for turn in range(max(len(found) for found, _, _ in calls)):
            stages = [
                (found[turn], arguments, note if turn == 0 else "")
                for found, arguments, note in calls
                if turn < len(found) and found[turn].tasks
            ]
            self._stage(stages, is_light=work < PHASE)

    def _prepare(self, kernels: list[tuple[Node, str, Made]]) -> None:
        """Run, before all steps, what need not run at each."""
        steps, self.steps = self.steps, self.before
        for kernel, name, made in kernels:
            is_whole = kernel in self.memory.prepared
            arguments = self._arguments(kernel, name, made) if is_whole or made.kept else ""
            for stage in made.stages:
                if stage.tasks and (is_whole or stage.prepares):
                    self._stage([(stage, arguments, _described(kernel))], is_light=False)
        self.steps = steps

    def _arguments(self, kernel: Node, name: str, made: Made) -> str:
        """What a kernel's functions are called with."""
        arguments = [self._pointer(x, kernel) for x in kernel.inputs]
        arguments += [self.memory.pointer((kernel, i)) for i in range(len(kernel.types))]
        for i in range(len(made.workspace)):
            arguments.append(f"(void *)({self.memory.workspace(kernel, i)})")
        if made.errors:
            arguments.append(str(len(self.errors)))
            self.errors += [(error, message, name) for error, message in made.errors]
        return ", ".join(arguments)

    def _stage(self, stages: list[tuple[Stage, str, str]], *, is_light: bool) -> None:
        """The statements for stages that may run at once, unless that costs more than it saves."""
        if is_light or all(stage.tasks == 1 for stage, _, _ in stages):
            for x, given, note in stages:
                loop = f"for (long i = 0; i < {x.tasks}; i++) " if x.tasks > 1 else ""
                task = "i" if loop else "0"
                call = f"{loop}{x.function}({task}, {given});"
                self.steps.append(Statement(note, call, (x.function,)))
            return
        name = self.names.new(f"task_{len(self.tasks)}")
        lines: list[str] = []
        total = 0
        for x, given, _ in stages:
            task = f"task - {total}" if total else "task"
            total += x.tasks
            guard = f"if (task < {total}) " if len(lines) + 1 < len(stages) else ""
            lines.append(f"{'else ' if len(lines) else ''}{guard}{x.function}({task}, {given});")
        self.tasks.append((name, lines))
        note = "; ".join(note for _, _, note in stages if note)
        functions = tuple(x.function for x, _, _ in stages)
        self.steps.append(Statement(note, f"parallel({name}, {total});", functions))

    def _call(self, made: Made, arguments: list[str], comment: str) -> None:
        for x in made.stages:
            self._stage([(x, ", ".join(arguments), comment)], is_light=False)

    def _pointer(self, node: Node, kernel: Node) -> str:
        """The address of an operand's first element."""
        fixed = number_of(node)
        if fixed is not None:
            return self._constant(node, fixed.value)
        view = self.memory.views[node]
        if isinstance(view.owner[0].op, Arange) and view.owner not in self.memory.names:
            return "0"
        pointer = self.memory.pointer(view.owner)
        return f"{pointer} + {view.offset}" if view.offset else pointer

    def _constant(self, node: Node, value: bool | int | float) -> str:
        kind, text = stored(node.dtype), number(node.dtype, value)
        if node.dtype.name in ("float16", "bfloat16"):
            text = "{" + str(int(node.dtype.numpy.type(value).view("uint16"))) + "}"
        declared = f"{kind} NAME[1] = {{{text}}};"
        if declared not in self.constants:
            self.constants[declared] = self.names.new(f"number_{len(self.constants)}")
        return self.constants[declared]

    # -- what is returned, and updates -------------------------------------------------------

    def _copy(self, node: Node, source: Operand, pointer: str, target: str, comment: str) -> None:
        """A copy of a value to contiguous memory."""
        made = copied(source, self.threads, self.target, self.memory.copy_node(node))
        _, named = self._named(made, "copy", "")
        self._call(named, [pointer, target], comment)

    def _copy_out(self) -> None:
        """Copy what is returned and was not computed where it is returned."""
        for i, output in enumerate(self.graph.outputs):
            view = self.memory.views[output]
            if self.memory.schedule.in_output.get(view.owner) == i:
                continue
            pointer = self._pointer(output, output)
            operand = self.memory.operand(output)
            self._copy(output, operand, pointer, self.memory.output_names[i], f"output {i}")

    def _update(self) -> None:
        """Write the updates that were not computed in place, after every read of old values."""
        later: list[tuple[Node, str, str]] = []
        size = 0
        for target, value in self.graph.updates:
            view = self.memory.views[value]
            if self.memory.schedule.in_state.get(view.owner) is target:
                continue
            operand, pointer = self.memory.operand(value), self._pointer(value, value)
            place = self.memory.pointer((target, 0))
            if view.owner[0] in self.memory.given:
                # An old value may be another's new one: it is read before any is written.
                old = f"(({stored(value.dtype)} *)(old + {size}))"
                size += -(-value.type.nbytes // 64) * 64
                self._copy(value, operand, pointer, old, "update: the old value")
                later.append((value, old, place))
            else:
                self._copy(value, operand, pointer, place, "update")
        for value, old, place in later:
            self._copy(value, self.memory.contiguous(value), old, place, "update")
        if size:
            self.constants[f"_Alignas(64) unsigned char NAME[{size}];"] = "old"

    # -- text ----------------------------------------------------------------------------------

    @cached_property
    def sections(self) -> list[tuple[str, list[Statement]]]:
        """The functions that make up the step, itself the last, with their statements."""
        steps = self.steps
        if self.is_timed:
            steps = [x._replace(text=f"{x.text} mark();") for x in steps]
        if len(steps) <= LONG_STEP:
            return [("step", steps)]
        parts = [steps[i : i + SECTION] for i in range(0, len(steps), SECTION)]
        named = [(self.names.new(f"step_{i}"), part) for i, part in enumerate(parts)]
        return [*named, ("step", [Statement("", f"{name}();") for name, _ in named])]

    def _render(self, kernels: Iterable[str], helpers: Iterable[str]) -> str:
        memory = self.memory
        return render(
            "program.c.j2",
            title=f"{self.graph.name}: generated by graphc for {self.target.name}.",
            facts=[
                f"{len(self.texts)} kernels; an arena of {memory.arena_bytes} bytes; "
                f"{self.threads} threads."
            ],
            prelude=prelude(helpers),
            state=[memory.declared(x) for x in self.graph.state],
            given=[memory.declared(x) for x in self.graph.inputs] + memory.declared_outputs(),
            constants=[
                f"static {text.replace('NAME', name)}" for text, name in self.constants.items()
            ],
            arena=max(64, memory.arena_bytes),
            prepared=memory.prepared_bytes,
            before=self.before,
            values=memory.values(),
            kernels=kernels,
            tasks=self.tasks,
            sections=self.sections,
            threads=bool(self.tasks),
            checks=bool(self.errors),
            marks=len(self.steps) if self.is_timed else 0,
        )


def _settled_bytes(graph: Graph) -> int:
    """Bytes of the state that no step changes."""
    written = {target for target, _ in graph.updates}
    return sum(x.type.nbytes for x in graph.state if x not in written)


def copied(source: Operand, threads: int, target: Target, node: Node) -> Made:
    """The kernel that copies a value to contiguous memory."""
    from graphc.lowering.views import dense

    result = Operand(source.shape, dense(source.shape), source.dtype)
    setting = Setting(node, (source,), (result,), threads, target)
    return sweeps(PLACEHOLDER, setting, [None], False)


def _function(kernel: Node) -> str:
    return kernel.origin.function.replace(".backward", "_grad") or kernel.op.name


def _described(kernel: Node) -> str:
    types = ", ".join(map(str, kernel.types))
    return f"{str(kernel.origin) or kernel.op.name}: {types}".replace("*/", "* /")
