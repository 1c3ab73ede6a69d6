"""Parameters and buffers computed from others whenever they are read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from typing import Any, NoReturn, TypeVar

from graphc.autograd import no_grad
from graphc.errors import GraphcRuntimeError, GraphcValueError
from graphc.nn.modules.container import ModuleDict, ModuleList
from graphc.nn.modules.module import Module
from graphc.nn.parameter import Parameter
from graphc.tensor import Tensor

__all__ = [
    "ParametrizationList",
    "cached",
    "is_parametrized",
    "register_parametrization",
    "remove_parametrizations",
    "transfer_parametrizations_and_params",
    "type_before_parametrizations",
]

M = TypeVar("M", bound=Module)
_cache: dict[tuple[int, str], Tensor] = {}
_caching = 0
"""How many ``with cached()`` there are around."""


@contextmanager
def cached() -> Iterator[None]:
    """Within, each parametrized tensor is computed once and then remembered."""
    global _caching
    _caching += 1
    try:
        yield
    finally:
        _caching -= 1
        if not _caching:
            _cache.clear()


class ParametrizationList(ModuleList):
    """The modules that a tensor goes through, and what goes in.

    That is ``original``, or ``original0``, ``original1``, ... where the first module's
    ``right_inverse`` returns several tensors.

    Raises:
        GraphcValueError: no modules, or they change element type or shape and are not ``unsafe``.
    """

    original: Tensor

    def __init__(self, modules: Sequence[Module], original: Tensor, unsafe: bool = False) -> None:
        if not modules:
            raise GraphcValueError("ParametrizationList requires one or more modules.")
        super().__init__(modules)
        self.unsafe = unsafe
        shape, dtype = original.shape, original.dtype
        with no_grad():
            new = self._inverted(original)
        if not isinstance(new, Tensor | Sequence):
            raise GraphcValueError(
                "'right_inverse' must return a Tensor or a Sequence of tensors (list, tuple...). "
                f"Got {type(new).__name__}"
            )
        self.is_tensor = isinstance(new, Tensor)
        self.ntensors = 1 if isinstance(new, Tensor) else len(new)
        if isinstance(new, Tensor):
            self._hold_one(original, new)
        else:
            self._hold_several(original, new)
        if not unsafe:
            _check_kept(self(), "", shape, dtype)

    def _inverted(self, value: Any) -> Any:
        """What goes in for ``value`` to come out, where modules say so."""
        for module in reversed(list(self)):
            if hasattr(module, "right_inverse"):
                try:
                    value = module.right_inverse(value)
                except NotImplementedError:
                    continue
        return value

    def _hold_one(self, original: Tensor, new: Tensor) -> None:
        for what in ("dtype", "device"):
            if getattr(original, what) != getattr(new, what):
                raise GraphcValueError(
                    "When `right_inverse` outputs one tensor, it may not change the "
                    f"{what}.\noriginal.{what}: {getattr(original, what)}\n"
                    f"right_inverse(original).{what}: {getattr(new, what)}"
                )
        _take_memory(original, new)  # The optimizer knows the parameter as an object.
        _hold(self, "original", original)

    def _hold_several(self, original: Tensor, parts: Sequence[Any]) -> None:
        for i, part in enumerate(parts):
            if not isinstance(part, Tensor):
                raise GraphcValueError(
                    "'right_inverse' must return a Tensor or a Sequence of tensors (list, "
                    f"tuple...). Got element {i} of the sequence with type {type(part).__name__}."
                )
            if isinstance(original, Parameter):
                part = Parameter(part, original.requires_grad)
            _hold(self, f"original{i}", part.requires_grad_(original.requires_grad))

    def originals(self) -> list[Tensor]:
        """What goes in."""
        if self.is_tensor:
            return [self.original]
        return [getattr(self, f"original{i}") for i in range(self.ntensors)]

    def right_inverse(self, value: Tensor) -> None:
        """Let in what makes ``value`` come out."""
        with no_grad():
            found: Any = value
            for module in reversed(list(self)):
                if not hasattr(module, "right_inverse"):
                    raise GraphcRuntimeError(
                        f"parametrization {type(module).__name__} does not implement right_inverse."
                    )
                found = module.right_inverse(found)
            for name, old, new in self._paired(found):
                if old.dtype is not new.dtype:
                    raise GraphcValueError(
                        f"The tensor returned by `right_inverse` has dtype {new.dtype} "
                        f"while `{name}` has dtype {old.dtype}"
                    )
                _take_memory(old, new)

    def _paired(self, found: Any) -> Iterator[tuple[str, Tensor, Tensor]]:
        """Each original with its name and what it is to be."""
        if self.is_tensor:
            if not isinstance(found, Tensor):
                raise GraphcValueError(
                    f"`right_inverse` should return a tensor. Got {type(found).__name__}"
                )
            return iter([("original", self.original, found)])
        if not isinstance(found, Sequence):
            raise GraphcValueError(
                f"'right_inverse' must return a sequence of tensors. Got {type(found).__name__}."
            )
        if len(found) != self.ntensors:
            raise GraphcValueError(
                "'right_inverse' must return a sequence of tensors of length "
                f"{self.ntensors}. Got a sequence of length {len(found)}."
            )
        names = [f"original{i}" for i in range(self.ntensors)]
        return zip(names, self.originals(), found, strict=True)

    def forward(self) -> Any:
        """The originals through all modules."""
        first, *others = self
        x = first(*self.originals())
        for module in others:
            x = module(x)
        return x


def _hold(module: Module, name: str, tensor: Any) -> None:
    if isinstance(tensor, Parameter):
        module.register_parameter(name, tensor)
    else:
        module.register_buffer(name, tensor)


def _take_memory(tensor: Any, source: Tensor) -> None:
    if source is not tensor:
        with no_grad():
            tensor.set_(source)


def _check_kept(x: Any, name: str, shape: Any, dtype: Any) -> None:
    """Raise where a parametrization does not return a tensor of the same kind."""
    if not isinstance(x, Tensor):
        raise GraphcValueError(f"A parametrization must return a tensor. Got {type(x).__name__}.")
    before, after = ("unparametrized ", "parametrized ")
    if name:
        before, after = f"module.{name}.", f"parametrization(module.{name})."
    the = "the " if name else ""
    for what, old, new in (("dtype", dtype, x.dtype), ("shape", shape, x.shape)):
        if old != new:
            raise GraphcValueError(
                f"Registering a parametrization may not change the {what} of the tensor, unless "
                f"{the}`unsafe` flag is enabled.\n{before}{what}: {old}\n{after}{what}: {new}"
            )


def _check_addition(module: Any, name: str, parametrization: Any) -> None:
    """Raise where another parametrization of a tensor changes what kind it is of."""
    y = getattr(module, name)
    x = parametrization(y)
    _check_kept(x, name, y.shape, y.dtype)
    if not hasattr(parametrization, "right_inverse"):
        return
    try:
        z = parametrization.right_inverse(x)
    except NotImplementedError:
        return
    if not isinstance(z, Tensor):
        raise GraphcValueError(
            f"parametrization.right_inverse must return a tensor. Got: {type(z).__name__}"
        )
    for what in ("dtype", "shape"):
        if getattr(z, what) != getattr(y, what):
            raise GraphcValueError(
                f"The tensor returned by parametrization.right_inverse must have the same {what} "
                f"as module.{name}, unless the `unsafe` flag is enabled.\n"
                f"module.{name}.{what}: {getattr(y, what)}\nreturned {what}: {getattr(z, what)}"
            )


# -- modules of which a tensor is parametrized ---------------------------------------------------


def _derive(module: Module) -> None:
    """Make the module one of a class of its own, which may have properties."""
    kind = type(module)

    def copied(self: Any, memo: dict[int, Any]) -> Any:
        if id(self) not in memo:
            memo[id(self)] = replica = self.__new__(type(self))
            replica.__dict__.update(deepcopy(self.__dict__, memo))
        return memo[id(self)]

    def refuse(self: Any) -> NoReturn:
        raise GraphcRuntimeError(
            "Serialization of parametrized modules is only supported through state_dict(). See:\n"
            "https://pytorch.org/tutorials/beginner/saving_loading_models.html"
            "#saving-loading-a-general-checkpoint-for-inference-and-or-resuming-training"
        )

    names: dict[str, Any] = {"__getstate__": refuse}
    if not hasattr(kind, "__deepcopy__"):
        names["__deepcopy__"] = copied
    module.__class__ = type(f"Parametrized{kind.__name__}", (kind,), names)


def _compute_when_read(kind: type, name: str) -> None:
    """Let the class compute the tensor ``name`` whenever somebody reads it."""

    def read(self: Any) -> Any:
        parametrization = self.parametrizations[name]
        if not _caching:
            return parametrization()
        key = (id(self), name)
        if key not in _cache:
            _cache[key] = parametrization()
        return _cache[key]

    def write(self: Any, value: Tensor) -> None:
        self.parametrizations[name].right_inverse(value)

    setattr(kind, name, property(read, write))


def register_parametrization(
    module: M, tensor_name: str, parametrization: Module, *, unsafe: bool = False
) -> M:
    """Have the tensor ``tensor_name`` of ``module`` go through ``parametrization`` when it is read.

    The original is ``module.parametrizations[tensor_name].original``. ``unsafe`` allows the
    parametrization to change shape and element type.

    Raises:
        GraphcValueError: there is no such parameter or buffer, or its kind changes.
    """
    parametrization.train(module.training)
    holder: Any = module
    if is_parametrized(module, tensor_name):
        if not unsafe:
            _check_addition(module, tensor_name, parametrization)
        holder.parametrizations[tensor_name].append(parametrization)
        holder.parametrizations[tensor_name].unsafe |= unsafe
    elif tensor_name in module._buffers or tensor_name in module._parameters:
        made = ParametrizationList([parametrization], getattr(module, tensor_name), unsafe)
        delattr(module, tensor_name)
        if not is_parametrized(module):
            _derive(module)
            holder.parametrizations = ModuleDict()
        _compute_when_read(type(module), tensor_name)
        holder.parametrizations[tensor_name] = made
    else:
        raise GraphcValueError(
            f"Module '{module}' does not have a parameter, a buffer, or a parametrized element "
            f"with name '{tensor_name}'"
        )
    return module


def is_parametrized(module: Module, tensor_name: str | None = None) -> bool:
    """Whether the tensor ``tensor_name``, or any one, is parametrized."""
    parametrizations = getattr(module, "parametrizations", None)
    if not isinstance(parametrizations, ModuleDict):
        return False
    return len(parametrizations) > 0 if tensor_name is None else tensor_name in parametrizations


def remove_parametrizations(module: M, tensor_name: str, leave_parametrized: bool = True) -> M:
    """Make the tensor a plain one again: of its present value, or else the original.

    Raises:
        GraphcValueError: it is not parametrized, or there is not one original to leave.
    """
    if not is_parametrized(module, tensor_name):
        raise GraphcValueError(f"Module {module} does not have a parametrization on {tensor_name}")
    holder: Any = module
    parametrizations = holder.parametrizations[tensor_name]
    if parametrizations.is_tensor:
        plain = parametrizations.original
        if leave_parametrized:
            with no_grad():
                _take_memory(plain, getattr(module, tensor_name))
    elif leave_parametrized:
        value = getattr(module, tensor_name)
        plain = Parameter(value) if value.requires_grad else value
    else:
        raise GraphcValueError(
            "Cannot leave unparametrized (`leave_parametrized=False`) a tensor that is "
            "parametrized in terms of a sequence of tensors."
        )
    delattr(type(module), tensor_name)
    del holder.parametrizations[tensor_name]
    _hold(module, tensor_name, plain)
    if not is_parametrized(module):
        del holder.parametrizations
        module.__class__ = type(module).__bases__[0]
    return module


def type_before_parametrizations(module: Module) -> type:
    """The class that the module was of before."""
    return type(module).__bases__[0] if is_parametrized(module) else type(module)


def transfer_parametrizations_and_params(
    from_module: Module, to_module: M, tensor_name: str | None = None
) -> M:
    """Let ``to_module`` have the parametrizations and originals of ``from_module`` too."""
    if not is_parametrized(from_module):
        return to_module
    source: Any = from_module
    for name in source.parametrizations if tensor_name is None else [tensor_name]:
        if not hasattr(to_module, name):
            setattr(to_module, name, Parameter(getattr(from_module, name)))
        for module in source.parametrizations[name]:
            register_parametrization(to_module, name, module)
        target: Any = to_module
        given, taker = source.parametrizations[name], target.parametrizations[name]
        for original in ["original"] if given.is_tensor else dict(given._parameters):
            setattr(taker, original, getattr(given, original))
    return to_module
