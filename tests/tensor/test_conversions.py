"""Tensors as numbers, lists, arrays, text and other types, against PyTorch."""

from __future__ import annotations

import pytest

from tests.tensor.programs import blocks, check, lines, named

LINES = lines(r"""
torch.tensor(3).item()
torch.tensor([3.5]).item()
torch.tensor([[True]]).item()
torch.tensor([1, 2]).item()
torch.tensor([]).item()
torch.tensor(3.14, dtype=torch.bfloat16).item()
torch.tensor(3.14, dtype=torch.float16).item()
torch.tensor(3.14).item()
torch.tensor(1, dtype=torch.uint8).item()
torch.tensor([1, 2]).tolist()
torch.tensor([[1.5, 2], [3, 4]]).tolist()
torch.tensor(5).tolist()
torch.tensor([]).tolist()
torch.zeros(0, 3).tolist()
torch.zeros(2, 0).tolist()
torch.tensor([True]).tolist()
torch.tensor([1.5], dtype=torch.bfloat16).tolist()
torch.tensor([1.5, 2.1], dtype=torch.float16).tolist()
torch.tensor([1, 2]).numpy()
torch.tensor(1.5).numpy()
torch.tensor([1.5], requires_grad=True).numpy()
torch.tensor([1.5], requires_grad=True).numpy(force=True)
torch.tensor([1.5], requires_grad=True).detach().numpy()
torch.tensor([1.5], requires_grad=True).tolist()
torch.tensor([1.5], requires_grad=True).item()
np.array(torch.tensor([1, 2]))
np.asarray(torch.tensor([1.0, 2]), dtype=np.float64)
np.asarray(torch.tensor([1.0, 2], requires_grad=True))
np.array(torch.ones(2), copy=True)
np.add(torch.ones(2), 1)
np.add(np.ones(2, np.float32), torch.ones(2))
np.ones(2) + torch.ones(2)
np.float64(2) * torch.ones(2)
np.float32(2) + torch.ones(2)
np.int64(2) + torch.ones(2)
np.float64(2.5) + torch.ones(2, dtype=torch.int64)
np.int64(2) - torch.ones(2)
np.float64(2) / torch.tensor([4.0, 2.0])
np.float64(2) ** torch.tensor([4.0, 2.0])
np.int64(3) > torch.tensor([1, 5])
np.float64(3) == torch.tensor([3.0, 5])
np.array([1, 2]) * torch.tensor([1, 2])
np.sin(torch.tensor([1.0, 2]))
np.sum(torch.tensor([1.0, 2]))
np.mean(torch.tensor([1.0, 2]))
np.max(torch.tensor([1.0, 2]))
np.argmax(torch.tensor([1.0, 2]))
np.stack([torch.ones(2), torch.zeros(2)])
np.concatenate([torch.ones(2), torch.zeros(2)])
np.allclose(torch.ones(2), torch.ones(2))
np.array([torch.tensor(1), torch.tensor(2)])
np.array([torch.tensor([1.0]), torch.tensor([2.0])])
np.array_equal(torch.ones(2), np.ones(2))
float(torch.tensor(3))
float(torch.tensor([3.5]))
float(torch.tensor([3.5, 1]))
int(torch.tensor(3.7))
int(torch.tensor([3]))
int(torch.tensor([3, 4]))
int(torch.tensor(float("nan")))
bool(torch.tensor(0))
bool(torch.tensor([2.0]))
bool(torch.tensor([1, 2]))
bool(torch.tensor([]))
complex(torch.tensor(3.0))
round(torch.tensor(3.7))
round(torch.tensor(3.14159), 2)
round(torch.tensor([3.14159, 2.5]), ndigits=2)
math.floor(torch.tensor(3.7))
math.sqrt(torch.tensor(4.0))
[10, 20, 30][torch.tensor(1)]
[10, 20, 30][torch.tensor([1])]
[10, 20, 30][torch.tensor(1.0)]
list(range(torch.tensor(3)))
[1, 2] * torch.tensor(2)
hex(torch.tensor(255))
len(torch.ones(3, 2))
len(torch.tensor(1))
list(torch.arange(3))
list(torch.tensor(1))
[x.tolist() for x in torch.ones(2, 2)]
3 in torch.tensor([1, 2, 3])
torch.tensor(3) in torch.tensor([1, 2, 3])
torch.tensor([1, 2]) in torch.tensor([[1, 2], [3, 4]])
"a" in torch.tensor([1])
5 not in torch.tensor([1])
sum(torch.arange(4))
max(torch.tensor([1, 3, 2]))
min(torch.tensor(1), torch.tensor(2))
sorted(torch.tensor([3, 1, 2]))
all(torch.tensor([True, True]))
any(torch.tensor([False, True]))
list(zip(torch.arange(2), torch.arange(2)))
list(enumerate(torch.arange(2)))
list(reversed(torch.arange(3)))
dict(a=torch.ones(1))["a"]
f"{torch.tensor(3.14159):.3f}"
f"{torch.tensor(3):d}"
f"{torch.tensor(3)}"
f"{torch.tensor([1.5, 2])}"
f"{torch.tensor([1.5, 2]):.2f}"
f"{torch.tensor([1.5])}"
f"{torch.tensor([1.5]):.2f}"
f"{torch.tensor(3):5}"
f"{torch.tensor(3.5, requires_grad=True):.2f}"
f"{torch.tensor(3.5, requires_grad=True)}"
"%s" % torch.tensor(2)
"%.2f" % torch.tensor(2.345)
"%d" % torch.tensor(2.7)
"{:.1f}".format(torch.tensor(2.345))
"{:>8}".format(torch.tensor(2))
f"{torch.tensor(True)}"
str(torch.tensor(2.5))
repr(torch.float32)
str(torch.ones(2).shape)
f"{torch.ones(2).shape}"
torch.ones(2).to(torch.int64)
torch.ones(2).to("cpu")
torch.ones(2).to("cpu", torch.int64)
torch.ones(2).to(device="cpu", dtype=torch.int64)
torch.ones(2).to(torch.device("cpu"))
torch.ones(2).to(torch.ones(1, dtype=torch.int32))
torch.ones(2).to(other=torch.ones(1, dtype=torch.int32))
torch.ones(2).to(torch.float32, copy=True)
torch.ones(2).to(torch.float32, True, True)
torch.ones(2).to()
torch.ones(2).to(int)
torch.ones(2).to("float32")
torch.ones(2).to(np.float32)
torch.ones(2).to(non_blocking=True)
torch.ones(2, requires_grad=True).to(torch.float64)
torch.tensor([1.7, -1.7, 300.0]).to(torch.int32)
torch.tensor([1.7, -1.7]).to(torch.int8)
torch.tensor([300, -1]).to(torch.uint8)
torch.tensor([0.0, 0.5, -1, float("nan")]).to(torch.bool)
torch.tensor([1e30]).to(torch.float16)
torch.tensor([True, False]).to(torch.float32)
torch.tensor([2**40]).to(torch.int32)
torch.tensor([1.1]).to(torch.bfloat16).to(torch.float32)
torch.ones(2).float()
torch.ones(2).double()
torch.ones(2).half()
torch.ones(2).bfloat16()
torch.ones(2).long()
torch.ones(2).int()
torch.ones(2).short()
torch.ones(2).char()
torch.ones(2).byte()
torch.ones(2).bool()
torch.ones(2).type()
torch.tensor([1]).type()
torch.tensor([True]).type()
torch.ones(2).type(torch.int64)
torch.ones(2).type("torch.LongTensor")
torch.ones(2).type("torch.FooTensor")
torch.ones(2).type(torch.LongTensor)
torch.ones(2).type(torch.FloatTensor)
torch.ones(2).cpu()
(1,) + torch.Size([2])
[*torch.Size([2, 3])]
{torch.ones(1): 1} != {}
np.from_dlpack(torch.arange(3))
torch.from_dlpack(np.arange(3))
torch.from_dlpack(torch.arange(3.0))
torch.from_dlpack(torch.ones(2, requires_grad=True))
copy.copy(torch.ones(2))
copy.deepcopy(torch.ones(2))
copy.deepcopy(torch.ones(2, requires_grad=True))
copy.deepcopy(torch.ones(2, requires_grad=True) * 2)
copy.deepcopy([torch.ones(2), {"a": torch.zeros(1)}])
pickle.loads(pickle.dumps(torch.arange(3)))
pickle.loads(pickle.dumps(torch.ones(2, requires_grad=True)))
pickle.loads(pickle.dumps(torch.ones(2, requires_grad=True) * 2))
pickle.loads(pickle.dumps(torch.tensor([1.5], dtype=torch.bfloat16)))
pickle.loads(pickle.dumps(torch.float32))
pickle.loads(pickle.dumps(torch.Size([2])))
pickle.loads(pickle.dumps(torch.device("cpu")))
pickle.loads(pickle.dumps({"a": torch.ones(2), "b": [torch.zeros(1)]}))
""")
PROGRAMS = blocks(r"""
x = torch.ones(2)
y = copy.copy(x)
y.add_(1)
(x, y)

x = torch.ones(2)
d = {x: 1}
(x in d, d[x], torch.ones(2) in d)

x = torch.ones(2)
y = copy.deepcopy([x, x])
(y[0] is y[1], y[0] is x)

x = torch.ones(2)
y = copy.deepcopy([x, x[:1]])
y[0].add_(1)
(y, x)

x = torch.ones(2, requires_grad=True)
x.sum().backward()
y = copy.deepcopy(x)
(y.grad, y.grad is x.grad)

x = torch.ones(2)
n = np.asarray(x)
n[0] = 5
x

x = torch.ones(2)
n = np.from_dlpack(x)
x.add_(1)
n

n = np.arange(3.0)
x = torch.from_dlpack(n)
n[0] = 7
x.mul_(2)
(x, n)

n = np.arange(3.0)
x = torch.as_tensor(n)
n[0] = 7
x

n = np.arange(3.0)
x = torch.tensor(n)
n[0] = 7
x

n = np.arange(3.0)
x = torch.asarray(n)
n[0] = 7
x

n = np.arange(3.0)
x = torch.asarray(n, copy=True)
n[0] = 7
x

x = torch.ones(2)
x.foo = 3
x.foo

x = torch.ones(2)
x.shape = (2, 1)

x = torch.ones(2)
del x.grad
x.grad

x = torch.ones(2)
x.dtype = torch.int32

while_sum = torch.tensor(0)
while while_sum < 10:
    while_sum += 3
while_sum

x = torch.tensor([1.0, -2.0, 3.0])
out = []
for v in x:
    if v > 0:
        out.append(v * 2)
    elif v == -2:
        out.append(-v)
torch.stack(out)

x = torch.tensor(5)
"yes" if x > 3 and not x == 4 else "no"

x = torch.tensor(5)
assert x, "nothing"
x == 5 or x == 6
""")


@pytest.mark.parametrize("program", LINES)
def test_line(program: str) -> None:
    check(program)


@pytest.mark.parametrize("program", PROGRAMS, ids=named)
def test_program(program: str) -> None:
    check(program)
