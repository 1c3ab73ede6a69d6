"""Containers: modules that hold modules in order or by name."""

from __future__ import annotations

import operator
from collections import OrderedDict
from collections.abc import Iterable, Iterator, KeysView, Mapping
from itertools import chain
from typing import Any, Self

from graphc.errors import GraphcIndexError, GraphcTypeError, GraphcValueError
from graphc.nn.modules.module import Module, indented
from graphc.recording import session


class _Ordered(Module):
    """Modules under the names "0", "1", and so on."""

    def _key(self, index: Any) -> str:
        session.trace.depends_on(self)
        place, names = operator.index(index), list(self._modules)
        if not -len(names) <= place < len(names):
            raise GraphcIndexError(f"index {place} is out of range")
        return names[place]

    def _renumber(self) -> None:
        modules = list(self._modules.values())
        self._modules = {str(i): module for i, module in enumerate(modules)}
        self._changed()

    def __setitem__(self, index: int, module: Module) -> None:
        setattr(self, self._key(index), module)

    def __delitem__(self, index: int | slice) -> None:
        keys = list(self._modules)[index] if isinstance(index, slice) else [self._key(index)]
        for key in keys:
            delattr(self, key)
        self._renumber()

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[Any]:
        session.trace.depends_on(self)
        return iter(self._modules.values())

    def append(self, module: Module) -> Self:
        """Add ``module`` at the end."""
        self.add_module(str(len(self)), module)
        return self

    def extend(self, modules: Iterable[Module]) -> Self:
        """Add ``modules`` at the end."""
        if not isinstance(modules, Iterable):
            raise GraphcTypeError(
                f"{type(self).__name__}.extend should be called with an iterable, but got "
                f"{type(modules).__name__}"
            )
        for module in list(modules):
            self.append(module)
        return self

    def _insert(self, index: int, module: Module) -> None:
        modules = list(self._modules.values())
        modules.insert(index, module)
        self._modules = {str(i): x for i, x in enumerate(modules)}
        self._changed()

    def pop(self, key: int | slice) -> Any:
        """Take the module or modules of ``key`` out."""
        found = self[key]  # type: ignore[index]
        del self[key]
        return found


class Sequential(_Ordered):
    """Modules called one after the other."""

    def __init__(self, *args: Any) -> None:
        super().__init__()
        named = len(args) == 1 and isinstance(args[0], OrderedDict)
        modules = args[0] if named else {str(i): module for i, module in enumerate(args)}
        for name, module in modules.items():
            self.add_module(name, module)

    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return self.__class__(OrderedDict(list(self._modules.items())[index]))
        return self._modules[self._key(index)]

    def forward(self, input: Any) -> Any:
        for module in self._modules.values():
            input = module(input)  # type: ignore[misc]
        return input

    def insert(self, index: int, module: Module) -> Self:
        """Put ``module`` before the one at ``index``."""
        if not isinstance(module, Module):
            raise AssertionError(f"module should be of type: {Module}")
        size = len(self._modules)
        if not -size <= index <= size:
            raise GraphcIndexError(f"Index out of range: {index}")
        self._insert(index, module)
        return self

    def _sequential(self, other: Any) -> Sequential:
        if not isinstance(other, Sequential):
            raise GraphcValueError(
                "add operator supports only objects of Sequential class, but "
                f"{type(other)} is given."
            )
        return other

    def __add__(self, other: Sequential) -> Sequential:
        return Sequential(*self, *self._sequential(other))

    def __iadd__(self, other: Sequential) -> Self:
        return self.extend(self._sequential(other))

    def _times(self, count: Any) -> list[Module]:
        if not isinstance(count, int):
            raise GraphcTypeError(
                f"unsupported operand type(s) for *: {type(self)} and {type(count)}"
            )
        if count <= 0:
            raise GraphcValueError(f"Non-positive multiplication factor {count} for {type(self)}")
        return list(self) * count

    def __mul__(self, count: int) -> Sequential:
        return Sequential(*self._times(count))

    __rmul__ = __mul__

    def __imul__(self, count: int) -> Self:
        return self.extend(self._times(count)[len(self) :])


class ModuleList(_Ordered):
    """Modules in a list. It is not called itself."""

    def __init__(self, modules: Iterable[Module] | None = None) -> None:
        super().__init__()
        if modules is not None:
            self.extend(modules)

    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return self.__class__(list(self)[index])
        return self._modules[self._key(index)]

    def __iadd__(self, modules: Iterable[Module]) -> Self:
        return self.extend(modules)

    def __add__(self, other: Iterable[Module]) -> ModuleList:
        return ModuleList(chain(self, other))

    def insert(self, index: int, module: Module) -> None:
        """Put ``module`` before the one at ``index``."""
        self._insert(index, module)

    def __repr__(self) -> str:
        runs: list[tuple[int, int, str]] = []
        for i, text in enumerate(map(repr, self)):
            if runs and runs[-1][2] == text:
                runs[-1] = (runs[-1][0], i, text)
            else:
                runs.append((i, i, text))
        lines = [
            indented(
                f"({first}): {text}"
                if first == last
                else f"({first}-{last}): {last - first + 1} x {text}"
            )
            for first, last, text in runs
        ]
        body = "\n  ".join(lines)
        return f"{self._get_name()}(\n  {body}\n)" if lines else f"{self._get_name()}()"


class ModuleDict(Module):
    """Modules by name. It is not called itself."""

    def __init__(self, modules: Mapping[str, Module] | None = None) -> None:
        super().__init__()
        if modules is not None:
            self.update(modules)

    def __getitem__(self, key: str) -> Any:
        session.trace.depends_on(self)
        return self._modules[key]

    def __setitem__(self, key: str, module: Module) -> None:
        self.add_module(key, module)

    def __delitem__(self, key: str) -> None:
        del self._modules[key]
        self._changed()

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys())

    def __contains__(self, key: object) -> bool:
        return key in self._modules

    def clear(self) -> None:
        """Take all modules out."""
        self._modules.clear()
        self._changed()

    def pop(self, key: str) -> Any:
        """Take the module of ``key`` out."""
        found = self[key]
        del self[key]
        return found

    def keys(self) -> KeysView[str]:
        """The names."""
        session.trace.depends_on(self)
        return self._modules.keys()

    def items(self) -> Iterable[tuple[str, Any]]:
        """The names and modules."""
        session.trace.depends_on(self)
        return self._modules.items()

    def values(self) -> Iterable[Any]:
        """The modules."""
        session.trace.depends_on(self)
        return self._modules.values()

    def update(self, modules: Any) -> None:
        """Add the modules of a mapping, or of pairs of a name and a module."""
        for key, module in pairs("ModuleDict", modules):
            self[key] = module


def pairs(kind: str, given: Any) -> list[tuple[str, Any]]:
    """The pairs of a mapping or of a sequence of pairs; an error that names ``kind`` otherwise."""
    if isinstance(given, Mapping) or (isinstance(given, Module) and hasattr(given, "items")):
        return list(given.items())
    if not isinstance(given, Iterable):
        raise GraphcTypeError(
            f"{kind}.update should be called with an iterable of key/value pairs, but got "
            f"{type(given).__name__}"
        )
    found = []
    for i, pair in enumerate(given):
        if not isinstance(pair, Iterable):
            raise GraphcTypeError(
                f"{kind} update sequence element #{i} should be Iterable; is{type(pair).__name__}"
            )
        pair = tuple(pair)
        if len(pair) != 2:
            raise GraphcValueError(
                f"{kind} update sequence element #{i} has length {len(pair)}; 2 is required"
            )
        found.append(pair)
    return found
