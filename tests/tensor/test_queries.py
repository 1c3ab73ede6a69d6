"""What is asked of tensors, types, shapes and devices, against PyTorch."""

from __future__ import annotations

import pytest

from tests.tensor.programs import check, lines

LINES = lines(r"""
torch.ones(2) + np.ones(2)
torch.ones(2) * np.float64(2)
torch.ones(2, dtype=torch.int64) + np.float64(2.5)
torch.ones(2, dtype=torch.int64) * np.int32(2)
torch.ones(2).type_as(torch.tensor([1]))
torch.ones(2).is_cuda
torch.ones(2).device
torch.ones(2).device.type
torch.ones(2).device == torch.device("cpu")
torch.ones(2).device == "cpu"
torch.device("cpu")
torch.device("cuda", 1)
torch.device("cuda:1").index
torch.device("cpu").index
torch.device(type="cpu")
hash(torch.device("cpu")) == hash(torch.device("cpu"))
torch.ones(2).dtype == torch.float32
torch.ones(2).dtype is torch.float
torch.float32.is_floating_point
torch.int32.is_signed
torch.uint8.is_signed
torch.float32.itemsize
torch.float32.is_complex
torch.double
torch.half
torch.long
torch.int
torch.short
torch.bool
torch.uint8
torch.finfo(torch.float32)
torch.finfo(torch.float32).eps
torch.finfo(torch.float16).max
torch.finfo(torch.bfloat16).min
torch.finfo(torch.float64).tiny
torch.finfo(torch.float32).smallest_normal
torch.finfo().dtype
torch.finfo(torch.bfloat16).resolution
torch.finfo(torch.float16).bits
torch.iinfo(torch.int32)
torch.iinfo(torch.uint8).max
torch.iinfo(torch.int64).min
torch.iinfo(torch.bool)
torch.is_tensor(torch.ones(2))
torch.is_tensor([1])
torch.is_floating_point(torch.ones(2))
torch.ones(2).is_floating_point()
torch.ones(2).is_complex()
torch.is_complex(torch.ones(2))
torch.numel(torch.ones(2, 3))
torch.ones(2, 3).numel()
torch.ones(2, 3).nelement()
torch.ones(2, 3).element_size()
torch.ones(2, 3).nbytes
torch.ones(2, 3).itemsize
torch.ones(2, 3).dim()
torch.ones(2, 3).ndim
torch.ones(2, 3).size()
torch.ones(2, 3).size(0)
torch.ones(2, 3).size(-1)
torch.ones(2, 3).size(2)
torch.ones(2, 3).size(dim=1)
torch.ones(2, 3).shape
torch.ones(2, 3).shape[1]
torch.ones(2, 3).shape[:1]
torch.ones(2, 3).shape + (4,)
torch.ones(2, 3).shape == (2, 3)
torch.ones(2, 3).shape.numel()
torch.Size([2, 3])
torch.Size((2, 3)) * 2
torch.Size([2, 3]).count(2)
torch.Size([2.5])
torch.Size()
torch.tensor(1).size()
torch.tensor(1).size(0)
torch.ones(2, 3).stride()
torch.ones(2, 3).stride(0)
torch.ones(2, 3).stride(5)
torch.ones(2, 3).t().stride()
torch.ones(2, 3).t().is_contiguous()
torch.ones(2, 3).t().contiguous().stride()
torch.ones(2, 3)[:, 1].stride()
torch.ones(2, 3)[:, 1].storage_offset()
torch.ones(2, 3).expand(4, 2, 3).stride()
torch.ones(2, 3)[None].stride()
torch.ones(4, 6)[::2, ::3].stride()
torch.ones(2, 3).T.reshape(2, 3).is_contiguous()
torch.ones(2, 3).is_contiguous(memory_format=torch.contiguous_format)
torch.ones(1, 2, 2, 2).contiguous(memory_format=torch.channels_last).shape
torch.ones(2).is_same_size(torch.ones(2))
torch.ones(2).is_set_to(torch.ones(2))
torch.ones(2).is_leaf
torch.ones(2).is_sparse
torch.ones(2).layout
torch.ones(2).names
torch.ones(2).is_pinned()
torch.ones(2).is_shared()
torch.ones(2).get_device()
torch.ones(2).is_signed()
torch.tensor([1], dtype=torch.uint8).is_signed()
torch.ones(2).is_conj()
torch.ones(2).is_neg()
torch.ones(2).is_nonzero()
torch.ones(1).is_nonzero()
torch.is_nonzero(torch.zeros(1))
torch.ones(2).requires_grad
torch.ones(2).grad
torch.ones(2).grad_fn
torch.ones(2).output_nr
torch.ones(2).is_quantized
torch.ones(2).has_names()
torch.equal(torch.ones(2), torch.ones(2))
torch.equal(torch.ones(2), torch.ones(3))
torch.equal(torch.ones(2), torch.ones(2, dtype=torch.int64))
torch.equal(torch.ones(2), 1)
torch.equal(torch.tensor(float("nan")), torch.tensor(float("nan")))
torch.ones(2).equal(torch.ones(2))
torch.allclose(torch.ones(2), torch.ones(2) + 1e-9)
torch.allclose(torch.ones(2), torch.zeros(2), atol=1)
torch.allclose(torch.tensor([float("nan")]), torch.tensor([float("nan")]), equal_nan=True)
torch.allclose(torch.ones(2), torch.ones(2, dtype=torch.float64))
torch.ones(2).allclose(torch.ones(2))
torch.isclose(torch.ones(2), torch.tensor([1.0, 1.1]))
torch.result_type(torch.ones(2, dtype=torch.int32), 1.5)
torch.result_type(torch.ones(2), torch.ones((), dtype=torch.float64))
torch.result_type(1, 2.5)
torch.promote_types(torch.int32, torch.float16)
torch.promote_types(torch.uint8, torch.int8)
torch.promote_types(torch.float16, torch.bfloat16)
torch.can_cast(torch.float32, torch.int32)
torch.can_cast(torch.int32, torch.float32)
torch.can_cast(torch.int64, torch.uint8)
torch.can_cast(torch.bool, torch.uint8)
torch.can_cast(torch.float64, torch.float16)
torch.get_default_dtype()
torch.typename(torch.ones(2))
torch.typename(3)
torch.numel(3)
torch.ones(2).__len__()
torch.ones(2).__array__().dtype
torch.ones(2).__array_priority__
torch.ones(2).__dlpack_device__()[1]
torch.Tensor.add(torch.ones(2), 1)
torch.Tensor.__mro__[-1]
torch.ones(2).nonzero()
torch.ones(2).nonzero(as_tuple=True)
torch.ones(2).argwhere()
""")


@pytest.mark.parametrize("program", LINES)
def test_line(program: str) -> None:
    check(program)
