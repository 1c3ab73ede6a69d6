"""``linalg``: values, gradients and errors against PyTorch."""

from __future__ import annotations

import pytest

import graphc
from tests.tensor.programs import check, lines

OPERANDS = """
L = torch.linalg
d = torch.float64
a = torch.tensor([[4.0, 1, 0], [1, 3, 1], [0, 1, 2]], dtype=d, requires_grad=True)
b = torch.tensor([[1.0, 2], [3, 4], [5, 7]], dtype=d, requires_grad=True)
v = torch.tensor([1.0, 2, 3], dtype=d, requires_grad=True)
r = torch.tensor([[1.0, 1, 2], [3, 5, 5], [6, 7, 9], [9, 1, 0.5]], dtype=d, requires_grad=True)
s = torch.stack([a, a + torch.eye(3, dtype=d)])
i = torch.eye(3, dtype=torch.int64)
o = torch.ones(3, 3)
"""
CALLS = lines("""
L.det(a)
L.det(s)
L.det(b)
L.det(v)
L.det(i)
L.slogdet(-a)
L.slogdet(s)
L.slogdet(o.half())
L.inv(a)
L.inv(A=s)
L.inv(b)
L.inv(i)
L.inv(o.half())
L.inv(3)
L.inv_ex(a)
L.inv_ex(o).info
L.inv_ex(torch.stack([o, torch.eye(3)])).info
L.solve(a, b)
L.solve(a, v)
L.solve(a, b.t(), left=False)
L.solve(s, torch.stack([v, v]))
L.solve(s, v)
L.solve(s, b)
L.solve(a, torch.stack([b, 2 * b]))
L.solve(a, b, left=False)
L.solve(b, a)
L.solve(a, b[:2])
L.solve(a, b.float())
L.solve(i, i)
L.solve(o.half(), o.half())
L.solve_ex(a, b)
L.solve_ex(o, o).info
L.solve_triangular(a, b, upper=True)
L.solve_triangular(a, b, upper=False)
L.solve_triangular(a, b, upper=False, unitriangular=True)
L.solve_triangular(a, b.t(), upper=True, left=False)
L.solve_triangular(s, b, upper=True, unitriangular=True)
L.solve_triangular(a, v, upper=True)
L.solve_triangular(b, b, upper=True)
L.solve_triangular(a, b[:2], upper=True)
L.solve_triangular(a, b, upper=True, left=False)
L.solve_triangular(torch.zeros(2, 2), torch.ones(2, 1), upper=True)
L.solve_triangular(i, i, upper=True)
L.cholesky(a)
L.cholesky(s, upper=True)
L.cholesky(b)
L.cholesky(i)
L.cholesky(o.half())
L.cholesky_ex(a)
L.cholesky_ex(-a).info
L.cholesky_ex(torch.stack([a, a - 3 * torch.eye(3, dtype=d)])).info
L.eigh(a).eigenvalues
L.eigh(s, UPLO="U")[0]
L.eigh(a).eigenvectors.square()
L.eigh(a)
L.eigh(a, UPLO="x")
L.eigh(b)
L.eigh(v)
L.eigh(i)
L.eigvalsh(a)
L.eigvalsh(s, "U")
L.svd(r, full_matrices=False).U.square()
L.svd(r).Vh.square()
L.svd(r.t()).U.abs()
L.svd(s, False).S
L.svd(v)
L.svd(i)
L.svd(torch.zeros(0, 3))
L.svd(r, driver="gesvd")
L.svdvals(r)
L.svdvals(v)
L.qr(r)
L.qr(s)
L.qr(r.t())
L.qr(r.t(), mode="complete")
L.qr(r.detach(), mode="complete")
L.qr(r.detach(), mode="r")
L.qr(r, mode="foo")
L.qr(v)
L.pinv(r)
L.pinv(r.t())
L.pinv(r, rcond=0.5)
L.pinv(r, rtol=0.5)
L.pinv(r, atol=0.5)
L.pinv(a, hermitian=True)
L.pinv(v)
L.pinv(i)
L.matrix_rank(r)
L.matrix_rank(torch.ones(2, 3, 3))
L.matrix_rank(r, tol=10.0)
L.matrix_rank(r, rtol=10.0)
L.matrix_rank(a, hermitian=True)
L.matrix_rank(v)
L.cond(a)
L.cond(r, -2)
L.cond(a.detach(), 1)
L.cond(a.detach(), float("-inf"))
L.cond(a.detach(), "fro")
L.cond(s, "nuc")
L.cond(torch.zeros(2, 2), 1)
L.cond(r, "fro")
L.cond(a, 3)
L.lstsq(r, torch.ones(4, 2, dtype=d)).solution
L.lstsq(r, torch.ones(4, dtype=d))
L.lstsq(r, torch.ones(4, 1, dtype=d), driver="gelsd")
L.lstsq(r.t(), b).solution
L.lstsq(r, b)
L.lstsq(r, b, driver="x")
L.norm(a)
L.norm(a, 2)
L.norm(a, -2)
L.norm(r, 1)
L.norm(r, -1)
L.norm(r, float("inf"))
L.norm(r, float("-inf"))
L.norm(a, "fro")
L.norm(a, "nuc")
L.norm(a, 3)
L.norm(v, 3)
L.norm(v, 0)
L.norm(v, "fro")
L.norm(a, dim=0)
L.norm(a, 1, dim=0)
L.norm(a, dim=(0, 1))
L.norm(a, 2, dim=(0, 1), keepdim=True)
L.norm(s, 2, dim=(1, 2))
L.norm(s, "nuc", dim=(2, 0), keepdim=True)
L.norm(s, 1, dim=(2, 0))
L.norm(s, 2)
L.norm(s)
L.norm(a, "foo")
L.norm(i)
L.norm(a, dtype=torch.float32)
L.norm(a, dim=(0, 1, 1))
L.vector_norm(a)
L.vector_norm(a, 1, 0)
L.vector_norm(a, float("inf"), (0, 1), True)
L.vector_norm(a, 3.5, dim=-1)
L.vector_norm(a, dim=())
L.vector_norm(i)
L.vector_norm(torch.zeros(0, 3), dim=0)
L.vector_norm(torch.zeros(0, 3), float("inf"), dim=0)
L.vector_norm(a, "fro")
L.matrix_norm(a)
L.matrix_norm(s, "nuc")
L.matrix_norm(a, 2, (0, 1), True)
L.matrix_norm(a, 1)
L.matrix_norm(torch.ones(5, 0), 2, keepdim=True)
L.matrix_norm(torch.ones(2, 0, 3), 1)
L.matrix_norm(torch.ones(0, 0), -2)
L.vander(torch.tensor(2.0), N=3)
L.matrix_norm(a, float("-inf"))
L.matrix_norm(a, 3)
L.matrix_norm(a, "x")
L.matrix_norm(v)
L.matrix_norm(a, dim=(0, 0))
L.matrix_norm(a, dim=0)
L.matrix_norm(a.float(), "fro", dtype=d)
torch.norm(a, "nuc")
torch.norm(s, p="nuc", dim=(0, 1))
torch.norm(a, "nuc", dim=0)
L.matrix_power(a, 3)
L.matrix_power(a, 0)
L.matrix_power(a, -1)
L.matrix_power(s, -2)
torch.matrix_power(a, -3)
L.matrix_power(b, 2)
L.multi_dot([a, b, b.t()])
L.multi_dot([a, b])
L.multi_dot([v, a, v])
L.multi_dot([v, a])
L.multi_dot([a, v])
L.multi_dot([a])
L.multi_dot([a, a[:2]])
L.multi_dot([v[:2], a])
L.multi_dot([a, a[None], a])
L.multi_dot([a[None], a])
L.multi_dot([a, i])
L.multi_dot(a)
L.vecdot(a, a)
L.vecdot(a, a, dim=0)
L.vecdot(a, v)
L.vecdot(v, v)
L.vecdot(a, v[:2])
L.vecdot(i, i)
L.cross(a, s)
L.cross(a, a + 1)
L.cross(b, b + 1, dim=0)
L.cross(v, b)
L.cross(b, b)
L.diagonal(a)
L.diagonal(s, offset=1)
L.diagonal(s, dim1=0, dim2=1)
L.diagonal(v)
L.matmul(a, b)
L.matmul(s, v)
L.vander(v)
L.vander(a, N=2)
L.vander(i)
L.vander(v, N=1)
L.vander(v.sum())
L.tensorinv(torch.eye(6).reshape(2, 3, 6) * 2, ind=2)
L.tensorinv(torch.eye(6).reshape(2, 3, 6), ind=0)
L.tensorinv(torch.eye(6).reshape(2, 3, 6), ind=1)
L.tensorsolve(torch.eye(6).reshape(2, 3, 6) * 2, torch.ones(2, 3))
L.tensorsolve(torch.eye(6).reshape(2, 3, 2, 3) * 2, torch.ones(2, 3), dims=(0,))
L.tensorsolve(torch.eye(6).reshape(2, 3, 6), torch.ones(2, 2))
issubclass(L.LinAlgError, RuntimeError)
""")
SIGNS_ARE_OPEN = ("L.eigh(a)",)
NO_GRADIENT = ("L.norm(v, 0)",)
"""PyTorch names a step but leaves no gradient, where graphc's is zero."""


@pytest.mark.parametrize("call", CALLS)
def test_call(call: str) -> None:
    if call in SIGNS_ARE_OPEN:
        call = f"found = {call}\ntype(found).__name__, found[0], found[1].abs()"
    check(f"{OPERANDS}\n{call}", rounding=10)


@pytest.mark.parametrize("call", [x for x in CALLS if x not in SIGNS_ARE_OPEN + NO_GRADIENT])
def test_gradients(call: str) -> None:
    check(
        f"""
{OPERANDS}
found = {call}
parts = found if isinstance(found, tuple) else (found,)
total = 0
for y in parts:
    if isinstance(y, torch.Tensor) and y.requires_grad:
        total = total + (y * (1 + torch.arange(y.numel()) % 5).reshape(y.shape)).sum()
if isinstance(total, torch.Tensor):
    total.backward()
[x.grad for x in (a, b, v, r)]
""",
        rounding=1000,
    )


@pytest.mark.parametrize(
    ("call", "text"),
    [
        ("L.inv(o)", "linalg.inv: The diagonal element 2 is zero"),
        ("L.inv(torch.stack([torch.eye(3), o]))", r"\(Batch element 1\): The diagonal element 2"),
        ("L.solve(o, o)", "torch.linalg.solve: The solver failed"),
        ("L.cholesky(-o)", "the leading minor of order 1 is not positive-definite"),
        ("L.inv_ex(o, check_errors=True)[0]", "linalg.inv_ex: The diagonal element 2 is zero"),
        ("L.cholesky_ex(-o, check_errors=True)[0]", "leading minor of order 1"),
    ],
)
def test_numbers_that_fail_raise_when_they_are_computed(call: str, text: str) -> None:
    names = {"torch": graphc, "L": graphc.linalg, "o": graphc.ones(3, 3)}
    found = eval(call, names)
    with pytest.raises(graphc.linalg.LinAlgError, match=text):
        found.tolist()
