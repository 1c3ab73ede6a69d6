"""Nodes and ops: a node is one use of an op, immutable, and owns its operands."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from typing import Any, ClassVar

import numpy as np

from graphc.changes import bump_epoch
from graphc.errors import GraphcNotImplementedError, GraphcRuntimeError
from graphc.ir.dtype import DType, Scalar, promote, result_type
from graphc.ir.types import Shape, TensorType, Types


@dataclass(frozen=True, slots=True)
class Origin:
    """Where in the user's program a node comes from."""

    path: str = ""
    """The module's path from the model's root, such as ``blocks.0.attn.qkv``."""
    module: str = ""
    """The module itself as it prints, such as ``Linear(6, 1)``."""
    function: str = ""
    """The user-level function, such as ``linear``; its gradient's nodes say ``linear.backward``."""
    file: str = ""
    line: int = 0

    def backward(self) -> Origin:
        """The origin of what differentiation adds for a node of this origin."""
        if self.function.endswith(".backward"):
            return self
        return Origin(self.path, self.module, f"{self.function}.backward", self.file, self.line)

    def __str__(self) -> str:
        where = f"{self.path}: {self.function}" if self.path else self.function
        return f"{where}, {self.file}:{self.line}" if self.file else where


class _Recording(threading.local):
    """What a new node is stamped with; it changes no value."""

    origin = Origin()
    grad_enabled = True

    def switch(self, enabled: bool) -> None:
        """Record gradients from now on, or no longer."""
        if enabled is not self.grad_enabled:
            self.grad_enabled = enabled
            bump_epoch()


recording = _Recording()


@contextmanager
def origin_of(origin: Origin) -> Iterator[None]:
    """Nodes made within have this origin."""
    before, recording.origin = recording.origin, origin
    try:
        yield
    finally:
        recording.origin = before


@contextmanager
def grad_mode(enabled: bool) -> Iterator[None]:
    """Nodes made within need a gradient only if ``enabled`` and an operand does."""
    before = recording.grad_enabled
    recording.switch(enabled)
    try:
        yield
    finally:
        recording.switch(before)


class Node:
    """One use of an op: what is computed, from which operands, of which type."""

    __slots__ = ("__weakref__", "device", "inputs", "op", "origin", "requires_grad", "type")

    op: Op
    inputs: tuple[Node, ...]
    type: TensorType
    """The type of the result; a node of several results has a tuple here (see ``types``)."""
    requires_grad: bool
    device: str
    """The device's name, or empty where any will do."""
    origin: Origin

    def __init__(
        self,
        op: Op,
        inputs: tuple[Node, ...],
        type: Types,
        *,
        requires_grad: bool,
        device: str = "",
        origin: Origin | None = None,
    ) -> None:
        self.op = op
        self.inputs = inputs
        self.type = type  # type: ignore[assignment]
        self.requires_grad = requires_grad
        self.device = device
        self.origin = recording.origin if origin is None else origin

    @property
    def types(self) -> tuple[TensorType, ...]:
        """The type of each result."""
        return self.type if isinstance(self.type, tuple) else (self.type,)

    @property
    def shape(self) -> Shape:
        return self.type.shape

    @property
    def dtype(self) -> DType:
        return self.type.dtype

    @property
    def rank(self) -> int:
        return len(self.type.shape)

    def __repr__(self) -> str:
        operands = ", ".join(str(x.type) for x in self.inputs)
        return f"{self.op}({operands}): {' '.join(map(str, self.types))}"

    def __add__(self, other: Node | Scalar) -> Node:
        return elementwise("add", self, other)

    def __radd__(self, other: Node | Scalar) -> Node:
        return elementwise("add", self, other)

    def __sub__(self, other: Node | Scalar) -> Node:
        return elementwise("sub", self, other)

    def __rsub__(self, other: Node | Scalar) -> Node:
        return elementwise("sub", other, self)

    def __mul__(self, other: Node | Scalar) -> Node:
        return elementwise("mul", self, other)

    def __rmul__(self, other: Node | Scalar) -> Node:
        return elementwise("mul", self, other)

    def __truediv__(self, other: Node | Scalar) -> Node:
        return elementwise("div", self, other, floating=True)

    def __rtruediv__(self, other: Node | Scalar) -> Node:
        return elementwise("div", other, self, floating=True)

    def __neg__(self) -> Node:
        return elementwise("neg", self)

    def __lt__(self, other: Node | Scalar) -> Node:
        return elementwise("lt", self, other)

    def __le__(self, other: Node | Scalar) -> Node:
        return elementwise("le", self, other)

    def __gt__(self, other: Node | Scalar) -> Node:
        return elementwise("lt", other, self)

    def __ge__(self, other: Node | Scalar) -> Node:
        return elementwise("le", other, self)


@dataclass(frozen=True)
class Op:
    """What a node does: a type rule and, where there is one, a gradient.

    A primitive is a frozen dataclass on this base; its fields are its settings, so two equal
    ops on the same operands are the same value.
    """

    name: ClassVar[str] = ""
    registry: ClassVar[dict[str, type[Op]]] = {}
    """Every primitive by its name; filled as the classes of ``graphc.ops`` are made."""
    of_complex: ClassVar[dict[str, Any]] = {}
    """By the name of a primitive what it means for complex operands (``ops.complex_parts``)."""
    repeatable: ClassVar[bool] = True
    """Whether a use of it may be told again elsewhere in its own place."""

    def __init_subclass__(cls, *, name: str = "", **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if name:
            cls.name = name
            Op.registry[name] = cls

    def infer(self, types: tuple[TensorType, ...]) -> Types:
        """The type of the result, or of each result. Raises where the operands do not fit."""
        raise NotImplementedError(f"{type(self).__name__} has no type rule")

    def grad(self, node: Node, *gradients: Any) -> tuple[Node | None, ...]:
        """The gradient with respect to each operand, given that of each result."""
        raise GraphcRuntimeError(f"derivative for {self.name} is not implemented")

    @property
    def differentiable(self) -> bool:
        return type(self).grad is not Op.grad

    def settings(self) -> str:
        """The fields as the text form shows them; those given by name only where they are set."""
        shown = (x for x in fields(self) if not x.kw_only or getattr(self, x.name) != x.default)
        return ", ".join(f"{x.name}={getattr(self, x.name)!r}" for x in shown)

    def __str__(self) -> str:
        settings = self.settings()
        return f"{self.name}[{settings}]" if settings else self.name

    def __call__(self, *inputs: Node) -> Node:
        """A node of this op on ``inputs``."""
        for x in inputs:
            if x.type.dtype.category == 3 and self.name not in self.of_complex:
                raise not_of_complex(self.name, x.type.dtype)
        result = self.infer(tuple(x.type for x in inputs))
        floating = isinstance(result, tuple) or result.dtype.category >= 2
        needs = (
            recording.grad_enabled
            and floating
            and self.differentiable
            and any(x.requires_grad for x in inputs)
        )
        return Node(self, inputs, result, requires_grad=needs, device=common_device(self, inputs))


def not_of_complex(name: str, dtype: DType) -> GraphcNotImplementedError:
    """The error of an op that there is not for complex numbers, in PyTorch's words."""
    kind = {"complex64": "ComplexFloat", "complex128": "ComplexDouble"}[dtype.name]
    return GraphcNotImplementedError(f"\"{name}\" not implemented for '{kind}'")


def common_device(op: Op, inputs: Sequence[Node]) -> str:
    """The device of the operands; an error if there are two.

    A tensor of no dimensions on the CPU goes with whatever the others are on.
    """
    device, is_number = "", False
    for x in inputs:
        if not x.device or x.device == device:
            continue
        number = x.device == "cpu" and not x.type.rank
        if not device or is_number:
            device, is_number = x.device, number
        elif not number:
            raise GraphcRuntimeError(
                f"{op.name}: expected all tensors to be on the same device, "
                f"but found at least two devices, {device} and {x.device}!"
            )
    return device


@dataclass(frozen=True)
class Input(Op, name="input"):
    """A value given from outside: an argument, a parameter, a buffer."""

    label: str
    type: TensorType
    contiguous: bool = True
    """Whether its memory is known to be C-contiguous."""

    def infer(self, types: tuple[TensorType, ...]) -> TensorType:
        return self.type

    def __str__(self) -> str:
        return f"input %{self.label}"


@dataclass(frozen=True)
class Const(Op, name="const"):
    """A number, of no dimensions."""

    value: Scalar
    dtype: DType

    def infer(self, types: tuple[TensorType, ...]) -> TensorType:
        return TensorType((), self.dtype)

    def key(self) -> tuple[object, ...]:
        """Equal only where the bits are: 0.0 is not -0.0, and nan is nan."""
        return (repr(self.value), self.dtype.name)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Const) and self.key() == other.key()

    def __hash__(self) -> int:
        return hash(self.key())

    def __str__(self) -> str:
        return repr(self.value)


@dataclass(frozen=True)
class Item(Op, name="item"):
    """One result of a node that has several."""

    index: int

    def __call__(self, *inputs: Node) -> Node:
        (source,) = inputs
        result = source.types[self.index]
        needs = source.requires_grad and result.dtype.is_inexact
        return Node(self, inputs, result, requires_grad=needs, device=source.device)


def make_input(
    label: str,
    type: TensorType,
    *,
    requires_grad: bool = False,
    device: str = "cpu",
    contiguous: bool = True,
) -> Node:
    """A value given from outside under the name ``label``."""
    op = Input(label, type, contiguous)
    return Node(op, (), type, requires_grad=requires_grad, device=device)


def const(value: Scalar | complex, dtype: DType) -> Node:
    """The number ``value``, converted as PyTorch converts it, as a node."""
    number: Any
    if dtype.category == 3:
        number = complex(value)
    elif isinstance(value, complex):
        return const(value.real if dtype.category else value != 0, dtype)
    elif dtype.category == 2:
        number = float(value)
    elif dtype.category == 1:
        number = (
            int(np.asarray(int(value)).astype(dtype.numpy)) if abs(value) < 2**63 else int(value)
        )
    else:
        number = bool(value)
    return Node(Const(number, dtype), (), TensorType((), dtype), requires_grad=False)


def is_const(node: Node, value: Scalar | None = None) -> bool:
    """Whether the node is a number, and the given one where one is given."""
    return isinstance(node.op, Const) and (value is None or node.op.value == value)


def cast(x: Node, dtype: DType) -> Node:
    """``x`` in another element type."""
    if x.dtype is dtype:
        return x
    if isinstance(x.op, Const):
        return const(x.op.value, dtype)
    return Op.registry["cast"](dtype)(x)  # type: ignore[call-arg]


def common_dtype(operands: Sequence[Node | Scalar]) -> DType:
    """The type that operands are promoted to, by PyTorch's rules."""
    tensors = [x for x in operands if isinstance(x, Node)]
    if len(tensors) == len(operands) == 2 and len(tensors[0].shape) == len(tensors[1].shape):
        return promote(tensors[0].dtype, tensors[1].dtype)
    return result_type(
        ((x.dtype, len(x.shape)) for x in tensors),
        (x for x in operands if not isinstance(x, Node)),
    )


def promoted(
    operands: Sequence[Node | Scalar], *, floating: bool = False, dtype: DType | None = None
) -> tuple[Node, ...]:
    """The operands in their common type; integers become the default float if ``floating``."""
    common = dtype or common_dtype(operands)
    if floating and not common.is_inexact:
        common = result_type([(common, 1)], [0.0])
    return tuple(cast(x, common) if isinstance(x, Node) else const(x, common) for x in operands)


def elementwise(name: str, *operands: Node | Scalar, floating: bool = False) -> Node:
    """The elementwise primitive ``name`` on operands brought to their common type."""
    return Op.registry[name]()(*promoted(operands, floating=floating))
