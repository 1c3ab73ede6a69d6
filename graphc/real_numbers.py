"""What PyTorch has for complex numbers, of tensors that are always real."""

from __future__ import annotations

from typing import Any

from graphc.arguments import checked
from graphc.errors import GraphcRuntimeError
from graphc.tensor import Tensor


def real(input: Tensor) -> Tensor:
    """The real part: the tensor itself."""
    return input


def imag(input: Tensor) -> Tensor:
    """The imaginary part, which real numbers have none of."""
    raise GraphcRuntimeError("imag is not implemented for tensors with non-complex dtypes.")


def conj(input: Tensor) -> Tensor:
    """The conjugate: the tensor itself."""
    return input


def conj_physical(input: Tensor) -> Tensor:
    """The conjugate: the tensor itself."""
    return input


def resolve_conj(input: Tensor) -> Tensor:
    """The tensor itself, of which no conjugate is pending."""
    return input


def resolve_neg(input: Tensor) -> Tensor:
    """The tensor itself, of which no sign is pending."""
    return input


def is_conj(input: Tensor) -> bool:
    """Whether a conjugate is pending: it never is."""
    return False


def is_neg(input: Tensor) -> bool:
    """Whether a sign is pending: it never is."""
    return False


_SHARED = (conj, conj_physical, resolve_conj, resolve_neg, is_conj, is_neg)
NAMESPACE: dict[str, Any] = {f.__name__: checked(f) for f in (real, imag, *_SHARED)}
"""What the package offers by name."""
METHODS: dict[str, Any] = {
    **{f.__name__: checked(f, method=True) for f in _SHARED},
    "conj_physical_": checked(conj_physical, method=True),
    "imag": property(imag),
}
"""What tensors offer."""
