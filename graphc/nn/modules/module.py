"""Module: the base of every layer and model."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any, Self

from graphc.device import Device
from graphc.errors import GraphcTypeError, GraphcValueError
from graphc.ir.dtype import DType, bfloat16, float16, float32, float64
from graphc.memory import converted, replace
from graphc.nn.modules import state
from graphc.nn.modules.hooks import (
    Hook,
    RemovableHandle,
    call_with_hooks,
    global_forward_hooks,
    global_forward_pre_hooks,
    register,
)
from graphc.nn.modules.members import Members
from graphc.nn.parameter import Buffer, Parameter
from graphc.recording import session
from graphc.tensor import Tensor, bump_epoch

HOOK_TABLES = (
    "_backward_pre_hooks",
    "_backward_hooks",
    "_forward_hooks",
    "_forward_hooks_with_kwargs",
    "_forward_hooks_always_called",
    "_forward_pre_hooks",
    "_forward_pre_hooks_with_kwargs",
    "_state_dict_hooks",
    "_state_dict_pre_hooks",
    "_load_state_dict_pre_hooks",
    "_load_state_dict_post_hooks",
)


def typename(x: object) -> str:
    """The name of an object's type as PyTorch's messages give it."""
    if isinstance(x, Tensor) and type(x) is Tensor:
        names = {"float32": "Float", "float64": "Double", "float16": "Half", "bfloat16": "BFloat16"}
        names |= {"int64": "Long", "int32": "Int", "int16": "Short", "int8": "Char"}
        names |= {"uint8": "Byte", "bool": "Bool"}
        return f"torch.{names[x.dtype.name]}Tensor"
    module = type(x).__module__
    if isinstance(x, Tensor) and module.startswith("graphc."):
        module = "torch.nn.parameter"
    name = type(x).__qualname__
    return name if module == "builtins" else f"{module}.{name}"


def indented(text: str) -> str:
    """``text`` with all lines but the first moved two columns to the right."""
    first, *rest = text.split("\n")
    return "\n".join([first, *(f"  {line}" if line.strip() else "" for line in rest)])


class Module(Members):
    """A part of a model: parameters, buffers and modules within, and a ``forward``."""

    training: bool
    call_super_init = False
    _version: int = 1
    _backward_pre_hooks: OrderedDict[int, Hook]
    _backward_hooks: OrderedDict[int, Hook]
    _forward_hooks: OrderedDict[int, Hook]
    _forward_hooks_with_kwargs: OrderedDict[int, bool]
    _forward_hooks_always_called: OrderedDict[int, bool]
    _forward_pre_hooks: OrderedDict[int, Hook]
    _forward_pre_hooks_with_kwargs: OrderedDict[int, bool]
    _state_dict_hooks: OrderedDict[int, Hook]
    _state_dict_pre_hooks: OrderedDict[int, Hook]
    _load_state_dict_pre_hooks: OrderedDict[int, Hook]
    _load_state_dict_post_hooks: OrderedDict[int, Hook]
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
        finally:
            modules.pop()

    # -- attributes ----------------------------------------------------------------------------

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
        bump_epoch()

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
        bump_epoch()

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
        bump_epoch()

    register_module = add_module

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
            if name == "training" and own.get("training") is not value:
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
        bump_epoch()

    def _set_buffer(self, name: str, value: Any) -> None:
        if value is not None and not isinstance(value, Tensor):
            raise GraphcTypeError(
                f"cannot assign '{typename(value)}' as buffer '{name}' "
                "(torch.nn.Buffer, torch.Tensor or None expected)"
            )
        if isinstance(value, Buffer):
            self.register_buffer(name, value, value.persistent)
        else:
            self.register_buffer(name, value, name not in self._non_persistent_buffers_set)

    def _forget(self, name: str, *tables: dict[str, Any]) -> None:
        for table in tables:
            table.pop(name, None)
        self._non_persistent_buffers_set.discard(name)

    def __delattr__(self, name: str) -> None:
        for table in (self._parameters, self._buffers, self._modules):
            if name in table:
                del table[name]  # type: ignore[attr-defined]
                self._non_persistent_buffers_set.discard(name)
                bump_epoch()
                return
        object.__delattr__(self, name)

    def __dir__(self) -> list[str]:
        names = [*dir(type(self)), *self.__dict__, *self._parameters, *self._modules, *self._buffers]
        return sorted(name for name in names if not name[0].isdigit())

    def __setstate__(self, values: dict[str, Any]) -> None:
        self.__dict__.update(values)

    # -- modes, types and devices --------------------------------------------------------------

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

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        """Let every parameter, its gradient and every buffer hold what ``fn`` makes of it."""
        if recurse:
            for module in self.children():
                module._apply(fn)
        for parameter in self._parameters.values():
            for tensor in (parameter, None if parameter is None else parameter._grad):
                if tensor is None:
                    continue
                changed = fn(tensor)
                if changed is not tensor:
                    replace(tensor, changed)
        for name, buffer in self._buffers.items():
            if buffer is not None:
                self._buffers[name] = fn(buffer)
        bump_epoch()
        return self

    def _cast(self, dtype: DType) -> Self:
        return self._apply(lambda t: converted(t, dtype) if t.dtype.is_floating_point else t)

    def float(self) -> Self:
        """Floating-point parameters and buffers as float32."""
        return self._cast(float32)

    def double(self) -> Self:
        """Floating-point parameters and buffers as float64."""
        return self._cast(float64)

    def half(self) -> Self:
        """Floating-point parameters and buffers as float16."""
        return self._cast(float16)

    def bfloat16(self) -> Self:
        """Floating-point parameters and buffers as bfloat16."""
        return self._cast(bfloat16)

    def type(self, dst_type: DType) -> Self:
        """All parameters and buffers in one element type."""
        return self._apply(lambda t: converted(t, dst_type))

    def cpu(self) -> Self:
        """Parameters and buffers on the CPU."""
        return self.to("cpu")

    def cuda(self, device: int | Device | None = None) -> Self:
        """Parameters and buffers on a CUDA device."""
        return self.to("cuda" if device is None else device)

    def to(self, *args: Any, **kwargs: Any) -> Self:
        """Parameters and buffers on another device or, the floating-point ones, in another type.

        Takes a device, a dtype, both, or a tensor that has both.
        """
        device, dtype = _destination(*args, **kwargs)
        if dtype is not None and not dtype.is_floating_point:
            raise GraphcTypeError(
                "nn.Module.to only accepts floating point or complex dtypes, "
                f"but got desired dtype={dtype}"
            )

        def move(tensor: Tensor) -> Tensor:
            if dtype is not None and tensor.dtype.is_floating_point:
                tensor = converted(tensor, dtype)
            if device is not None and str(tensor.device) != str(device):
                tensor = tensor.to(device)
            return tensor

        return self._apply(move)

    # -- what is saved -------------------------------------------------------------------------

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

    # -- hooks ---------------------------------------------------------------------------------

    def register_forward_hook(
        self,
        hook: Hook,
        *,
        prepend: bool = False,
        with_kwargs: bool = False,
        always_call: bool = False,
    ) -> RemovableHandle:
        """Call ``hook(module, args, output)`` after ``forward``; what it returns is the output."""
        flags = (
            (self._forward_hooks_with_kwargs, with_kwargs),
            (self._forward_hooks_always_called, always_call),
        )
        return register(self._forward_hooks, hook, *flags, prepend=prepend)

    def register_forward_pre_hook(
        self, hook: Hook, *, prepend: bool = False, with_kwargs: bool = False
    ) -> RemovableHandle:
        """Call ``hook(module, args)`` before ``forward``; what it returns are the arguments."""
        flag = (self._forward_pre_hooks_with_kwargs, with_kwargs)
        return register(self._forward_pre_hooks, hook, flag, prepend=prepend)

    def register_full_backward_hook(self, hook: Hook, prepend: bool = False) -> RemovableHandle:
        """Call ``hook(module, grad_input, grad_output)`` when gradients pass through."""
        return register(self._backward_hooks, hook, prepend=prepend)

    def register_full_backward_pre_hook(self, hook: Hook, prepend: bool = False) -> RemovableHandle:
        """Call ``hook(module, grad_output)`` before gradients pass through."""
        return register(self._backward_pre_hooks, hook, prepend=prepend)

    def register_state_dict_pre_hook(self, hook: Hook) -> RemovableHandle:
        """Call ``hook(module, prefix, keep_vars)`` before ``state_dict`` is made."""
        return register(self._state_dict_pre_hooks, hook)

    def register_state_dict_post_hook(self, hook: Hook) -> RemovableHandle:
        """Call ``hook(module, state_dict, prefix, local_metadata)`` after it is made."""
        return register(self._state_dict_hooks, hook)

    _register_state_dict_hook = register_state_dict_post_hook

    def register_load_state_dict_pre_hook(self, hook: Hook) -> RemovableHandle:
        """Call ``hook(module, state_dict, prefix, ...)`` before the module loads its own."""
        return register(self._load_state_dict_pre_hooks, lambda *given: hook(self, *given))

    def register_load_state_dict_post_hook(self, hook: Hook) -> RemovableHandle:
        """Call ``hook(module, incompatible_keys)`` after it has loaded."""
        return register(self._load_state_dict_post_hooks, hook)

    # -- printed forms -------------------------------------------------------------------------

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


def _destination(
    *args: Any,
    device: Any = None,
    dtype: DType | None = None,
    tensor: Tensor | None = None,
    non_blocking: bool = False,
    memory_format: Any = None,
) -> tuple[Any, DType | None]:
    """The device and the element type that the arguments of ``to`` ask for."""
    for given in args:
        if isinstance(given, Tensor):
            tensor = given
        elif isinstance(given, DType):
            dtype = given
        elif not isinstance(given, bool) and given is not None:
            device = given
    if tensor is not None:
        return tensor.device, tensor.dtype
    return device, dtype
