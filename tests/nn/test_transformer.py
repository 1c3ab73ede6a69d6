"""Attention and transformers against PyTorch's with the same weights."""

from __future__ import annotations

import copy
import math
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import graphc
from tests.nn.peers import both, both_fail
from tests.torch_peer import Array, normal, same, torch

Build = Callable[[Any], Any]
Call = Callable[..., Any]
"""What a layer of a package yields, given further tensors."""


@pytest.fixture(autouse=True)
def _no_warning_of_what_is_not_nested() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="enable_nested_tensor is True")
        warnings.filterwarnings("ignore", message="The PyTorch API of nested tensors")
        yield


def pair(build: Build, *, train: bool = True) -> tuple[Any, Any]:
    """The layer of both packages, in double precision, with the same weights."""
    peer, mine = build(torch.nn).double(), build(graphc.nn).double()
    draws = np.random.default_rng(7)
    with torch.no_grad():
        for p in peer.parameters():
            p.copy_(torch.tensor(draws.standard_normal(tuple(p.shape)) * 0.4))
    saved = {name: graphc.tensor(x.numpy().copy()) for name, x in peer.state_dict().items()}
    assert list(mine.state_dict()) == list(saved)
    mine.load_state_dict(saved)
    return mine.train(train), peer.train(train)


def compare(call: Call, layers: tuple[Any, Any], *arrays: Array) -> None:
    """Results, and the gradients of a sum over them with respect to arguments and weights."""
    results, gradients = [], []
    for package, layer in zip((graphc, torch), layers, strict=True):
        layer.zero_grad()
        tensors = [package.tensor(x).requires_grad_() for x in arrays]
        found = call(package, layer, *tensors)
        found = list(found) if isinstance(found, tuple) else [found]
        parts = [(x * x.detach().cos()).sum() for x in found if x is not None]
        sum(parts).backward()
        results.append(found)
        gradients.append([x.grad for x in (*tensors, *layer.parameters())])
    same(results[0], results[1])
    same(gradients[0], gradients[1])


def bools(m: Any, *shape: int, seed: int = 3) -> Any:
    """A mask of truth values that leaves something in each row."""
    mask = np.random.default_rng(seed).random(shape) < 0.4
    mask[..., 0] = False
    return m.tensor(mask)


def floats(m: Any, *shape: int) -> Any:
    return m.tensor(normal(*shape, seed=4))


def causal(m: Any, size: int) -> Any:
    return m.nn.Transformer.generate_square_subsequent_mask(size, dtype=m.float64)


ATTENTION: dict[str, tuple[Build, Call]] = {
    "usual": (
        lambda nn: nn.MultiheadAttention(8, 2),
        lambda m, layer, q, k: layer(q, k, k),
    ),
    "three operands": (
        lambda nn: nn.MultiheadAttention(8, 2),
        lambda m, layer, q, k: layer(q, k, k * 2),
    ),
    "itself": (
        lambda nn: nn.MultiheadAttention(8, 4),
        lambda m, layer, q, k: layer(q, q, q),
    ),
    "weights of each head": (
        lambda nn: nn.MultiheadAttention(8, 2),
        lambda m, layer, q, k: layer(q, k, k, average_attn_weights=False),
    ),
    "no weights": (
        lambda nn: nn.MultiheadAttention(8, 2),
        lambda m, layer, q, k: layer(q, k, k, need_weights=False)[0],
    ),
    "no bias": (
        lambda nn: nn.MultiheadAttention(8, 2, bias=False),
        lambda m, layer, q, k: layer(q, k, k),
    ),
    "bias of keys": (
        lambda nn: nn.MultiheadAttention(8, 2, add_bias_kv=True),
        lambda m, layer, q, k: layer(q, k, k, bools(m, 3, 5), attn_mask=bools(m, 4, 5)),
    ),
    "zeros": (
        lambda nn: nn.MultiheadAttention(8, 2, add_zero_attn=True),
        lambda m, layer, q, k: layer(q, k, k, floats(m, 3, 5), attn_mask=floats(m, 4, 5)),
    ),
    "bias and zeros": (
        lambda nn: nn.MultiheadAttention(8, 2, add_bias_kv=True, add_zero_attn=True),
        lambda m, layer, q, k: layer(q, k, k, bools(m, 3, 5), need_weights=False)[0],
    ),
    "other sizes": (
        lambda nn: nn.MultiheadAttention(8, 2, kdim=6, vdim=5),
        lambda m, layer, q, k: layer(q, k[..., :6], k[..., :5]),
    ),
    "padding": (
        lambda nn: nn.MultiheadAttention(8, 2),
        lambda m, layer, q, k: layer(q, k, k, bools(m, 3, 5)),
    ),
    "padding, no weights": (
        lambda nn: nn.MultiheadAttention(8, 2),
        lambda m, layer, q, k: layer(q, k, k, bools(m, 3, 5), need_weights=False)[0],
    ),
    "mask": (
        lambda nn: nn.MultiheadAttention(8, 2),
        lambda m, layer, q, k: layer(q, k, k, attn_mask=bools(m, 4, 5)),
    ),
    "mask of each head": (
        lambda nn: nn.MultiheadAttention(8, 2),
        lambda m, layer, q, k: layer(q, k, k, attn_mask=floats(m, 6, 4, 5), need_weights=False)[0],
    ),
    "both masks": (
        lambda nn: nn.MultiheadAttention(8, 2),
        lambda m, layer, q, k: layer(q, k, k, bools(m, 3, 5), attn_mask=bools(m, 6, 4, 5)),
    ),
    "causal": (
        lambda nn: nn.MultiheadAttention(8, 2),
        lambda m, layer, q, k: layer(
            q, q, q, attn_mask=causal(m, 4), is_causal=True, need_weights=False
        )[0],
    ),
    "causal, with weights": (
        lambda nn: nn.MultiheadAttention(8, 2),
        lambda m, layer, q, k: layer(q, q, q, attn_mask=causal(m, 4), is_causal=True),
    ),
    "causal, with padding": (
        lambda nn: nn.MultiheadAttention(8, 2),
        lambda m, layer, q, k: layer(
            q, q, q, floats(m, 3, 4), attn_mask=causal(m, 4), is_causal=True, need_weights=False
        )[0],
    ),
    "batch first": (
        lambda nn: nn.MultiheadAttention(8, 2, batch_first=True),
        lambda m, layer, q, k: layer(q.transpose(0, 1), k.transpose(0, 1), k.transpose(0, 1)),
    ),
    "batch first, masked": (
        lambda nn: nn.MultiheadAttention(8, 2, batch_first=True, add_bias_kv=True),
        lambda m, layer, q, k: layer(
            q.transpose(0, 1),
            k.transpose(0, 1),
            k.transpose(0, 1),
            bools(m, 3, 5),
            attn_mask=bools(m, 4, 5),
            need_weights=False,
        )[0],
    ),
    "one sequence": (
        lambda nn: nn.MultiheadAttention(8, 2),
        lambda m, layer, q, k: layer(q[:, 0], k[:, 0], k[:, 0], bools(m, 5)),
    ),
    "one sequence, itself, batch first": (
        lambda nn: nn.MultiheadAttention(8, 2, batch_first=True),
        lambda m, layer, q, k: layer(
            q[:, 0], q[:, 0], q[:, 0], attn_mask=bools(m, 2, 4, 4), average_attn_weights=False
        ),
    ),
}


@pytest.mark.parametrize("case", ATTENTION)
def test_attention(case: str) -> None:
    build, call = ATTENTION[case]
    compare(call, pair(build), normal(4, 3, 8), normal(5, 3, 8, seed=1))


@pytest.mark.parametrize("case", ["usual", "batch first", "one sequence", "weights of each head"])
def test_what_a_result_comes_from(case: str) -> None:
    build, call = ATTENTION[case]
    mine, peer = pair(build)
    names = []
    for package, layer in ((graphc, mine), (torch, peer)):
        arrays = normal(4, 3, 8), normal(5, 3, 8, seed=1)
        results = call(package, layer, *map(package.tensor, arrays))
        names.append([repr(x).split("grad_fn=")[-1] for x in results])
    assert names[0] == names[1]


def test_the_function_takes_keys_and_values_as_they_are() -> None:
    mine, peer = pair(lambda nn: nn.MultiheadAttention(8, 2))

    def call(m: Any, layer: Any, q: Any, k: Any) -> Any:
        return m.nn.functional.multi_head_attention_forward(
            q,
            k,
            k,
            8,
            2,
            layer.in_proj_weight,
            layer.in_proj_bias,
            None,
            None,
            False,
            0.5,
            layer.out_proj.weight,
            layer.out_proj.bias,
            training=False,
            static_k=floats(m, 6, 5, 4),
            static_v=floats(m, 6, 5, 4),
        )

    compare(call, (mine, peer), normal(4, 3, 8), normal(5, 3, 8, seed=1))


def test_weights_are_dropped() -> None:
    graphc.manual_seed(0)
    layer = graphc.nn.MultiheadAttention(4, 2, dropout=0.25)
    x = graphc.zeros(50, 3, 4)
    _, weights = layer(x, x, x, average_attn_weights=False)
    values = np.unique(np.round(weights.detach().numpy(), 5))
    np.testing.assert_allclose(values, [0, 1 / 50 / 0.75], atol=1e-5)
    assert abs((weights == 0).float().mean().item() - 0.25) < 0.02
    layer.eval()
    assert (layer(x, x, x)[1] > 0).all()


LAYERS: dict[str, Build] = {
    "TransformerEncoderLayer": lambda nn: nn.TransformerEncoderLayer(8, 2, 16, 0.0),
    "TransformerEncoderLayer, gelu": lambda nn: nn.TransformerEncoderLayer(
        8, 4, 16, 0.0, "gelu", 1e-3, batch_first=True, norm_first=True
    ),
    "TransformerEncoderLayer, own activation": lambda nn: nn.TransformerEncoderLayer(
        8, 2, 16, 0.0, nn.SiLU(), bias=False
    ),
    "TransformerDecoderLayer": lambda nn: nn.TransformerDecoderLayer(8, 2, 16, 0.0),
    "TransformerDecoderLayer, norm first": lambda nn: nn.TransformerDecoderLayer(
        8, 2, 16, 0.0, "gelu", batch_first=True, norm_first=True
    ),
    "TransformerEncoder": lambda nn: nn.TransformerEncoder(
        nn.TransformerEncoderLayer(8, 2, 16, 0.0), 2
    ),
    "TransformerEncoder, batch first": lambda nn: nn.TransformerEncoder(
        nn.TransformerEncoderLayer(8, 2, 16, 0.0, batch_first=True), 2, nn.LayerNorm(8)
    ),
    "TransformerDecoder": lambda nn: nn.TransformerDecoder(
        nn.TransformerDecoderLayer(8, 2, 16, 0.0), 2, nn.LayerNorm(8)
    ),
    "Transformer": lambda nn: nn.Transformer(8, 2, 1, 2, 16, 0.0),
    "Transformer, batch first": lambda nn: nn.Transformer(
        8, 2, 2, 1, 16, 0.0, "gelu", batch_first=True, norm_first=True, bias=False
    ),
}


def call_layer(m: Any, layer: Any, x: Any, y: Any, *, masked: bool) -> Any:
    """The layer's result for sequences of 3 and, where it takes two, of 4 elements."""
    kind = type(layer).__name__
    rows = 3 if getattr(layer, "batch_first", layer_is_batch_first(layer)) else 2
    keys = 2 if rows == 3 else 3
    if "Encoder" in kind:
        if not masked:
            return layer(x)
        name = "mask" if kind == "TransformerEncoder" else "src_mask"
        masks = {name: bools(m, keys, keys), "src_key_padding_mask": bools(m, rows, keys)}
        return layer(x, **masks)
    if not masked:
        return layer(y, x)
    names = ("src", "tgt") if kind == "Transformer" else ("memory", "tgt")
    source = {
        f"{names[0]}_key_padding_mask": bools(m, rows, keys),
        "memory_mask": bools(m, y.shape[1] if rows == 3 else y.shape[0], keys),
    }
    if kind == "Transformer":
        source["src_mask"] = bools(m, keys, keys)
        first = (x, y)
    else:
        first = (y, x)
    steps = y.shape[1] if rows == 3 else y.shape[0]
    return layer(*first, tgt_mask=causal(m, steps), **source)


def layer_is_batch_first(layer: Any) -> bool:
    attention = next(x for x in layer.modules() if type(x).__name__ == "MultiheadAttention")
    return bool(attention.batch_first)


@pytest.mark.parametrize("masked", [False, True], ids=["plain", "masked"])
@pytest.mark.parametrize("case", LAYERS)
def test_layers(case: str, masked: bool) -> None:
    layers = pair(LAYERS[case])
    first = layer_is_batch_first(layers[0])
    x = normal(3, 2, 8)
    y = normal(3, 4, 8, seed=1) if first else normal(4, 2, 8, seed=1)
    compare(lambda m, layer, x, y: call_layer(m, layer, x, y, masked=masked), layers, x, y)


@pytest.mark.parametrize("case", [*LAYERS])
def test_layers_print_as_in_pytorch(case: str) -> None:
    assert repr(LAYERS[case](graphc.nn)) == repr(LAYERS[case](torch.nn))


def test_attention_prints_as_in_pytorch() -> None:
    both(lambda m: repr(m.nn.MultiheadAttention(8, 2, add_bias_kv=True, kdim=3)))
    both(lambda m: repr(m.nn.Transformer(8, 2, 1, 1, 16)))


def test_causal_masks() -> None:
    both(lambda m: repr(m.nn.Transformer.generate_square_subsequent_mask(3)))
    both(lambda m: repr(m.nn.Transformer(8, 2, 1, 1, 16).generate_square_subsequent_mask(2)))


def test_a_hint_that_the_mask_is_causal() -> None:
    layers = pair(LAYERS["Transformer"])
    compare(
        lambda m, layer, x, y: layer(
            x,
            y,
            src_mask=causal(m, 3),
            tgt_mask=causal(m, 4),
            src_is_causal=True,
            tgt_is_causal=True,
        ),
        layers,
        normal(3, 2, 8),
        normal(4, 2, 8, seed=1),
    )


@pytest.mark.parametrize("aligned", [True, False])
def test_padding_comes_out_as_in_pytorch(aligned: bool) -> None:
    mine, peer = pair(LAYERS["TransformerEncoder, batch first"], train=False)
    mask = np.array([[False, False, False], [False, True, True]])
    if not aligned:
        mask[1] = [True, False, True]
    x = normal(2, 3, 8)
    with graphc.no_grad(), torch.no_grad():
        ours = mine(graphc.tensor(x), src_key_padding_mask=graphc.tensor(mask))
        theirs = peer(torch.tensor(x), src_key_padding_mask=torch.tensor(mask))
    same(ours, theirs)
    ours = mine(graphc.tensor(x), src_key_padding_mask=graphc.tensor(mask))
    same(ours, peer(torch.tensor(x), src_key_padding_mask=torch.tensor(mask)))


def test_layers_are_copies() -> None:
    layer = graphc.nn.TransformerEncoderLayer(8, 2, 16)
    encoder = graphc.nn.TransformerEncoder(layer, 2)
    first, second = encoder.layers
    assert first is not layer
    assert (first.linear1.weight == second.linear1.weight).all()
    with graphc.no_grad():
        first.linear1.weight.zero_()
    assert (second.linear1.weight != 0).any()
    assert list(copy.deepcopy(encoder).state_dict()) == list(encoder.state_dict())


def test_initial_weights_are_drawn_by_pytorchs_rules() -> None:
    graphc.manual_seed(0)
    layer = graphc.nn.MultiheadAttention(64, 4, add_bias_kv=True)
    bound = math.sqrt(6 / (64 + 192))
    weights = layer.in_proj_weight.detach().numpy()
    assert abs(weights).max() <= bound
    assert abs(weights.std() - bound / math.sqrt(3)) < 0.003
    assert not layer.in_proj_bias.any()
    assert not layer.out_proj.bias.any()
    assert layer.bias_k is not None
    assert layer.bias_k.std() > 0
    decoder = graphc.nn.Transformer(64, 4, 1, 1, 64).decoder.layers[0]
    bound = math.sqrt(6 / (64 + 64))
    assert bound * 0.97 < abs(decoder.linear1.weight.detach().numpy()).max() <= bound


def test_a_compiled_transformer_is_the_same() -> None:
    mine, peer = pair(LAYERS["Transformer"])
    compiled = graphc.compile(mine)
    for seed in range(2):
        x, y = normal(3, 2, 8, seed=seed), normal(4, 2, 8, seed=seed + 9)
        with graphc.no_grad(), torch.no_grad():
            same(
                compiled(graphc.tensor(x), graphc.tensor(y)),
                peer(torch.tensor(x), torch.tensor(y)),
            )


def attend(m: Any, *given: Any, layer: Any = None, **options: Any) -> Any:
    return (layer or m.nn.MultiheadAttention(4, 2))(*given, **options)


WRONG: dict[str, Callable[[Any], Any]] = {
    "no heads": lambda m: m.nn.MultiheadAttention(4, 0),
    "heads": lambda m: m.nn.MultiheadAttention(4, 3),
    "embedding": lambda m: attend(m, *[m.ones(2, 3, 5)] * 3),
    "rank": lambda m: attend(m, *[m.ones(4)] * 3),
    "ranks": lambda m: attend(m, m.ones(2, 3, 4), m.ones(3, 4), m.ones(3, 4)),
    "ranks without a batch": lambda m: attend(m, m.ones(2, 4), m.ones(2, 3, 4), m.ones(3, 4)),
    "padding's rank": lambda m: attend(m, *[m.ones(2, 3, 4)] * 3, key_padding_mask=m.ones(2)),
    "mask's rank": lambda m: attend(m, *[m.ones(2, 3, 4)] * 3, attn_mask=m.ones(2)),
    "mask's shape": lambda m: attend(m, *[m.ones(2, 3, 4)] * 3, attn_mask=m.ones(2, 3)),
    "mask's shape, 3D": lambda m: attend(m, *[m.ones(2, 3, 4)] * 3, attn_mask=m.ones(2, 2, 2)),
    "mask's shape without a batch": lambda m: attend(
        m, *[m.ones(2, 4)] * 3, attn_mask=m.ones(3, 2, 2)
    ),
    "padding's shape": lambda m: attend(m, *[m.ones(2, 3, 4)] * 3, key_padding_mask=m.ones(3, 5)),
    "padding's batch": lambda m: attend(m, *[m.ones(2, 3, 4)] * 3, key_padding_mask=m.ones(2, 2)),
    "mask's type": lambda m: attend(m, *[m.ones(2, 3, 4)] * 3, attn_mask=m.ones(2, 2).long()),
    "key and value": lambda m: attend(m, m.ones(2, 3, 4), m.ones(5, 3, 4), m.ones(6, 3, 4)),
    "key and value, batch first": lambda m: attend(
        m,
        m.ones(3, 2, 4),
        m.ones(3, 5, 4),
        m.ones(3, 6, 4),
        layer=m.nn.MultiheadAttention(4, 2, batch_first=True),
    ),
    "causal": lambda m: attend(m, *[m.ones(2, 3, 4)] * 3, is_causal=True),
    "activation": lambda m: m.nn.TransformerEncoderLayer(4, 2, activation="tanh"),
    "batches": lambda m: m.nn.Transformer(4, 2, 1, 1, 4)(m.ones(2, 3, 4), m.ones(2, 2, 4)),
    "features": lambda m: m.nn.Transformer(4, 2, 1, 1, 4)(m.ones(2, 3, 4), m.ones(2, 3, 5)),
}


@pytest.mark.parametrize("case", WRONG)
def test_errors_are_pytorchs(case: str) -> None:
    with pytest.raises(Exception) as theirs:
        WRONG[case](torch)
    with pytest.raises(type(theirs.value)) as ours:
        WRONG[case](graphc)
    assert str(theirs.value) in str(ours.value)


def test_static_keys_that_do_not_fit() -> None:
    def call(m: Any, **static: Any) -> Any:
        x = m.ones(2, 3, 4)
        weights = (m.ones(12, 4), None, None, None, False, 0.0, m.ones(4, 4), None)
        return m.nn.functional.multi_head_attention_forward(x, x, x, 4, 2, *weights, **static)

    both_fail(lambda m: call(m, static_k=m.ones(5, 2, 2)))
    both_fail(lambda m: call(m, static_v=m.ones(6, 2, 3)))


def test_warnings_are_pytorchs() -> None:
    for m in (graphc, torch):
        given = {
            "attn_mask": m.zeros(2, 2),
            "key_padding_mask": m.zeros(3, 2, dtype=m.bool),
        }
        with pytest.warns(UserWarning, match="mismatched key_padding_mask and attn_mask is dep"):
            attend(m, *[m.ones(2, 3, 4)] * 3, **given)
        layer = m.nn.TransformerEncoderLayer(4, 2, 4)
        with pytest.warns(UserWarning, match="self_attn.batch_first was not True"):
            m.nn.TransformerEncoder(layer, 1)


@pytest.mark.parametrize("package", [graphc, torch])
def test_a_kernel_of_attention_can_be_asked_for(package: Any) -> None:
    from torch.nn import attention as theirs

    from graphc.nn import attention as mine

    names = mine if package is graphc else theirs
    x = package.ones(1, 1, 2, 4)
    for wanted in (names.SDPBackend.MATH, [names.SDPBackend.MATH]):
        with names.sdpa_kernel(wanted):
            found = package.nn.functional.scaled_dot_product_attention(x, x, x)
        assert found.tolist() == x.tolist()
    with pytest.raises(AssertionError), names.sdpa_kernel("math"):
        pass
