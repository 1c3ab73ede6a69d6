"""Windows, ranges, buffers, settings and questions, against PyTorch."""

from __future__ import annotations

import pytest

from tests.tensor.programs import check, lines

OPERANDS = """
x = torch.arange(12.0).reshape(3, 4)
i = torch.tensor([0, 2, 0])
"""
PROGRAMS = lines("""
torch.hann_window(5)
torch.hann_window(6, False)
torch.hann_window(1), torch.hann_window(0)
torch.hann_window(-1)
torch.hann_window(5.0)
torch.hann_window(5, dtype=torch.int64)
torch.hann_window(5, dtype=torch.float64, requires_grad=True)
torch.hann_window(5, dtype=torch.float16)
torch.hamming_window(5)
torch.hamming_window(5, True, 0.5)
torch.hamming_window(5, True, 0.5, 0.4)
torch.hamming_window(5, periodic=False), torch.hamming_window(1)
torch.hamming_window(-3)
torch.blackman_window(5)
torch.blackman_window(6, False, dtype=torch.float64)
torch.bartlett_window(5)
torch.bartlett_window(6, False), torch.bartlett_window(0)
torch.kaiser_window(5)
torch.kaiser_window(6, False, 3.0), torch.kaiser_window(1)
torch.range(1, 4)
torch.range(1, 4, 0.5)
torch.range(0, 5, 2, dtype=torch.int64)
torch.range(3, 1, -1)
torch.range(3, 1)
torch.range(0, 1, 0)
torch.range(0, float("inf"))
torch.frombuffer(bytearray(b"abcd"), dtype=torch.uint8)
torch.frombuffer(bytearray(range(8)), dtype=torch.int16, offset=4)
torch.frombuffer(bytearray(8), dtype=torch.float32, count=1)
torch.frombuffer(bytearray(7), dtype=torch.float32)
torch.frombuffer(bytearray(8), dtype=torch.float32, count=3)
torch.frombuffer(bytearray(8), dtype=torch.float32, offset=9)
torch.frombuffer(bytearray(0), dtype=torch.float32)
torch.frombuffer(b"abcd", dtype=torch.uint8)
torch.frombuffer(np.arange(3.0), dtype=torch.float64)
torch.frombuffer(bytearray(8), dtype=torch.float32, requires_grad=True)
torch.frombuffer(3, dtype=torch.float32)
a = bytearray(4); v = torch.frombuffer(a, dtype=torch.uint8); v[0] = 7; v.sum().item(); list(a)
torch.empty_strided((2, 3), (1, 2)).stride(), torch.empty_strided((2, 3), (3, 1)).shape
torch.empty_strided((2, 0), (1, 2)).shape, torch.empty_strided((), ()).shape
torch.empty_permuted((2, 3, 4), (1, 2, 0)).stride()
x.new_empty_strided((2, 2), (1, 2)).stride(), x.double().new_empty_strided((1,), (1,)).dtype
torch.unravel_index(torch.tensor([5, 7]), (3, 4))
torch.unravel_index(torch.tensor(5), [3, 4])
torch.unravel_index(torch.tensor([[5, 7], [1, 2]]), torch.Size([3, 4]))
torch.unravel_index(torch.tensor([5]), 12)
torch.unravel_index(torch.tensor([-1, 12]), (3, 4))
torch.unravel_index(torch.tensor([1.0]), (3, 4))
torch.unravel_index(torch.tensor([1]), (3, -4))
torch.broadcast_shapes((2, 1), (3,)), torch.broadcast_shapes((2, 1), 3), torch.broadcast_shapes()
torch.broadcast_shapes((2,), (3,))
torch.broadcast_shapes((5, 2), (1, 2), (4, 5, 1), (3, 1, 1))
torch.broadcast_shapes((-1,), (3,))
torch.is_same_size(x, i), torch.is_same_size(x, x + 1)
torch.is_signed(x), torch.is_signed(i.byte()), torch.is_signed(i > 0), i.is_signed()
torch.get_device(x)
torch.get_default_device().type
torch.set_default_device("cpu"); torch.get_default_device().type
torch.set_default_device(None); torch.ones(1).device.type
d = torch.set_default_tensor_type; d(torch.DoubleTensor); z = torch.ones(1); d(torch.FloatTensor); z
torch.set_default_tensor_type(torch.LongTensor)
torch.set_num_interop_threads(0)
torch.real(x) is x, torch.conj(x) is x, torch.resolve_conj(x) is x, torch.resolve_neg(x) is x
x.conj() is x, x.resolve_conj() is x, x.resolve_neg() is x
torch.conj_physical(x), x.conj_physical_()
torch.imag(x)
x.imag
torch.is_conj(x), torch.is_neg(x), x.is_conj(), x.is_neg()
torch.conj(3)
""")


@pytest.mark.parametrize("program", PROGRAMS)
def test_program(program: str) -> None:
    check(f"{OPERANDS}\n" + program.replace("; ", "\n"))
