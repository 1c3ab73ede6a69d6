"""What libraries have for products and convolutions, as what may be chosen for a kernel."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from graphc.backends.cuda import cublas, cublas_forms, cudnn, cudnn_forms
from graphc.backends.cuda.by_library import ALIGNED, COUNT, ByLibrary
from graphc.backends.cuda.correlation import Correlation
from graphc.backends.cuda.driver import Device
from graphc.backends.cuda.external import usable
from graphc.backends.cuda.made import Made
from graphc.backends.cuda.multiplication import Multiplication
from graphc.backends.cuda.products import ProductKernel
from graphc.backends.tuned import Choice

Form = cublas_forms.Form | cudnn_forms.Form


@dataclass(frozen=True)
class Rival:
    """A library on a device."""

    name: str
    version: str
    form_of: Callable[[ProductKernel], Form | None]
    """A kernel as a problem of the library's, or None where it has none."""
    choices: Callable[[Any], list[Choice]]
    """The library's ways to compute a problem, as they are kept."""
    launch: Callable[[str, Any, Choice, tuple[int, ...]], ByLibrary]
    """One of these as a launch of a name, with its arguments."""

    @property
    def says(self) -> str:
        """Which one it is."""
        return f"{self.name} {self.version}"

    def made(
        self, kernel: ProductKernel, form: Form, choice: Choice, name: str, reason: str
    ) -> Made:
        """A kernel of which there is no text but its comment."""
        setting, nbytes = kernel.cells.setting, int(choice["workspace"])
        arguments = form.arguments
        if nbytes:
            arguments = (*arguments, len(setting.operands) + len(setting.results))
        summary = f"{kernel.product.summary}{kernel.finishing.says}; {form.problem.says}"
        text = f"/* {name}: {summary}, by {self.says}; {reason} */"
        # The library wants a workspace to begin at a rounder address than the arena's parts do.
        launch = self.launch(name, form, choice, arguments)
        return Made(text, (launch,), (nbytes + ALIGNED,) if nbytes else ())


def rivals(device: Device) -> list[Rival]:
    """The libraries that work with a device."""
    found = []
    products = usable(cublas.library(), device)
    convolutions = usable(cudnn.library(), device)
    if products is not None:
        found.append(_of_products(device, products))
    if convolutions is not None:
        found.append(_of_convolutions(device, convolutions))
    return found


def _of_products(device: Device, library: cublas.Library) -> Rival:
    def choices(form: cublas_forms.Form) -> list[Choice]:
        with device:
            plan = cublas.Plan(library, device, form.problem)
            # Not aligned better than the bias of a program is known to be.
            found = plan.algorithms(COUNT, bias=form.bias_alignment)
        return [{"algorithm": data.hex(), "workspace": nbytes} for data, nbytes in found]

    def launch(
        name: str, form: cublas_forms.Form, choice: Choice, arguments: tuple[int, ...]
    ) -> Multiplication:
        algorithm = bytes.fromhex(choice["algorithm"])
        return Multiplication(name, choice["workspace"], arguments, form.problem, algorithm)

    return Rival(library.name, library.version, cublas_forms.form_of, choices, launch)


def _of_convolutions(device: Device, library: cudnn.Library) -> Rival:
    def choices(form: cudnn_forms.Form) -> list[Choice]:
        with device:
            found = cudnn.Plan(library, device, form.problem).algorithms(COUNT)
        return [{"algorithm": a, "math": m, "workspace": nbytes} for a, m, nbytes in found]

    def launch(
        name: str, form: cudnn_forms.Form, choice: Choice, arguments: tuple[int, ...]
    ) -> Correlation:
        facts = form.problem, choice["algorithm"], choice["math"]
        return Correlation(name, choice["workspace"], arguments, *facts)

    return Rival(library.name, library.version, cudnn_forms.form_of, choices, launch)
