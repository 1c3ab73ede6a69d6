"""What a module saves and loads: ``state_dict`` and ``load_state_dict``."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from graphc.errors import GraphcRuntimeError, GraphcTypeError
from graphc.memory import detached, overwrite
from graphc.nn.parameter import Parameter, is_lazy
from graphc.tensor import Tensor

if TYPE_CHECKING:
    from graphc.nn.modules.module import Module

EXTRA_STATE = "_extra_state"


class _Keys(NamedTuple):
    missing_keys: list[str]
    unexpected_keys: list[str]


class IncompatibleKeys(_Keys):
    """Names that a checkpoint lacks, and names that the module does not know."""

    __slots__ = ()

    def __repr__(self) -> str:
        if not self.missing_keys and not self.unexpected_keys:
            return "<All keys matched successfully>"
        return (
            f"_IncompatibleKeys(missing_keys={self.missing_keys!r}, "
            f"unexpected_keys={self.unexpected_keys!r})"
        )

    __str__ = __repr__


def save_state(module: Module, destination: Any, prefix: str, keep_vars: bool) -> Any:
    """The parameters and persistent buffers of ``module`` and below, by their dotted names."""
    if destination is None:
        destination = OrderedDict()
        destination._metadata = OrderedDict()
    metadata = {"version": module._version}
    if hasattr(destination, "_metadata"):
        destination._metadata[prefix[:-1]] = metadata
    for hook in module._state_dict_pre_hooks.values():
        hook(module, prefix, keep_vars)
    module._save_to_state_dict(destination, prefix, keep_vars)
    for name, child in module._modules.items():
        if child is not None:
            child.state_dict(
                destination=destination, prefix=f"{prefix}{name}.", keep_vars=keep_vars
            )
    for hook in module._state_dict_hooks.values():
        replaced = hook(module, destination, prefix, metadata)
        if replaced is not None:
            destination = replaced
    return destination


def save_own_state(module: Module, destination: Any, prefix: str, keep_vars: bool) -> None:
    """The parameters and persistent buffers of ``module`` alone."""
    for name, tensor in _own_state(module).items():
        kept = keep_vars or is_lazy(tensor)
        destination[prefix + name] = tensor if kept else detached(tensor)
    if _has_extra_state(module):
        destination[prefix + EXTRA_STATE] = module.get_extra_state()


def _own_state(module: Module) -> dict[str, Tensor]:
    left_out = module._non_persistent_buffers_set
    buffers = {k: v for k, v in module._buffers.items() if k not in left_out}
    return {k: v for k, v in (*module._parameters.items(), *buffers.items()) if v is not None}


def _has_extra_state(module: Module) -> bool:
    from graphc.nn.modules.module import Module

    return type(module).get_extra_state is not Module.get_extra_state


class _Report:
    """What was found while loading."""

    def __init__(self) -> None:
        self.missing: list[str] = []
        self.unexpected: list[str] = []
        self.errors: list[str] = []


def load_state(
    module: Module, state_dict: Mapping[str, Any], strict: bool, assign: bool
) -> IncompatibleKeys:
    """Copy what ``state_dict`` names into ``module``; with ``assign`` take its tensors over."""
    if not isinstance(state_dict, Mapping):
        raise GraphcTypeError(f"Expected state_dict to be dict-like, got {type(state_dict)}.")
    metadata = getattr(state_dict, "_metadata", {})
    report = _Report()
    _load(module, OrderedDict(state_dict), "", metadata, assign, report)
    errors = list(report.errors)
    if strict:
        for kind, keys in (("Unexpected", report.unexpected), ("Missing", report.missing)):
            if keys:
                listed = ", ".join(f'"{key}"' for key in keys)
                errors.insert(0, f"{kind} key(s) in state_dict: {listed}. ")
    if errors:
        lines = "\n\t".join(errors)
        raise GraphcRuntimeError(
            f"Error(s) in loading state_dict for {type(module).__name__}:\n\t{lines}"
        )
    return IncompatibleKeys(report.missing, report.unexpected)


def _load(
    module: Module,
    state_dict: dict[str, Any],
    prefix: str,
    metadata: Mapping[str, dict[str, Any]],
    assign: bool,
    report: _Report,
) -> None:
    local = dict(metadata.get(prefix[:-1], {}))
    if assign:
        local["assign_to_params_buffers"] = True
    module._load_from_state_dict(
        state_dict, prefix, local, True, report.missing, report.unexpected, report.errors
    )
    for name, child in module._modules.items():
        if child is not None:
            start = f"{prefix}{name}."
            below = OrderedDict((k, v) for k, v in state_dict.items() if k.startswith(start))
            _load(child, below, start, metadata, assign, report)
    for hook in module._load_state_dict_post_hooks.values():
        hook(module, IncompatibleKeys(report.missing, report.unexpected))


def load_own_state(
    module: Module,
    state_dict: Mapping[str, Any],
    prefix: str,
    metadata: Mapping[str, Any],
    strict: bool,
    missing: list[str],
    unexpected: list[str],
    errors: list[str],
) -> None:
    """Load the parameters and buffers of ``module`` alone."""
    for hook in module._load_state_dict_pre_hooks.values():
        hook(state_dict, prefix, metadata, strict, missing, unexpected, errors)
    own = _own_state(module)
    assign = bool(metadata.get("assign_to_params_buffers", False))
    for name, tensor in own.items():
        key = prefix + name
        if key in state_dict:
            _load_tensor(module, name, key, tensor, state_dict[key], assign, errors)
        elif strict:
            missing.append(key)
    extra = prefix + EXTRA_STATE
    if _has_extra_state(module):
        if extra in state_dict:
            module.set_extra_state(state_dict[extra])
        elif strict:
            missing.append(extra)
    elif strict and extra in state_dict:
        unexpected.append(extra)
    if strict:
        unexpected.extend(_unknown(module, own, state_dict, prefix, extra))


def _unknown(
    module: Module, own: dict[str, Tensor], keys: Mapping[str, Any], prefix: str, extra: str
) -> list[str]:
    found = []
    for key in keys:
        if not key.startswith(prefix) or key == extra:
            continue
        name, dot, _ = key[len(prefix) :].partition(".")
        if name not in (module._modules if dot else own):
            found.append(key)
    return found


def _load_tensor(
    module: Module, name: str, key: str, tensor: Tensor, given: Any, assign: bool, errors: list[str]
) -> None:
    if not isinstance(given, Tensor):
        errors.append(
            f'While copying the parameter named "{key}", expected torch.Tensor or Tensor-like '
            f"object from checkpoint but received {type(given)}"
        )
        return
    if is_lazy(tensor):  # So is what is given: otherwise it would have been made for it.
        return
    # Checkpoints of old kept a number as one element of a vector.
    single = not tensor.shape and given.shape == (1,)
    if given.shape != tensor.shape and not single:
        errors.append(
            f"size mismatch for {key}: copying a param with shape {given.shape} from checkpoint, "
            f"the shape in current model is {tensor.shape}."
        )
    elif not assign:
        overwrite(tensor, given._value().reshape(tensor.shape))
    elif not isinstance(tensor, Parameter):
        setattr(module, name, given)
    elif isinstance(given, Parameter):
        setattr(module, name, given.requires_grad_(tensor.requires_grad))
    else:
        setattr(module, name, Parameter(given, tensor.requires_grad))
