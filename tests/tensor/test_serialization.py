"""``save`` and ``load``: files that go to PyTorch and come from it, and what they may not do."""

from __future__ import annotations

import io
import os
import pickle
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc
from graphc import nn
from tests.tensor.programs import same
from tests.torch_peer import torch

WAYS = [(graphc, graphc), (graphc, torch), (torch, graphc)]
TYPES = ["bool", "uint8", "int8", "int16", "int32", "int64"]
TYPES += ["float16", "bfloat16", "float32", "float64"]


def sent(obj: Any, writer: Any, reader: Any, **options: Any) -> Any:
    """What ``reader`` makes of what ``writer`` saved."""
    file = io.BytesIO()
    writer.save(obj, file)
    file.seek(0)
    return reader.load(file, **options)


@pytest.fixture(params=WAYS, ids=lambda way: f"{way[0].__name__} to {way[1].__name__}")
def way(request: pytest.FixtureRequest) -> tuple[Any, Any]:
    found: tuple[Any, Any] = request.param
    return found


@pytest.mark.parametrize("name", TYPES)
def test_element_types(way: tuple[Any, Any], name: str) -> None:
    writer, reader = way
    x = writer.tensor([[0, 1, 2], [3, 1, 0]]).to(getattr(writer, name))
    found = sent(x, writer, reader)
    expected = torch.tensor([[0, 1, 2], [3, 1, 0]]).to(getattr(torch, name))
    assert str(found.dtype) == str(expected.dtype)
    assert found.tolist() == expected.tolist()


def test_containers_and_plain_values(way: tuple[Any, Any]) -> None:
    writer, reader = way
    obj = {
        "list": [1, 2.5, "text", None, True, (3, b"bytes")],
        "ordered": OrderedDict(a=writer.ones(2), b=writer.zeros(0, 3)),
        "size": writer.Size([2, 3]),
        "device": writer.device("cpu"),
        "type": writer.float16,
        "set": {1, 2},
        "number": writer.tensor(2.5),
    }
    found = sent(obj, writer, reader)
    assert list(found) == list(obj)
    assert found["list"] == obj["list"] and found["set"] == {1, 2}
    assert list(found["ordered"]) == ["a", "b"] and found["ordered"]["a"].tolist() == [1.0, 1.0]
    assert found["ordered"]["b"].shape == (0, 3)
    assert isinstance(found["size"], reader.Size) and found["size"] == (2, 3)
    assert found["device"] == reader.device("cpu") and found["type"] is reader.float16
    assert found["number"].item() == 2.5 and found["number"].shape == ()


def test_gradients_and_parameters(way: tuple[Any, Any]) -> None:
    writer, reader = way
    found = sent(
        [writer.ones(2, requires_grad=True), writer.nn.Parameter(writer.ones(2)), writer.ones(2)],
        writer,
        reader,
    )
    assert [x.requires_grad for x in found] == [True, True, False]
    assert [isinstance(x, reader.nn.Parameter) for x in found] == [False, True, False]
    (found[0] * found[1]).sum().backward()
    assert found[0].grad.tolist() == [1.0, 1.0]


def test_views_share_memory(way: tuple[Any, Any]) -> None:
    writer, reader = way
    x = writer.arange(6.0).reshape(2, 3)
    whole, row, turned = sent([x, x[1], x.T], writer, reader)
    row[0] = 100
    whole[0] = -1
    assert whole.tolist() == [[-1.0, -1.0, -1.0], [100.0, 4.0, 5.0]]
    assert turned.tolist() == [[-1.0, 100.0], [-1.0, 4.0], [-1.0, 5.0]]
    turned += 1
    assert row.tolist() == [101.0, 5.0, 6.0]


def test_a_state_dict_and_the_state_of_an_optimizer(way: tuple[Any, Any]) -> None:
    writer, reader = way
    # In this order: a norm takes the effect of a bias before it away, and its gradient is noise.
    models = [m.nn.Sequential(m.nn.BatchNorm1d(3), m.nn.Linear(3, 2)) for m in (writer, reader)]
    optimizers = [
        m.optim.Adam(model.parameters(), lr=0.1)
        for m, model in zip((writer, reader), models, strict=True)
    ]
    x = np.random.default_rng(0).standard_normal((4, 3)).astype(np.float32)
    for _ in range(2):
        optimizers[0].zero_grad()
        models[0](writer.from_numpy(x)).exp().sum().backward()
        optimizers[0].step()
    states = sent([models[0].state_dict(), optimizers[0].state_dict()], writer, reader)
    models[1].load_state_dict(states[0])
    optimizers[1].load_state_dict(states[1])
    results = []
    for m, model, optimizer in zip((writer, reader), models, optimizers, strict=True):
        optimizer.zero_grad()
        loss = model(m.from_numpy(x)).exp().sum()
        loss.backward()
        optimizer.step()
        results.append([loss.item(), *(p.detach().numpy() for p in model.parameters())])
    for a, b in zip(*results, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_a_path_and_equal_bytes(tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("first.pt", "second.pt")]
    for file in files:
        graphc.save({"x": graphc.arange(3)}, file)
        assert graphc.load(str(file))["x"].tolist() == [0, 1, 2]
        same("x", graphc.load(file)["x"], torch.load(file)["x"])
    contents = [io.BytesIO(), io.BytesIO()]
    for content in contents:
        graphc.save({"x": graphc.arange(3)}, content)
    assert contents[0].getvalue() == contents[1].getvalue()


def test_what_was_read_is_written_again() -> None:
    first = sent({"w": graphc.ones(2, 3), "b": graphc.zeros(2)}, graphc, graphc)
    second = sent(first, graphc, torch)
    assert second["w"].shape == (2, 3) and second["b"].tolist() == [0.0, 0.0]


class Touch:
    """Runs code as it is unpickled."""

    def __reduce__(self) -> Any:
        return os.putenv, ("GRAPHC_TEST_RAN", "1")


def test_weights_only_runs_no_code() -> None:
    with pytest.raises(pickle.UnpicklingError, match="Weights only load failed"):
        sent({"x": Touch()}, graphc, graphc)


def test_a_whole_module_needs_trust() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
    with pytest.raises(pickle.UnpicklingError, match="weights_only"):
        sent(model, graphc, graphc)
    found = sent(model, graphc, graphc, weights_only=False)
    x = graphc.ones(1, 2)
    assert found(x).tolist() == model(x).tolist()
    assert [p.requires_grad for p in found.parameters()] == [True, True]


def test_arrays_and_numbers_of_numpy() -> None:
    found = sent([np.arange(3), np.float32(1.5), np.bool_(True)], graphc, graphc)
    np.testing.assert_array_equal(found[0], np.arange(3))
    assert found[1:] == [1.5, True]


def test_other_files_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "text.pt"
    file.write_text("no archive")
    with pytest.raises(RuntimeError, match="zip archive"):
        graphc.load(file)


def test_memory_of_a_gpu_needs_a_place() -> None:
    file, moved = io.BytesIO(), io.BytesIO()
    graphc.save(graphc.ones(2), file)
    with zipfile.ZipFile(file) as archive, zipfile.ZipFile(moved, "w") as copy:
        for name in archive.namelist():
            part = archive.read(name)
            copy.writestr(name, part.replace(b"X\x03\x00\x00\x00cpu", b"X\x04\x00\x00\x00cuda"))
    with pytest.raises(RuntimeError, match="map your storages to the CPU"):
        graphc.load(moved)
    assert graphc.load(moved, map_location="cpu").tolist() == [1.0, 1.0]
