"""Functions made of functions, under PyTorch's names: derivatives, maps, modules without state."""

from __future__ import annotations

from graphc.func.derivatives import grad, grad_and_value, hessian, jacfwd, jacrev, jvp, vjp
from graphc.func.mapping import vmap
from graphc.func.modules import functional_call, stack_module_state

__all__ = [
    "functional_call",
    "grad",
    "grad_and_value",
    "hessian",
    "jacfwd",
    "jacrev",
    "jvp",
    "stack_module_state",
    "vjp",
    "vmap",
]
