"""What types are called in messages."""

from __future__ import annotations

from graphc.functions.operands import C_NAMES
from graphc.tensor import Tensor


def typename(x: object) -> str:
    """The name of an object's type as PyTorch's messages give it."""
    if isinstance(x, Tensor):
        where = "cuda." if x.device.type == "cuda" else ""
        return f"torch.{where}{C_NAMES[x.dtype.name]}Tensor"
    return _full_name(x)


def short_typename(x: object) -> str:
    """The name of an object's type, a tensor being a ``Tensor`` whatever it holds."""
    return "Tensor" if isinstance(x, Tensor) else _full_name(x)


def _full_name(x: object) -> str:
    module = type(x).__module__
    name = type(x).__qualname__
    return name if module == "builtins" else f"{module}.{name}"
