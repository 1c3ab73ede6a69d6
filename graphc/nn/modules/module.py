"""Module: the base of every layer and model."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, Self

from graphc.errors import GraphcError, GraphcTypeError, GraphcValueError
from graphc.ir.node import recording
from graphc.nn.modules import state
from graphc.nn.modules.hooks import (
    HOOK_TABLES,
    Hooked,
    call_with_hooks,
    global_forward_hooks,
    global_forward_pre_hooks,
)
from graphc.nn.modules.members import Members
from graphc.nn.modules.movable import Movable
from graphc.nn.parameter import Buffer, Parameter
from graphc.origins import located_in_module
from graphc.places import matters
from graphc.recording import session
from graphc.running import begin_call
from graphc.tensor import Tensor, bump_epoch
from graphc.typename import typename


def indented(text: str) -> str:
    """``text`` with all lines but the first moved two columns to the right."""
    first, *rest = text.split("\n")
    return "\n".join([first, *(f"  {line}" if line.strip() else "" for line in rest)])


class Module(Members, Hooked, Movable):
    """A part of a model: parameters, buffers and modules within, and a ``forward``."""

    training: bool
    call_super_init = False
    _version: int = 1
    _structure = 0
    """How often parameters, buffers, children or hooks have changed: programs depend on them."""
    _non_persistent_buffers_set: set[str]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if not self.call_super_init and kwargs:
            raise TypeError(
                f"{type(self).__name__}.__init__() got an unexpected keyword argument "
                f"'{next(iter(kwargs))}'"
            )
        if not self.call_super_init and args:
            raise TypeError(
                f"{type(self).__name__}.__init__() takes 1 positional argument but "
                f"{len(args) + 1} were given"
            )
        own = self.__dict__
        own["training"] = True
        own["_parameters"] = {}
        own["_buffers"] = {}
        own["_non_persistent_buffers_set"] = set()
        for table in HOOK_TABLES:
            own[table] = OrderedDict()
        own["_modules"] = {}
        if self.call_super_init:
            super().__init__(*args, **kwargs)

    def forward(self, *input: Any, **kwargs: Any) -> Any:
        """What the module computes; every subclass says it."""
        raise NotImplementedError(
            f'Module [{type(self).__name__}] is missing the required "forward" function'
        )

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        modules = session.modules
        if not modules and not recording.grad_enabled:
            begin_call()
        modules.append(self)
        try:
            if (
                self._forward_hooks
                or self._forward_pre_hooks
                or self._backward_hooks
                or self._backward_pre_hooks
                or global_forward_hooks
                or global_forward_pre_hooks
            ):
                return call_with_hooks(self, args, kwargs)
            return self.forward(*args, **kwargs)
        except GraphcError as error:
            if error.located:
                raise
            raise located_in_module(error, (*args, *kwargs.values())) from None
        finally:
            modules.pop()

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """Hold ``tensor`` as the buffer ``name``; saved with the module if ``persistent``."""
        if "_buffers" not in self.__dict__:
            raise AttributeError("cannot assign buffer before Module.__init__() call")
        self._check_name("buffer", name, self._buffers)
        if tensor is not None and not isinstance(tensor, Tensor):
            raise GraphcTypeError(
                f"cannot assign '{typename(tensor)}' object to buffer '{name}' "
                "(torch Tensor or None required)"
            )
        self._buffers[name] = tensor
        if persistent:
            self._non_persistent_buffers_set.discard(name)
        else:
            self._non_persistent_buffers_set.add(name)
        self._changed()

    def register_parameter(self, name: str, param: Parameter | None) -> None:
        """Hold ``param`` as the parameter ``name``."""
        if "_parameters" not in self.__dict__:
            raise AttributeError("cannot assign parameter before Module.__init__() call")
        self._check_name("parameter", name, self._parameters)
        if param is not None and not isinstance(param, Parameter):
            raise GraphcTypeError(
                f"cannot assign '{typename(param)}' object to parameter '{name}' "
                "(torch.nn.Parameter or None required)"
            )
        if param is not None and not param.is_leaf:
            raise GraphcValueError(
                f"Cannot assign non-leaf Tensor to parameter '{name}'. Model parameters must be "
                f"created explicitly. To express '{name}' as a function of another Tensor, compute "
                "the value in the forward() method."
            )
        self._parameters[name] = param
        self._changed()

    def add_module(self, name: str, module: Module | None) -> None:
        """Hold ``module`` as the child ``name``."""
        if module is not None and not isinstance(module, Module):
            raise GraphcTypeError(f"{typename(module)} is not a Module subclass")
        if not isinstance(name, str):
            raise GraphcTypeError(f"module name should be a string. Got {typename(name)}")
        if hasattr(self, name) and name not in self._modules:
            raise KeyError(f"attribute '{name}' already exists")
        if "." in name:
            raise KeyError(f'module name can\'t contain ".", got: {name}')
        if not name:
            raise KeyError('module name can\'t be empty string ""')
        self._modules[name] = module
        self._changed()

    register_module = add_module

    def _changed(self) -> None:
        self.__dict__["_structure"] = self._structure + 1
        bump_epoch()

    def _check_name(self, kind: str, name: str, known: Mapping[str, Any]) -> None:
        if not isinstance(name, str):
            raise GraphcTypeError(f"{kind} name should be a string. Got {typename(name)}")
        if "." in name:
            raise KeyError(f'{kind} name can\'t contain "."')
        if not name:
            raise KeyError(f'{kind} name can\'t be empty string ""')
        if hasattr(self, name) and name not in known:
            raise KeyError(f"attribute '{name}' already exists")

    def __getattr__(self, name: str) -> Any:
        own = self.__dict__
        for table in ("_parameters", "_modules", "_buffers"):
            held = own.get(table)
            if held is not None and name in held:
                return held[name]
        raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'")

    def __setattr__(self, name: str, value: Any) -> None:
        own = self.__dict__
        parameters = own.get("_parameters")
        if isinstance(value, Parameter):
            if parameters is None:
                raise AttributeError("cannot assign parameters before Module.__init__() call")
            self._forget(name, own, self._buffers, self._modules)
            self.register_parameter(name, value)
        elif parameters is not None and name in parameters:
            if value is not None:
                raise GraphcTypeError(
                    f"cannot assign '{typename(value)}' as parameter '{name}' "
                    "(torch.nn.Parameter or None expected)"
                )
            self.register_parameter(name, None)
        elif isinstance(value, Module) or name in own.get("_modules", ()):
            self._set_module(name, value)
        elif isinstance(value, Buffer) or name in own.get("_buffers", ()):
            self._set_buffer(name, value)
        else:
            if name == "training":
                session.trace.watch_modules([self])
            if own.get(name) is not value and (matters(value) or matters(own.get(name))):
                bump_epoch()
            object.__setattr__(self, name, value)

    def _set_module(self, name: str, value: Any) -> None:
        own = self.__dict__
        if "_modules" not in own:
            raise AttributeError("cannot assign module before Module.__init__() call")
        if value is not None and not isinstance(value, Module):
            raise GraphcTypeError(
                f"cannot assign '{typename(value)}' as child module '{name}' "
                "(torch.nn.Module or None expected)"
            )
        if value is not None:
            self._forget(name, own, self._parameters, self._buffers)
        self._modules[name] = value
        self._changed()

    def _set_buffer(self, name: str, value: Any) -> None:
        if value is not None and not isinstance(value, Tensor):
            raise GraphcTypeError(
                f"cannot assign '{typename(value)}' as buffer '{name}' "
                "(torch.nn.Buffer, torch.Tensor or None expected)"
            )
        if isinstance(value, Buffer):
            self.register_buffer(name, value, value.persistent)
        elif value is not None and self._buffers.get(name) is not None:
            self._buffers[name] = value
            bump_epoch()
        else:
            self.register_buffer(name, value, name not in self._non_persistent_buffers_set)

    def _forget(self, name: str, *tables: dict[str, Any]) -> None:
        for table in tables:
            table.pop(name, None)
        self._non_persistent_buffers_set.discard(name)

    def __delattr__(self, name: str) -> None:
        for table in (self._parameters, self._buffers, self._modules):
            if name in table:
                del table[name]
                self._non_persistent_buffers_set.discard(name)
                self._changed()
                return
        object.__delattr__(self, name)

    def __dir__(self) -> list[str]:
        names = [
            *dir(type(self)),
            *self.__dict__,
            *self._parameters,
            *self._modules,
            *self._buffers,
        ]
        return sorted(name for name in names if not name[0].isdigit())

    def compile(self, *args: Any, **kwargs: Any) -> None:
        """Have ``forward`` run as a program from now on; the settings are ``graphc.compile``'s."""
        from graphc.compiled import compile  # it stands above

        own = type(self).forward.__get__(self)
        object.__setattr__(self, "forward", compile(own, *args, **kwargs))
        self._forward_compiled = True

    def __getstate__(self) -> dict[str, Any]:
        values = dict(self.__dict__)
        if values.pop("_forward_compiled", False):
            del values["forward"]  # a program is neither saved nor copied
        return values

    def __setstate__(self, values: dict[str, Any]) -> None:
        self.__dict__.update(values)

    def train(self, mode: bool = True) -> Self:
        """Switch this module and all below it to training."""
        if not isinstance(mode, bool):
            raise GraphcValueError("training mode is expected to be boolean")
        self.training = mode
        for module in self.children():
            module.train(mode)
        return self

    def eval(self) -> Self:
        """Switch this module and all below it to evaluation."""
        return self.train(False)

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Ask for gradients of all parameters, or no longer."""
        for parameter in self.parameters():
            parameter.requires_grad_(requires_grad)
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Drop the parameters' gradients, or make them zero."""
        for parameter in self.parameters():
            if set_to_none:
                if parameter._grad is not None:
                    parameter.grad = None
            elif parameter.grad is not None:
                parameter.grad.zero_()

    def state_dict(
        self, *, destination: Any = None, prefix: str = "", keep_vars: bool = False
    ) -> dict[str, Any]:
        """The parameters and persistent buffers by their dotted names, sharing their memory."""
        return state.save_state(self, destination, prefix, keep_vars)  # type: ignore[no-any-return]

    def _save_to_state_dict(self, destination: Any, prefix: str, keep_vars: bool) -> None:
        state.save_own_state(self, destination, prefix, keep_vars)

    def load_state_dict(
        self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False
    ) -> state.IncompatibleKeys:
        """Copy the tensors of ``state_dict`` into parameters and buffers of the same names."""
        return state.load_state(self, state_dict, strict, assign)

    def _load_from_state_dict(
        self,
        state_dict: Mapping[str, Any],
        prefix: str,
        local_metadata: Mapping[str, Any],
        strict: bool,
        missing_keys: list[str],
        unexpected_keys: list[str],
        error_msgs: list[str],
    ) -> None:
        found = (missing_keys, unexpected_keys, error_msgs)
        state.load_own_state(self, state_dict, prefix, local_metadata, strict, *found)

    def get_extra_state(self) -> Any:
        """What else a subclass saves."""
        raise NotImplementedError("a subclass that has extra state says what it is")

    def set_extra_state(self, state: Any) -> None:
        """Take back what ``get_extra_state`` gave."""
        raise NotImplementedError("a subclass that has extra state says how it is set")

    def _get_name(self) -> str:
        return type(self).__name__

    def extra_repr(self) -> str:
        """The settings that the printed form shows."""
        return ""

    def __repr__(self) -> str:
        extra = self.extra_repr()
        lines = extra.split("\n") if extra else []
        children = [f"({name}): {indented(repr(child))}" for name, child in self._modules.items()]
        if not children and len(lines) <= 1:
            return f"{self._get_name()}({extra})"
        body = "\n  ".join([*lines, *children])
        return f"{self._get_name()}(\n  {body}\n)"

    def _one_line(self) -> str:
        """What error messages call the module: its name and, of a layer, its settings."""
        if self._modules:
            return self._get_name()
        extra = self.extra_repr()
        return f"{self._get_name()}({extra})" if extra and "\n" not in extra else self._get_name()
