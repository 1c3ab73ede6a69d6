"""What a backend's short way into a captured function must look at, where it can be had."""

from __future__ import annotations

from collections.abc import Iterator
from types import CellType
from typing import TYPE_CHECKING, Any

from graphc.captured import Captured, Slot
from graphc.changes import CHANGES
from graphc.ir.dtype import float32
from graphc.ir.types import TensorType
from graphc.places import MISSING, is_setting
from graphc.shortcut import FINISHED, MISSED, NOTHING, SINGLE, TUPLE, Call
from graphc.storage import Storage
from graphc.tensor import Tensor

if TYPE_CHECKING:
    from graphc.specialization import Specialization


def short_call(found: Specialization, args: tuple[Any, ...]) -> Call | None:
    """What calls with arguments like these are; None where each must be looked at closely."""
    captured = found.captured
    settings = tuple(_settings(captured))
    if not (_leaves_all(found) and _are_plain(captured, args)) or any(
        value is MISSING or not isinstance(holder, dict | CellType) for holder, _, value in settings
    ):
        return None
    return Call(
        tensor=Tensor,
        storage=Storage,
        sample=_empty(TensorType((), float32)),
        arguments=tuple(x._type if isinstance(x, Tensor) else None for x in args),
        settings=settings,
        changes=CHANGES,
        watches_gradients=bool(found.cleared),
        runs=found.runs.count,
        prototypes=tuple(map(_empty, found.types)),
        returns=_returns(found),
        finish=found.finish,
        explain=found.program.failure,
    )


def _empty(type: TensorType) -> Storage:
    return Storage(MISSED, type=type)  # type: ignore[arg-type]


def _leaves_all(found: Specialization) -> bool:
    """Whether a call leaves all that calls look at as it is."""
    captured = found.captured
    return not (
        captured.differentiable
        or captured.effects
        or captured.carried
        or captured.written_arguments
        or captured.assumed.given
        or (found.cleared and found.gradients)
        or any(isinstance(target, int) for target, _ in found.cleared)
    )


def _are_plain(captured: Captured, args: tuple[Any, ...]) -> bool:
    tensors = [x for x in args if isinstance(x, Tensor)]
    return len(tensors) == len(captured.graph.inputs) and all(
        isinstance(x, Tensor) or is_setting(x) for x in args
    )


def _settings(captured: Captured) -> Iterator[tuple[Any, Any, Any]]:
    """Where values stand that nobody announces a change of."""
    for place, value in captured.assumed.places:
        yield place.holder, place.name if isinstance(place.holder, dict) else None, value
    for number in captured.hyperparameters:
        yield number.container, number.path[0], MISSED


def _returns(found: Specialization) -> int:
    results, count = found.captured.results, len(found.types)
    if found.outside:
        return FINISHED
    if found.single and count == 1:
        return SINGLE
    if type(results) is tuple and results == tuple(map(Slot, range(count))):
        return TUPLE
    return NOTHING if results is None and not count else FINISHED
