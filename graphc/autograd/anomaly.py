"""Gradients watched for numbers that are none, while a mode asks for it."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from types import TracebackType

import numpy as np

from graphc.errors import GraphcRuntimeError
from graphc.ir.node import Node
from graphc.recording import CALLS, Trace
from graphc.running import look
from graphc.tensor import wrap


class Watching:
    """Whether, and for what, backward passes are watched."""

    enabled = False
    for_nan = True


def set_anomaly_enabled(mode: bool, check_nan: bool = True) -> None:
    """Watch backward passes, or no longer."""
    Watching.enabled, Watching.for_nan = mode, check_nan


class set_detect_anomaly:
    """Watch backward passes, or no longer: at once and, as a context, until its end."""

    def __init__(self, mode: bool, check_nan: bool = True) -> None:
        self.before = Watching.enabled, Watching.for_nan
        set_anomaly_enabled(mode, check_nan)

    def __enter__(self) -> None:
        pass

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        Watching.enabled, Watching.for_nan = self.before


class detect_anomaly(set_detect_anomaly):
    """Within, a backward pass that comes to nan says which step it was."""

    def __init__(self, check_nan: bool = True) -> None:
        warnings.warn(
            "Anomaly Detection has been enabled. This mode will increase the runtime and should "
            "only be enabled for debugging.",
            UserWarning,
            stacklevel=2,
        )
        super().__init__(True, check_nan)

    def __enter__(self) -> None:
        Watching.enabled = True


def is_anomaly_enabled() -> bool:
    """Whether backward passes are watched."""
    return Watching.enabled


def is_anomaly_check_nan_enabled() -> bool:
    """Whether they are watched for nan."""
    return Watching.for_nan


class Watch:
    """One backward pass that is watched."""

    def __init__(self, trace: Trace, further: Callable[[Node, Node], Node] | None) -> None:
        self.trace = trace
        self.further = further
        self.readers: dict[Node, Node] = {}

    def start(self, order: Sequence[Node]) -> None:
        """Note which node reads which, so that the step at fault can be named."""
        for node in order:
            for operand in node.inputs:
                self.readers[operand] = node

    def __call__(self, node: Node, gradient: Node) -> Node:
        """The gradient, after it was checked, and shown to whom it concerns."""
        self.check(node, gradient)
        return gradient if self.further is None else self.further(node, gradient)

    def check(self, node: Node, gradient: Node) -> None:
        """Raise where the gradient of ``node`` holds a nan."""
        if Watching.for_nan and np.isnan(look(wrap(gradient, self.trace)).astype(float)).any():
            raise GraphcRuntimeError(
                f"Function '{self._step(node)}' returned nan values in its 0th output."
            )

    def _step(self, node: Node) -> str:
        """The step that yielded the gradient of ``node``."""
        reader = self.readers.get(node)
        while reader is not None and reader not in CALLS:
            reader = self.readers.get(reader)
        return "the gradient given" if reader is None else CALLS[reader].grad_name
