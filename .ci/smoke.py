"""What a user does first with an installed graphc, away from any checkout."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory


def train(folder: Path) -> None:
    import graphc
    from graphc import nn

    assert "site-packages" in graphc.__file__, graphc.__file__
    graphc.manual_seed(0)
    model = nn.Sequential(nn.Linear(10, 5), nn.ReLU(), nn.Linear(5, 1))
    optimizer = graphc.optim.SGD(model.parameters(), lr=0.01)
    criterion = nn.MSELoss()

    @graphc.compile
    def step(x, y):  # type: ignore[no-untyped-def]
        optimizer.zero_grad()
        loss = criterion(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    x, y = graphc.tensor([[5.0] * 10]), graphc.tensor([[1.0]])
    losses = [step(x, y).item() for _ in range(2)]
    assert losses[1] < losses[0], losses
    step.dump(folder)
    kernels = sorted((folder / "kernels").iterdir())
    print(f"losses {losses}, {len(kernels)} kernels, the first of them:\n")
    print(kernels[0].read_text(encoding="utf-8"))


def main() -> None:
    with TemporaryDirectory() as folder:
        train(Path(folder))
    if find_spec("graphc.testing") is not None:
        kit = ["-m", "pytest", "-q", "-n", "2", "--pyargs", "graphc.testing", "--backend", "numpy"]
        subprocess.run([sys.executable, *kit], check=True)


if __name__ == "__main__":
    main()
