"""Printed tensors: PyTorch's text, character for character."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphc.errors import GraphcValueError
from graphc.printing import format_parameter, format_tensor, get_printoptions, printoptions

DTYPES = [
    "bool",
    "uint8",
    "int8",
    "int16",
    "int32",
    "int64",
    "float16",
    "bfloat16",
    "float32",
    "float64",
]


def shown(values: object, dtype: str = "float32", **options: object) -> str:
    return format_tensor(np.array(values, dtype), dtype=dtype, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("values", "dtype", "text"),
    [
        ([1.0, 2.0, 3.0], "float32", "tensor([1., 2., 3.])"),
        ([0.1, 20.5], "float32", "tensor([ 0.1000, 20.5000])"),
        ([1, -20], "int64", "tensor([  1, -20])"),
        ([[True, False]], "bool", "tensor([[ True, False]])"),
        (8.0, "float32", "tensor(8.)"),
        ([1e-8, 1.0], "float32", "tensor([1.0000e-08, 1.0000e+00])"),
        ([1.0], "float64", "tensor([1.], dtype=torch.float64)"),
        ([], "float32", "tensor([])"),
        ([float("nan"), float("inf"), 1.0], "float32", "tensor([nan, inf, 1.])"),
        (np.zeros((0, 3)), "float32", "tensor([], size=(0, 3))"),
        ([[1, 2], [3, 4]], "int32", "tensor([[1, 2],\n        [3, 4]], dtype=torch.int32)"),
    ],
)
def test_text(values: object, dtype: str, text: str) -> None:
    assert shown(values, dtype) == text


def test_suffixes() -> None:
    assert shown([1.0], requires_grad=True) == "tensor([1.], requires_grad=True)"
    assert shown([1.0], grad_fn="AddBackward0") == "tensor([1.], grad_fn=<AddBackward0>)"
    assert shown([1.0], device="cuda:0") == "tensor([1.], device='cuda:0')"
    text = format_parameter(np.ones(1, np.float32), dtype="float32")
    assert text == "Parameter containing:\ntensor([1.], requires_grad=True)"


def test_a_large_tensor_is_summarised() -> None:
    assert shown(range(2000), "int64") == "tensor([   0,    1,    2,  ..., 1997, 1998, 1999])"


def test_options_hold_within_their_block() -> None:
    before = get_printoptions()
    with printoptions(precision=2):
        assert shown([0.125]) == "tensor([0.12])"
    assert get_printoptions() == before
    with pytest.raises(GraphcValueError, match="profile"), printoptions(profile="long"):
        pass


@st.composite
def arrays(draw: st.DrawFn) -> tuple[str, np.ndarray]:
    dtype = draw(st.sampled_from(DTYPES))
    rank = draw(st.integers(0, 4))
    long = draw(st.integers(0, 9)) == 0
    extents = st.integers(
        0 if draw(st.integers(0, 19)) == 0 else 1, 400 if long and rank < 2 else 7
    )
    shape = tuple(draw(extents) for _ in range(rank))
    rng = np.random.default_rng(draw(st.integers(0, 1 << 30)))
    values = rng.normal(size=shape) * 10.0 ** draw(st.integers(-8, 8))
    if draw(st.booleans()):
        values = np.round(values)
    values = np.asarray(values)
    if values.size and "float" in dtype and draw(st.booleans()):
        odd = draw(st.sampled_from([np.nan, np.inf, -np.inf, 0.0]))
        values.reshape(-1)[draw(st.integers(0, values.size - 1))] = odd
    with np.errstate(all="ignore"):
        return dtype, values.astype(ml_dtypes.bfloat16 if dtype == "bfloat16" else dtype)


@settings(max_examples=400, deadline=None)
@given(arrays(), st.booleans(), st.sampled_from([{}, {"precision": 2}, {"linewidth": 40}]))
def test_it_is_what_pytorch_prints(
    case: tuple[str, np.ndarray], requires_grad: bool, options: dict[str, int]
) -> None:
    torch = pytest.importorskip("torch", reason="compared with PyTorch (extra: peers)")
    dtype, array = case
    wide = array.astype(np.float32) if dtype == "bfloat16" else array
    tensor = torch.from_numpy(np.ascontiguousarray(wide)).reshape(wide.shape)
    tensor = tensor.to(getattr(torch, dtype))
    requires_grad = requires_grad and tensor.dtype.is_floating_point
    tensor.requires_grad_(requires_grad)
    torch.set_printoptions(profile="default", **options)
    try:
        with printoptions(profile="default", **options):
            assert format_tensor(array, dtype=dtype, requires_grad=requires_grad) == repr(tensor)
    finally:
        torch.set_printoptions(profile="default")
