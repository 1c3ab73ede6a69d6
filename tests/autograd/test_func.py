"""Functions made of functions, and modules called with other parameters, against PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc
from graphc.nest import leaves
from tests.torch_peer import numbers, torch

Program = Callable[[Any], Any]


def made(package: Any, *shape: int) -> Any:
    draws = np.random.default_rng(len(shape)).standard_normal(shape)
    return package.tensor(draws, dtype=package.float64)


def network(package: Any) -> Any:
    nn = package.nn
    module = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.BatchNorm1d(4), nn.Linear(4, 2)).double()
    with package.no_grad():
        for p in module.parameters():
            p.copy_(made(package, *p.shape))
    return module.eval()


def fixed(module: Any) -> Any:
    return {name: p.detach() for name, p in module.named_parameters()}


def error(package: Any, module: Any, parameters: Any, x: Any) -> Any:
    return package.func.functional_call(module, parameters, (x,)).pow(2).mean()


def per_sample(package: Any, module: Any = None) -> Any:
    module = module or network(package)

    def one(parameters: Any, x: Any) -> Any:
        return error(package, module, parameters, x[None])

    each = package.vmap(package.func.grad(one), in_dims=(None, 0))
    return each(fixed(module), made(package, 5, 3))


def adapted(package: Any) -> Any:
    """The gradient of what follows from a step of gradient descent."""
    module, x = network(package), made(package, 5, 3)
    fast = dict(module.named_parameters())
    grads = package.autograd.grad(
        error(package, module, fast, x), list(fast.values()), create_graph=True
    )
    fast = {name: p - 0.1 * g for (name, p), g in zip(fast.items(), grads, strict=True)}
    error(package, module, fast, x).backward()
    return [p.grad for p in module.parameters()]


def ensemble(package: Any) -> Any:
    func = package.func
    modules = [network(package) for _ in range(2)]
    with package.no_grad():
        modules[1][0].weight.mul_(2)
    parameters, buffers = func.stack_module_state(modules)

    def one(p: Any, b: Any, x: Any) -> Any:
        return func.functional_call(modules[0], (p, b), (x,))

    result = package.vmap(one, in_dims=(0, 0, None))(parameters, buffers, made(package, 5, 3))
    result.sum().backward()
    return result, parameters["0.weight"].grad


def tied(package: Any) -> Any:
    module = package.nn.Sequential(*(package.nn.Linear(2, 2, bias=False) for _ in range(2)))
    module[1].weight = module[0].weight
    twice = {"0.weight": package.eye(2) * 2, "unknown": package.ones(1)}
    return package.func.functional_call(module, twice, package.ones(1, 2))


def statistics(package: Any) -> Any:
    """The buffers given are written to, the module's own are not."""
    module = package.nn.BatchNorm1d(3).double()
    own = {name: b.clone() for name, b in module.named_buffers()}
    package.func.functional_call(module, own, made(package, 5, 3))
    return own, dict(module.named_buffers())


def cube(x: Any) -> Any:
    return (x**3).sum()


def product(a: Any, b: Any) -> Any:
    return {"a": a @ b, "b": (b, b * b)}


def pulled(package: Any) -> Any:
    given = made(package, 2, 3), made(package, 3)
    result, pull, beside = package.func.vjp(lambda a, b: (a @ b, a.sum()), *given, has_aux=True)
    return result, beside, pull(made(package, 2))


def pushed(package: Any) -> Any:
    given = made(package, 2, 3), made(package, 3)
    return package.func.jvp(product, given, tuple(x + 1 for x in given))


PROGRAMS: dict[str, Program] = {
    "a gradient": lambda p: p.func.grad(cube)(made(p, 3)),
    "second order": lambda p: p.func.grad(p.func.grad(p.sin))(made(p)),
    "by several": lambda p: p.func.grad(lambda a, b: (a @ b).sum(), argnums=(1, 0))(
        made(p, 2, 3), made(p, 3)
    ),
    "beside": lambda p: p.func.grad(lambda x: (cube(x), {"k": x * 2}), has_aux=True)(made(p, 3)),
    "both": lambda p: p.func.grad_and_value(cube)(made(p, 3)),
    "vjp": pulled,
    "jvp": pushed,
    "jacrev": lambda p: p.func.jacrev(product, (0, 1))(made(p, 2, 3), made(p, 3)),
    "jacfwd": lambda p: p.func.jacfwd(product)(made(p, 2, 3), made(p, 3)),
    "hessian": lambda p: p.func.hessian(cube)(made(p, 3)),
    "per sample": per_sample,
    "adapted": adapted,
    "ensemble": ensemble,
    "tied": tied,
    "statistics": statistics,
    "vmap": lambda p: p.vmap(lambda a, b: (a @ b, a.sum()), in_dims=(1, None), out_dims=(1, 0))(
        made(p, 4, 3), made(p, 4, 2)
    ),
    "vmap twice": lambda p: p.vmap(p.vmap(p.dot))(made(p, 2, 3, 4), made(p, 2, 3, 4)),
}


@pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated:DeprecationWarning")
@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program(name: str) -> None:
    mine, theirs = (list(leaves(PROGRAMS[name](package))) for package in (graphc, torch))
    assert len(mine) == len(theirs)
    for a, b in zip(mine, theirs, strict=True):
        assert a.requires_grad == b.requires_grad
        assert tuple(a.shape) == tuple(b.shape)
        np.testing.assert_allclose(numbers(a), numbers(b), rtol=1e-9, atol=1e-12)


def test_what_is_compiled_is_the_same() -> None:
    module = network(graphc)

    def step() -> Any:
        return per_sample(graphc, module)

    for a, b in zip(leaves(graphc.compile(step)()), leaves(step()), strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-9)


@pytest.mark.parametrize("package", [graphc, torch])
def test_history_leads_to_what_is_outside(package: Any) -> None:
    w = package.ones(3, requires_grad=True)
    x = package.arange(3.0, requires_grad=True)
    gradient = package.func.grad(lambda a: ((a * w) ** 2).sum())
    assert gradient(x.detach()).requires_grad
    gradient(x).sum().backward()
    assert w.grad.tolist() == [0.0, 4.0, 8.0]
    assert x.grad.tolist() == [2.0, 2.0, 2.0]
    assert not package.func.grad(cube)(x.detach()).requires_grad
    with package.no_grad():
        assert not gradient(x).requires_grad
        assert gradient(x).tolist() == [0.0, 2.0, 4.0]


FAULTS: dict[str, tuple[Program, type[Exception], str]] = {
    "no number": (
        lambda p: p.func.grad(lambda x: x * 2)(p.ones(2)),
        RuntimeError,
        "return a scalar Tensor, got tensor with 1 dims",
    ),
    "extents": (
        lambda p: p.vmap(p.dot)(p.ones(2, 3), p.ones(3, 3)),
        ValueError,
        "Expected all tensors to have the same size in the mapped dimension",
    ),
    "strict": (
        lambda p: p.func.functional_call(network(p), {"a": p.ones(1)}, (), strict=True),
        RuntimeError,
        "(?i)unexpected key",
    ),
}


@pytest.mark.parametrize("package", [graphc, torch])
@pytest.mark.parametrize("name", FAULTS)
def test_a_fault(name: str, package: Any) -> None:
    program, kind, said = FAULTS[name]
    with pytest.raises(kind, match=said):
        program(package)
