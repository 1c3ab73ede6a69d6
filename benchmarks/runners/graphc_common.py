"""What the graphc runners share: the PyTorch runners' models, graphc imported in torch's place."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from benchmarks.cases import Array, Case
from benchmarks.runners import Job
from benchmarks.workloads import WORKLOADS

DISTRIBUTIONS = ("graphc",)
IMPORTS = "import torch\nimport torch.nn as nn\n"


def start(threads: int) -> dict[str, Any]:
    import graphc

    graphc.set_num_threads(threads)
    return {"graphc": graphc.__version__, "threads": graphc.get_num_threads()}


def models() -> Any:
    """`benchmarks.runners.models` over graphc."""
    path = Path(__file__).with_name("models.py")
    text = path.read_text(encoding="utf-8")
    assert text.count(IMPORTS) == 1
    module = ModuleType("graphc_models")
    text = text.replace(IMPORTS, IMPORTS.replace("import torch\n", "import graphc as torch\n"))
    text = text.replace("import torch.nn as nn\n", "import graphc.nn as nn\n")
    exec(compile(text, str(path), "exec"), module.__dict__)
    return module


def build(name: str, case: Case, backend: str | None) -> Job:
    """Without a backend, the plain lazy loop: nothing is compiled by hand."""
    import graphc

    kind = WORKLOADS[name].kind
    written = models()
    model = written.make_model(name, case)
    model.train(kind == "train")
    x = graphc.from_numpy(case.inputs["x"].copy())

    def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
        if backend is None:
            return asked(function)
        return graphc.compile(function, backend=backend)  # type: ignore[no-any-return]

    if kind == "train":
        return train_job(written, model, x, case, compiled)
    if kind == "grad":
        return grad_job(written, model, x, case, compiled)
    model.requires_grad_(False)
    call = compiled(model)
    return Job(lambda: call(x), lambda y: [array(y)])


def asked(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, after which numbers are asked for: that is what runs the plain loop."""

    def call(*args: Any) -> Any:
        result = function(*args)
        array(result[0] if isinstance(result, tuple) else result)
        return result

    return call


def array(tensor: Any) -> Array:
    """The tensor's numbers."""
    return tensor.detach().numpy()  # type: ignore[no-any-return]


def train_job(written: Any, model: Any, x: Any, case: Case, compiled: Any) -> Job:
    import graphc

    optimizer = written.make_optimizer(model, case.config)
    forward = written.loss_of(model, case)
    y = graphc.from_numpy(case.inputs["y"].copy())

    def written_step(x: Any, y: Any) -> Any:
        optimizer.zero_grad()
        loss = forward(x, y)
        loss.backward()
        optimizer.step()
        return loss

    step = compiled(written_step)
    reset = written.resetter(model, optimizer)
    return Job(
        lambda: step(x, y), lambda loss: [array(loss)], reset, lambda: written.weights(model)
    )


def grad_job(written: Any, model: Any, x: Any, case: Case, compiled: Any) -> Job:
    import graphc

    value = written.value_of(model, case)
    x.requires_grad_()

    def written_step(x: Any) -> Any:
        total = value(x)
        return total, graphc.autograd.grad(total, [x, *model.parameters()])

    both = compiled(written_step)
    return Job(lambda: both(x), lambda found: [array(found[0]), *map(array, found[1])])
