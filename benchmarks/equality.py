"""Whether training by graphc stays with training by PyTorch, step after step.

    python -m benchmarks.equality --workloads resnet18_train,gpt_nano_train --steps 50

The same model trains from the same weights on the same batches: by graphc in float32, and by
PyTorch in float64, in float32, and for images in float32 with channels last, which adds the same
numbers in another order. The run in float64 is what the others are compared with, so that an error
can be told from rounding: what rounding parts, it parts from PyTorch's own float32 as well. Ends
with 1 if graphc's losses leave the tolerance in less than half the steps that PyTorch's need.
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.cases import Array, Case
from benchmarks.workloads import WORKLOADS

Losses = NDArray[np.float64]

RATES = {"resnet18_train": 1e-4}
"""Learning rates other than a workload's own, which is chosen for timing: with its own, ResNet-18
knows the same batch by heart after ten steps, and bounces between batches of its own."""
OURS, TRUTH = "graphc", "torch f64"


def batches(case: Case, name: str, steps: int, data: str) -> list[tuple[Array, Array]]:
    """What each step is trained on: always the workload's own batch, or one of its own."""
    if data == "same":
        return [(case.inputs["x"], case.inputs["y"])] * steps
    cases = (WORKLOADS[name].make(np.random.default_rng(step)).inputs for step in range(steps))
    return [(inputs["x"], inputs["y"]) for inputs in cases]


def by_graphc(name: str, case: Case, data: list[tuple[Array, Array]], backend: str) -> Losses:
    import graphc
    from benchmarks.runners import graphc_common

    written = graphc_common.models()
    model = written.make_model(name, case)
    optimizer = written.make_optimizer(model, case.config)
    forward = written.loss_of(model, case)

    @graphc.compile(backend=backend)
    def step(x: Any, y: Any) -> Any:
        optimizer.zero_grad()
        loss = forward(x, y)
        loss.backward()
        optimizer.step()
        return loss

    given = ((graphc.from_numpy(x), graphc.from_numpy(y)) for x, y in data)
    return np.array([step(x, y).item() for x, y in given])


def by_torch(
    name: str, case: Case, data: list[tuple[Array, Array]], double: bool, channels_last: bool
) -> Losses:
    import torch

    from benchmarks.runners import models

    kind = torch.float64 if double else torch.float32
    layout = torch.channels_last if channels_last else torch.preserve_format
    model = models.make_model(name, case).to(dtype=kind, memory_format=layout)
    optimizer = models.make_optimizer(model, case.config)
    forward = models.loss_of(model, case)
    losses = []
    for given, wanted in data:
        x, y = torch.from_numpy(given), torch.from_numpy(wanted)
        if x.is_floating_point():
            x = x.to(dtype=kind, memory_format=layout)
        optimizer.zero_grad()
        loss = forward(x, y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return np.array(losses)


def sides(name: str, case: Case, options: argparse.Namespace) -> dict[str, Losses]:
    """The losses of each side, graphc's first and those in float64 last."""
    data = batches(case, name, options.steps, options.data)
    found = {OURS: by_graphc(name, case, data, options.backend)}
    found["torch f32"] = by_torch(name, case, data, double=False, channels_last=False)
    if case.inputs["x"].ndim == 4:
        found["torch nhwc"] = by_torch(name, case, data, double=False, channels_last=True)
    found[TRUTH] = by_torch(name, case, data, double=True, channels_last=False)
    return found


def differences(losses: dict[str, Losses]) -> dict[str, Losses]:
    """How far each pair of sides is apart at each step, relative to the second of the pair."""
    names = [name for name in losses if name != TRUTH]
    pairs = [(name, TRUTH) for name in names] + [(OURS, name) for name in names[1:]]
    return {f"{a} / {b}": np.abs(losses[a] - losses[b]) / np.abs(losses[b]) for a, b in pairs}


def parted(difference: Losses, tolerance: float) -> int | None:
    """The first step at which two sides differ by more, counted from one."""
    beyond = ~(difference <= tolerance)  # a loss that is not a number is beyond as well
    return int(beyond.argmax()) + 1 if beyond.any() else None


def is_rounding(apart: dict[str, Losses], tolerance: float, steps: int) -> bool:
    """Whether graphc stays with float64 at least half as long as PyTorch's own float32."""
    first = {pair: parted(x, tolerance) for pair, x in apart.items() if pair.endswith(TRUTH)}
    ours = first.pop(f"{OURS} / {TRUTH}")
    return ours is None or 2 * ours >= min(step or steps + 1 for step in first.values())


def table(losses: dict[str, Losses], apart: dict[str, Losses], tolerance: float) -> str:
    """The losses and differences of each step, and where each pair parts."""
    width = max(map(len, apart)) + 2
    titles = [*(x.rjust(12) for x in losses), *(x.rjust(width) for x in apart)]
    lines = ["step" + "".join(titles)]
    for step in range(len(losses[TRUTH])):
        cells = [f"{x[step]:12.6f}" for x in losses.values()]
        cells += [f"{x[step]:.1e}".rjust(width) for x in apart.values()]
        lines.append(f"{step + 1:4}" + "".join(cells))
    for pair, difference in apart.items():
        step_or_none = parted(difference, tolerance)
        where = f"from step {step_or_none}" if step_or_none else "at no step"
        lines.append(f"{pair}: above {tolerance:g} {where}; at most {difference.max():.1e}")
    return "\n".join(lines)


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.equality",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    trained = [name for name, workload in WORKLOADS.items() if workload.kind == "train"]
    add("--workloads", default="resnet18_train,gpt_nano_train")
    add("--steps", type=int, default=50)
    add("--data", choices=("own", "same"), default="own", help="a batch for each step, or one")
    add("--lr", type=float, help="a learning rate other than the program's")
    add("--tolerance", type=float, default=1e-3, help="of a loss, relative")
    add("--backend", default="native")
    options = parser.parse_args(arguments)
    unknown = set(options.workloads.split(",")) - set(trained)
    if unknown:
        parser.error(f"no workload that trains: {', '.join(sorted(unknown))}")
    return options


def main(arguments: list[str] | None = None) -> int:
    options = parse(arguments)
    wrong = []
    for name in options.workloads.split(","):
        case = WORKLOADS[name].case()
        case.config["lr"] = options.lr or RATES.get(name, case.config["lr"])
        losses = sides(name, case, options)
        apart = differences(losses)
        print(f"\n{name}: a learning rate of {case.config['lr']:g}")
        print(table(losses, apart, options.tolerance), flush=True)
        if not is_rounding(apart, options.tolerance, options.steps):
            wrong.append(name)
            print("graphc parts from PyTorch earlier than rounding does")
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
