"""Kernels in which each thread makes one piece of a result: an element, a line, a window."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import prod
from types import MappingProxyType

from graphc.backends.c_language.types import is_low, load, store
from graphc.backends.cuda.elements import elements
from graphc.backends.cuda.indices import split
from graphc.backends.cuda.made import THREADS, Launch, Made, Setting, blocks, parameters_of
from graphc.backends.cuda.tensor_maps import TensorMap
from graphc.ir.dtype import DType, Scalar
from graphc.ir.types import Shape
from graphc.kernels_templates import render
from graphc.lowering.kernel import Access, Action, Axis, Kernel, Load, Store, Sweep, Value
from graphc.lowering.nests import arranged


class Cells:
    """The functions of a kernel, as they are added."""

    def __init__(self, name: str, setting: Setting, *, aliased: bool = False) -> None:
        self.name, self.setting = name, setting
        self.parameters = parameters_of(setting, aliased=aliased)
        self.texts: list[str] = []
        self.launches: list[Launch] = []
        self.helpers: set[str] = set()
        self.workspace: list[int] = []

    def space(self, name: str, kind: str, nbytes: int) -> None:
        """A workspace, of elements of a C type."""
        self.parameters.add(name, f"{kind} *{name}")
        self.workspace.append(nbytes)

    def fails(self) -> None:
        """Let functions report errors; no workspace may follow."""
        self.parameters.add("failed", "long *failed")
        self.helpers.add("fail")

    def add(self, summary: str, count: int, lines: Iterable[str], *, suffix: str = "") -> None:
        """A function whose thread ``at`` does one of ``count`` things."""
        if not count:
            return
        text = ["    " + line if line else "" for line in lines]
        arguments, declared = self.parameters.used(text)
        name = f"{self.name}{suffix}"
        self.texts.append(
            render(
                "elements.cu.j2",
                name=name,
                summary=summary,
                parameters=declared,
                threads=THREADS,
                index="long",
                count=count,
                exact=count % THREADS == 0,
                lines=text,
            )
        )
        self.launches.append(Launch(name, (blocks(count), 1, 1), arguments=arguments))

    def function(
        self,
        text: str,
        grid: tuple[int, int, int],
        block: tuple[int, int, int],
        *,
        suffix: str = "",
        shared: int = 0,
        maps: Mapping[str, tuple[str, TensorMap]] = MappingProxyType({}),
    ) -> None:
        """A function of a template of its own, whose parameters stand as ``PARAMETERS``.

        Tensor maps by their names, each of a parameter, are the first of them.
        """
        arguments, declared = self.parameters.used(text.split("PARAMETERS", 1)[1].splitlines())
        declared = [*(f"const __grid_constant__ tensor_map {x}" for x in maps), *declared]
        self.texts.append(text.replace("PARAMETERS", ", ".join(declared), 1))
        number_of = self.parameters.names.index
        given = tuple((number_of(name), made) for name, made in maps.values())
        self.launches.append(Launch(f"{self.name}{suffix}", grid, block, arguments, shared, given))

    def copy(
        self,
        dtype: DType,
        shape: Shape,
        source: tuple[str, Shape, int] | Scalar,
        target: tuple[str, Shape, int],
        *,
        suffix: str,
        summary: str,
    ) -> None:
        """A function that copies elements; parameters are given by name, strides and offset."""
        if 0 in shape:
            return
        number_of = self.parameters.names.index
        to = Access(number_of(target[0]), target[1], dtype)
        value = Value("x", dtype, is_row=False)
        found = [target[1]]
        begins = {to.parameter: target[2]}
        if isinstance(source, tuple):
            begins[number_of(source[0])] = source[2]
            found.append(source[1])
        nest = arranged(shape, (), (), found)
        axes = tuple(Axis(prod(shape[a] for a in merged), False) for merged in nest.axes)
        put = Access(to.parameter, nest.strides(to.strides), dtype)
        body: tuple[Action, ...]
        if isinstance(source, tuple):
            get = Access(number_of(source[0]), nest.strides(source[1]), dtype)
            body = (Load(value, get), Store(value, put))
        else:
            body = (Store(source, put),)
        kernel = Kernel(axes, (Sweep((), body),), ())
        name = f"{self.name}{suffix}"
        text, launch, called = elements(name, summary, kernel, self.parameters, begins)
        self.texts.append(text)
        self.launches.append(launch)
        self.helpers |= called

    def made(self, errors: Sequence[tuple[str, str]] = ()) -> Made:
        """The kernel."""
        return Made(
            "\n".join(self.texts),
            tuple(self.launches),
            tuple(self.workspace),
            tuple(errors),
            frozenset(self.helpers),
        )

    # -- statements ------------------------------------------------------------------------------

    def load(self, dtype: DType, place: str) -> str:
        """The value of an element, as it is computed."""
        if is_low(dtype):
            self.helpers.add(f"widen_{dtype.name}")
        return load(dtype, place)

    def store(self, dtype: DType, place: str, value: str) -> str:
        """The statement that writes a value."""
        if is_low(dtype):
            self.helpers.add(f"narrow_{dtype.name}")
        return store(dtype, place, value)


def coordinates(shape: Shape, letter: str = "i", flat: str = "at") -> tuple[list[str], list[str]]:
    """The names of an element's indices, and their declarations from its place in C order."""
    names = [f"{letter}{axis}" for axis in range(len(shape))]
    return names, split(flat, shape, names, "long")


def spelled(shape: Shape) -> str:
    """A shape in a comment."""
    return " x ".join(map(str, shape)) or "one element"
