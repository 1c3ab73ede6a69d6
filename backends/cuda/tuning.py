"""Choosing by measuring: how products and convolutions are computed, per shape and device.

What is measured is the kernel itself, with all that it does to its result: so two kernels share a
choice only where they are the same. Operands are as good as drawn, and each launch has others, so
that no operand is in the device's cache because the launch before had it there.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from functools import partial
from math import prod
from typing import Any

from graphc.backends import disk, tuned
from graphc.backends.cuda.bench import Bench
from graphc.backends.cuda.compilation import compile
from graphc.backends.cuda.contraction import product, product_kernel
from graphc.backends.cuda.driver import Device
from graphc.backends.cuda.library import prelude
from graphc.backends.cuda.made import Launch, Made, Setting
from graphc.backends.cuda.memory import OutOfMemory
from graphc.backends.cuda.products import ProductKernel
from graphc.backends.cuda.rivals import Form, Rival, rivals
from graphc.backends.cuda.tiles import Cut
from graphc.lowering.kernel import Ramp

SECONDS = 60.0
"""How long the measuring for one program may take; what is left then is chosen by its estimate."""
COUNT = 10
"""Cuts of each product that are measured: those that should take least."""
WORK = 1 << 20
"""Multiplications of a product from which it is measured: smaller ones take a launch's time."""
COMPILERS = 8
"""Candidates that are compiled at once, at most."""
NAME = "graphc_candidate"


@dataclass(frozen=True)
class Candidate:
    """One way to compute a product."""

    kept: tuned.Choice
    """What is remembered of it."""
    make: Callable[[str, str], Made]
    """The kernel of a name, whose comment has a reason."""


@dataclass(frozen=True)
class Rivalling:
    """A library, with what it has for a kernel."""

    library: Rival
    kernel: ProductKernel
    form: Form

    def candidate(self, choice: tuned.Choice) -> Candidate:
        """One of the library's ways."""
        return Candidate(choice, partial(self.library.made, self.kernel, self.form, choice))

    def candidates(self) -> list[Candidate]:
        """Those that the library would take first."""
        return [self.candidate(choice) for choice in self.library.choices(self.form)]


class Tuner:
    """What one program's products were measured to be best computed by, on a device."""

    def __init__(self, device: Device) -> None:
        self.device, self.rivals = device, rivals(device)
        self.deadline = time.monotonic() + SECONDS

    def product(
        self, name: str, setting: Setting, ramps: Sequence[Ramp | None], *, aliased: bool
    ) -> Made:
        """The best kernel: known from before, or measured now while there is time."""
        make = partial(product_kernel, setting=setting, ramps=ramps, aliased=aliased)
        kernel = make(name)
        if kernel is None or prod(kernel.extents) < WORK:
            return product(name, setting, ramps, aliased=aliased)
        estimated = kernel.made()
        # A library is not known to read a bias before it writes over it.
        rival = None if aliased else self._rival(kernel)
        key = self._key(kernel, estimated, rival)
        cuts = _cuts(make, kernel)
        found = self._recalled(key, cuts, rival)
        if found is None:
            if time.monotonic() > self.deadline:
                return estimated
            found = self._measured(setting, cuts, rival)
            if found is None:
                return estimated
            best, reason = found
            tuned.remember(key, {**best.kept, "reason": reason})
        best, reason = found
        return best.make(name, reason)

    def _rival(self, kernel: ProductKernel) -> Rivalling | None:
        """The library that has such a kernel, if one has."""
        for rival in self.rivals:
            form = rival.form_of(kernel)
            if form is not None:
                return Rivalling(rival, kernel, form)
        return None

    def _key(self, kernel: ProductKernel, estimated: Made, rival: Rivalling | None) -> str:
        """What a choice is kept by: the device, and all that the kernel does, by its text."""
        device = self.device
        version = device.driver.get_driver_version()
        library = "no library" if rival is None else rival.library.says
        where = f"{device.name}; {device.arch}; driver {version}; {library}"
        what = disk.key_of([estimated.text, repr(rival and rival.form)])[:16]
        return f"{where}; {kernel.product.summary}; {what}"

    def _recalled(
        self, key: str, cuts: Sequence[Candidate], rival: Rivalling | None
    ) -> tuple[Candidate, str] | None:
        """The candidate that was kept, and why; None where there is none such any more."""
        known = dict(tuned.known().get(key, {}))
        reason = str(known.pop("reason", ""))
        if "algorithm" in known:
            return None if rival is None else (rival.candidate(known), reason)
        for x in cuts:
            # JSON has lists where there were tuples.
            if json.dumps(x.kept) == json.dumps(known):
                return x, reason
        return None

    def _measured(
        self, setting: Setting, cuts: Sequence[Candidate], rival: Rivalling | None
    ) -> tuple[Candidate, str] | None:
        """The fastest, and why; None where memory does not suffice to find out."""
        # Different cuts of a short inner dimension may be the same kernel.
        distinct = {x.make(NAME, ""): x for x in reversed(cuts)}
        chosen = list(reversed(distinct.items()))[:COUNT]
        count = f"{len(chosen)} cuts"
        others = [] if rival is None else rival.candidates()
        if rival is not None and others:
            chosen += [(x.make(NAME, ""), x) for x in others]
            count += f" and {len(others)} of {rival.library.name}'s algorithms"
        kernels = [_renamed(made, f"{NAME}_{i}") for i, (made, _) in enumerate(chosen)]
        functions = self._compiled(kernels)
        try:
            times = Bench(self.device, setting, kernels, functions).times()
        except OutOfMemory:
            return None
        finally:
            self.device.give_back()
        best = min(range(len(times)), key=times.__getitem__)
        reason = f"measured: {times[best] * 1e6:.1f} us, the best of {count}"
        return chosen[best][1], reason

    def _compiled(self, kernels: Sequence[Made]) -> dict[str, Any]:
        """The functions of all kernels, loaded; they are compiled side by side."""
        own = [made for made in kernels if isinstance(made.launches[0], Launch)]
        texts = [f"{prelude(made.helpers)}\n{made.text}" for made in own]
        with ThreadPoolExecutor(COMPILERS) as pool:
            list(pool.map(partial(compile, arch=self.device.arch), texts))
        found: dict[str, Any] = {}
        for made, text in zip(own, texts, strict=True):
            names = [x.function for x in made.launches]
            found |= self.device.functions(self, text, names)
        return found


def _cuts(make: Callable[..., ProductKernel | None], kernel: ProductKernel) -> list[Candidate]:
    """The ways to cut a product, those first that should take least."""
    return [
        Candidate({**asdict(x.variant), "splits": x.splits}, partial(_cut, make, x))
        for x in kernel.cuts()
    ]


def _cut(make: Callable[..., ProductKernel | None], cut: Cut, name: str, reason: str) -> Made:
    kernel = make(name, cut=replace(cut, reason=reason))
    assert kernel is not None
    return kernel.made()


def _renamed(made: Made, name: str) -> Made:
    launches = [replace(x, function=x.function.replace(NAME, name)) for x in made.launches]
    return replace(made, text=made.text.replace(NAME, name), launches=tuple(launches))
