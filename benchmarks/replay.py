"""What the CPU does for one replayed step on a CUDA device, however many kernels the step has.

    python -m benchmarks.replay
    python -m tests.cuda.session python -m benchmarks.replay

Calls of a compiled training step are timed in batches, between which what they began is waited
for; the best and the median batch are printed, in microseconds a call. By the second command the
device is the CPU, which then computes only while it is waited for.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

CALLS, BATCHES = 100, 15


def training_step(layers: int) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    """A step of a perceptron with so many layers, by SGD with momentum, and its batch."""
    import graphc
    from graphc import nn

    graphc.manual_seed(0)
    width = 16
    parts = [part for _ in range(layers) for part in (nn.Linear(width, width), nn.Tanh())]
    model = nn.Sequential(*parts, nn.Linear(width, 4)).to("cuda")
    optimizer = graphc.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)

    @graphc.compile
    def step(x: Any, y: Any) -> Any:
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    x = graphc.randn(8, width, device="cuda")
    return step, (x, graphc.randint(0, 4, (8,), device="cuda"))


def timed(step: Callable[..., Any], batch: tuple[Any, ...]) -> list[float]:
    """Microseconds of a call, for each batch of calls."""
    import graphc

    for _ in range(4):
        step(*batch)
    found = []
    for _ in range(BATCHES):
        graphc.cuda.synchronize()
        begin = time.perf_counter()
        for _ in range(CALLS):
            step(*batch)
        found.append((time.perf_counter() - begin) / CALLS * 1e6)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--layers", default="1,8,32", help="of the perceptrons, by commas")
    options = parser.parse_args()
    print(f"{'launches':>8} {'best us':>8} {'median us':>10}")
    for layers in map(int, options.layers.split(",")):
        step, batch = training_step(layers)
        found = timed(step, batch)
        launches = step.last.step.launches  # type: ignore[attr-defined]
        print(f"{launches:8} {min(found):8.1f} {statistics.median(found):10.1f}")


if __name__ == "__main__":
    main()
