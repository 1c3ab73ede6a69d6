"""Hooks of modules against PyTorch's: what they see, what they replace, in which order."""

from __future__ import annotations

from typing import Any

import pytest

import graphc
from tests.nn.peers import Program, both, both_fail


def layer(m: Any) -> Any:
    """A layer that doubles its argument."""
    found = m.nn.Linear(2, 2, bias=False)
    with m.no_grad():
        found.weight.copy_(2 * m.eye(2))
    return found


def row(m: Any, **settings: Any) -> Any:
    return m.tensor([[1.0, 2.0]], **settings)


def _order(m: Any) -> list[Any]:
    seen: list[str] = []
    net = layer(m)
    net.register_forward_pre_hook(lambda *_: seen.append("before 1"))
    net.register_forward_pre_hook(lambda *_: seen.append("before 2"), prepend=True)
    net.register_forward_hook(lambda *_: seen.append("after 1"))
    handle = net.register_forward_hook(lambda *_: seen.append("after 2"), prepend=True)
    net(row(m))
    handle.remove()
    net(row(m))
    with net.register_forward_hook(lambda *_: seen.append("for once")):
        net(row(m))
    net(row(m))
    return seen


def _seen(m: Any) -> list[Any]:
    seen: list[Any] = []
    net = layer(m)
    net.register_forward_pre_hook(lambda module, args: seen.append((module is net, len(args))))
    net.register_forward_hook(
        lambda module, args, result: seen.append((args[0].tolist(), result.tolist()))
    )
    net(row(m))
    return seen


def _replaced(m: Any) -> list[Any]:
    net = layer(m)
    net.register_forward_pre_hook(lambda module, args: args[0] + 1)
    net.register_forward_hook(lambda module, args, result: result * 10)
    first = net(row(m)).tolist()
    net.register_forward_pre_hook(lambda module, args: (args[0] * 0,))
    return [first, net(row(m)).tolist()]


def _named(m: Any) -> list[Any]:
    class Power(m.nn.Module):  # type: ignore[misc]
        def forward(self, x: Any, *, exponent: int) -> Any:
            return x**exponent

    seen: list[Any] = []
    net = Power()
    net.register_forward_pre_hook(
        lambda module, args, kwargs: (args, {"exponent": kwargs["exponent"] + 1}), with_kwargs=True
    )
    net.register_forward_hook(
        lambda module, args, kwargs, result: seen.append((len(args), dict(kwargs))),
        with_kwargs=True,
    )
    return [net(row(m), exponent=1).tolist(), seen]


def _always(m: Any) -> list[Any]:
    class Failing(m.nn.Module):  # type: ignore[misc]
        def forward(self, x: Any) -> Any:
            raise KeyError("nothing")

    seen: list[Any] = []
    net = Failing()
    net.register_forward_hook(lambda *_: seen.append("usual"))
    net.register_forward_hook(lambda *given: seen.append(given[2]), always_call=True)
    with pytest.raises(KeyError):
        net(row(m))
    return seen


def _listed(x: Any) -> Any:
    return None if x is None else x.tolist()


def _backward(m: Any) -> list[Any]:
    seen: list[Any] = []
    net = m.nn.Sequential(layer(m), m.nn.ReLU(), layer(m))
    for name, module in net.named_modules():
        module.register_full_backward_pre_hook(
            lambda module, out, name=name: seen.append((name, "before", [*map(_listed, out)]))
        )
        module.register_full_backward_hook(
            lambda module, into, out, name=name: seen.append(
                (name, [*map(_listed, into)], [*map(_listed, out)])
            )
        )
    x = row(m, requires_grad=True)
    net(x).sum().backward()
    first = [sorted(seen, key=str), x.grad.tolist(), net[0].weight.grad.tolist()]
    seen.clear()
    net(row(m)).sum().backward()
    return [*first, sorted(seen, key=str)]


def _backward_replaced(m: Any) -> list[Any]:
    net = layer(m)
    net.register_full_backward_pre_hook(lambda module, out: (out[0] * 3,))
    net.register_full_backward_hook(lambda module, into, out: (into[0] + 100,))
    x = row(m, requires_grad=True)
    net(x).sum().backward()
    return [x.grad.tolist(), net.weight.grad.tolist()]


def _several(m: Any) -> list[Any]:
    class Split(m.nn.Module):  # type: ignore[misc]
        def forward(self, x: Any, y: Any, factor: float) -> Any:
            return x * factor, x + y

    seen: list[Any] = []
    net = Split()
    net.register_full_backward_hook(
        lambda module, into, out: seen.append(([*map(_listed, into)], [*map(_listed, out)]))
    )
    x, y = row(m, requires_grad=True), row(m, requires_grad=True)
    a, b = net(x, y, 3.0)
    (a.sum() + 2 * b.sum()).backward()
    return [seen, x.grad.tolist(), y.grad.tolist()]


def _of_tensors(m: Any) -> list[Any]:
    """Hooks of tensors that meet those of modules."""
    seen: list[Any] = []
    net = layer(m)
    net.weight.register_hook(lambda g: seen.append(g.tolist()))
    x = row(m, requires_grad=True)
    result = net(x)
    result.register_hook(lambda g: g * 5)
    result.sum().backward()
    return [seen, x.grad.tolist()]


CASES: dict[str, Program] = {
    "order": _order,
    "seen": _seen,
    "replaced": _replaced,
    "named": _named,
    "always called": _always,
    "backward": _backward,
    "backward, replaced": _backward_replaced,
    "backward, several": _several,
    "of tensors": _of_tensors,
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.filterwarnings("ignore:Full backward hook is firing when:UserWarning")
def test_hooks(case: str) -> None:
    both(CASES[case])


def _bad_pre_hook(m: Any) -> Any:
    net = layer(m)
    net.register_forward_pre_hook(lambda module, args, kwargs: 3, with_kwargs=True)
    return net(row(m))


def _bad_backward_hook(m: Any) -> Any:
    net = layer(m)
    net.register_full_backward_hook(lambda module, into, out: (into[0], into[0]))
    return net(row(m, requires_grad=True)).sum().backward()


WRONG: dict[str, Program] = {
    "pre-hook": _bad_pre_hook,
    "backward hook": _bad_backward_hook,
}


@pytest.mark.parametrize("case", WRONG)
def test_errors_are_pytorchs(case: str) -> None:
    both_fail(WRONG[case])


def test_a_backward_hook_without_gradients_of_inputs_warns() -> None:
    net = layer(graphc)
    net.register_full_backward_hook(lambda *_: None)
    with pytest.warns(UserWarning, match="no inputs require gradients"):
        net(row(graphc)).sum().backward()


def test_hooks_take_part_in_a_compiled_step() -> None:
    net = layer(graphc)
    compiled = graphc.compile(net)
    with graphc.no_grad():
        assert compiled(row(graphc)).tolist() == [[2.0, 4.0]]
        handle = net.register_forward_hook(lambda module, args, result: result + 1)
        assert compiled(row(graphc)).tolist() == [[3.0, 5.0]]
        handle.remove()
        assert compiled(row(graphc)).tolist() == [[2.0, 4.0]]
