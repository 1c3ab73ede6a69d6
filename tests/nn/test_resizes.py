"""Pools at random distances, and older names of interpolation, against PyTorch."""

from __future__ import annotations

import pytest

import graphc
from tests.nn.peers import both_fail
from tests.tensor.programs import check, lines
from tests.torch_peer import torch

OPERANDS = """
F, nn = torch.nn.functional, torch.nn
d = torch.float64
x = ((torch.arange(2 * 3 * 7 * 8, dtype=d) * 37) % 101).reshape(2, 3, 7, 8).requires_grad_()
v = ((torch.arange(3 * 5 * 6 * 7, dtype=d) * 37) % 101).reshape(1, 3, 5, 6, 7).requires_grad_()
r = torch.linspace(0, 0.99, 12, dtype=d).reshape(2, 3, 2)
s = torch.linspace(0, 0.99, 9, dtype=d).reshape(1, 3, 3)
"""
CALLS = lines("""
F.fractional_max_pool2d(x, 2, output_size=(4, 5), _random_samples=r)
F.fractional_max_pool2d(x, (3, 2), output_size=3, return_indices=True, _random_samples=r)
F.fractional_max_pool2d(x, 2, output_ratio=(0.5, 0.7), _random_samples=r)
F.fractional_max_pool2d(x, 2, output_size=(1, 1), _random_samples=r)
F.fractional_max_pool2d(x[0], 2, output_size=(4, 5), _random_samples=r[:1])
F.fractional_max_pool2d_with_indices(x, 2, output_size=(4, 5), _random_samples=r)
F.fractional_max_pool3d(v, 2, output_size=(3, 4, 5), _random_samples=s)
F.fractional_max_pool3d(v, (1, 2, 3), output_ratio=0.5, return_indices=True, _random_samples=s)
F.fractional_max_pool3d_with_indices(v, 2, output_size=2, _random_samples=s)
nn.FractionalMaxPool2d(2, output_ratio=0.5, _random_samples=r)(x)
nn.FractionalMaxPool2d(2, output_size=3, return_indices=True, _random_samples=r)(x)
nn.FractionalMaxPool3d(2, output_size=3, _random_samples=s)(v)
nn.LPPool3d(2, 2)(v)
F.upsample(x, 9)
F.upsample(x, scale_factor=2, mode="bilinear", align_corners=False)
F.upsample_nearest(x, scale_factor=2)
F.upsample_bilinear(x, (9, 5))
F.fractional_max_pool2d(x, 2)
F.fractional_max_pool2d(x, 2, output_size=(7, 8), _random_samples=r)
F.fractional_max_pool2d(x, 2, output_size=(6, 8), _random_samples=r)
nn.FractionalMaxPool2d(2)
nn.FractionalMaxPool2d(2, 3, 0.5)
nn.FractionalMaxPool3d(2, output_ratio=1.5)
""")


@pytest.mark.parametrize("call", CALLS)
def test_call(call: str) -> None:
    check(f"""
{OPERANDS}
found = {call}
first = found[0] if isinstance(found, tuple) else found
(first * first).sum().backward()
found = found if isinstance(found, tuple) else (found,)
[t.detach() for t in found], x.grad, v.grad
""")


def test_windows_are_drawn() -> None:
    graphc.manual_seed(0)
    x = graphc.rand(1, 2, 9, 9)
    pool = graphc.nn.FractionalMaxPool2d(2, output_size=5)
    assert tuple(pool(x).shape) == (1, 2, 5, 5)
    compiled = graphc.compile(pool)
    found = {tuple(compiled(x).flatten().tolist()) for _ in range(5)}
    assert len(found) > 1


def test_older_names_warn() -> None:
    for package in (graphc, torch):
        with pytest.warns(UserWarning, match="`nn.functional.upsample_nearest` is deprecated"):
            package.nn.functional.upsample_nearest(package.ones(1, 1, 2, 2), 4)
    both_fail(lambda m: m.nn.FractionalMaxPool2d(2))
