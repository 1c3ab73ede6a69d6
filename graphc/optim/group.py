"""The settings of a group of parameters, and what a change of them means for programs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from graphc.optim.recorded import RecordedOptimizer


def is_number(value: Any) -> bool:
    """Whether a setting is a number, or a tuple of numbers."""
    if isinstance(value, tuple | list):
        return bool(value) and all(map(is_number, value))
    return isinstance(value, int | float) and not isinstance(value, bool)


class Group(dict[str, Any]):
    """The settings of a group. Programs have them built in, but for those that vary.

    The learning rate varies from the start, any other number once it has been changed.
    """

    owner: RecordedOptimizer | None = None

    def __init__(
        self, settings: Mapping[str, Any] = {}, owner: RecordedOptimizer | None = None
    ) -> None:
        super().__init__(settings)
        self.owner = owner
        self.varying = {"lr"}

    def __setitem__(self, key: str, value: Any) -> None:
        owner = self.owner
        if owner is not None and (key in owner.defaults or key == "params"):
            self._note(owner, key, value)
        super().__setitem__(key, value)

    def _note(self, owner: RecordedOptimizer, key: str, value: Any) -> None:
        """Tell the owner, where a program for the old value does not serve the new one."""
        old = self.get(key)
        if old is value:
            return
        numbers = is_number(old) and is_number(value)
        if numbers and (key == "lr" or (key in self.varying and _zeros(old) == _zeros(value))):
            return
        if numbers and old == value:
            return
        if numbers:
            self.varying.add(key)
        owner._changed()

    def setdefault(self, key: str, default: Any = None) -> Any:
        if key not in self:
            self[key] = default
        return self[key]

    def update(self, *args: Any, **kwargs: Any) -> None:
        for key, value in dict(*args, **kwargs).items():
            self[key] = value

    def __ior__(self, other: Mapping[str, Any] | Iterable[Any]) -> Group:  # type: ignore[override,misc]
        self.update(other)
        return self

    def __reduce__(self) -> Any:
        return Group, (), None, None, iter(self.items())


def _zeros(value: Any) -> tuple[bool, ...]:
    """Which numbers of a setting are zero: what they multiply is left out of a program."""
    return tuple(not x for x in (value if isinstance(value, tuple | list) else (value,)))
