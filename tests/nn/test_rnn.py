"""Recurrent layers against PyTorch's with the same weights; sequences padded and packed."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc
from tests.nn.peers import both, both_fail
from tests.torch_peer import Array, normal, same, torch

Build = Callable[[Any], Any]

LAYERS: dict[str, Build] = {
    "RNN": lambda nn: nn.RNN(3, 4),
    "RNN, relu": lambda nn: nn.RNN(3, 4, 2, "relu", bias=False),
    "RNN, both": lambda nn: nn.RNN(3, 4, num_layers=2, bidirectional=True, batch_first=True),
    "GRU": lambda nn: nn.GRU(3, 4),
    "GRU, deep": lambda nn: nn.GRU(3, 4, 3, batch_first=True),
    "GRU, both": lambda nn: nn.GRU(3, 4, 2, bias=False, bidirectional=True),
    "LSTM": lambda nn: nn.LSTM(3, 4),
    "LSTM, deep": lambda nn: nn.LSTM(3, 4, 2, batch_first=True),
    "LSTM, both": lambda nn: nn.LSTM(3, 4, 2, bidirectional=True),
    "LSTM, no bias": lambda nn: nn.LSTM(3, 4, bias=False, batch_first=True),
    "LSTM, projected": lambda nn: nn.LSTM(3, 4, 2, proj_size=2, bidirectional=True),
    "LSTM, projected, no bias": lambda nn: nn.LSTM(3, 4, bias=False, proj_size=3),
}
CELLS: dict[str, Build] = {
    "RNNCell": lambda nn: nn.RNNCell(3, 4),
    "RNNCell, relu": lambda nn: nn.RNNCell(3, 4, bias=False, nonlinearity="relu"),
    "GRUCell": lambda nn: nn.GRUCell(3, 4),
    "GRUCell, no bias": lambda nn: nn.GRUCell(3, 4, bias=False),
    "LSTMCell": lambda nn: nn.LSTMCell(3, 4),
    "LSTMCell, no bias": lambda nn: nn.LSTMCell(3, 4, bias=False),
}
BASES = {"RNNBase", "RNNCellBase"}
LENGTHS = [2, 5, 1, 5]


def pair(build: Build) -> tuple[Any, Any]:
    """The layer of both packages, in double precision, with the same weights."""
    peer = build(torch.nn).double()
    mine = build(graphc.nn).double()
    saved = {name: graphc.tensor(x.numpy().copy()) for name, x in peer.state_dict().items()}
    assert list(mine.state_dict()) == list(saved)
    mine.load_state_dict(saved)
    return mine, peer


def flat(result: Any) -> list[Any]:
    """The tensors in nested tuples."""
    if isinstance(result, tuple | list):
        return [x for part in result for x in flat(part)]
    return [] if result is None else [result]


def compare(call: Callable[..., Any], layers: tuple[Any, Any], *arrays: Array) -> None:
    """Results, and the gradients of a sum over them with respect to arguments and weights."""
    gradients = []
    results = []
    for package, layer in zip((graphc, torch), layers, strict=True):
        layer.zero_grad()
        tensors = [package.tensor(x).requires_grad_() for x in arrays]
        found = flat(call(package, layer, *tensors))
        total = sum((x * x.detach().cos()).sum() for x in found if x.requires_grad)
        total.backward()
        results.append(found)
        leaves = [*tensors, *layer.parameters()]
        gradients.append([x.grad for x in leaves])
    same(results[0], results[1])
    same(gradients[0], gradients[1])


def initial(layer: Any, *batch: int) -> list[Array]:
    """Initial states for a layer or a cell."""
    lead: tuple[int, ...] = ()
    if hasattr(layer, "num_layers"):
        lead = (layer.num_layers * (2 if layer.bidirectional else 1),)
    hidden = normal(*lead, *batch, getattr(layer, "proj_size", 0) or layer.hidden_size, seed=1)
    if "LSTM" not in type(layer).__name__:
        return [hidden]
    return [hidden, normal(*lead, *batch, layer.hidden_size, seed=2)]


def states(given: tuple[Any, ...]) -> Any:
    return given if len(given) > 1 else given[0]


@pytest.mark.parametrize("case", LAYERS)
def test_sequences(case: str) -> None:
    layers = pair(LAYERS[case])
    x = normal(5, 2, 3)
    compare(lambda _, layer, x: layer(x), layers, x)
    batch = 5 if layers[0].batch_first else 2
    compare(lambda _, layer, x, *h: layer(x, states(h)), layers, x, *initial(layers[0], batch))


@pytest.mark.parametrize("case", LAYERS)
def test_one_sequence_without_a_batch(case: str) -> None:
    layers = pair(LAYERS[case])
    x = normal(4, 3)
    compare(lambda _, layer, x: layer(x), layers, x)
    compare(lambda _, layer, x, *h: layer(x, states(h)), layers, x, *initial(layers[0]))


@pytest.mark.parametrize("case", LAYERS)
def test_one_step(case: str) -> None:
    compare(lambda _, layer, x: layer(x), pair(LAYERS[case]), normal(1, 1, 3))


@pytest.mark.parametrize("case", LAYERS)
def test_packed_sequences(case: str) -> None:
    layers = pair(LAYERS[case])

    def call(package: Any, layer: Any, x: Any, *given: Any) -> Any:
        rnn = package.nn.utils.rnn
        packed = rnn.pack_padded_sequence(x, LENGTHS, batch_first=True, enforce_sorted=False)
        output, last = layer(packed, states(given) if given else None)
        assert isinstance(output, rnn.PackedSequence)
        return rnn.pad_packed_sequence(output, batch_first=True), last

    compare(call, layers, normal(4, 5, 3))
    compare(call, layers, normal(4, 5, 3), *initial(layers[0], 4))


@pytest.mark.parametrize("case", CELLS)
def test_cells(case: str) -> None:
    layers = pair(CELLS[case])
    compare(lambda _, cell, x: cell(x), layers, normal(2, 3))
    compare(lambda _, cell, x, *h: cell(x, states(h)), layers, normal(2, 3), *initial(layers[0], 2))
    compare(lambda _, cell, x, *h: cell(x, states(h)), layers, normal(3), *initial(layers[0]))


@pytest.mark.parametrize("case", [*LAYERS, *CELLS])
def test_layers_print_as_in_pytorch(case: str) -> None:
    build = {**LAYERS, **CELLS}[case]
    assert repr(build(graphc.nn)) == repr(build(torch.nn))
    assert [n for n, _ in build(graphc.nn).named_parameters()] == [
        n for n, _ in build(torch.nn).named_parameters()
    ]


def test_settings_print_as_in_pytorch() -> None:
    both(lambda m: repr(m.nn.LSTM(3, 4, 2, False, True, 0.5, True, proj_size=2)))
    both(lambda m: repr(m.nn.GRUCell(input_size=3, hidden_size=4)))


@pytest.mark.parametrize("case", ["RNN, both", "GRU, deep", "LSTM, both", "LSTM"])
def test_what_a_result_comes_from(case: str) -> None:
    def program(m: Any) -> Any:
        result = LAYERS[case](m.nn)(m.ones(2, 2, 3))
        return [repr(x).split("grad_fn=")[-1] for x in flat(result)]

    both(program)


@pytest.mark.parametrize("case", ["RNN, relu", "GRU", "LSTM", "LSTM, projected"])
def test_gradients_of_gradients(case: str) -> None:
    layers, found = pair(LAYERS[case]), []
    for package, layer in zip((graphc, torch), layers, strict=True):
        x = package.tensor(normal(3, 2, 3)).requires_grad_()
        output = flat(layer(x))[0]
        leaves = [x, *layer.parameters()]
        first = package.autograd.grad((output**2).sum(), leaves, create_graph=True)
        total = sum((g**3).sum() for g in first)
        found.append(package.autograd.grad(total, leaves))
    same(*found)


@pytest.mark.parametrize("case", ["RNN", "GRU", "LSTM", "LSTM, projected"])
@pytest.mark.parametrize("frozen", ["weight", "bias", "hh"])
def test_frozen_weights_get_no_gradient(case: str, frozen: str) -> None:
    layers = pair(LAYERS[case])
    for layer in layers:
        for name, p in layer.named_parameters():
            p.requires_grad_(frozen not in name)
    compare(lambda _, layer, x: layer(x), layers, normal(3, 2, 3))


@pytest.mark.parametrize("case", ["RNN, both", "GRU, both", "LSTM, both"])
def test_a_compiled_layer_is_the_same(case: str) -> None:
    mine, peer = pair(LAYERS[case])
    compiled = graphc.compile(mine)
    for seed in range(2):
        x = normal(4, 2, 3, seed=seed)
        with graphc.no_grad(), torch.no_grad():
            same(flat(compiled(graphc.tensor(x))), flat(peer(torch.tensor(x))))


def test_dropout_is_between_layers() -> None:
    graphc.manual_seed(0)
    layer = graphc.nn.GRU(3, 400, 2, dropout=0.25)
    with graphc.no_grad():
        for name, p in layer.named_parameters():
            p.fill_(0.0)
            if name == "bias_ih_l0":
                p[800:] = 20.0  # every output of the first layer is (1 - 0.5) · tanh(20)
            if name == "weight_ih_l1":
                p[800:] = graphc.eye(400)
    first = layer(graphc.zeros(1, 1, 3))[0]
    values = np.unique(np.round(first.detach().numpy(), 5))
    np.testing.assert_allclose(values, [0, round(0.5 * np.tanh(0.5 / 0.75), 5)], atol=1e-5)
    assert abs((first == 0).float().mean().item() - 0.25) < 0.08
    layer.eval()
    assert (layer(graphc.zeros(1, 1, 3))[0] != 0).all()


def test_a_copy_and_a_pickle_go_on_alone() -> None:
    layer = graphc.nn.LSTM(3, 4, 2)
    x = graphc.tensor(normal(2, 2, 3, dtype="float32"))
    expected = layer(x)[0].detach().numpy().copy()
    for other in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        with graphc.no_grad():
            other.weight_ih_l0 *= 2
        assert not np.allclose(other(x)[0].detach().numpy(), expected)
        np.testing.assert_array_equal(layer(x)[0].detach().numpy(), expected)


WRONG: dict[str, Callable[[Any], Any]] = {
    "mode": lambda m: m.nn.RNN(3, 4, nonlinearity="sin"),
    "projection": lambda m: m.nn.GRU(3, 4, proj_size=2),
    "projection's size": lambda m: m.nn.LSTM(3, 4, proj_size=4),
    "negative projection": lambda m: m.nn.LSTM(3, 4, proj_size=-1),
    "dropout": lambda m: m.nn.LSTM(3, 4, 2, dropout=1.5),
    "dropout's type": lambda m: m.nn.LSTM(3, 4, 2, dropout=True),
    "no layers": lambda m: m.nn.LSTM(3, 4, 0),
    "sizes": lambda m: m.nn.LSTM(0, 4),
    "hidden": lambda m: m.nn.LSTM(3, 4.0),
    "bias": lambda m: m.nn.LSTM(3, 4, bias=1),
    "base": lambda m: m.nn.RNNBase("X", 3, 4),
    "rank": lambda m: m.nn.LSTM(3, 4)(m.ones(3)),
    "rank of an RNN": lambda m: m.nn.RNN(3, 4)(m.ones(3)),
    "features": lambda m: m.nn.GRU(3, 4)(m.ones(2, 2, 4)),
    "type": lambda m: m.nn.GRU(3, 4)(m.ones(2, 2, 3, dtype=m.float64)),
    "state": lambda m: m.nn.GRU(3, 4)(m.ones(2, 2, 3), m.ones(1, 3, 4)),
    "state's rank": lambda m: m.nn.GRU(3, 4)(m.ones(2, 2, 3), m.ones(2, 4)),
    "unbatched state": lambda m: m.nn.GRU(3, 4)(m.ones(2, 3), m.ones(1, 1, 4)),
    "hidden state": lambda m: m.nn.LSTM(3, 4)(m.ones(2, 2, 3), (m.ones(1, 1, 4), m.ones(1, 2, 4))),
    "cell": lambda m: m.nn.LSTM(3, 4)(m.ones(2, 2, 3), (m.ones(1, 2, 4), m.ones(1, 2, 3))),
    "states' ranks": lambda m: m.nn.LSTM(3, 4)(m.ones(2, 2, 3), (m.ones(1, 4), m.ones(1, 2, 4))),
    "unbatched states": lambda m: m.nn.LSTM(3, 4)(m.ones(2, 3), (m.ones(1, 4), m.ones(1, 2, 4))),
    "cell's rank": lambda m: m.nn.GRUCell(3, 4)(m.ones(1, 1, 3)),
    "cell's state": lambda m: m.nn.GRUCell(3, 4)(m.ones(2, 3), m.ones(1, 1, 4)),
    "memory's state": lambda m: m.nn.LSTMCell(3, 4)(m.ones(2, 3), (m.ones(1, 4), m.ones(1, 1, 4))),
    "cell's features": lambda m: m.nn.GRUCell(3, 4)(m.ones(2, 4)),
    "cell's batch": lambda m: m.nn.GRUCell(3, 4)(m.ones(2, 3), m.ones(3, 4)),
    "cell's hidden size": lambda m: m.nn.GRUCell(3, 4)(m.ones(2, 3), m.ones(2, 3)),
    "nonlinearity": lambda m: m.nn.RNNCell(3, 4, nonlinearity="sin")(m.ones(2, 3)),
}


@pytest.mark.parametrize("case", WRONG)
def test_errors_are_pytorchs(case: str) -> None:
    with pytest.raises(Exception) as theirs:
        WRONG[case](torch)
    with pytest.raises(type(theirs.value)) as ours:
        WRONG[case](graphc)
    assert str(theirs.value) in str(ours.value)


def test_dropout_of_one_layer_warns() -> None:
    for package in (graphc, torch):
        with pytest.warns(UserWarning, match="dropout option adds dropout after all but last"):
            package.nn.LSTM(3, 4, dropout=0.5)


def sequences(m: Any, *lengths: int) -> list[Any]:
    return [m.arange(10.0 * i, 10.0 * i + 2 * n).reshape(n, 2) for i, n in enumerate(lengths, 1)]


PACKING: dict[str, Callable[[Any, Any], Any]] = {
    "padded": lambda m, rnn: rnn.pad_sequence(sequences(m, 2, 3, 1)),
    "padded, batch first": lambda m, rnn: rnn.pad_sequence(sequences(m, 2, 3, 1), True, -1.0),
    "padded, left": lambda m, rnn: rnn.pad_sequence(sequences(m, 2, 3), padding_side="left"),
    "padded integers": lambda m, rnn: rnn.pad_sequence([m.arange(3), m.arange(2)], False, 2.5),
    "padded types": lambda m, rnn: rnn.pad_sequence([m.arange(3), m.ones(2)]),
    "packed": lambda m, rnn: rnn.pack_sequence(sequences(m, 3, 2, 2)),
    "packed, unsorted": lambda m, rnn: rnn.pack_sequence(sequences(m, 1, 3, 2), False),
    "packed vectors": lambda m, rnn: rnn.pack_sequence([m.arange(3), m.arange(2)]),
    "packed from padded": lambda m, rnn: rnn.pack_padded_sequence(m.ones(4, 2, 3), [4, 2]),
    "packed by a tensor": lambda m, rnn: rnn.pack_padded_sequence(
        m.arange(24.0).reshape(2, 4, 3), m.tensor([1, 3]), batch_first=True, enforce_sorted=False
    ),
    "packed, shorter": lambda m, rnn: rnn.pack_padded_sequence(m.ones(4, 2, 3), [3, 2]),
    "unpacked": lambda m, rnn: rnn.pad_packed_sequence(rnn.pack_sequence(sequences(m, 3, 1))),
    "unpacked, longer": lambda m, rnn: rnn.pad_packed_sequence(
        rnn.pack_sequence(sequences(m, 1, 3), False), True, -1.0, 5
    ),
    "unpadded": lambda m, rnn: rnn.unpad_sequence(
        rnn.pad_sequence(sequences(m, 2, 3)), m.tensor([2, 3])
    ),
    "unpadded, batch first": lambda m, rnn: rnn.unpad_sequence(
        rnn.pad_sequence(sequences(m, 2, 3), True), m.tensor([2, 3]), True
    ),
    "there and back": lambda m, rnn: rnn.unpack_sequence(
        rnn.pack_sequence(sequences(m, 2, 3, 1), enforce_sorted=False)
    ),
    "inverted": lambda m, rnn: rnn.invert_permutation(m.tensor([2, 0, 1])),
    "converted": lambda m, rnn: rnn.pack_sequence(sequences(m, 3, 2)).double(),
    "no sequences": lambda m, rnn: rnn.pad_sequence([]),
    "not iterable": lambda m, rnn: rnn.pad_sequence(3),
    "other features": lambda m, rnn: rnn.pad_sequence([m.ones(2, 3), m.ones(2, 2)]),
    "numbers": lambda m, rnn: rnn.pad_sequence([m.tensor(1.0)]),
    "side": lambda m, rnn: rnn.pad_sequence(sequences(m, 2), padding_side="top"),
    "not sorted": lambda m, rnn: rnn.pack_sequence(sequences(m, 2, 3)),
    "empty": lambda m, rnn: rnn.pack_padded_sequence(m.ones(3, 2), [2, 0]),
    "batch": lambda m, rnn: rnn.pack_padded_sequence(m.ones(3, 2), [2, 1, 1]),
    "nested lengths": lambda m, rnn: rnn.pack_padded_sequence(m.ones(3, 2), [[2, 1]]),
    "too short": lambda m, rnn: rnn.pad_packed_sequence(
        rnn.pack_sequence(sequences(m, 3)), total_length=2
    ),
}


@pytest.mark.parametrize("case", PACKING)
def test_sequences_of_several_lengths(case: str) -> None:
    def program(m: Any) -> Any:
        return repr(PACKING[case](m, m.nn.utils.rnn))

    try:
        program(torch)
    except (RuntimeError, ValueError):
        both_fail(program)
    else:
        both(program)


def test_packing_has_a_gradient() -> None:
    def program(m: Any) -> Any:
        x = m.arange(12.0).reshape(3, 2, 2).requires_grad_()
        packed = m.nn.utils.rnn.pack_padded_sequence(x, [3, 1])
        padded, _ = m.nn.utils.rnn.pad_packed_sequence(packed, padding_value=7.0)
        (padded**2).sum().backward()
        return [repr(x.grad), repr(packed.data), repr(padded)]

    both(program)


def test_lengths_beyond_the_input() -> None:
    with pytest.raises(RuntimeError, match="lengths to be at most that of the input, 3, but got 4"):
        graphc.nn.utils.rnn.pack_padded_sequence(graphc.ones(3, 2), [4, 2])
