"""Clipping of gradients, and parameters as one vector, against PyTorch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc
from graphc.recording import session
from tests.torch_peer import same, torch

NORMS = [1, 2.0, 3.5, 0.5, "inf", float("-inf"), 0]


def parameters(package: Any) -> list[Any]:
    """Parameters with gradients, one without."""
    draws = np.random.default_rng(0)
    found = []
    for shape in ((3, 4), (5,), (2, 1, 2), ()):
        p = package.nn.Parameter(package.tensor(draws.standard_normal(shape).astype("float32")))
        p.grad = package.tensor(draws.standard_normal(shape).astype("float32"))
        found.append(p)
    found.append(package.nn.Parameter(package.ones(2)))
    return found


def same_gradients(mine: list[Any], peers: list[Any]) -> None:
    for a, b in zip(mine, peers, strict=True):
        same(a.grad, b.grad)


@pytest.mark.parametrize("limit", [0.5, 1000.0])
@pytest.mark.parametrize("norm", NORMS)
def test_the_norm_is_clipped(norm: Any, limit: float) -> None:
    mine, peers = parameters(graphc), parameters(torch)
    held = mine[0].grad
    total = graphc.nn.utils.clip_grad_norm_(mine, limit, norm_type=norm)
    assert session.trace.pending, "clipping itself asks for no number"
    same(total, torch.nn.utils.clip_grad_norm_(peers, limit, norm_type=norm))
    same_gradients(mine, peers)
    assert mine[0].grad is held


def test_one_parameter_and_a_generator_do_too() -> None:
    mine, peers = parameters(graphc), parameters(torch)
    graphc.nn.utils.clip_grad_norm_(mine[0], 0.1)
    torch.nn.utils.clip_grad_norm_(peers[0], 0.1)
    graphc.nn.utils.clip_grad_norm_((p for p in mine), 0.1)
    torch.nn.utils.clip_grad_norm_((p for p in peers), 0.1)
    same_gradients(mine, peers)


def test_gradients_of_several_types() -> None:
    found = []
    for package in (graphc, torch):
        p = package.nn.Parameter(package.ones(3, dtype=package.float64))
        q = package.nn.Parameter(package.ones(3))
        (p.sum() * 3 + q.sum() * 4).backward()
        total = package.nn.utils.clip_grad_norm_([p, q], 1.0)
        found.append((total, p.grad, q.grad))
    mine, peer = found
    same(mine, peer, scale=100)  # PyTorch rounds the norm of each gradient to its own type


def test_values_are_clipped() -> None:
    mine, peers = parameters(graphc), parameters(torch)
    graphc.nn.utils.clip_grad_value_(mine, 0.3)
    torch.nn.utils.clip_grad_value_(peers, 0.3)
    same_gradients(mine, peers)


def test_the_total_norm_serves_to_clip() -> None:
    mine, peers = parameters(graphc), parameters(torch)
    for package, found in ((graphc, mine), (torch, peers)):
        utils = package.nn.utils
        total = utils.get_total_norm([p.grad for p in found if p.grad is not None])
        utils.clip_grads_with_norm_(found, 0.2, total)
    same_gradients(mine, peers)
    same(graphc.nn.utils.get_total_norm([]), torch.nn.utils.get_total_norm([]))


def test_a_norm_that_is_no_number() -> None:
    messages = []
    for package in (graphc, torch):
        found = parameters(package)
        found[0].grad = package.full((3, 4), float("inf"))
        with pytest.raises(RuntimeError) as caught:
            package.nn.utils.clip_grad_norm_(found, 1.0, error_if_nonfinite=True)
        messages.append(str(caught.value))
        assert package.nn.utils.clip_grad_norm_(found, 1.0).item() == float("inf")
    assert messages[0] == messages[1]


def test_an_empty_generator_warns() -> None:
    nothing: list[graphc.Tensor] = []
    with pytest.warns(UserWarning, match="empty generator, no gradient clipping will occur"):
        graphc.nn.utils.clip_grad_norm_((p for p in nothing), 1.0)


def test_a_compiled_step_clips() -> None:
    losses = []
    for package in (graphc, torch):
        net = package.nn.Linear(3, 1)
        with package.no_grad():
            net.weight.copy_(package.tensor([[1.0, -2.0, 3.0]]))
            net.bias.fill_(0.5)
        optimizer = package.optim.SGD(net.parameters(), lr=0.1)

        def step(
            x: Any, net: Any = net, optimizer: Any = optimizer, utils: Any = package.nn.utils
        ) -> Any:
            optimizer.zero_grad()
            loss = (net(x) ** 2).mean()
            loss.backward()
            return loss, utils.clip_grad_norm_(net.parameters(), 0.7), optimizer.step()

        call = graphc.compile(step) if package is graphc else step
        x = package.tensor(np.linspace(-1, 2, 12).astype("float32").reshape(4, 3))
        losses.append([[found.item() for found in call(x)[:2]] for _ in range(5)])
    mine, peer = losses
    np.testing.assert_allclose(mine, peer, rtol=1e-5)


def test_parameters_as_one_vector() -> None:
    found = []
    for package in (graphc, torch):
        net = package.nn.Sequential(package.nn.Linear(2, 3), package.nn.Linear(3, 1))
        utils = package.nn.utils
        vector = utils.parameters_to_vector(net.parameters())
        assert vector.requires_grad
        assert tuple(vector.shape) == (13,)
        utils.vector_to_parameters(package.arange(13.0), net.parameters())
        assert all(p.requires_grad and p.is_leaf for p in net.parameters())
        found.append([p.detach() for p in net.parameters()])
    mine, peer = found
    same(mine, peer)
    numbers: Any = [1.0]
    with pytest.raises(TypeError, match=r"expected torch\.Tensor, but got: list"):
        graphc.nn.utils.vector_to_parameters(numbers, [])


def normalised(m: Any, layer: Any, norm: Any, x: Any) -> Any:
    """Both layers in evaluation, with parameters and statistics that are no default."""
    with m.no_grad():
        tensors = [*layer.parameters(), *norm.parameters()]
        tensors += [t for k, t in norm.named_buffers() if k != "num_batches_tracked"]
        for i, t in enumerate(tensors):
            t.copy_((m.arange(float(t.numel())) * (i + 1)).cos().reshape(t.shape).abs() + 0.1)
    return layer.eval(), norm.eval(), x


@pytest.mark.parametrize(
    "make",
    [
        lambda m, n: (n.Conv2d(2, 3, 2), n.BatchNorm2d(3), m.ones(1, 2, 3, 3)),
        lambda m, n: (n.Conv1d(2, 3, 2, bias=False), n.BatchNorm1d(3), m.ones(1, 2, 3)),
        lambda m, n: (n.Conv1d(2, 3, 2), n.BatchNorm1d(3, affine=False), m.ones(1, 2, 3)),
        lambda m, n: (n.ConvTranspose2d(2, 3, 2), n.BatchNorm2d(3, eps=0.1), m.ones(1, 2, 3, 3)),
        lambda m, n: (n.Linear(2, 3), n.BatchNorm1d(3), m.ones(2, 2)),
        lambda m, n: (n.Linear(2, 3, bias=False), n.BatchNorm1d(3), m.ones(2, 2)),
        lambda m, n: (n.Linear(2, 3), n.BatchNorm1d(1), m.ones(2, 2)),
    ],
)
def test_layers_take_a_norm_in(make: Any) -> None:
    found = []
    for package in (graphc, torch):
        layer, norm, x = normalised(package, *make(package, package.nn))
        utils = package.nn.utils
        if isinstance(layer, package.nn.Linear):
            fused = utils.fuse_linear_bn_eval(layer, norm)
        else:
            fused = utils.fuse_conv_bn_eval(layer, norm, layer.transposed)
        kept = [(k, p.requires_grad) for k, p in fused.named_parameters()]
        found.append((kept, [p.detach() for p in fused.parameters()], fused(x).detach()))
        layer.train()
        with pytest.raises(AssertionError, match="Fusion only for eval!"):
            utils.fuse_conv_bn_eval(layer, norm)
    (mine, *values), (theirs, *others) = found
    assert mine == theirs
    same(values, others)


def test_initial_values_can_be_left_out() -> None:
    graphc.manual_seed(0)
    expected = graphc.rand(3)
    graphc.manual_seed(0)
    layer = graphc.nn.utils.skip_init(graphc.nn.Linear, 3, 4, dtype=graphc.float64)
    assert graphc.equal(graphc.rand(3), expected)
    assert (tuple(layer.weight.shape), layer.weight.dtype) == ((4, 3), graphc.float64)
    for kind in (graphc.nn.ReLU, int):
        with pytest.raises(RuntimeError) as ours:
            graphc.nn.utils.skip_init(kind)  # type: ignore[type-var]
        with pytest.raises(RuntimeError) as peers:
            torch.nn.utils.skip_init(torch.nn.ReLU if kind is graphc.nn.ReLU else int)
        assert str(ours.value) == str(peers.value)


def test_older_names() -> None:
    found = []
    for package in (graphc, torch):
        utils = package.nn.utils
        p = package.nn.Parameter(package.ones(3))
        p.sum().backward()
        with pytest.warns(FutureWarning, match="clip_grad_norm_"):
            total = utils.clip_grad_norm([p], 1.0)
        layer, given = package.nn.Linear(2, 1), {"weight": package.ones(1, 2)}
        given["bias"] = package.zeros(1)
        with pytest.warns(FutureWarning, match="functional_call"):
            out = utils.stateless.functional_call(layer, given, package.ones(1, 2))
        found.append((total, p.grad, out))
    mine, peer = found
    same(mine, peer)


def test_weights_in_another_order_of_memory() -> None:
    for package in (graphc, torch):
        net = package.nn.Sequential(package.nn.Conv2d(3, 4, 2), package.nn.Conv3d(3, 4, 2))
        before = [p.detach().clone() for p in net.parameters()]
        utils = package.nn.utils
        for dims, order in ((2, package.channels_last), (3, package.channels_last_3d)):
            convert = getattr(utils, f"convert_conv{dims}d_weight_memory_format")
            assert convert(net, order) is net
            layer: Any = net[dims - 2]
            assert layer.weight.is_contiguous(memory_format=order)
        assert all(package.equal(p, b) for p, b in zip(net.parameters(), before, strict=True))
