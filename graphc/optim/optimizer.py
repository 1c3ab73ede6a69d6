"""Optimizer: the base of all optimizers, and of those that users write themselves."""

from __future__ import annotations

import warnings
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterable
from copy import deepcopy
from itertools import chain
from typing import Any

from graphc.autograd import no_grad
from graphc.errors import GraphcRuntimeError, GraphcTypeError, GraphcValueError
from graphc.handles import RemovableHandle, register
from graphc.memory import converted
from graphc.running import begin_step, end_step
from graphc.tensor import Tensor, bump_epoch
from graphc.typename import typename

Parameters = Iterable[Any]
Hook = Callable[..., Any]


class _Required:
    """Stands for a setting that each group must give."""

    def __repr__(self) -> str:
        return "<required parameter>"


required = _Required()

HOOK_TABLES = (
    "_optimizer_step_pre_hooks",
    "_optimizer_step_post_hooks",
    "_optimizer_state_dict_pre_hooks",
    "_optimizer_state_dict_post_hooks",
    "_optimizer_load_state_dict_pre_hooks",
    "_optimizer_load_state_dict_post_hooks",
)


class Optimizer:
    """Groups of parameters with their settings, and what is remembered of each parameter."""

    _structure = 0
    """How often groups, settings or state have changed: programs depend on them."""
    _optimizer_step_pre_hooks: OrderedDict[int, Hook]
    _optimizer_step_post_hooks: OrderedDict[int, Hook]
    _optimizer_state_dict_pre_hooks: OrderedDict[int, Hook]
    _optimizer_state_dict_post_hooks: OrderedDict[int, Hook]
    _optimizer_load_state_dict_pre_hooks: OrderedDict[int, Hook]
    _optimizer_load_state_dict_post_hooks: OrderedDict[int, Hook]

    def __init__(self, params: Parameters, defaults: dict[str, Any]) -> None:
        self.defaults = defaults
        self._make_hook_tables()
        if isinstance(params, Tensor):
            raise GraphcTypeError(
                "params argument given to the optimizer should be an iterable of Tensors or "
                f"dicts, but got {typename(params)}"
            )
        self.state: defaultdict[Any, Any] = defaultdict(dict)
        self.param_groups: list[dict[str, Any]] = []
        groups = list(params)
        if not groups:
            raise GraphcValueError("optimizer got an empty parameter list")
        for group in groups if isinstance(groups[0], dict) else [{"params": groups}]:
            self.add_param_group(group)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "step" in cls.__dict__:
            cls.step = _with_hooks(cls.__dict__["step"])  # type: ignore[method-assign]

    def _make_hook_tables(self) -> None:
        for table in HOOK_TABLES:
            self.__dict__.setdefault(table, OrderedDict())

    def _changed(self) -> None:
        self._structure += 1
        bump_epoch()

    def __setattr__(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)
        if name in ("state", "param_groups"):
            self._changed()

    def __getstate__(self) -> dict[str, Any]:
        return {
            "defaults": self.defaults,
            "state": self.state,
            "param_groups": self.param_groups,
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._make_hook_tables()
        self._changed()

    def __repr__(self) -> str:
        lines = [f"{type(self).__name__} ("]
        for i, group in enumerate(self.param_groups):
            lines.append(f"Parameter Group {i}")
            lines.extend(f"    {key}: {group[key]}" for key in sorted(group) if key != "params")
        return "\n".join(lines) + "\n)"

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Optimize more parameters, with settings of their own or the defaults."""
        if not isinstance(param_group, dict):
            raise GraphcTypeError(f"param_group must be a dict, but got {type(param_group)}")
        group = self._group(param_group)
        params = group["params"] = _ordered(param_group["params"])
        names = [p[0] for p in params if isinstance(p, tuple)]
        if names:
            if len(names) != len(params):
                raise GraphcValueError(
                    "all optimizer params should be with/without names. Some param names are "
                    "missing"
                )
            params = group["params"] = [p[1] for p in params]
            group["param_names"] = names
        _check_params(params)
        for name, default in self.defaults.items():
            if default is required and name not in group:
                raise GraphcValueError(
                    "parameter group didn't specify a value of required optimization parameter "
                    f"{name}"
                )
            group.setdefault(name, default)
        self._check_against_others(group)
        self.param_groups.append(group)
        self._changed()

    def _group(self, given: dict[str, Any]) -> dict[str, Any]:
        """The group as it is kept."""
        return given

    def _check_against_others(self, group: dict[str, Any]) -> None:
        known = {id(p) for other in self.param_groups for p in other["params"]}
        for other in self.param_groups:
            if ("param_names" in group) != ("param_names" in other):
                kind = "with names" if "param_names" in group else "without names"
                raise GraphcValueError(
                    "all optimizer param groups should be with/without names. cannot add param "
                    f"group {kind} to the optimizer"
                )
        if any(id(p) in known for p in group["params"]):
            raise GraphcValueError("some parameters appear in more than one parameter group")

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Drop the parameters' gradients, or make them zero."""
        for group in self.param_groups:
            for p in group["params"]:
                if set_to_none:
                    p.grad = None
                elif p.grad is not None:
                    with no_grad():
                        p.grad.zero_()
        begin_step(self)

    def begin(self) -> None:
        """Make the state that a step would begin with, where it is not there yet."""

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One step; every subclass says what it is."""
        raise NotImplementedError

    def state_dict(self) -> dict[str, Any]:
        """The settings, and what is remembered of each parameter under its number."""
        for hook in self._optimizer_state_dict_pre_hooks.values():
            hook(self)
        numbers: dict[int, int] = {}
        groups = []
        for group in self.param_groups:
            for p in group["params"]:
                numbers.setdefault(id(p), len(numbers))
            packed = {key: value for key, value in group.items() if key != "params"}
            packed["params"] = [numbers[id(p)] for p in group["params"]]
            groups.append(packed)
        state = {
            numbers[id(key)] if isinstance(key, Tensor) else key: value
            for key, value in self.state.items()
        }
        found: dict[str, Any] = {"state": self._apart(state), "param_groups": groups}
        for hook in self._optimizer_state_dict_post_hooks.values():
            replaced = hook(self, found)
            found = found if replaced is None else replaced
        return found

    def _apart(self, state: dict[Any, Any]) -> dict[Any, Any]:
        """The state with nothing that several parameters share."""
        return state

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take settings and state over from another optimizer's ``state_dict``."""
        state_dict = dict(state_dict)
        for hook in self._optimizer_load_state_dict_pre_hooks.values():
            replaced = hook(self, state_dict)
            state_dict = state_dict if replaced is None else replaced
        groups = [self._group(deepcopy(group)) for group in state_dict["param_groups"]]
        _check_sizes(self.param_groups, groups)
        numbered = dict(
            zip(
                chain.from_iterable(group["params"] for group in groups),
                chain.from_iterable(group["params"] for group in self.param_groups),
                strict=True,
            )
        )
        state: defaultdict[Any, Any] = defaultdict(dict)
        for key, value in state_dict["state"].items():
            if key in numbered:
                state[numbered[key]] = _loaded(value, numbered[key], "")
            else:
                state[key] = value
        for old, new in zip(self.param_groups, groups, strict=True):
            new["params"] = old["params"]
            if "param_names" in old:
                new.setdefault("param_names", old["param_names"])
        self.__setstate__({"state": state, "param_groups": groups})
        for hook in self._optimizer_load_state_dict_post_hooks.values():
            hook(self)

    def register_step_pre_hook(self, hook: Hook) -> RemovableHandle:
        """Call ``hook(optimizer, args, kwargs)`` before each step."""
        return register(self, self._optimizer_step_pre_hooks, hook)

    def register_step_post_hook(self, hook: Hook) -> RemovableHandle:
        """Call ``hook(optimizer, args, kwargs)`` after each step."""
        return register(self, self._optimizer_step_post_hooks, hook)

    def register_state_dict_pre_hook(self, hook: Hook, prepend: bool = False) -> RemovableHandle:
        """Call ``hook(optimizer)`` before ``state_dict`` is made."""
        return register(self, self._optimizer_state_dict_pre_hooks, hook, prepend=prepend)

    def register_state_dict_post_hook(self, hook: Hook, prepend: bool = False) -> RemovableHandle:
        """Call ``hook(optimizer, state_dict)`` after it is made."""
        return register(self, self._optimizer_state_dict_post_hooks, hook, prepend=prepend)

    def register_load_state_dict_pre_hook(
        self, hook: Hook, prepend: bool = False
    ) -> RemovableHandle:
        """Call ``hook(optimizer, state_dict)`` before it is loaded."""
        return register(self, self._optimizer_load_state_dict_pre_hooks, hook, prepend=prepend)

    def register_load_state_dict_post_hook(
        self, hook: Hook, prepend: bool = False
    ) -> RemovableHandle:
        """Call ``hook(optimizer)`` after a state has been loaded."""
        return register(self, self._optimizer_load_state_dict_post_hooks, hook, prepend=prepend)


def _with_hooks(step: Callable[..., Any]) -> Callable[..., Any]:
    """``step`` between the hooks before and after it."""

    def call(self: Optimizer, *args: Any, **kwargs: Any) -> Any:
        for hook in self._optimizer_step_pre_hooks.values():
            replaced = hook(self, args, kwargs)
            if replaced is None:
                continue
            if not isinstance(replaced, tuple) or len(replaced) != 2:
                raise GraphcRuntimeError(
                    f"{step} must return None or a tuple of (new_args, new_kwargs), "
                    f"but got {replaced}."
                )
            args, kwargs = replaced
        self.__dict__["_opt_called"] = True  # schedules warn where it is not so
        result = step(self, *args, **kwargs)
        for hook in self._optimizer_step_post_hooks.values():
            hook(self, args, kwargs)
        end_step(self)
        return result

    call.__name__ = call.__qualname__ = "step"
    call.__doc__ = step.__doc__
    call.__wrapped__ = step  # type: ignore[attr-defined]
    return call


def _ordered(params: Any) -> list[Any]:
    if isinstance(params, Tensor):
        return [params]
    if isinstance(params, set):
        raise GraphcTypeError(
            "optimizer parameters need to be organized in ordered collections, but the ordering of "
            "tensors in sets will change between runs. Please use a list instead."
        )
    return list(params)


def _check_params(params: list[Any]) -> None:
    for p in params:
        if not isinstance(p, Tensor):
            raise GraphcTypeError(
                f"optimizer can only optimize Tensors, but one of the params is {typename(p)}"
            )
        if not p.is_leaf and not p._retains_grad:
            raise GraphcValueError("can't optimize a non-leaf Tensor")
    if len({id(p) for p in params}) < len(params):
        warnings.warn(
            "optimizer contains a parameter group with duplicate parameters; in future, this will "
            "cause an error",
            stacklevel=4,
        )


def _check_sizes(groups: list[dict[str, Any]], saved: list[dict[str, Any]]) -> None:
    if len(groups) != len(saved):
        raise GraphcValueError("loaded state dict has a different number of parameter groups")
    if any(len(a["params"]) != len(b["params"]) for a, b in zip(groups, saved, strict=True)):
        raise GraphcValueError(
            "loaded state dict contains a parameter group that doesn't match the size of "
            "optimizer's group"
        )


def _loaded(value: Any, parameter: Tensor, name: str) -> Any:
    """A copy of a piece of state, in the parameter's type unless it is the count of steps."""
    if isinstance(value, Tensor):
        wanted = parameter.dtype if parameter.dtype.is_inexact else value.dtype
        moved = value if name == "step" else converted(value, wanted)
        return deepcopy(moved) if moved is value else moved
    if isinstance(value, dict):
        return {key: _loaded(x, parameter, key) for key, x in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_loaded(x, parameter, "") for x in value)
    return value
