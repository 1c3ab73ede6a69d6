"""Tensors on a CUDA device do what they do on the CPU, and stay where they are."""

from __future__ import annotations

import copy
import pickle
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc
from graphc import nn
from graphc.backends.cuda import compilation
from graphc.backends.cuda.driver import device
from graphc.errors import GraphcRuntimeError

CUDA = "cuda"


def numbers(x: Any) -> list[Any]:
    return x.cpu().tolist()  # type: ignore[no-any-return]


def test_where_tensors_are() -> None:
    x = graphc.tensor([1.0, 2.0], device=CUDA)
    assert (str(x.device), x.is_cuda, x.get_device()) == ("cuda:0", True, 0)
    assert str(x) == "tensor([1., 2.], device='cuda:0')"
    y = (x * 2).sum()
    assert (str(y.device), y.item()) == ("cuda:0", 6.0)
    assert str(y.cpu().device) == "cpu"
    assert x.to("cuda:0") is x
    assert x.cpu().cuda().device == x.device
    assert x.type() == "torch.cuda.FloatTensor"


@pytest.mark.parametrize(
    "make",
    [
        lambda d: graphc.zeros(2, 3, device=d),
        lambda d: graphc.full((3,), 2.5, device=d),
        lambda d: graphc.arange(5, device=d),
        lambda d: graphc.linspace(0, 1, 5, device=d),
        lambda d: graphc.eye(3, device=d),
        lambda d: graphc.ones_like(graphc.empty(2, device=d)),
        lambda d: graphc.tensor([[1, 2], [3, 4]], device=d).new_zeros(2),
        lambda d: graphc.Tensor([1.0, 2.0]).to(d),
        lambda d: graphc.as_tensor(np.arange(3), device=d),
    ],
)
def test_factories(make: Any) -> None:
    x = make(CUDA)
    assert str(x.device) == "cuda:0"
    assert numbers(x) == numbers(make("cpu"))


@pytest.mark.parametrize(
    "draw",
    [
        lambda d: graphc.rand(70, device=d),
        lambda d: graphc.randint(0, 100, (70,), device=d),
        lambda d: graphc.randperm(50, device=d),
        lambda d: graphc.empty(70, device=d).uniform_(-1, 1),
        lambda d: graphc.bernoulli(graphc.full((70,), 0.3, device=d)),
        lambda d: nn.functional.dropout(graphc.ones(70, device=d), 0.4),
    ],
)
def test_random_numbers_are_the_cpus(draw: Any) -> None:
    found = []
    for place in (CUDA, "cpu"):
        graphc.manual_seed(3)
        found.append([numbers(draw(place)), numbers(graphc.rand(3, device=place))])
    assert found[0] == found[1]


def test_normal_numbers_are_the_cpus() -> None:
    graphc.manual_seed(3)
    x = graphc.randn(100, device=CUDA)
    graphc.manual_seed(3)
    np.testing.assert_allclose(x.cpu().numpy(), graphc.randn(100).numpy(), rtol=2e-6, atol=1e-6)


def test_views_share_memory() -> None:
    x = graphc.arange(12.0).view(3, 4).to(CUDA)
    row, turned, part = x[1], x.t(), x[:, 1:3]
    x[1, 2] = 50
    assert row.tolist() == [4, 5, 50, 7]
    assert turned[2].tolist() == [2, 50, 10]
    part.mul_(10)
    assert x.tolist() == [[0, 10, 20, 3], [4, 50, 500, 7], [8, 90, 100, 11]]
    assert not turned.is_contiguous() and turned.stride() == (1, 4)
    assert turned.data_ptr() == x.data_ptr() and part.storage_offset() == 1
    assert turned.contiguous().tolist() == np.array(x.tolist()).T.tolist()
    assert x.view(-1)[5::3].clone().tolist() == [50, 8, 11]
    flipped = x[:, 1:].t() + 1
    assert flipped.tolist() == (np.array(x.tolist())[:, 1:].T + 1).tolist()


def test_a_view_that_begins_between_aligned_addresses() -> None:
    x = graphc.arange(9.0, device=CUDA)
    tail = x[1:]
    tail.add_(1)
    assert x.tolist() == [0, 2, 3, 4, 5, 6, 7, 8, 9]
    weight = nn.Parameter(graphc.arange(9.0, device=CUDA)[1:])
    step = graphc.compile(lambda w: w * w)
    assert step(weight.detach()).tolist() == [n * n for n in range(1, 9)]


def test_devices_do_not_mix() -> None:
    x = graphc.ones(2, device=CUDA)
    with pytest.raises(RuntimeError, match="at least two devices, cuda:0 and cpu!"):
        x + graphc.ones(2)
    with pytest.raises(RuntimeError, match="at least two devices"):
        nn.Linear(2, 2)(x)
    assert (x * graphc.tensor(3.0)).tolist() == [3, 3]
    assert (graphc.tensor(3.0) * x).tolist() == [3, 3]


def test_indices_of_the_cpu_go_along() -> None:
    x = graphc.arange(5.0, device=CUDA)
    assert x[graphc.tensor([3, 0])].tolist() == [3, 0]
    assert x[graphc.tensor([True, False, True, False, True])].tolist() == [0, 2, 4]
    x[graphc.tensor([1])] = 9
    assert x.tolist() == [0, 9, 2, 3, 4]
    assert x.nonzero().device == x.device
    assert x.unique().tolist() == [0, 2, 3, 4, 9]


def test_numbers_are_not_shared_with_numpy() -> None:
    x = graphc.ones(2, device=CUDA)
    with pytest.raises(TypeError, match="can't convert cuda:0 device type tensor to numpy"):
        x.numpy()
    with pytest.raises(TypeError, match="can't convert cuda:0"):
        np.asarray(x)
    source = np.ones(3, np.float32)
    y = graphc.from_numpy(source).to(CUDA)
    source[:] = 7
    assert y.tolist() == [1, 1, 1]


def test_gradients_cross_devices() -> None:
    x = graphc.tensor([1.0, 2.0, 3.0], requires_grad=True)
    (x.to(CUDA) ** 2).sum().backward()
    assert x.grad is not None
    assert (str(x.grad.device), x.grad.tolist()) == ("cpu", [2, 4, 6])
    y = graphc.ones(2, device=CUDA, requires_grad=True)
    (y * 3).cpu().sum().backward()
    assert y.grad is not None
    assert (str(y.grad.device), y.grad.tolist()) == ("cuda:0", [3, 3])


def test_modules_move(tmp_path: Path) -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
    before = {k: numbers(v) for k, v in model.state_dict().items()}
    assert model.to(CUDA) is model
    assert {str(x.device) for x in (*model.parameters(), *model.buffers())} == {"cuda:0"}
    assert {k: numbers(v) for k, v in model.state_dict().items()} == before
    graphc.save(model.state_dict(), tmp_path / "model.pt")
    assert str(graphc.load(tmp_path / "model.pt")["0.weight"].device) == "cuda:0"
    there = graphc.load(tmp_path / "model.pt", map_location="cpu")
    assert {str(x.device) for x in there.values()} == {"cpu"}
    assert {k: numbers(v) for k, v in there.items()} == before
    other = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
    other.load_state_dict(model.state_dict())
    assert {k: numbers(v) for k, v in other.state_dict().items()} == before
    assert str(next(other.parameters()).device) == "cpu"
    assert str(next(copy.deepcopy(model).parameters()).device) == "cuda:0"
    again = pickle.loads(pickle.dumps(model))
    assert {str(x.device) for x in again.parameters()} == {"cuda:0"}
    model.cpu()
    assert {str(x.device) for x in model.buffers()} == {"cpu"}


def test_the_default_device() -> None:
    with graphc.device(CUDA):
        assert str(graphc.ones(2).device) == "cuda:0"
        assert str(nn.Linear(2, 2).weight.device) == "cuda:0"
    assert str(graphc.ones(2).device) == "cpu"


def test_a_function_of_both_devices() -> None:
    def mixed(x: Any, y: Any) -> Any:
        total = (x * 2).cpu() + y
        return total, total.to(x.device) * x

    x, y = graphc.tensor([1.0, 2.0], device=CUDA), graphc.tensor([10.0, 20.0])
    for function in (mixed, graphc.compile(mixed)):
        for _ in range(3):
            first, second = function(x, y)
            assert (str(first.device), first.tolist()) == ("cpu", [12, 24])
            assert (str(second.device), second.tolist()) == ("cuda:0", [12, 48])


def test_a_compiled_function_tells_devices_apart() -> None:
    double = graphc.compile(lambda x: x * 2)
    for place in ("cpu", CUDA, "cpu", CUDA):
        for _ in range(3):
            made = double(graphc.ones(2, device=place))
            assert (made.device.type, made.tolist()) == (place, [2, 2])


def test_results_stay_when_the_program_runs_again() -> None:
    step = graphc.compile(lambda x: (x + 1, x.sum(), x.expand(3, 40_000).clone()))
    kept = [step(graphc.full((40_000,), float(i), device=CUDA)) for i in range(4)]
    for i, (y, total, large) in enumerate(kept):
        assert y[7].item() == i + 1 and total.item() == 40_000 * i
        assert large[2, 39_999].item() == i


def test_an_index_out_of_range_is_told_when_it_is_known() -> None:
    table = graphc.arange(4.0, device=CUDA).view(2, 2)
    wrong = nn.functional.embedding(graphc.tensor([0, 5], device=CUDA), table)
    with pytest.raises(IndexError, match=r"index out of range in self\n.*embedd"):
        wrong.tolist()
    look = graphc.compile(nn.functional.embedding)
    good, bad = graphc.tensor([1], device=CUDA), graphc.tensor([7], device=CUDA)
    assert look(good, table).tolist() == [[2, 3]]
    look(bad, table)
    look(good, table)
    with pytest.raises(IndexError, match="index out of range"):
        graphc.cuda.synchronize()
    assert look(good, table).tolist() == [[2, 3]]


def test_threads_use_the_device() -> None:
    found: list[Any] = []

    def work(n: float) -> None:
        found.append((graphc.full((3,), n, device=CUDA) * 2).sum().item())

    threads = [threading.Thread(target=work, args=(float(n),)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == [0, 6, 12, 18]


class Foreign:
    """What another library's array shows of itself."""

    def __init__(self, x: Any) -> None:
        self.x = x

    def __dlpack__(self, **settings: Any) -> Any:
        return self.x.__dlpack__(**settings)

    def __dlpack_device__(self) -> Any:
        return self.x.__dlpack_device__()


def test_dlpack_shares_memory() -> None:
    x = graphc.arange(6.0, device=CUDA).view(2, 3)
    y = graphc.from_dlpack(Foreign(x.t()))
    assert (y.data_ptr(), tuple(y.shape), y.stride()) == (x.data_ptr(), (3, 2), (1, 3))
    y[0, 1] = 50
    assert x.tolist() == [[0, 1, 2], [50, 4, 5]]
    assert x.__dlpack_device__() == (2, 0)
    half = graphc.ones(2, device=CUDA, dtype=graphc.bfloat16)
    assert graphc.from_dlpack(Foreign(half)).dtype is graphc.bfloat16


def test_the_cuda_array_interface() -> None:
    x = graphc.arange(6.0, device=CUDA).view(2, 3)
    shown = x.t().__cuda_array_interface__
    assert (shown["shape"], shown["typestr"], shown["strides"]) == ((3, 2), "<f4", (4, 12))

    class Array:
        __cuda_array_interface__ = shown
        owner = x

    y = graphc.as_tensor(Array())
    assert y.data_ptr() == x.data_ptr() and y.tolist() == x.t().tolist()
    with pytest.raises(AttributeError, match="non-CUDA tensor type"):
        graphc.ones(2).__cuda_array_interface__  # noqa: B018


def test_memory_is_counted() -> None:
    graphc.cuda.empty_cache()
    before = graphc.cuda.memory_allocated()
    graphc.cuda.reset_peak_memory_stats()
    x = graphc.tensor(np.zeros(1 << 20, np.float32), device=CUDA)
    assert graphc.cuda.memory_allocated() - before == 4 << 20
    del x
    assert graphc.cuda.memory_allocated() == before
    assert graphc.cuda.max_memory_allocated() - before == 4 << 20
    assert graphc.cuda.memory_reserved() >= 4 << 20
    graphc.cuda.empty_cache()
    free, total = graphc.cuda.mem_get_info()
    assert 0 < free <= total


def test_memory_that_is_not_there() -> None:
    _, total = graphc.cuda.mem_get_info()
    with pytest.raises(RuntimeError, match=r"CUDA out of memory: .* needs [\d,]+ bytes on device"):
        graphc.tensor([1.0], device=CUDA).expand(total // 4).clone().tolist()
    assert graphc.ones(3, device=CUDA).sum().item() == 3


def test_events_and_streams() -> None:
    start, end = (graphc.cuda.Event(enable_timing=True) for _ in range(2))
    with pytest.raises(ValueError, match="must be recorded"):
        start.elapsed_time(end)
    start.record()
    with graphc.cuda.stream(graphc.cuda.Stream()):
        total = graphc.ones(100, device=CUDA).sum()
        total.item()
    end.record()
    end.synchronize()
    assert end.query() and start.elapsed_time(end) > 0
    graphc.cuda.current_stream().synchronize()


def test_devices_that_are_not_there() -> None:
    count = graphc.cuda.device_count()
    with pytest.raises(RuntimeError, match="invalid device ordinal"):
        graphc.ones(1, device=f"cuda:{count}")
    assert graphc.cuda.get_device_name() == graphc.cuda.get_device_properties(0).name
    assert graphc.cuda.get_device_capability() >= (7, 0)


def test_an_image_that_the_driver_does_not_take(monkeypatch: pytest.MonkeyPatch) -> None:
    """As one of a compiler that is newer than the driver."""
    monkeypatch.setattr(compilation, "compile", lambda *_: b"\x7fELF" + bytes(200))
    with pytest.raises(GraphcRuntimeError, match=r"compiled by .*no newer than .*for CUDA \d"):
        device(0).functions(compilation, "", ["nothing"])
