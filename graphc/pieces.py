"""Programs that run on several devices: pieces, each on one of them, and what moves between."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from graphc.ir.graph import Graph, reuse
from graphc.ir.node import Input, Node, make_input


@dataclass
class Piece:
    """A part of a program that runs on one device."""

    device: str
    values: dict[Node, Node] = field(default_factory=dict)
    """For nodes of the whole program what stands for them here."""
    reads: dict[Node, Node] = field(default_factory=dict)
    """Of these the ones that come from outside, with their input nodes."""
    yields: dict[Node, None] = field(default_factory=dict)
    """Nodes of the whole program whose values are wanted outside."""
    updates: dict[Node, Node] = field(default_factory=dict)
    """Inputs of the whole program that are written in place, with the values they take."""

    def program(self, inputs: Sequence[Node], state: Sequence[Node]) -> Graph:
        """The piece as a graph over these nodes of the whole program."""
        return Graph(
            inputs=tuple(self.reads.get(x, x) for x in inputs),
            outputs=tuple(self.values[x] for x in self.yields),
            state=tuple(self.reads.get(x, x) for x in state),
            updates=tuple((self.reads[x], self.values[v]) for x, v in self.updates.items()),
        )


@dataclass(frozen=True)
class Split:
    """The pieces of a program, in the order in which they run."""

    pieces: tuple[Piece, ...]
    written: tuple[tuple[Node, Node], ...]
    """Inputs that take a value when all pieces have run, since one of them reads what they were."""

    def alone(self, graph: Graph) -> Graph | None:
        """The whole program on one device, with the inputs and state of ``graph``, if it can be.

        So is a training step whose settings are numbers on the CPU.
        """
        if len(self.pieces) != 1 or self.written or self.pieces[0].device == "cpu":
            return None
        (piece,) = self.pieces
        if not all(x in piece.yields for x in graph.outputs):
            return None
        found = piece.program(graph.inputs, graph.state)
        return replace(found, outputs=tuple(piece.values[x] for x in graph.outputs))


def devices_of(graph: Graph) -> set[str]:
    """The devices that a graph computes on, leaves results on, or reads other than the CPU."""
    computed = {x.device for x in graph.computed if x.device}
    read = {x.device for x in graph.nodes if isinstance(x.op, Input) and x.device != "cpu"}
    return {*computed, *(x.device or "cpu" for x in graph.outputs), *read}


class _Splitting:
    """The work of splitting one graph.

    What depends on nothing that lies on a device, such as constants, is computed again wherever it
    is read. So are numbers of no dimensions computed from the CPU's alone: moving one costs more.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.phases: dict[Node, int] = {}
        """How many moves between devices must come before a node."""
        self.constant: set[Node] = set()
        self.portable: set[Node] = set()
        """What is computed again wherever it is read."""
        for node in graph.nodes:
            self._look(node)
        self.pieces: dict[tuple[int, bool, str], Piece] = {}

    def _look(self, node: Node) -> None:
        phase = 0
        for x in node.inputs:
            if not (x in self.portable or isinstance(x.op, Input)):
                phase = max(phase, self.phases[x] + (x.device != node.device))
        self.phases[node] = phase
        if isinstance(node.op, Input) or node.op.name == "to_device":
            return
        if node.device not in ("", "cpu"):
            return
        if all(x in self.constant for x in node.inputs):
            self.constant.add(node)
            self.portable.add(node)
        elif isinstance(node.type, tuple) or node.rank:
            return
        elif all(x in self.portable or self._is_number(x) for x in node.inputs):
            self.portable.add(node)

    @staticmethod
    def _is_number(x: Node) -> bool:
        return isinstance(x.op, Input) and x.device == "cpu" and not x.rank

    def piece_of(self, node: Node) -> Piece:
        """The piece that computes a node."""
        device = node.device or "cpu"
        # Devices first: what they are given runs while the CPU goes on.
        key = self.phases[node], device == "cpu", device
        return self.pieces.setdefault(key, Piece(device))

    def told(self, piece: Piece, root: Node) -> Node:
        """What stands for a node in a piece, made with all that it needs there."""
        stack = [root]
        while stack:
            node = stack[-1]
            if node in piece.values:
                stack.pop()
                continue
            operands = self._operands(piece, node)
            missing = [x for x in operands if x not in piece.values]
            if missing:
                stack.extend(missing)
                continue
            piece.values[node] = self._made(piece, node, operands)
            stack.pop()
        return piece.values[root]

    def _operands(self, piece: Piece, node: Node) -> Sequence[Node]:
        return () if self._comes_from_outside(piece, node) else node.inputs

    def _comes_from_outside(self, piece: Piece, node: Node) -> bool:
        if node in self.portable:
            return False
        return isinstance(node.op, Input) or self.piece_of(node) is not piece

    def _made(self, piece: Piece, node: Node, operands: Sequence[Node]) -> Node:
        if not self._comes_from_outside(piece, node):
            if node.op.name == "to_device":
                return piece.values[operands[0]]
            return reuse(node, tuple(piece.values[x] for x in operands))
        made = node
        if not (isinstance(node.op, Input) and node.device == piece.device):
            label = node.op.label if isinstance(node.op, Input) else f"v{len(piece.reads)}"
            made = make_input(label, node.type, device=piece.device)
        piece.reads[node] = made
        return made

    def split(self) -> Split:
        graph = self.graph
        wanted = [x for x in graph.outputs if not isinstance(x.op, Input)]
        values = dict(graph.updates)
        for node in (*wanted, *(v for v in values.values() if not isinstance(v.op, Input))):
            piece = self.piece_of(node)
            self.told(piece, node)
        self._close()
        pieces = [self.pieces[key] for key in sorted(self.pieces)]
        for node in wanted:
            self.piece_of(node).yields[node] = None
        written = []
        for target, value in values.items():
            last = max((i for i, p in enumerate(pieces) if target in p.reads), default=-1)
            home = None if isinstance(value.op, Input) else self.piece_of(value)
            if home is None:
                written.append((target, value))
            elif target.device == home.device and last <= pieces.index(home):
                self.told(home, target)
                home.updates[target] = value
            else:
                home.yields[value] = None
                written.append((target, value))
        return Split(tuple(pieces), tuple(written))

    def _close(self) -> None:
        """Let each piece compute what the others read of it."""
        known: set[tuple[int, Node]] = set()
        again = True
        while again:
            again = False
            for piece in list(self.pieces.values()):
                for node in list(piece.reads):
                    if isinstance(node.op, Input) or (id(piece), node) in known:
                        continue
                    known.add((id(piece), node))
                    source = self.piece_of(node)
                    self.told(source, node)
                    source.yields[node] = None
                    again = True


def split_devices(graph: Graph) -> Split:
    """The pieces of a graph whose nodes are on several devices."""
    return _Splitting(graph).split()
