"""The modes that switch the recording of gradients off and on."""

from __future__ import annotations

from collections.abc import Callable, Generator
from functools import wraps
from inspect import isgeneratorfunction
from types import TracebackType
from typing import Any, Self, TypeVar, cast

from graphc.ir.node import recording

F = TypeVar("F", bound=Callable[..., Any])


class _Mode:
    """A context, and a decorator, within which gradients are recorded or not."""

    enabled: bool

    def __init__(self) -> None:
        self.stack: list[bool] = []

    def __enter__(self) -> None:
        self.stack.append(recording.grad_enabled)
        recording.switch(self.enabled)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        recording.switch(self.stack.pop())

    def __call__(self, function: F) -> F:
        """The function, in this mode whenever its own code runs."""
        if isgeneratorfunction(function):
            return cast(F, self._generator(function))

        @wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            with self:
                return function(*args, **kwargs)

        return cast(F, call)

    def _generator(self, function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def call(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
            with self:
                generator = function(*args, **kwargs)
            given, send = None, generator.send
            while True:
                try:
                    with self:
                        item = send(given)
                except StopIteration as end:
                    return end.value
                try:
                    given, send = (yield item), generator.send
                except GeneratorExit:
                    with self:
                        generator.close()
                    raise
                except BaseException as error:
                    given, send = error, generator.throw

        return call


class _Switch(_Mode):
    """A mode that decorates a function without being called itself."""

    def __new__(cls, function: Callable[..., Any] | None = None) -> Self:
        mode = super().__new__(cls)
        if function is None:
            return mode
        mode.__init__()  # type: ignore[misc]
        return mode(function)  # type: ignore[return-value]


class no_grad(_Switch):
    """Within, results need no gradient."""

    enabled = False


class enable_grad(_Switch):
    """Within, results need a gradient if an operand does."""

    enabled = True


class set_grad_enabled(_Mode):
    """Switch the recording of gradients, at once and, as a context, until its end."""

    def __init__(self, mode: bool) -> None:
        super().__init__()
        self.before = recording.grad_enabled
        self.enabled = bool(mode)
        recording.switch(self.enabled)

    def __enter__(self) -> None:
        recording.switch(self.enabled)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        recording.switch(self.before)

    def __call__(self, function: F) -> F:
        """The function in this mode; what is outside stays as it was."""
        recording.switch(self.before)
        return (enable_grad if self.enabled else no_grad)()(function)


class _Inference:
    depth = 0


class inference_mode(_Mode):
    """As ``no_grad``; with ``mode=False`` as ``enable_grad``."""

    def __new__(cls, mode: Callable[..., Any] | bool = True) -> Self:
        if isinstance(mode, bool):
            return super().__new__(cls)
        return cls()(mode)  # type: ignore[return-value]

    def __init__(self, mode: bool = True) -> None:
        super().__init__()
        self.enabled = not mode
        self.depths: list[int] = []

    def __enter__(self) -> None:
        super().__enter__()
        self.depths.append(_Inference.depth)
        _Inference.depth = 0 if self.enabled else _Inference.depth + 1

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        super().__exit__(kind, error, trace)
        _Inference.depth = self.depths.pop()


def is_grad_enabled() -> bool:
    """Whether results need a gradient where an operand does."""
    return recording.grad_enabled


def is_inference_mode_enabled() -> bool:
    """Whether an ``inference_mode`` is in force."""
    return _Inference.depth > 0
