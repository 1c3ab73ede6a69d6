"""The exceptions of graphc: one base class, each also the built-in that PyTorch's users catch."""

from __future__ import annotations


class GraphcError(Exception):
    """The base of every exception that graphc itself raises."""

    located = False
    """Whether the message says where in the user's program it happened."""

    def __init__(self, *args: object, hint: str = "") -> None:
        super().__init__(*args)
        self.hint = hint
        """What was expected and given, where PyTorch's words do not say it."""


class GraphcRuntimeError(GraphcError, RuntimeError):
    """An operation that cannot be done: shapes that do not fit, a missing gradient, a bad view."""


class GraphcTypeError(GraphcError, TypeError):
    """An argument of a kind that the operation does not take."""


class GraphcValueError(GraphcError, ValueError):
    """An argument of the right kind whose value is out of range."""


class GraphcIndexError(GraphcError, IndexError):
    """A dimension or an index out of range."""


class GraphcNotImplementedError(GraphcError, NotImplementedError):
    """Something that is not implemented for these operands, or not by the chosen backend."""


class GraphcBufferError(GraphcError, BufferError):
    """Memory that cannot be given away."""


class VerificationError(GraphcError, TypeError):
    """A graph that breaks an invariant: a defect of a pass, never of the user's program."""
