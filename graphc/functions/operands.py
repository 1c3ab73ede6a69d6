"""What the functions of this package ask of their arguments."""

from __future__ import annotations

from typing import Any

from graphc.errors import GraphcNotImplementedError, GraphcTypeError
from graphc.ir.dtype import DType, Scalar, bool_, complex128, float64, int64
from graphc.ir.node import Node
from graphc.ops.function import GradName

Operand = Node | Scalar
"""A tensor, or a number that takes part by its category alone."""

C_NAMES = {
    "bool": "Bool",
    "uint8": "Byte",
    "int8": "Char",
    "int16": "Short",
    "int32": "Int",
    "int64": "Long",
    "float16": "Half",
    "bfloat16": "BFloat16",
    "float32": "Float",
    "float64": "Double",
    "complex64": "ComplexFloat",
    "complex128": "ComplexDouble",
}
"""The element types as PyTorch's messages call them."""
_C_TYPES = {
    "int64": "long int",
    "int16": "short int",
    "int8": "signed char",
    "uint8": "unsigned char",
    "float16": "c10::Half",
    "bfloat16": "c10::BFloat16",
    "complex64": "c10::complex<float>",
    "complex128": "c10::complex<double>",
}


def c_type(dtype: DType) -> str:
    """An element type as C++ calls it, which is how some of PyTorch's messages do."""
    return _C_TYPES.get(dtype.name, C_NAMES[dtype.name].lower())


def tensors_of(*operands: Operand) -> list[Node]:
    """The operands that are no numbers."""
    return [x for x in operands if isinstance(x, Node)]


def check_operands(name: str, *operands: Any) -> None:
    """Raise a TypeError in PyTorch's words where something is neither a tensor nor a number."""
    for position, x in enumerate(operands, start=1):
        if not isinstance(x, Node | bool | int | float | complex):
            label = "input" if position == 1 else "other"
            raise GraphcTypeError(
                f"{name}(): argument '{label}' (position {position}) must be Tensor, "
                f"not {type(x).__name__}"
            )


def check_tensors(name: str, *operands: Any) -> None:
    """Raise a TypeError where something is no tensor."""
    for position, x in enumerate(operands, start=1):
        if not isinstance(x, Node):
            label = "input" if position == 1 else "other"
            raise GraphcTypeError(
                f"{name}(): argument '{label}' (position {position}) must be Tensor, "
                f"not {type(x).__name__}"
            )


def not_implemented(kernel: str, dtype: DType) -> GraphcNotImplementedError:
    """The error of a function that there is not for an element type, in PyTorch's words."""
    return GraphcNotImplementedError(f"\"{kernel}\" not implemented for '{C_NAMES[dtype.name]}'")


def numbered(name: str, *, tensor: int, number: int, place: int = 1) -> GradName:
    """The name of a gradient that PyTorch numbers by whether an operand is a tensor."""

    def grad_name(*args: Any, **kwargs: Any) -> str:
        operand = (*args, *kwargs.values())[place]
        return f"{name}Backward{tensor if isinstance(operand, Node) else number}"

    return grad_name


def numbered_by_operands(name: str) -> GradName:
    """The same of two: 0 where both are tensors, else 1 or 2, as that one is the number."""

    def grad_name(input: Any, other: Any) -> str:
        number = 2 if not isinstance(other, Node) else 0 if isinstance(input, Node) else 1
        return f"{name}Backward{number}"

    return grad_name


def dtype_given(dtype: Any) -> DType:
    """The element type that the user names by itself or by one of Python's types."""
    if isinstance(dtype, DType):
        return dtype
    if dtype is float:
        return float64
    if dtype is int:
        return int64
    if dtype is bool:
        return bool_
    if dtype is complex:
        return complex128
    raise GraphcTypeError(f"argument 'dtype' must be torch.dtype, not {type(dtype).__name__}")
