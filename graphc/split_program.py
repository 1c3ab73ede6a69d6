"""A program over several devices: a program for each piece, run one after the other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from graphc.backend import Backend, Executable, Sources, Statements, Step, Timed, TimedStep
from graphc.compiler import Program, load_backend
from graphc.complex_program import ComplexProgram
from graphc.device_memory import backend_of, on_host
from graphc.ir.graph import Graph
from graphc.ir.node import Input, Node
from graphc.passes.open_complex import has_complex, open_complex
from graphc.pieces import Piece, Split, devices_of, split_devices
from graphc.shortcut import Call, Shortcut


def program_of(graph: Graph, backend: Backend) -> AnyProgram:
    """The program for a graph: by ``backend`` on the CPU, by its own backend on each device."""
    if has_complex(graph):
        return ComplexProgram(graph, program_of(open_complex(graph), backend))
    devices = devices_of(graph)
    if devices <= {"cpu"}:
        return Program(graph, backend)
    if len(devices) == 1:
        return Program(graph, _on(devices.pop(), backend))
    split = split_devices(graph)
    alone = split.alone(graph)
    if alone is not None:
        return Program(alone, _on(split.pieces[0].device, backend))
    return SplitProgram(graph, backend, split)


def _on(device: str, backend: Backend) -> Backend:
    """The backend of a device, which measures its kernels where ``backend`` does."""
    found = backend_of(device)
    if getattr(backend, "is_tuned", False):
        found = found.tuned()  # type: ignore[attr-defined]
    return found


class _Part:
    """A piece with its program, and what it takes: state once, inputs at each run."""

    def __init__(self, piece: Piece, whole: Graph, backend: Backend) -> None:
        self.piece = piece
        self.on_cpu = piece.device == "cpu"
        bound = [x for x in whole.state if x in piece.reads and self._stays(x)]
        self.state = tuple(whole.state.index(x) for x in bound)
        self.inputs = tuple(x for x in piece.reads if x not in bound)
        target = backend if self.on_cpu else _on(piece.device, backend)
        self.program = Program(piece.program(self.inputs, bound), target)

    def _stays(self, x: Node) -> bool:
        """Whether the piece can be bound to the memory of ``x``: a device's to the CPU's, too."""
        return not self.on_cpu or x.device == "cpu"


class SplitProgram:
    """A graph compiled piece by piece; what `Program` offers."""

    def __init__(self, graph: Graph, backend: Backend, split: Split | None = None) -> None:
        self.recorded = self.graph = graph
        self.backend = backend
        self.split = split or split_devices(graph)
        on_cpu = load_backend() if hasattr(backend, "accelerator") else backend
        self.parts = [_Part(piece, graph, on_cpu) for piece in self.split.pieces]
        self.sources = self._joined()
        self.executable = self

    def _joined(self) -> Sources:
        """The texts of all pieces, each under the device that it runs on."""
        found = [(part.piece.device, part.program.sources) for part in self.parts]
        comments = [("#" if s.language == "py" else "//", d, s.text) for d, s in found]
        return Sources(
            text="\n".join(f"{mark} ---- {device} ----\n{text}" for mark, device, text in comments),
            kernels=tuple(kernel for _, s in found for kernel in s.kernels),
            language=next((s.language for d, s in found if d != "cpu"), "txt"),
            arena_bytes=sum(s.arena_bytes for _, s in found),
        )

    def failure(self, error: Exception) -> Exception:
        """The error of a step: each piece has told its own already."""
        return error

    def stages(self) -> Iterator[tuple[str, Graph]]:
        """The name of each pass of each piece with the graph after it."""
        for number, part in enumerate(self.parts):
            label = f"{number}-{part.piece.device.replace(':', '')}"
            yield f"{label}-split_devices", part.program.recorded
            for name, graph in part.program.stages():
                yield f"{label}-{name}", graph

    def bind(self, state: Sequence[Any]) -> SplitStep:
        """The step over these arrays of the graph's state, which it updates in place."""
        return SplitStep(self, state, [part.program.executable for part in self.parts])

    def shortcut(self, step: Step, call: Call) -> Shortcut | None:
        """The short way into a step that ``bind`` gave, where one device has all that it takes."""
        devices = {x.device for x in self.graph.inputs}
        for part in self.parts:
            offer = getattr(part.program.executable, "shortcut", None)
            if offer is not None and not part.on_cpu and devices <= {part.piece.device}:
                found: Shortcut | None = offer(step, call)
                return found
        return None

    @property
    def label(self) -> str:
        """The backends."""
        return ", ".join(dict.fromkeys(part.program.label for part in self.parts))

    def wait(self) -> None:
        """Wait until all that was begun is done."""
        for part in self.parts:
            part.program.wait()

    def timed(self) -> Timed:
        """The program, telling how long its kernels take."""
        return SplitTimed(self)


class SplitStep:
    """The pieces' steps over the arrays of the state, each bound by what runs it."""

    def __init__(
        self, program: SplitProgram, state: Sequence[Any], run_by: Sequence[Executable]
    ) -> None:
        graph, written = program.graph, program.split.written
        self.state = state
        nodes = [*graph.inputs, *graph.state]
        self.steps = []
        """Each piece with its step and where in a run's arrays lies what it takes."""
        for part, executable in zip(program.parts, run_by, strict=True):
            taken = [nodes.index(x) for x in part.inputs]
            self.steps.append((part, executable.bind([state[i] for i in part.state]), taken))
            nodes.extend(part.piece.yields)
        places = {node: i for i, node in enumerate(nodes)}
        self.written = [(places[x], places[value], x.device == "cpu") for x, value in written]
        self.outputs = [places[x] for x in graph.outputs]
        given = {*graph.outputs, *(value for _, value in written)}
        self.kept = [places[x] for x in given if isinstance(x.op, Input)]
        """What is given as it was before the run."""

    def __call__(self, *inputs: Any) -> list[Any]:
        arrays = [*inputs, *self.state]
        kept = {i: arrays[i].copy() for i in self.kept}
        for part, step, taken in self.steps:
            given = [arrays[i] for i in taken]
            try:
                arrays += step(*map(on_host, given) if part.on_cpu else given)
            except Exception as error:
                raise part.program.failure(error) from None
        for target, value, on_cpu in self.written:
            numbers = kept.get(value, arrays[value])
            arrays[target][...] = on_host(numbers) if on_cpu else numbers
        return [kept.get(i, arrays[i]) for i in self.outputs]


class _Noting:
    """A piece that runs as any does, and adds its times to a list."""

    def __init__(self, timed: Timed, times: list[int]) -> None:
        self.timed, self.times = timed, times

    def bind(self, state: Sequence[Any]) -> Step:
        """The step over these arrays."""
        run = self.timed.bind(state)

        def step(*inputs: Any) -> list[Any]:
            results, times = run(*inputs)
            self.times.extend(times)
            return results

        return step


class SplitTimed:
    """The pieces, each telling how long its kernels take."""

    def __init__(self, program: SplitProgram) -> None:
        self.program = program
        self.parts = [part.program.timed() for part in program.parts]
        self.statements: Statements = [x for part in self.parts for x in part.statements]

    def bind(self, state: Sequence[Any]) -> TimedStep:
        """The step over these arrays."""
        times: list[int] = []
        step = SplitStep(self.program, state, [_Noting(part, times) for part in self.parts])

        def run(*inputs: Any) -> tuple[list[Any], list[int]]:
            times.clear()
            return step(*inputs), list(times)

        return run


AnyProgram = Program | SplitProgram | ComplexProgram
"""What a graph may be compiled to."""
