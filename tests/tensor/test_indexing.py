"""Reading and writing ``x[index]`` with every kind of index, against PyTorch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.tensor.programs import check, lines

READS = lines("""
0
1
-1
2
-3
0, 1
0, 1, 2
0, 1, 2, 0
-1, -2, -3
-1, -4
:
1:
:1
::2
::-1
1:0
0:100
-100:100
:, 1
:, 1:
:, ::2
:, :, ::3
..., 0
0, ...
0, ..., 0
..., None
None
None, 0
0, None
:, None
:, None, 1
None, ..., None
..., ...
...
()
[]
[0]
[0, 1]
[1, 0, 1]
[[0, 1], [1, 0]]
[0, -1]
[0, 5]
[-3]
[0], [1]
[0, 1], [1, 2]
[0, 1], [1, 2], [0, 3]
[0, 1], :, [0, 3]
:, [0, 2]
:, [0, 2], [1, 3]
:, [0, 2], 1
0, [0, 2]
0, :, [0, 2]
0, [0, 2], 1
[0, 1], 0
[0, 1], ..., 0
[0, 1], None
None, [0, 1]
None, [0, 1], :, [0, 1]
[0, 1], None, [0, 1]
[[0], [1]], [[0, 2]]
[[0], [1]], [0, 2]
[0, 1], [0, 1, 2]
torch.tensor(0)
torch.tensor(1), 1
torch.tensor([0, 1])
torch.tensor([[0, 1], [1, 0]])
torch.tensor([], dtype=torch.int64)
torch.tensor([0, 1], dtype=torch.int32)
torch.tensor([0, 1], dtype=torch.int16)
torch.tensor([0, 1], dtype=torch.int8)
torch.tensor([0, 1], dtype=torch.uint8)
torch.tensor([0.0, 1.0])
torch.tensor(0.0)
torch.tensor([2])
torch.tensor(5)
:, torch.tensor([2, 0])
:, torch.tensor([[2, 0]])
..., torch.tensor([3, 0])
torch.tensor([0, 1]), :, torch.tensor([3, 0])
torch.tensor([0, 1]), 1:, torch.tensor([3, 0])
torch.tensor([[0], [1]]), torch.tensor([1, 2])
torch.tensor(1), torch.tensor(2)
torch.tensor(1), :, torch.tensor(2)
:, torch.tensor(1)
:, torch.tensor(1), torch.tensor([0, 1])
True
False
True, 0
False, 0
None, True
[True, False]
[False, False]
[True, True, True]
[True]
torch.tensor(True)
torch.tensor(False)
torch.tensor([True, False])
torch.tensor([False, False])
torch.tensor([True, False, True])
:, torch.tensor([True, False, True])
:, [True, False, True]
..., torch.tensor([True, False, True, True])
torch.tensor([[True, False, True], [False, True, True]])
torch.tensor([[True, False, True], [False, True, True]]), 0
torch.tensor([[True, False, True], [False, True, True]]), torch.tensor([0, 1, 2, 3])
torch.tensor([[True, False, True], [False, True, True]]), 1:
torch.tensor([[True, False], [False, True]])
torch.arange(24).reshape(2, 3, 4) > 10
torch.arange(24).reshape(2, 3, 4) > 100
torch.tensor([True, False]), torch.tensor([0, 1])
torch.tensor([True, True]), torch.tensor([0, 1])
torch.tensor([True, False]), torch.tensor([True, False, True])
torch.tensor([True, True]), torch.tensor([True, False, True])
torch.tensor([True, False]), :, torch.tensor([True, False, True, True])
torch.tensor([1, 0], dtype=torch.uint8)
np.array([0, 1])
np.array(1)
np.array([True, False])
np.array([0.5])
:, np.array([0, 2])
np.int64(1)
np.int32(-1)
np.bool_(True)
np.float64(1.0)
slice(0, 1)
slice(None, None, 2), 0
(0, 1)
[0, 1], (0, 1)
([0, 1], [0, 1])
[(0, 1), (1, 0)]
range(2)
1.0
1.5
"a"
0, "a"
None, None
{0}
{0: 1}
object()
torch.tensor(0):torch.tensor(2)
np.int64(0):np.int64(2)
0.5:1
"a":
::0
::-2
[[[0]]]
[None]
[slice(0, 1)]
[slice(0, 1), 0]
[...]
[0, None]
[[0, 1], None]
[torch.tensor(0), torch.tensor(1)]
[torch.tensor([0, 1]), torch.tensor([1, 0])]
(torch.tensor([0, 1]), slice(None), None)
[True, 0]
[1.0]
["a"]
[[0, 1], [1]]
torch.ones(2)
1:2:True
True:
""")
WRITES = lines("""
0 = 5
0, 1 = 5
0, 1, 2 = 5.5
-1 = 5
3 = 5
: = 5
::2 = 5
::-1 = 5
:, 1 = torch.tensor([1., 2, 3, 4])
:, 1 = torch.tensor([1., 2, 3])
0 = torch.arange(4.0)
0 = torch.arange(12.0).reshape(3, 4)
0 = torch.arange(12.0).reshape(1, 3, 4)
0 = torch.arange(12.0).reshape(4, 3)
0 = torch.arange(12)
0 = torch.ones(1, 1, 1, 3, 4)
0 = torch.ones(2, 3, 4)
... = 3
... = torch.tensor(3)
... , 0 = torch.tensor([1, 2, 3])
None = 3
None, 0 = torch.ones(1, 3, 4)
() = 2
[] = 2
[0] = 2
[0, 1] = 2
[0, 0] = torch.stack([torch.zeros(3, 4), torch.ones(3, 4)])
[0, 1], [1, 2] = 5
[0, 1], [1, 2] = torch.arange(4.0)
[0, 1], [1, 2] = torch.arange(8.0).reshape(2, 4)
[0, 1], [1, 2] = torch.arange(8.0).reshape(4, 2)
[0, 1], [1, 2] = torch.arange(3.0)
[0, 1], :, [1, 2] = torch.arange(3.0)
[0, 1], :, [1, 2] = torch.arange(6.0).reshape(2, 3)
:, [0, 2] = 1
:, [0, 2] = torch.arange(4.0)
:, [0, 2], 1 = torch.arange(2.0)
[0, 5] = 1
torch.tensor([0, 1]) = 5
torch.tensor([-1]) = 5
torch.tensor([2]) = 5
torch.tensor(1) = 5
torch.tensor(1), 0 = 5
torch.tensor(1), torch.tensor(1) = torch.arange(4.0)
:, torch.tensor([[0, 1]]) = 7
torch.tensor([True, False]) = 5
torch.tensor([True, False]) = torch.arange(4.0)
torch.tensor([True, True]) = torch.arange(24.0).flip(0).reshape(2, 3, 4)
torch.tensor([True, False]) = torch.ones(2, 3, 4)
torch.tensor([True, False, True]) = 5
:, torch.tensor([True, False, True]) = 5
:, torch.tensor([True, False, True]) = torch.arange(4.0)
:, torch.tensor([True, False, True]) = torch.arange(16.0).reshape(2, 2, 4)
..., torch.tensor([True, False, True, False]) = torch.arange(2.0)
torch.arange(24).reshape(2, 3, 4) > 10 = 0
torch.arange(24).reshape(2, 3, 4) > 10 = torch.arange(13.0)
torch.arange(24).reshape(2, 3, 4) > 10 = torch.arange(12.0)
torch.arange(24).reshape(2, 3, 4) > 10 = torch.tensor([3.0])
torch.arange(24).reshape(2, 3, 4) > 10 = torch.tensor(3)
torch.arange(24).reshape(2, 3, 4) > 100 = torch.tensor([])
torch.arange(24).reshape(2, 3, 4) > 100 = 3
torch.tensor([[True, False, True], [False, True, True]]) = torch.arange(4.0)
torch.tensor([[True, False, True], [False, True, True]]) = torch.arange(16.0).reshape(4, 4)
torch.tensor([[True, False, True], [False, True, True]]), 0 = torch.arange(4.0)
torch.tensor([[True, False, True], [False, True, True]]), 1:3 = 9
torch.tensor([True, True]), torch.tensor([0, 1]) = 5
True = 5
False = 5
torch.tensor(True) = 4
torch.tensor(False) = 4
0 = "a"
0 = None
0 = [1, 2, 3, 4]
0 = np.arange(4.0)
0 = np.float32(2)
0, 0, 0 = np.array(2.0)
0 = True
0 = float("nan")
1.5 = 2
"a" = 2
0, 0, 0, 0 = 2
np.array([0, 1]) = 2
np.array([True, False]) = 2
range(1) = 2
slice(0, 1) = 2
torch.tensor([0.0]) = 2
torch.tensor([1, 0], dtype=torch.uint8) = 2
torch.tensor([1, 0], dtype=torch.int32) = 2
1:1 = 5
1:1 = torch.ones(0, 3, 4)
:, 1:2 = torch.ones(2, 1, 1)
0, 0, 0 = torch.tensor([1.0])
0, 0, 0 = torch.tensor([1.0, 2.0])
0, 0, 0 = torch.tensor([[1.0]])
[0], [0], [0] = torch.tensor([[1.0]])
[0], [0] = torch.ones(1, 1, 4)
""")
FLOATS = "torch.arange(24.0).reshape(2, 3, 4)"
INTEGERS = "torch.arange(24).reshape(2, 3, 4)"


@pytest.mark.parametrize("index", READS)
def test_read(index: str) -> None:
    check(f"{FLOATS}[{index}]")


@pytest.mark.parametrize("index", READS)
def test_read_of_a_tensor_that_is_there(index: str) -> None:
    check(f"x = {FLOATS}\nx.tolist()\nx[{index}]")


@pytest.mark.parametrize("index", READS)
def test_gradient_of_a_read(index: str) -> None:
    check(
        f"""
        x = {FLOATS}.requires_grad_()
        y = x[{index}]
        (y * torch.arange(1.0, 1 + y.numel()).reshape(y.shape)).sum().backward()
        x.grad
        """
    )


@pytest.mark.parametrize("write", WRITES)
@pytest.mark.parametrize("start", [FLOATS, INTEGERS], ids=["floats", "integers"])
def test_write(start: str, write: str) -> None:
    index, value = write.split(" = ", 1)
    check(f"x = {start}\nx[{index}] = {value}\nx")
    check(f"x = {start}\nx.tolist()\nx[{index}] = {value}\nx")


@pytest.mark.parametrize("write", WRITES)
def test_gradient_of_a_write(write: str) -> None:
    index, value = write.split(" = ", 1)

    def program(torch: Any) -> Any:
        names: dict[str, Any] = {"torch": torch, "np": np}
        start, given = eval(FLOATS, names).requires_grad_(), eval(value, names)
        if torch.is_tensor(given) and given.is_floating_point():
            given.requires_grad_()
        x = start.clone()
        exec(f"x[{index}] = given", {**names, "x": x, "given": given})
        (x * torch.arange(1.0, 25).reshape(2, 3, 4)).sum().backward()
        return start.grad, given.grad if torch.is_tensor(given) else None

    check(program)
