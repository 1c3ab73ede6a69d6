"""Tensors of complex numbers: made, shown, converted, written, kept and differentiated."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest

import graphc
from tests.torch_peer import torch

MODULES = (graphc, torch)
Told = Callable[[Any], Any]


def outcome(m: Any, told: Told) -> str:
    """What is told over a library, or its error's kind."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return str(told(m))
        except Exception as error:
            kinds = (TypeError, ValueError, RuntimeError)
            return next(k.__name__ for k in kinds if isinstance(error, k))


SHOWN = {
    "some": [1 + 2j, 3 - 4.5j],
    "one": 1.5 + 2j,
    "of many sizes": [[1e-5 + 2j, 3e6 - 4j], [complex("nan"), complex("inf")]],
    "signs of zero": [1.5 - 0j, -0.0 + 3j],
    "whole": [1 + 2j, 10 - 3j],
    "zero": [[0j]],
    "small": [-1.25 - 1e-9j, 3],
    "none": [],
}


@pytest.mark.parametrize("values", SHOWN.values(), ids=SHOWN)
def test_printed(values: Any) -> None:
    for told in (
        lambda m: m.tensor(values, dtype=m.complex64),
        lambda m: m.tensor(values, dtype=m.complex128),
        lambda m: m.tensor(values, dtype=m.complex64, requires_grad=True),
        lambda m: m.tensor(values, dtype=m.complex64, requires_grad=True) + 0,
    ):
        assert outcome(graphc, told) == outcome(torch, told)


def test_long_ones_are_printed_in_part() -> None:
    for told in (
        lambda m: m.arange(2000) * 1j,
        lambda m: m.arange(40).reshape(2, 20) * (1.5 + 2j),
        lambda m: m.zeros(0, 3, dtype=m.cfloat),
    ):
        assert outcome(graphc, told) == outcome(torch, told)


TOLD: dict[str, Told] = {
    text: eval(f"lambda m: ({text})", {"np": np})
    for text in """
m.tensor([1+2j]).item()
m.tensor([1+2j, 3]).tolist()
list(m.tensor([1j, 2]))
float(m.tensor(1+2j))
float(m.tensor(1+0j))
int(m.tensor(2+0j))
complex(m.tensor(1+2j))
bool(m.tensor(1j))
f'{m.tensor(1j)}'
1j in m.tensor([1j])
m.tensor([1+2j], dtype=m.float32)
m.tensor([1+2j], dtype=m.int64)
m.from_numpy(np.array([1j, 2], dtype='complex64'))
m.tensor(np.array([1j]))
m.as_tensor([1j])
m.tensor([1j]).numpy()
m.tensor([1.0]).to(m.complex64)
m.tensor([1+2j]).to(m.float32)
m.tensor([1+2j]).int()
m.tensor([1+2j]).cdouble()
m.tensor([1+2j]).type(m.complex128)
m.tensor([1.]).type('torch.ComplexFloatTensor')
m.tensor([1+2j]).type()
m.promote_types(m.complex64, m.float64)
m.promote_types(m.complex64, m.int64)
m.promote_types(m.float16, m.complex64)
m.result_type(m.tensor([1.]), 1j)
m.result_type(m.tensor([1.], dtype=m.float64), 1j)
m.result_type(m.tensor([1]), 1j)
m.can_cast(m.complex64, m.float32)
m.can_cast(m.float32, m.complex64)
m.finfo(m.complex64)
m.cfloat
m.cdouble
m.complex64.to_real()
m.float64.to_complex()
m.complex64.itemsize
m.complex64.is_complex, m.float32.is_complex, m.complex64.is_floating_point
m.is_complex(m.tensor([1.])), m.is_complex(m.tensor([1j]))
m.tensor([1j]).is_conj()
m.randn(3, dtype=m.cfloat).dtype
m.rand_like(m.tensor([1j])).dtype
m.tensor([1j]).normal_().dtype
m.tensor([1j]).new_tensor([1.])
m.tensor([1j, 2]) == m.tensor([1j, 3])
m.equal(m.tensor([1j]), m.tensor([1j]))
m.allclose(m.tensor([1j]), m.tensor([1j + 1e-9]))
m.tensor([1.]).imag
m.tensor([1+2j]).real.is_contiguous()
m.tensor([[1+2j, 3]]).real.stride()
m.tensor([[1+2j, 3]]).imag.storage_offset()
m.tensor([[1+2j, 3]]).T.contiguous().stride()
m.view_as_real(m.tensor([[1+2j, 3]]).T).stride()
m.view_as_complex(m.ones(3, 2)).stride()
m.view_as_complex(m.ones(3, 3))
m.view_as_complex(m.ones(2, 3).T)
m.view_as_complex(m.ones(3, 3)[:, :2])
m.tensor([1.]).add_(1j)
m.tensor([1.]).mul_(m.tensor([1j]))
m.tensor([1j]).copy_(m.tensor([2.]))
m.tensor([1.]).copy_(m.tensor([2.+1j]))
m.tensor([1.]).fill_(2j)
m.tensor([1j, 2j]).index_fill_(0, m.tensor([1]), 3)
m.ones(2, dtype=m.bool) * 1j
m.ones(2, dtype=m.float64) * 1j
m.ones(2, dtype=m.int32) + m.tensor(1j)
m.ones(2, dtype=m.float64) + m.tensor(1j)
m.ones(2) + m.tensor(1j, dtype=m.cdouble)
m.set_default_dtype(m.complex64)
m.arange(3, dtype=m.complex64)
m.tensor([1j]).requires_grad_().sum().backward()
m.tensor([1j]).sign()
m.tensor([1j]).floor()
m.tensor([1.5j]).round()
m.tensor([1j]).relu()
m.tensor([1j]).erf()
m.tensor([1j, 2]).sort()
m.tensor([1j, 2]).max()
m.tensor([1j, 2]).argmax()
m.tensor([1j]) < m.tensor([2j])
m.tensor([1j]).clamp(0)
m.tensor([1j]) // 2
m.tensor([1j]) % 2
m.tensor([1j]) @ m.tensor([1.])
m.tensor([1j]).atan2(m.tensor([1j]))
m.tensor([1j]).isposinf()
m.tensor([1j]).softmax(0)
m.nn.functional.normalize(m.tensor([[3+4j, 0]]))
m.nn.functional.mse_loss(m.tensor([1j]), m.tensor([2j]))
m.nn.functional.l1_loss(m.tensor([1j]), m.tensor([2j]))
m.cov(m.tensor([[1j, 2], [3, 4]]))
m.var_mean(m.tensor([1j, 2]))
m.autograd.gradcheck(lambda z: z * z.conj() + z.abs(), m.tensor([1+2j], dtype=m.cdouble, requires_grad=True))
m.nn.Linear(2, 2, dtype=m.cfloat).to(m.cdouble).weight.dtype
m.nn.Linear(2, 2, dtype=m.cfloat).double().weight.dtype
""".strip().splitlines()  # noqa: E501
}


@pytest.mark.parametrize("told", TOLD.values(), ids=TOLD)
def test_told(told: Told) -> None:
    assert outcome(graphc, told) == outcome(torch, told)


def test_an_error_names_function_and_type() -> None:
    with pytest.raises(NotImplementedError, match=r"\"erf\" not implemented for 'ComplexFloat'"):
        graphc.tensor([1j]).erf()


def test_parts_are_views() -> None:
    for m in MODULES:
        z = m.tensor([[1 + 2j, 3 - 1j], [0, 1j]])
        z.real[0] = 7.0
        z.imag.mul_(2)
        m.view_as_real(z)[1, 0, 1] = 5.0
        pairs = m.zeros(2, 2)
        m.view_as_complex(pairs)[1] = 2 - 3j
        z.T.imag[1].add_(1)
        assert z.tolist() == [[7 + 4j, 7 - 1j], [5j, 3j]]
        assert pairs.tolist() == [[0, 0], [2, -3]]


def test_memory_is_shared_with_numpy() -> None:
    for m in MODULES:
        array = np.array([1j, 2], np.complex64)
        z = m.from_numpy(array)
        z.mul_(2)
        array[1] += 1j
        assert z.tolist() == [2j, 4 + 1j] and array.tolist() == [2j, 4 + 1j]
        assert z.numpy().dtype == np.complex64


def test_random_numbers_have_pytorchs_variances() -> None:
    for name in ("randn", "rand"):
        mine, peer = (getattr(m, name)(20000, dtype=m.cdouble).numpy() for m in MODULES)
        for part in (np.real, np.imag):
            assert abs(part(mine).var() - part(peer).var()) < 0.02
            assert abs(part(mine).mean() - part(peer).mean()) < 0.02


def test_gradients_of_leaves_and_of_what_is_between() -> None:
    found = []
    for m in MODULES:
        z = m.tensor([1 + 2j, 3 - 1j], dtype=m.cdouble, requires_grad=True)
        seen: list[Any] = []
        w = z * z
        w.retain_grad()
        w.register_hook(lambda g, seen=seen: seen.append(g.resolve_conj().tolist()))
        (w.abs() ** 2).sum().backward()
        z.grad.mul_(0.5)
        ((z * 1j).real.sum() + w.detach().imag.sum()).backward()
        (gradient,) = m.autograd.grad((z**3 / 2).sum(), z, m.tensor(1 - 1j, dtype=m.cdouble))
        found.append([z.grad, w.grad, gradient, seen[0]])
    for mine, peer in zip(*found, strict=True):
        listed = [x.resolve_conj().tolist() if hasattr(x, "tolist") else x for x in (mine, peer)]
        np.testing.assert_allclose(listed[0], listed[1], rtol=1e-12)


def test_files_are_pytorchs() -> None:
    for writer, reader in ((graphc, torch), (torch, graphc), (graphc, graphc)):
        file = io.BytesIO()
        z = writer.tensor([1 + 2j, 3], dtype=writer.complex128)
        writer.save({"z": z, "part": z.imag.clone(), "p": writer.nn.Parameter(z)}, file)
        file.seek(0)
        found = reader.load(file)
        assert found["z"].tolist() == [1 + 2j, 3] and found["part"].tolist() == [2, 0]
        assert found["p"].dtype is reader.complex128 and found["p"].requires_grad


def test_parts_are_kept_apart_from_what_they_look_into() -> None:
    file = io.BytesIO()
    z = graphc.tensor([1 + 2j, 3])
    graphc.save([z, z.imag, z.real], file)
    file.seek(0)
    assert [x.tolist() for x in torch.load(file)] == [[1 + 2j, 3], [2, 0], [1, 3]]


OPTIMIZERS: dict[str, dict[str, Any]] = {
    "SGD": {"momentum": 0.9, "nesterov": True, "weight_decay": 0.1},
    "Adam": {"amsgrad": True},
    "AdamW": {},
    "RMSprop": {"momentum": 0.5, "centered": True},
    **{name: {} for name in ("Adagrad", "Adadelta", "Adamax", "NAdam", "RAdam", "Rprop", "ASGD")},
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizers_step_both_parts(name: str) -> None:
    found = []
    for m in MODULES:
        p = m.nn.Parameter(m.tensor([1 + 2j, 3 - 1j, 0.5j], dtype=m.complex128))
        make: Any = getattr(m.optim, name)
        optimizer = make([p], lr=0.01, **OPTIMIZERS[name])
        for _ in range(4):
            optimizer.zero_grad()
            ((p * p - (1 + 1j)).abs() ** 2).sum().backward()
            m.nn.utils.clip_grad_norm_([p], 2.0)
            optimizer.step()
        found.append(p.detach().numpy())
    np.testing.assert_allclose(found[0], found[1], rtol=1e-6)


@pytest.mark.parametrize("backend", ["numpy", "native"])
def test_compiled_functions_take_give_and_keep_complex_numbers(backend: str) -> None:
    state = graphc.tensor([1j, 2])

    @graphc.compile(backend=backend)
    def step(x: Any, y: Any) -> Any:
        state.mul_(x)
        x.real.add_(1)
        return state * y, y.abs(), x

    x, y = graphc.tensor([1 + 1j, 2]), graphc.tensor([2.0, 1j])[:, None].T[0]
    product, size, same = step(x, y)
    assert same is x
    assert product.tolist() == [-2 + 2j, 4j] and size.tolist() == [2, 1]
    assert x.tolist() == [2 + 1j, 3] and state.tolist() == [-1 + 1j, 4]
    step(x, y)
    assert state.tolist() == [-3 + 1j, 12]
    assert "open_complex" in {p.name.split("-")[1][:-4] for p in _dumped(step)}


def _dumped(step: Any) -> list[Path]:
    """The files of the stages of a program."""
    with TemporaryDirectory() as folder:
        return sorted(Path(step.dump(folder)).glob("*-*.txt"))
