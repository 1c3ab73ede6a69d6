"""Optimizers whose step is recorded whole: one pure function over the nodes of a group."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from graphc.autograd import enable_grad
from graphc.errors import GraphcNotImplementedError, GraphcValueError
from graphc.ir.dtype import float32, float64
from graphc.ir.node import Node, cast, const, grad_mode, origin_of
from graphc.lift import here
from graphc.memory import full
from graphc.nn.modules.hooks import RemovableHandle
from graphc.optim.optimizer import Optimizer, Parameters
from graphc.recording import Trace, session, setting
from graphc.tensor import Tensor

Key = str | tuple[str, int]
Settings = Mapping[str, Any]
Numbers = dict[str, Node]
"""Numbers of a step, the same for all parameters: float64, of no dimensions."""

IGNORED = frozenset(("params", "param_names", "foreach", "fused", "capturable", "differentiable"))


class Group(dict[str, Any]):
    """The settings of a group. Programs have all of them but the varying ones built in."""

    owner: RecordedOptimizer | None = None

    def __setitem__(self, key: str, value: Any) -> None:
        owner = self.owner
        if owner is not None and not (key in owner.varying and _same_kind(self.get(key), value)):
            owner._changed()
        super().__setitem__(key, value)

    def __reduce__(self) -> Any:
        return Group, (), None, None, iter(self.items())


def _same_kind(a: Any, b: Any) -> bool:
    """Whether a program for ``a`` serves ``b``: both are numbers, and both zero or neither."""
    if isinstance(a, tuple) and isinstance(b, tuple):
        return len(a) == len(b) and all(map(_same_kind, a, b))
    return isinstance(a, int | float) and isinstance(b, int | float) and bool(a) == bool(b)


class RecordedOptimizer(Optimizer):
    """An optimizer that says by pure functions over nodes what a step does.

    The count of steps is a tensor shared by the parameters of a group that have been
    stepped equally often, so that what follows from it is computed once for all of them.
    """

    varying: ClassVar[tuple[str, ...]] = ("lr", "weight_decay")
    """The settings that are inputs of the program, since schedules change them."""
    counted: ClassVar[bool] = True
    """Whether the state of a parameter has the count of its steps."""

    def __init__(self, params: Parameters, defaults: dict[str, Any]) -> None:
        _check_common(defaults)
        super().__init__(params, defaults)

    def initial_state(self, group: Settings, parameter: Tensor) -> dict[str, Tensor]:
        """The state of a parameter before its first step, without the count."""
        raise NotImplementedError

    @staticmethod
    def prepare(numbers: Numbers, settings: Settings) -> Numbers:
        """What is computed once per step: from the varying settings and the count, ``step``."""
        return numbers

    @staticmethod
    def update(
        x: Node, dy: Node, state: dict[str, Node], numbers: Numbers, settings: Settings
    ) -> tuple[Node, dict[str, Node]]:
        """A parameter and its state after the step, in the type of the state and without a count."""
        raise NotImplementedError

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One step along the gradients; the result of ``closure``, which computes them anew."""
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        trace = session.trace
        trace.depends_on(self)
        with grad_mode(False):
            for group in self.param_groups:
                self._step_group(trace, group)
        return loss

    def _step_group(self, trace: Trace, group: dict[str, Any]) -> None:
        params = [p for p in group["params"] if p.grad is not None]
        if not params:
            return
        self._make_state(group, params)
        if not self.counted:
            self._record(trace, group, params, None)
            return
        state = self.state
        first = state[params[0]]["step"]
        if all(state[p]["step"] is first for p in params) and self._sharing(first) == len(params):
            self._record(trace, group, params, first)
            return
        for count, together in self._separated(params):
            self._record(trace, group, together, count)

    def _make_state(self, group: dict[str, Any], params: list[Any]) -> None:
        fresh = [p for p in params if not self.state.get(p)]
        if not fresh:
            return
        count = full((), 0.0, float32, str(fresh[0].device)) if self.counted else None
        for p in fresh:
            state: dict[str, Any] = {} if count is None else {"step": count}
            state.update(self.initial_state(group, p))
            if state:
                self.state[p] = state
        if count is not None:
            self._counts()[id(count)] = len(fresh)

    def _counts(self) -> dict[int, int]:
        """How many parameters share each count, by its identity."""
        counts: dict[int, int] | None = self.__dict__.get("_sharers")
        if counts is None:
            counts = self.__dict__["_sharers"] = {}
            for state in self.state.values():
                if isinstance(state, dict) and "step" in state:
                    key = id(state["step"])
                    counts[key] = counts.get(key, 0) + 1
        return counts

    def _sharing(self, count: Tensor) -> int:
        return self._counts().get(id(count), 0)

    def _separated(self, params: list[Any]) -> list[tuple[Tensor, list[Any]]]:
        """The parameters by their count, where no other parameter shares it any more."""
        together: dict[int, list[Any]] = {}
        for p in params:
            together.setdefault(id(self.state[p]["step"]), []).append(p)
        found = []
        for sharers in together.values():
            count = self.state[sharers[0]]["step"]
            if self._sharing(count) != len(sharers):
                count = self._own_count(sharers)
            found.append((count, sharers))
        return found

    def _own_count(self, params: list[Any]) -> Tensor:
        """A count for ``params`` alone: they are no longer stepped with those they shared it with."""
        shared = self.state[params[0]]["step"]
        count = full((), float(shared._value()), float32, str(shared.device))
        for p in params:
            self.state[p]["step"] = count
        self._counts()[id(shared)] -= len(params)
        self._counts()[id(count)] = len(params)
        self._changed()
        return count
