"""``graphc.compile``: how it is called, and what a compiled function tells of its programs."""

from __future__ import annotations

import copy
import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import networkx
import numpy as np
import pytest

import graphc as torch
from graphc import nn
from graphc.compiled import Compiled


def network() -> Any:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2)).eval()


def frozen() -> Any:
    return network().requires_grad_(False)


def training() -> tuple[Any, Any, Any]:
    """A step with its state: a batch norm, a dropout, an optimizer with momentum."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout(0.5), nn.Linear(4, 2))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)

    def step(x: Any, y: Any) -> Any:
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    return model, optimizer, step


def batch(n: int = 5) -> tuple[Any, Any]:
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((n, 3)), rng.standard_normal((n, 2))
    return torch.tensor(x, dtype=torch.float32), torch.tensor(y, dtype=torch.float32)


def test_a_model_compiles_at_its_first_call() -> None:
    model = frozen()
    fast = torch.compile(model)
    assert fast.compilations == []
    x, _ = batch()
    np.testing.assert_allclose(fast(x).numpy(), model(x).numpy(), rtol=1e-6)
    assert len(fast.compilations) == 1


def test_a_model_compiles_at_once_for_example_inputs() -> None:
    x, _ = batch()
    fast = torch.compile(frozen(), x)
    assert len(fast.compilations) == 1
    fast(x)
    fast(batch()[0])
    assert len(fast.compilations) == 1


def test_a_function_and_the_decorators() -> None:
    def double(x: Any) -> Any:
        """Twice x."""
        return x * 2

    @torch.compile(backend="numpy")
    def triple(x: Any) -> Any:
        return x * 3

    twice = torch.compile(double)
    again = torch.compile(double, backend="numpy")
    x = torch.ones(3)
    assert [f(x).tolist() for f in (twice, again, triple)] == [[2.0] * 3, [2.0] * 3, [3.0] * 3]
    assert twice.__name__ == "double"
    assert twice.__doc__ == "Twice x."
    assert twice.__wrapped__ is double
    assert repr(triple) == "<compiled test_a_function_and_the_decorators.<locals>.triple>"


def test_settings_for_pytorchs_own_compiler_are_taken() -> None:
    def double(x: Any) -> Any:
        return x * 2

    fast = torch.compile(double, fullgraph=True, dynamic=False, mode="max-autotune", options={})
    assert fast(torch.ones(2)).tolist() == [2.0, 2.0]
    assert torch.compile(double, disable=True) is double
    assert torch.compile(model=double)(torch.ones(1)).tolist() == [2.0]
    assert torch.compile(mode="reduce-overhead")(double)(torch.ones(1)).tolist() == [2.0]


def test_what_cannot_be_compiled_is_refused() -> None:
    with pytest.raises(torch.GraphcError, match="takes a module or a function, not int") as caught:
        torch.compile(3)  # type: ignore[call-overload]
    assert isinstance(caught.value, TypeError)
    with pytest.raises(
        torch.GraphcError, match="unknown backend 'nothing': there are native, numpy"
    ):
        torch.compile(network(), backend="nothing")
    with pytest.raises(torch.GraphcError, match="has not been compiled yet"):
        _ = torch.compile(network()).graph


def test_a_compiled_module_is_the_module_itself() -> None:
    model = network()
    fast = torch.compile(model)
    assert isinstance(fast, nn.Module)
    assert list(map(id, fast.parameters())) == list(map(id, model.parameters()))
    assert list(fast.state_dict()) == [f"_orig_mod.{name}" for name in model.state_dict()]
    assert fast._orig_mod is model
    assert fast.get_submodule("_orig_mod.0") is model[0]
    assert len(fast) == 3
    assert not fast.training
    fast.train()
    assert model.training and model[0].training and fast.training
    fast.eval()
    assert not model[2].training
    fast.mark = "kept"
    assert model.mark == "kept"
    del fast.mark
    assert not hasattr(model, "mark")
    assert repr(fast).splitlines()[:2] == ["OptimizedModule(", "  (_orig_mod): Sequential("]
    assert "0.weight" in str(torch.compile(frozen(), batch()[0]).graph)


def test_a_compiled_module_saves_and_loads() -> None:
    fast, other = torch.compile(network()), torch.compile(network())
    with torch.no_grad():
        next(fast.parameters()).add_(1.0)
    x, _ = batch()
    assert not np.allclose(fast(x).detach().numpy(), other(x).detach().numpy())
    other.load_state_dict(fast.state_dict())
    np.testing.assert_array_equal(fast(x).detach().numpy(), other(x).detach().numpy())


def test_a_module_compiles_itself() -> None:
    module = network()
    x, _ = batch()
    before, names, called = module(x), list(module.state_dict()), []
    module.compile(mode="max-autotune")
    module.register_forward_hook(lambda *given: called.append(given))
    assert isinstance(module.forward, Compiled)
    assert torch.allclose(module(x), before)
    assert len(called) == 1
    assert list(module.state_dict()) == names
    module(x).sum().backward()
    assert all(p.grad is not None for p in module.parameters())
    module._forward_hooks.clear()
    for copied in (copy.deepcopy(module), pickle.loads(pickle.dumps(module))):
        assert not isinstance(copied.forward, Compiled)
        with torch.no_grad():
            for p in copied.parameters():
                p.zero_()
        assert not copied(x).any()
    assert torch.allclose(module(x), before)


def test_a_compiled_module_runs_its_hooks() -> None:
    fast = torch.compile(frozen())
    seen: list[Any] = []
    handle = fast.register_forward_hook(lambda module, args, result: seen.append(result.shape))
    x, _ = batch()
    fast(x)
    handle.remove()
    fast(x)
    assert seen == [(5, 2)]
    assert len(fast.compilations) == 1


def test_a_compiled_module_is_part_of_another_one() -> None:
    head = torch.compile(frozen())
    whole = nn.Sequential(head, nn.Softmax(1))
    x, _ = batch()
    expected = head._orig_mod(x).softmax(1).numpy()
    np.testing.assert_allclose(whole(x).numpy(), expected, rtol=1e-6)
    np.testing.assert_allclose(torch.compile(whole)(x).numpy(), expected, rtol=1e-6)


def test_the_graph_and_its_view() -> None:
    fast = torch.compile(frozen(), batch()[0])
    graph = fast.graph
    assert str(graph).startswith("step(%input: f32[5, 3]) {\n  state %0.weight: f32[4, 3]")
    assert isinstance(graph.nx, networkx.MultiDiGraph)
    assert set(graph.nx) == set(graph.nodes)
    assert networkx.is_directed_acyclic_graph(graph.nx)
    slots = {(a, b, data["slot"]) for a, b, data in graph.nx.edges(data=True)}
    assert slots == {(x, node, i) for node in graph.nodes for i, x in enumerate(node.inputs)}


def test_the_source_whole_and_by_kernel() -> None:
    fast = torch.compile(frozen(), batch()[0], backend="numpy")
    names = [kernel.name for kernel in fast.kernels]
    assert len(names) == len(set(names)) >= 3
    whole = fast.source()
    for kernel in fast.kernels:
        assert fast.source(kernel.name) == kernel.text
        assert kernel.origin in whole
        compile(kernel.text, kernel.name, "exec")
    assert "test_interface.py" in whole
    with pytest.raises(KeyError, match="no kernel 'missing': there are linear"):
        fast.source("missing")


STAGES = [
    "00-recorded.txt",
    "01-open_composites.txt",
    "02-simplify.txt",
    "03-fold_constants.txt",
    "04-merge_equal.txt",
    "05-simplify.txt",
    "06-merge_equal.txt",
    "07-fuse.txt",
]


def test_a_dump_has_every_stage_and_every_kernel(tmp_path: Path) -> None:
    _, _, step = training()
    fast = torch.compile(step, backend="numpy")
    fast(*batch())
    folder = fast.dump(tmp_path / "made" / "here")
    assert folder == tmp_path / "made" / "here"
    names = sorted(path.name for path in folder.iterdir())
    assert names == sorted([*STAGES, "graph.svg", "kernels", "memory.txt", "program.py"])
    assert (folder / "07-fuse.txt").read_text().splitlines()[0] == str(fast.graph).splitlines()[0]
    assert "test_interface.py" in (folder / "00-recorded.txt").read_text()
    kernels = {path.stem for path in (folder / "kernels").iterdir()}
    assert kernels == {kernel.name for kernel in fast.kernels}
    for kernel in fast.kernels:
        text = (folder / "kernels" / f"{kernel.name}.py").read_text()
        assert text.splitlines()[0] == f"# {kernel.origin}"
    assert (folder / "program.py").read_text().strip() == fast.source().strip()
    fast.dump(folder)
    assert sorted(path.name for path in folder.iterdir()) == names
    assert sorted(path.name for path in folder.parent.iterdir()) == ["here"]


def test_a_dump_tells_of_memory(tmp_path: Path) -> None:
    fast = torch.compile(frozen(), batch()[0])
    lines = (fast.dump(tmp_path) / "memory.txt").read_text().splitlines()
    found = {line[:18].strip(): int(line[18:].split()[0].replace(",", "")) for line in lines}
    assert found["inputs"] == 5 * 3 * 4
    assert found["state"] == (4 * 3 + 4 + 2 * 4 + 2) * 4
    assert found["outputs"] == 5 * 2 * 4
    assert found["arena"] == fast.last.program.sources.arena_bytes >= found["live at the peak"]


def test_a_dump_draws_the_graph(tmp_path: Path) -> None:
    fast = torch.compile(frozen(), batch()[0])
    root = ElementTree.parse(fast.dump(tmp_path) / "graph.svg").getroot()
    titles = [x.text for x in root.iter("{http://www.w3.org/2000/svg}title")]
    drawn = [x for x in fast.graph.nodes if x.op.name not in ("const", "item")]
    assert len(titles) == len(drawn)
    assert any("fused[add+relu]" in str(title) for title in titles)
    lines = list(root.iter("{http://www.w3.org/2000/svg}line"))
    assert len(lines) == sum(x.op.name != "const" for node in drawn for x in node.inputs)


RUN = """
import sys
import numpy as np
from program import bind
arrays = np.load("arrays.npz")
state = [arrays[f"state{i}"].copy() for i in range(int(arrays["count"]))]
(loss,) = bind(*state)(arrays["x"], arrays["y"])
np.savez("after.npz", loss, *state)
assert not any(name.split(".")[0] == "graphc" for name in sys.modules)
assert "jinja2" not in sys.modules and "networkx" not in sys.modules
"""


def test_the_dumped_program_runs_by_itself(tmp_path: Path) -> None:
    _, _, step = training()
    fast = torch.compile(step, backend="numpy")
    x, y = batch()
    fast(x, y)
    folder = fast.dump(tmp_path)
    state = [s.array.copy() for s in fast.last.captured.state]
    arrays = {f"state{i}": array for i, array in enumerate(state)}
    np.savez(folder / "arrays.npz", count=len(state), x=x.numpy(), y=y.numpy(), **arrays)
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    subprocess.run([sys.executable, "-c", RUN], cwd=folder, env=environment, check=True)
    loss = fast(x, y)
    after = np.load(folder / "after.npz")
    np.testing.assert_array_equal(after["arr_0"], loss.detach().numpy())
    for i, storage in enumerate(fast.last.captured.state):
        np.testing.assert_array_equal(after[f"arr_{i + 1}"], storage.array)
    assert isinstance(fast, Compiled)
