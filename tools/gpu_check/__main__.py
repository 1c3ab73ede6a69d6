"""Runs the checks within the time that there is: see the package's text."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import tools.gpu_check
from tools.gpu_check import checks, packing
from tools.gpu_check.checks import ROOT, Outcome

SHARES = {"kit": 0.42, "programs": 0.1, "sanitizers": 0.18, "benchmarks": 0.3}
"""Of the time. What a part leaves goes to those after it."""
WORKLOADS = (
    "ew_chain,norm_softmax,matmul_2048,mlp_mnist,gpt_nano_train,resnet18_train,norm_softmax_bwd"
)
DEVICE = """
import json, sys
from graphc.backends import status
from graphc import cuda
print(status()["cuda"], file=sys.stderr)
if not cuda.is_available():
    sys.exit(str(cuda.why_not()))
print(json.dumps(cuda.get_device_properties()._asdict()))
"""


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tools.gpu_check",
        description=tools.gpu_check.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--pack", type=Path, metavar="FOLDER", help="gather wheels there, and do nothing else")
    add("--python", default=sys.executable, help="an interpreter of the GPU machine's version")
    add("--wheels", type=Path, metavar="FOLDER", help="install what is missing from there")
    add("--out", type=Path, default=Path("gpu_check"), help="the folder for what is found")
    add("--seconds", type=float, default=450, help="for everything together")
    add("--parts", default=",".join(SHARES))
    add("--workers", type=int, default=min(8, os.cpu_count() or 1), help="processes of the kit")
    add("--kit", default="", metavar="EXPRESSION", help="which tests of the kit, as pytest's -k")
    add("--types", default=",".join(checks.SANITIZED), help="whose kernels are watched")
    add("--programs", default="", metavar="EXPRESSION", help="which programs, as pytest's -k")
    add("--workloads", default=WORKLOADS)
    options = parser.parse_args(arguments)
    unknown = set(options.parts.split(",")) - set(SHARES)
    if unknown:
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    return options


def main(arguments: Sequence[str] | None = None) -> int:
    options = parse(arguments)
    if options.pack:
        print("\n".join(packing.pack(options.pack, options.python)))
        return 0
    begin = time.monotonic()
    out = options.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    environment, trouble = prepared(options.wheels, out)
    device, missing = ({}, trouble) if trouble else device_of(environment)
    outcomes: list[Outcome] = []
    for number, part in enumerate(options.parts.split(",")):
        later = options.parts.split(",")[number:]
        left = options.seconds - (time.monotonic() - begin)
        seconds = left * SHARES[part] / sum(SHARES[x] for x in later)
        if missing:
            outcomes.append(Outcome(part, "all", "failed", missing, 0.0))
            continue
        outcomes += checks.run(chosen(part, options, out, seconds), seconds, out, environment)
        save(out, device, outcomes)
    save(out, device, outcomes)
    print((out / "summary.txt").read_text(encoding="utf-8"), end="")
    return int(any(x.result in ("failed", "cut off") for x in outcomes))


def chosen(part: str, options: argparse.Namespace, out: Path, seconds: float) -> list[checks.Check]:
    """The checks of a part."""
    if part == "kit":
        return checks.kit(options.workers if packing.is_here("xdist") else 1, options.kit)
    if part == "programs":
        return checks.programs(options.programs)
    if part == "sanitizers":
        return checks.sanitizers(options.kit, options.types.split(","))
    return checks.benchmarks(options.workloads.split(","), out, seconds)


def prepared(wheels: Path | None, out: Path) -> tuple[dict[str, str], str]:
    """The environment of the checks, and what is wrong with it, if anything is."""
    site = out / "site"
    trouble = packing.install(wheels, site) if wheels else ""
    if site.exists():
        sys.path.append(str(site))  # to know what is there
    path = [str(ROOT), os.environ.get("PYTHONPATH", ""), str(site)]
    found = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, path)),
        "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
    }
    return found, trouble


def device_of(environment: Mapping[str, str]) -> tuple[dict[str, object], str]:
    """What the device is, and why there is none, if there is none."""
    done = subprocess.run(
        [sys.executable, "-c", DEVICE], env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        return {}, (done.stderr.strip().splitlines() or ["no device"])[-1]
    return {**json.loads(done.stdout), "status": done.stderr.strip()}, ""


def save(out: Path, device: Mapping[str, object], outcomes: Sequence[Outcome]) -> None:
    """Write what is known so far, as data and as a table."""
    facts = {"device": device, "checks": [x.facts() for x in outcomes]}
    checks.write(out / "summary.json", json.dumps(facts, indent=1) + "\n")
    lines = [f"on {device.get('name', 'no device')}"]
    for x in outcomes:
        said = f" {x.why}" if x.why else ""
        lines.append(f"{x.part:<11} {x.name:<20} {x.result:<8} {x.seconds:6.1f} s {said}")
    for table in sorted(out.glob("benchmarks/*.txt")):
        lines += ["", table.read_text(encoding="utf-8").rstrip()]
    checks.write(out / "summary.txt", "\n".join(lines) + "\n")


if __name__ == "__main__":
    sys.exit(main())
