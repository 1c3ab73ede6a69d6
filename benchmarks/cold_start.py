"""How long a program takes until it has trained for the first time, and how large its package is.

    python -m benchmarks.cold_start --programs graphc,graphc_compiled,torch

Medians over fresh processes that take turns: what `import` takes, and the time from the start of
the process to the end of the first training step of a 10-5-1 network. Sizes are of the package's
own files, and of these together with all that it requires.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import tomllib
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from benchmarks import fresh

ROOT = Path(__file__).resolve().parents[1]

PROGRAM = """
import json, time
begin = time.perf_counter()
import {package} as torch
import {package}.nn as nn
imported = time.perf_counter() - begin

class SimpleModel(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(10, 5)
        self.relu = nn.ReLU()
        self.fc2 = nn.Linear(5, 1)

    def forward(self, x):
        return self.fc2(self.relu(self.fc1(x)))

model = SimpleModel()
inputs, targets = torch.tensor([[5.0] * 10]), torch.tensor([[1.0]])
criterion = nn.MSELoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)

def step(inputs, targets):
    optimizer.zero_grad()
    loss = criterion(model(inputs), targets)
    loss.backward()
    optimizer.step()
    return loss

step = {wrapped}
step(inputs, targets).item()
ready = time.time()
from benchmarks.machine import peak_memory
print(json.dumps({{"import": imported, "ready_at": ready, "memory": peak_memory()}}))
"""

PROGRAMS = {
    "graphc": PROGRAM.format(package="graphc", wrapped="step"),
    "graphc_compiled": PROGRAM.format(package="graphc", wrapped="torch.compile(step)"),
    "torch": PROGRAM.format(package="torch", wrapped="step"),
}


def files_of(package: str) -> dict[Path, int]:
    """The size of each file of an importable package; links are followed."""
    spec = find_spec(package)
    assert spec is not None and spec.origin is not None
    folder = Path(spec.origin).parent
    walk = os.walk(folder, followlinks=True)
    found = {Path(place) / name for place, _, names in walk for name in names}
    return {path: path.stat().st_size for path in found if path.suffix != ".pyc"}


def required(distribution: str) -> list[str]:
    """What a distribution requires; of graphc in a checkout, what the project's file says."""
    try:
        texts = metadata.distribution(distribution).requires or []
    except metadata.PackageNotFoundError:
        project = ROOT / "pyproject.toml"
        if distribution != "graphc" or not project.exists():
            return []
        texts = tomllib.loads(project.read_text(encoding="utf-8"))["project"]["dependencies"]
    names = [re.match(r"[\w.-]+", text) for text in texts if "extra ==" not in text]
    return [name[0] for name in names if name is not None]


def with_dependencies(package: str) -> dict[Path, int]:
    """The files of a package and of every distribution that it requires."""
    files = files_of(package)
    seen, todo = {package}, required(package)
    while todo:
        name = todo.pop().lower().replace("_", "-")
        if name in seen:
            continue
        seen.add(name)
        try:
            paths = metadata.files(name) or []
        except metadata.PackageNotFoundError:
            continue
        places = {Path(str(path.locate())).resolve() for path in paths}
        files |= {p: p.stat().st_size for p in places if p.is_file() and p.suffix != ".pyc"}
        todo += required(name)
    return files


def row(package: str, figures: fresh.Figures) -> dict[str, str]:
    return {
        "import s": f"{figures['import']:.3f}",
        "first step s": f"{figures['ready']:.3f}",
        "memory MB": f"{figures['memory'] / 1e6:.0f}",
        "package MB": f"{sum(files_of(package).values()) / 1e6:.1f}",
        "with all MB": f"{sum(with_dependencies(package).values()) / 1e6:.1f}",
    }


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.cold_start",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--programs", default=",".join(PROGRAMS))
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", type=Path, help="write the figures into this file")
    options = parser.parse_args(arguments)
    packages = {name: name.partition("_")[0] for name in options.programs.split(",")}
    present = {name: PROGRAMS[name] for name, p in packages.items() if find_spec(p) is not None}
    figures = fresh.medians(present, options.repeats, options.threads)
    print(fresh.table({name: row(packages[name], f) for name, f in figures.items()}, "program"))
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
