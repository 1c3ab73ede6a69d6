"""Modules called with other parameters and buffers than their own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from graphc.errors import GraphcRuntimeError, GraphcValueError
from graphc.nn import Module
from graphc.surface import LIFTED
from graphc.tensor import Tensor

Given = Mapping[str, Tensor]


def functional_call(
    module: Module,
    parameter_and_buffer_dicts: Given | Sequence[Given],
    args: Any = None,
    kwargs: dict[str, Any] | None = None,
    *,
    tie_weights: bool = True,
    strict: bool = False,
) -> Any:
    """The module's result with the tensors given in the place of those that it holds."""
    given = _joined(parameter_and_buffer_dicts)
    arguments = args if isinstance(args, tuple) else () if args is None else (args,)
    with _replaced(module, given, tie_weights, strict):
        return module(*arguments, **(kwargs or {}))


def _joined(dicts: Given | Sequence[Given]) -> dict[str, Tensor]:
    parts = [dicts] if isinstance(dicts, Mapping) else list(dicts)
    found: dict[str, Tensor] = {}
    for part in parts:
        twice = found.keys() & part.keys()
        if twice:
            raise GraphcValueError(
                f"{sorted(twice)} appeared in multiple dictionaries; behavior of functional call "
                "is ambiguous"
            )
        found.update(part)
    return found


@contextmanager
def _replaced(
    module: Module, given: dict[str, Tensor], tie_weights: bool, strict: bool
) -> Iterator[None]:
    """Within, the module holds what is given for names of its own."""
    own = _members(module)
    if tie_weights:
        given = given | _tied(own, given)
    if strict:
        _check_names(own, given)
    places = [(*_place(module, name), value) for name, value in given.items() if name in own]
    before = [(table, name, table[name]) for table, name, _ in places]
    try:
        for table, name, value in places:
            table[name] = value
        yield
    finally:
        for table, name, value in before:
            table[name] = value


def _members(module: Module) -> dict[str, Any]:
    return {
        **dict(module.named_parameters(remove_duplicate=False)),
        **dict(module.named_buffers(remove_duplicate=False)),
    }


def _tied(own: dict[str, Any], given: dict[str, Tensor]) -> dict[str, Tensor]:
    """What is given for one name of a tensor, for its other names too."""
    by_tensor = {id(own[name]): value for name, value in given.items() if name in own}
    return {
        name: by_tensor[id(tensor)]
        for name, tensor in own.items()
        if id(tensor) in by_tensor and name not in given
    }


def _check_names(own: dict[str, Any], given: dict[str, Tensor]) -> None:
    missing, unexpected = sorted(own.keys() - given.keys()), sorted(given.keys() - own.keys())
    if missing or unexpected:
        raise GraphcRuntimeError(
            f"Missing key(s): {', '.join(missing)}; unexpected key(s): {', '.join(unexpected)}."
        )


def _place(module: Module, path: str) -> tuple[dict[str, Any], str]:
    """The table that has the tensor of the dotted name, and its name there."""
    above, _, name = path.rpartition(".")
    owner = module.get_submodule(above)
    parameters: dict[str, Any] = owner._parameters
    return (parameters if name in parameters else owner._buffers), name


def stack_module_state(
    models: Sequence[Module],
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """The parameters and the buffers of modules of one kind, each stacked."""
    if not models:
        raise GraphcRuntimeError("stack_module_state: Expected at least one model, got 0.")
    if len({m.training for m in models}) > 1:
        raise GraphcRuntimeError("stack_module_state: Expected all models to have the same mode.")
    if len({type(m) for m in models}) > 1:
        raise GraphcRuntimeError("stack_module_state: Expected all models to be of the same class.")
    parameters = [dict(m.named_parameters()) for m in models]
    buffers = [dict(m.named_buffers()) for m in models]
    return (
        {name: _stacked([p[name] for p in parameters]) for name in parameters[0]},
        {name: LIFTED["stack"]([b[name] for b in buffers]) for name in buffers[0]},
    )


def _stacked(parts: list[Any]) -> Tensor:
    """The parameters as a leaf of differentiation, if they are to have gradients."""
    stacked: Tensor = LIFTED["stack"]([p.detach() for p in parts])
    return stacked.requires_grad_(all(p.requires_grad for p in parts))
