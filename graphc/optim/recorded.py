"""Optimizers whose step is recorded whole: one pure function over the nodes of a group."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from graphc.autograd import enable_grad
from graphc.errors import GraphcNotImplementedError, GraphcRuntimeError, GraphcValueError
from graphc.functions.precision import widened
from graphc.ir.dtype import float32, float64
from graphc.ir.node import Node, cast, grad_mode, origin_of
from graphc.memory import full
from graphc.ops.complex import ViewAsComplex, ViewAsReal
from graphc.ops.movement import reshape
from graphc.optim.group import Group, is_number
from graphc.optim.optimizer import Optimizer, Parameters
from graphc.origins import here
from graphc.recording import Trace, session
from graphc.tensor import Tensor, wrap

Settings = dict[str, Any]
"""The settings of a group by name. One that varies is a node: float64, of no dimensions."""
State = dict[str, Node]
Updated = tuple[Node, State]

IGNORED = frozenset(("foreach", "fused", "capturable", "differentiable"))
"""Settings that say how PyTorch is to compute a step, not what."""

UNNAMED: Settings = {
    "foreach": None,
    "maximize": False,
    "differentiable": False,
    "capturable": False,
}
"""Settings that checkpoints of most optimizers lacked once."""
DECOUPLED: Settings = {**UNNAMED, "decoupled_weight_decay": False}


class RecordedOptimizer(Optimizer):
    """An optimizer that says by pure functions over nodes what a step does.

    The count of steps is a tensor shared by the parameters of a group that have been
    stepped equally often, so that what follows from it is computed once for all of them.
    """

    counted: ClassVar[bool] = True
    """Whether the state of a parameter has the count of its steps."""
    added: ClassVar[dict[str, Any]] = {}
    """Settings that old checkpoints may lack."""

    def __init__(self, params: Parameters, defaults: dict[str, Any]) -> None:
        _check_common(defaults)
        super().__init__(params, defaults)

    def initial_state(self, group: Settings, parameter: Tensor) -> dict[str, Tensor]:
        """The state of a parameter before its first step, without the count."""
        raise NotImplementedError

    @staticmethod
    def prepare(settings: Settings) -> Settings:
        """The settings, with what is computed once per step from them and the count, ``step``."""
        return settings

    @staticmethod
    def update(x: Node, dy: Node, state: State, settings: Settings) -> Updated:
        """A parameter and its state after a step, the count left out."""
        raise NotImplementedError

    def _group(self, given: dict[str, Any]) -> dict[str, Any]:
        return Group(given, self)

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        for group in self.param_groups:
            group.owner = self  # type: ignore[attr-defined]
            for key, value in self.added.items():
                group.setdefault(key, value)
            if self.counted:
                self._share_counts(group)
        for held in self.state.values():
            if isinstance(held, dict):
                _name_state(held)

    def _share_counts(self, group: Settings) -> None:
        """Let parameters that have been stepped equally often share the count again."""
        counts: dict[float, Tensor] = {}
        for p in group["params"]:
            state = self.state.get(p)
            if not state:
                continue
            number = float(state["step"])
            if number not in counts:
                shared = isinstance(state["step"], Tensor)
                counts[number] = state["step"] if shared else _count(p, number)
            state["step"] = counts[number]

    def _apart(self, state: dict[Any, Any]) -> dict[Any, Any]:
        """The state with a count of its own for each parameter: who loads it may count in place."""
        seen: set[int] = set()
        found = {}
        for key, held in state.items():
            count = held.get("step") if isinstance(held, dict) else None
            if isinstance(count, Tensor) and id(count) in seen:
                number = full((), float(count), count.dtype, str(count.device))
                held = {**held, "step": number}
            seen.add(id(count))
            found[key] = held
        return found

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One step along the gradients; the result of ``closure``, which computes them anew."""
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        trace = session.trace
        trace.depends_on(self)
        with grad_mode(False), trace.kept_open():
            for group in self.param_groups:
                self._step_group(trace, group)
        if not trace.differentiating:
            self._settle()
        return loss

    def _settle(self) -> None:
        """Do the step now if somebody looks at what it writes who does not know of the trace."""
        for group in self.param_groups:
            for p in group["params"]:
                p._settle()
                for held in self.state.get(p, {}).values():
                    if isinstance(held, Tensor):
                        held._settle()

    def begin(self) -> None:
        """Make the state that a step would begin with, where it is not there yet."""
        session.trace.depends_on(self)
        for group in self.param_groups:
            self._make_state(group, [p for p in group["params"] if p.grad is not None])

    def _step_group(self, trace: Trace, group: Settings) -> None:
        params = [p for p in group["params"] if p.grad is not None]
        if not params:
            return
        self._make_state(group, params)
        for count, together in self._by_count(group, params):
            self._record(trace, group, together, count)

    def _make_state(self, group: Settings, params: list[Tensor]) -> None:
        fresh = [p for p in params if not self.state.get(p)]
        if not fresh:
            return
        count = _count(fresh[0], 0.0) if self.counted else None
        for p in fresh:
            state = {} if count is None else {"step": count}
            state.update(self.initial_state(group, p))
            if state:
                self.state[p] = state
                _name_state(state)

    def _by_count(
        self, group: Settings, params: list[Tensor]
    ) -> list[tuple[Tensor | None, list[Tensor]]]:
        """The parameters that share a count, with it; those not stepped now share it no more."""
        if not self.counted:
            return [(None, params)]
        together: dict[int, list[Tensor]] = {}
        for p in params:
            together.setdefault(id(self.state[p]["step"]), []).append(p)
        stepped = set(map(id, params))
        resting = {
            id(self.state[p]["step"])
            for p in group["params"]
            if id(p) not in stepped and self.state.get(p)
        }
        return [
            (self._own_count(x) if count in resting else self.state[x[0]]["step"], x)
            for count, x in together.items()
        ]

    def _own_count(self, params: list[Tensor]) -> Tensor:
        """A count for ``params`` alone, as those that they shared it with rest."""
        count = _count(params[0], float(self.state[params[0]]["step"]))
        for p in params:
            self.state[p]["step"] = count
        self._changed()
        return count

    def _record(
        self, trace: Trace, group: Settings, params: list[Tensor], count: Tensor | None
    ) -> None:
        """Record a step of parameters that have been stepped equally often."""
        settings = self._settings(trace, group)
        before = None if count is None else trace.node_of(count)
        operands = tuple(self._operands(trace, p) for p in params)
        key = (type(self), tuple(settings.values()), before, operands)
        found = trace.memo.get(key)
        if found is None:
            with origin_of(here(f"{type(self).__name__}.step")):
                found = trace.memo[key] = self._stepped(settings, before, operands)
        after, results = found
        if count is not None and after is not None:
            count._assign(after)
        for p, (x, state) in zip(params, results, strict=True):
            p._assign(x)
            self._write_state(trace, p, state)

    def _write_state(self, trace: Trace, parameter: Tensor, nodes: State) -> None:
        state = self.state[parameter] if nodes else {}
        for name, node in nodes.items():
            held = state.get(name)
            if held is not None:
                held._assign(node)
            else:
                state[name] = wrap(node, trace)
                self._changed()

    def _operands(self, trace: Trace, parameter: Tensor) -> tuple[Any, ...]:
        gradient = parameter._grad
        assert gradient is not None
        state = self.state.get(parameter, {})
        pieces = [
            (name, trace.node_of(x))
            for name, x in state.items()
            if name != "step" and isinstance(x, Tensor)
        ]
        return trace.node_of(parameter), trace.node_of(gradient), tuple(pieces)

    def _settings(self, trace: Trace, group: Settings) -> Settings:
        """The group's settings, with inputs of the program for those that vary."""
        varying = group.varying  # type: ignore[attr-defined]
        return {
            name: _setting(trace, group, name, group[name], name in varying)
            for name in self.defaults
            if name not in IGNORED
        }

    def _stepped(
        self, settings: Settings, count: Node | None, operands: tuple[Any, ...]
    ) -> tuple[Node | None, list[Updated]]:
        """The count, and each parameter with its state, after a step."""
        settings = {name: _wide(x) for name, x in settings.items()}
        after = None
        if count is not None:
            after = count + 1.0
            settings["step"] = cast(after, float64)
        settings = self.prepare(settings)
        results = []
        for parameter, dy, pieces in operands:
            x, state = _real(parameter), {name: _real(node) for name, node in pieces}
            wide = {name: widened(node) for name, node in state.items()}
            new, made = self.update(widened(x), widened(_real(dy)), wide, settings)
            kept = {
                name: cast(node, state[name].dtype if name in state else x.dtype)
                for name, node in made.items()
            }
            results.append(_like(parameter, cast(new, x.dtype), kept))
        return after, results


def _real(x: Node) -> Node:
    """Complex numbers as pairs of real ones, of which a step changes each by itself."""
    return ViewAsReal()(x) if x.dtype.is_complex else x


def _like(parameter: Node, new: Node, state: State) -> Updated:
    """A parameter and its state after a step, as complex numbers where it is of these."""
    if not parameter.dtype.is_complex:
        return new, state
    pairs = {n: ViewAsComplex()(x) if x.shape == new.shape else x for n, x in state.items()}
    return ViewAsComplex()(new), pairs


def _count(parameter: Tensor, number: float) -> Tensor:
    """How many steps were taken, where the parameter is."""
    return full((), number, float32, str(parameter.device))


def everywhere(value: float, parameter: Tensor) -> Tensor:
    """``value`` for each number of a parameter, in both parts of complex ones."""
    type_ = parameter._type
    number = complex(value, value) if type_.dtype.is_complex else value
    return full(type_.shape, number, type_.dtype, str(parameter.device))


def _name_state(state: dict[str, Any]) -> None:
    """Let programs call the pieces of a state what the user knows them as."""
    for name, piece in state.items():
        if isinstance(piece, Tensor):
            piece._name = "steps" if name == "step" else name


def _setting(trace: Trace, group: Settings, key: Any, value: Any, varies: bool) -> Any:
    """A setting as the key of a program has it: an input, or the value itself.

    Where zero it is the value, since what it multiplies is left out; not so the learning rate.
    """
    if isinstance(value, Tensor):
        return trace.node_of(value)
    if isinstance(value, tuple | list):
        return tuple(_setting(trace, group, (key, i), x, varies) for i, x in enumerate(value))
    if varies and is_number(value) and (value or key == "lr"):
        return trace.hyperparameter(group, key)
    return value


def _wide(x: Any) -> Any:
    if isinstance(x, tuple):
        return tuple(map(_wide, x))
    return cast(reshape(x, ()), float64) if isinstance(x, Node) else x


def typed(number: Node | float, x: Node) -> Node | float:
    """A setting in the type of ``x``."""
    return cast(number, x.dtype) if isinstance(number, Node) else number


def times(x: Node, number: Any) -> Node:
    """``x`` times a setting, in the type of ``x``."""
    return x * typed(number, x)


def plus(x: Node, number: Any) -> Node:
    """``x`` plus a setting, in the type of ``x``."""
    return x + typed(number, x)


def descent(x: Node, dy: Node, settings: Settings) -> Node:
    """The gradient to go down: of the negative if maximized, with that of the weights' decay."""
    gradient = -dy if settings["maximize"] else dy
    decay = settings["weight_decay"]
    return gradient + times(x, decay) if decay else gradient


def decayed(x: Node, dy: Node, settings: Settings) -> tuple[Node, Node]:
    """The parameter and the gradient to go down, with a decay of the weights in one of them."""
    if not settings["decoupled_weight_decay"]:
        return x, descent(x, dy, settings)
    if settings["weight_decay"]:
        x = times(x, 1 - settings["lr"] * settings["weight_decay"])
    return x, -dy if settings["maximize"] else dy


def _check_common(defaults: dict[str, Any]) -> None:
    """Raise where settings that all optimizers have do not fit."""
    if defaults.get("fused") and defaults.get("differentiable"):
        raise GraphcRuntimeError("`fused` does not support `differentiable`")
    if defaults.get("fused") and defaults.get("foreach"):
        raise GraphcRuntimeError("`fused` and `foreach` cannot be `True` together.")
    if defaults.get("differentiable"):
        raise GraphcNotImplementedError("a step of an optimizer cannot be differentiated")


def check_not_negative(value: Any, what: str) -> None:
    """Raise where a setting is below zero, or no number."""
    if not value >= 0.0:
        raise GraphcValueError(f"Invalid {what}: {value}")


def check_betas(betas: tuple[Any, Any]) -> None:
    """Raise where a weight of the past is none."""
    for i, beta in enumerate(betas):
        if not 0.0 <= beta < 1.0:
            raise GraphcValueError(f"Invalid beta parameter at index {i}: {beta}")


def check_rate(lr: Any) -> None:
    """Raise where a learning rate is negative, or a tensor of several numbers."""
    if isinstance(lr, Tensor) and lr._type.size != 1:
        raise GraphcValueError("Tensor lr must be 1-element")
    check_not_negative(lr, "learning rate")
