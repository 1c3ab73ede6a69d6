"""What the PyTorch runners share; each of them only chooses its options."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch

from benchmarks.cases import Case
from benchmarks.runners import Job, models
from benchmarks.workloads import WORKLOADS

DISTRIBUTIONS = ("torch",)


@dataclass(frozen=True)
class Options:
    """How PyTorch is asked to run."""

    compile: bool = False
    compile_options: dict[str, Any] = field(default_factory=dict)
    """For torch.compile."""
    inductor: dict[str, Any] = field(default_factory=dict)
    """For torch._inductor.config."""
    inductor_infer: dict[str, Any] = field(default_factory=dict)
    """The same, for "infer" alone."""
    optimizer: str = "default"
    """ "default", "fused", or "compiled": the default one with its step compiled."""
    channels_last: bool = False
    """For convolutional nets."""
    whole_grad: bool = False
    """Of "grad", compile value and gradient as one function."""


def start(threads: int) -> dict[str, Any]:
    torch.set_num_threads(threads)
    return {"torch": torch.__version__, "threads": torch.get_num_threads()}


def cache_env(folder: str) -> dict[str, str]:
    return {"TORCHINDUCTOR_CACHE_DIR": folder}


def build(name: str, case: Case, options: Options) -> Job:
    kind = WORKLOADS[name].kind
    inductor = {**options.inductor, **(options.inductor_infer if kind == "infer" else {})}
    if inductor:
        import torch._inductor.config as settings

        settings.load_config({**settings.save_config_portable(), **inductor})
    model = models.make_model(name, case)
    model.train(kind == "train")
    x = torch.from_numpy(case.inputs["x"].copy())
    if options.channels_last and x.dim() == 4:
        model = model.to(memory_format=torch.channels_last)
        x = x.contiguous(memory_format=torch.channels_last)
    if kind == "train":
        return train_job(model, x, case, options)
    if kind == "grad":
        return grad_job(model, x, case, options)
    return infer_job(model.requires_grad_(False), x, options)


def train_job(model: Any, x: Any, case: Case, options: Options) -> Job:
    fused = {"fused": True} if options.optimizer == "fused" else {}
    optimizer = models.make_optimizer(model, case.config, **fused)
    forward, update = models.loss_of(model, case), optimizer.step
    if options.compile:
        forward = torch.compile(forward, **options.compile_options)
        if options.optimizer == "compiled":
            update = torch.compile(update, **options.compile_options)
    y = torch.from_numpy(case.inputs["y"].copy())

    def step() -> Any:
        optimizer.zero_grad()
        loss = forward(x, y)
        loss.backward()
        update()
        return loss

    reset = models.resetter(model, optimizer)
    return Job(step, lambda loss: [loss.detach().numpy()], reset, lambda: models.weights(model))


def grad_job(model: Any, x: Any, case: Case, options: Options) -> Job:
    wanted = [x.requires_grad_(), *model.parameters()]
    value = models.value_of(model, case)
    if options.compile and options.whole_grad:
        step = whole_grad(model, value, wanted, options)
    else:
        if options.compile:
            value = torch.compile(value, **options.compile_options)

        def step() -> Any:
            total = value(x)
            return total, torch.autograd.grad(total, wanted)

    return Job(step, lambda both: [both[0].detach().numpy(), *(g.numpy() for g in both[1])])


def whole_grad(model: Any, value: Any, wanted: list[Any], options: Options) -> Callable[[], Any]:
    names = [name for name, _ in model.named_parameters()]
    whole = torch.nn.Module()
    whole.add_module("model", model)
    whole.forward = lambda x: value(x)

    def functional(x: Any, *params: Any) -> Any:
        given = {f"model.{name}": p for name, p in zip(names, params, strict=True)}
        return torch.func.functional_call(whole, given, (x,))

    detached = [t.detach() for t in wanted]
    both = torch.compile(
        torch.func.grad_and_value(functional, argnums=tuple(range(len(detached)))),
        **options.compile_options,
    )

    def step() -> Any:
        gradients, total = both(*detached)
        return total, gradients

    return step


def infer_job(model: Any, x: Any, options: Options) -> Job:
    call = torch.compile(model, **options.compile_options) if options.compile else model

    def step() -> Any:
        with torch.inference_mode():
            return call(x)

    return Job(step, lambda y: [y.numpy()])
