"""Products by cuBLASLt, as what may be chosen for a kernel."""

from __future__ import annotations

from graphc.backends.cuda.cublas import ALIGNED, Library, Plan
from graphc.backends.cuda.cublas_forms import Form
from graphc.backends.cuda.driver import Device
from graphc.backends.cuda.made import Made
from graphc.backends.cuda.multiplication import Multiplication
from graphc.backends.cuda.products import ProductKernel
from graphc.backends.tuned import Choice

COUNT = 4
"""Algorithms of a product that are measured: those that the library would take first."""


def algorithms(device: Device, library: Library, form: Form) -> list[Choice]:
    """The library's ways to compute a product, as they are kept."""
    with device:
        plan = Plan(library, device, form.problem)
        # Not aligned better than the bias of a program is known to be.
        found = plan.algorithms(COUNT, bias=form.bias_alignment)
    return [{"algorithm": data.hex(), "workspace": nbytes} for data, nbytes in found]


def multiplied(
    kernel: ProductKernel, form: Form, version: str, choice: Choice, name: str, reason: str
) -> Made:
    """A product by the library, as a kernel of which there is no text but its comment."""
    setting, nbytes = kernel.cells.setting, int(choice["workspace"])
    arguments = form.arguments
    if nbytes:
        arguments = (*arguments, len(setting.operands) + len(setting.results))
    summary = f"{kernel.product.summary}{kernel.finishing.says}; {form.problem.says}"
    launch = Multiplication(
        name, form.problem, bytes.fromhex(choice["algorithm"]), nbytes, arguments
    )
    text = f"/* {name}: {summary}, by cuBLASLt {version}; {reason} */"
    # The library wants a workspace to begin at a rounder address than the arena's parts do.
    return Made(text, (launch,), (nbytes + ALIGNED,) if nbytes else ())
