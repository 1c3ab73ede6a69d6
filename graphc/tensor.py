"""Tensor: the user's mutable handle on an immutable node."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from graphc.changes import bump_epoch, bump_gradients
from graphc.device import Device, device_named
from graphc.device_memory import on_host
from graphc.errors import GraphcRuntimeError, GraphcTypeError, GraphcValueError
from graphc.ir.dtype import DType
from graphc.ir.node import Node, Op, recording
from graphc.ir.types import TensorType
from graphc.marks import ToDevice
from graphc.origins import locating
from graphc.recording import Detach, Trace, Variable, root_of, session
from graphc.running import close, let_go, look
from graphc.size import Size
from graphc.storage import Array, Storage
from graphc.strides import HOST_VIEWS, seen_through

Hook = Any


class Tensor:
    """A tensor as PyTorch's users know it; what is done to it is recorded, not computed.

    It is in one of two states: *pending*, when its node stands in the current trace and nothing
    has been computed, or *realised*, when a storage holds its numbers.
    """

    _storage: Storage | None = None
    _node: Node | None = None
    _serial = 0
    """The trace in which ``_node`` stands for this tensor."""
    _pending = False
    _trace: Trace | None = None
    """The trace that holds the history of a result that needs a gradient."""
    _requires_grad = False
    """Of a leaf; a result's node knows."""
    _is_leaf = True
    _spent = False
    """Whether this is a result whose history was used up by ``backward``."""
    _grad: Tensor | None = None
    _grad_name = ""
    _home: Storage | None = None
    """Where a write in place goes once it is computed."""
    _base: Tensor | None = None
    """The tensor whose memory this one is a view of."""
    _chain: tuple[Any, ...] = ()
    """The view ops that lead from the base here."""
    _seen = 0
    """The base's version at which ``_node`` looked into it."""
    _rewritten = False
    """Whether this view was made again after a write to what it looks into."""
    _output: int | None = None
    """The place among the results of a function that gives several views."""
    _unwatched = False
    """Whether this view was made while gradients were not recorded."""
    _writes = 0
    """Of a tensor that is no view: how often its memory was written to."""
    _name = ""
    _error: Exception | None = None
    _hooks: OrderedDict[int, Hook] | None = None
    _grad_hooks: OrderedDict[int, Hook] | None = None
    """Called with the tensor whenever something was added to its ``grad``."""
    _retains_grad = False
    __array_priority__ = 1000

    def __init__(self, *data: Any, device: Any = None) -> None:
        """``Tensor(data)`` or ``Tensor(2, 3)``, of the default type; better use ``tensor``."""
        from graphc.from_data import legacy

        self._storage = legacy(data, device)

    def _changed(self) -> None:
        bump_epoch()

    # -- states --------------------------------------------------------------------------------

    def _record(self, trace: Trace, node: Node) -> None:
        """Let this tensor stand for ``node``, to be computed when somebody asks."""
        self._node = node
        self._serial = trace.serial
        if trace.past.walks:
            trace.past.told.add(node)
        if not self._pending:
            self._pending = True
            trace.wait(self)
        if node.requires_grad and not isinstance(node.op, Variable):
            self._trace = trace
            self._is_leaf = self._spent = False
        else:
            self._trace = None

    def _realize(self, storage: Storage, trace: Trace) -> None:
        """The numbers are there. History is kept only where a gradient may still be asked for."""
        node = self._node
        assert node is not None
        self._storage = storage
        self._pending = False
        self._home = None
        trace.realized[node] = (storage, storage.version)
        if self._trace is None:
            self._node = None
        elif trace.past.is_spent(node):
            self._trace, self._spent = None, True
        else:
            return
        self._serial = 0

    def _is_host_view(self) -> bool:
        """Whether the numbers can be read through the base's memory, with nothing computed."""
        base = self._base
        return (
            base is not None
            and self._home is None
            and (base._pending or base._storage is not None)
            and all(op.name in HOST_VIEWS for op in self._chain)
            and not (self._node is not None and self._node.requires_grad and self._is_leaf)
        )

    def _realize_view(self) -> None:
        base = self._base
        assert base is not None
        if base._storage is None or base._pending:
            self._fail(base._unrealized())
            return
        array = seen_through(base._storage.array, self._chain)
        assert array is not None
        self._storage = Storage(array, base._storage)
        self._pending = False
        if self._trace is None:
            self._node, self._serial = None, 0

    def _fail(self, error: Exception) -> None:
        self._pending = False
        self._node, self._serial, self._trace = None, 0, None
        self._error = error

    def _unrealized(self) -> Exception:
        return self._error or GraphcRuntimeError("the tensor was never computed")

    def _value(self) -> Array:
        """The numbers, computed now if they are pending. No copy of what is on the CPU."""
        return on_host(self._memory())

    def _memory(self) -> Any:
        """The array that the tensor is, on its device, computed now if it is pending."""
        base = root_of(self)
        if self._pending or (base is not None and base._pending):
            if base is not None and base._pending:
                session.trace.node_of(self)
            if session.trace.differentiating and not session.trace.capturing:
                return look(self)
            close()
        if self._storage is None or self._error is not None:
            raise self._unrealized()
        return self._storage.array

    def _assign(self, node: Node) -> None:
        """Write ``node``, of this tensor's type, into this tensor's memory.

        It is done at once if somebody who does not know of the trace looks at that memory.
        """
        if node.device and node.device != self._place:
            node = ToDevice(self._place)(node)
        self._write(node)
        if not session.trace.differentiating:
            self._settle()

    def _settle(self) -> None:
        """Do a pending write now if somebody looks at the memory who does not know of it."""
        base = root_of(self)
        home = (self if base is None else base)._home
        if home is not None and not home.is_private and home.observed:
            trace = session.trace
            if not trace.capturing:
                close()

    def _write(self, node: Node) -> None:
        trace = session.trace
        base = root_of(self)
        if base is not None:
            source, sources = trace.node_of(base), []
            for op in self._chain:
                sources.append(source)
                source = op(source)
            value = node
            for op, source in zip(reversed(self._chain), reversed(sources), strict=True):
                value = op.put(source, value)
            base._write(value)
            if self._sees_history:
                base._grad_name = "CopySlices"
            self._seen, self._rewritten = base._version, True
        else:
            self._writes += 1
            if self._storage is not None and self._home is None and not self._pending:
                self._home = self._storage
        if self._requires_grad and self._is_leaf:
            node = trace.variable(self, node)
        if base is None or not self._is_host_view():
            trace.touch(self)
        if (
            base is not None
            and base.requires_grad
            and self._sees_history
            and not node.requires_grad
        ):
            trace.look_again(self, base)
        else:
            self._record(trace, node)

    @property
    def _sees_history(self) -> bool:
        """Whether this view's history is that of what it looks into."""
        return not (self._unwatched or any(isinstance(op, Detach) for op in self._chain))

    # -- what is known before anything runs ----------------------------------------------------

    @property
    def _type(self) -> TensorType:
        if self._node is not None:
            return self._node.type
        if self._storage is None:
            raise self._unrealized()
        return self._storage.type

    @property
    def _version(self) -> int:
        """How often the memory was written to, by this tensor, its base or another view."""
        root = root_of(self)
        return (self if root is None else root)._writes

    @property
    def shape(self) -> Size:
        return Size(self._type.shape)

    @property
    def dtype(self) -> DType:
        return self._type.dtype

    @property
    def ndim(self) -> int:
        return len(self._type.shape)

    @property
    def _place(self) -> str:
        """The name of the device."""
        if self._storage is not None:
            return self._storage.device
        return (self._node.device if self._node is not None else "") or "cpu"

    @property
    def device(self) -> Device:
        return device_named(self._place)

    @property
    def is_leaf(self) -> bool:
        return self._is_leaf or not self.requires_grad

    @property
    def requires_grad(self) -> bool:
        base = self._base
        if base is not None and self._seen != base._version and self._sees_history:
            session.trace.node_of(self)
        if self._is_leaf:
            return self._requires_grad
        return self._node is not None and self._node.requires_grad

    @requires_grad.setter
    @locating("requires_grad_")
    def requires_grad(self, value: bool) -> None:
        if value == self.requires_grad:
            return
        if not self._is_leaf:
            raise GraphcRuntimeError(
                "you can only change requires_grad flags of leaf variables. If you want to use a "
                "computed variable in a subgraph that doesn't require differentiation use "
                "var_no_grad = var.detach()."
            )
        if value and not self.dtype.is_inexact:
            raise GraphcRuntimeError("only Tensors of floating point dtype can require gradients")
        trace = session.trace
        trace.remember(self)
        self._requires_grad = value
        if self._pending and self._serial == trace.serial:
            assert self._node is not None
            node = self._node
            self._node = trace.variable(self, node) if value else Detach()(node)
        else:
            self._serial, self._node = 0, None
        bump_epoch()

    def requires_grad_(self, requires_grad: bool = True) -> Tensor:
        """Ask for a gradient of this leaf, or no longer."""
        self.requires_grad = requires_grad
        return self

    # -- gradients -----------------------------------------------------------------------------

    @property
    def grad(self) -> Tensor | None:
        """The gradient that ``backward`` left here, or None."""
        if session.trace.capturing:
            session.trace.read_grad(self)
        return self._grad

    @grad.setter
    def grad(self, value: Tensor | None) -> None:
        if value is not None:
            if not isinstance(value, Tensor):
                raise GraphcTypeError(
                    f"assigned grad expected to be a Tensor or None but got {value!r}"
                )
            if value.shape != self.shape:
                raise GraphcRuntimeError(
                    f"assigned grad has data of a different size: {tuple(value.shape)}, "
                    f"expected {tuple(self.shape)}"
                )
        session.trace.touch_grad(self)
        self._set_grad(value)

    @grad.deleter
    def grad(self) -> None:
        self.grad = None

    def _set_grad(self, value: Tensor | None) -> None:
        if value is not self._grad:
            if value is None or self._grad is None:
                bump_epoch()
            bump_gradients()
            self._grad = value

    def backward(
        self,
        gradient: Tensor | None = None,
        retain_graph: bool | None = None,
        create_graph: bool = False,
        inputs: Any = None,
    ) -> None:
        """Add the gradient of this tensor to the ``grad`` of every leaf it was computed from."""
        from graphc.autograd import backward

        backward(self, gradient, retain_graph, create_graph, inputs)

    # -- numbers -------------------------------------------------------------------------------

    def _read(self) -> Array:
        """The numbers, for somebody who acts on them: a captured function cannot."""
        if session.trace.capturing:
            close()
        return self._value()

    @locating("item")
    def item(self) -> Any:
        """The one number in this tensor."""
        array = self._read()
        if array.size != 1:
            raise GraphcRuntimeError(
                f"a Tensor with {array.size} elements cannot be converted to Scalar"
            )
        return array.item()

    def tolist(self) -> Any:
        """The numbers as nested lists, or as one number."""
        return self._read().tolist()

    @locating("numpy")
    def numpy(self, *, force: bool = False) -> Array:
        """The tensor's own memory as a numpy array."""
        if self.requires_grad and not force:
            raise GraphcRuntimeError(
                "Can't call numpy() on Tensor that requires grad. "
                "Use tensor.detach().numpy() instead."
            )
        self._read()
        assert self._storage is not None
        if self._storage.device != "cpu":
            if force:
                return self._value()
            raise GraphcTypeError(
                f"can't convert {self.device} device type tensor to numpy. Use Tensor.cpu() to "
                "copy the tensor to host memory first."
            )
        let_go(self._storage)
        return self._storage.handed_out()

    @locating("bool")
    def __bool__(self) -> bool:
        if self._type.size != 1:
            raise GraphcRuntimeError(
                "Boolean value of Tensor with "
                + (
                    "no values is ambiguous"
                    if not self._type.size
                    else "more than one value is ambiguous"
                )
            )
        return bool(self.item())

    def __int__(self) -> int:
        return int(self._real_number("int64_t"))

    def __float__(self) -> float:
        return float(self._real_number("double"))

    def __complex__(self) -> complex:
        return complex(self._number())

    def _number(self) -> Any:
        if self._type.size != 1:
            raise GraphcValueError("only one element tensors can be converted to Python scalars")
        return self.item()

    def _real_number(self, kind: str) -> bool | int | float:
        value = self._number()
        if isinstance(value, complex):
            if value.imag:
                raise GraphcRuntimeError(
                    f"value cannot be converted to type {kind} without overflow"
                )
            return value.real
        return value  # type: ignore[no-any-return]

    def __index__(self) -> int:
        if self._type.size != 1 or self.dtype.is_inexact:
            raise GraphcTypeError(
                "only integer tensors of a single element can be converted to an index"
            )
        return int(self.item())

    def __len__(self) -> int:
        if not self.ndim:
            raise GraphcTypeError("len() of a 0-d tensor")
        return self._type.shape[0]

    def __hash__(self) -> int:
        return id(self)

    def __repr__(self) -> str:
        from graphc.history import grad_name
        from graphc.printing import format_tensor

        kind = type(self).__name__
        return format_tensor(
            self._read(),
            class_name="tensor" if kind in ("Tensor", "Parameter", "Buffer") else kind,
            dtype=self.dtype.name,
            device=str(self.device),
            requires_grad=self.requires_grad and self._is_leaf,
            grad_fn=grad_name(self) if self.requires_grad and not self._is_leaf else None,
        )

    if TYPE_CHECKING:
        # The tables of functions and operators put these in place (graphc.surface, graphc.methods).
        def __getattr__(self, name: str) -> Any: ...
        def __getitem__(self, given: Any) -> Tensor: ...
        def __setitem__(self, given: Any, value: Any) -> None: ...
        def __iter__(self) -> Iterator[Tensor]: ...
        def __eq__(self, other: object) -> Tensor: ...  # type: ignore[override]
        def __ne__(self, other: object) -> Tensor: ...  # type: ignore[override]
        def __neg__(self) -> Tensor: ...
        def __add__(self, other: Any) -> Tensor: ...

        __pos__ = __invert__ = __abs__ = __neg__
        __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = __add__
        __floordiv__ = __rfloordiv__ = __mod__ = __rmod__ = __pow__ = __rpow__ = __add__
        __matmul__ = __rmatmul__ = __lshift__ = __rlshift__ = __rshift__ = __rrshift__ = __add__
        __and__ = __rand__ = __or__ = __ror__ = __xor__ = __rxor__ = __add__
        __lt__ = __le__ = __gt__ = __ge__ = __add__


def bare() -> Tensor:
    """A handle that stands for nothing yet."""
    return Tensor.__new__(Tensor)


def wrap(node: Node, trace: Trace, grad_name: str = "") -> Tensor:
    """A new tensor that stands for ``node``."""
    tensor = bare()
    tensor._record(trace, node)
    tensor._grad_name = grad_name
    return tensor


def from_storage(storage: Storage) -> Tensor:
    """A new tensor that holds ``storage``."""
    tensor = bare()
    tensor._storage = storage
    return tensor


__all__ = ["Op", "Tensor", "bump_epoch", "from_storage", "recording", "wrap"]
