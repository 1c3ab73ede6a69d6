"""Operators between tensors, Python's numbers, numpy's numbers and arrays, against PyTorch."""

from __future__ import annotations

from itertools import product

import pytest

from tests.tensor.programs import check, lines

TENSORS = lines("""
torch.tensor([1.0, 4.0])
torch.tensor([1, 4])
torch.tensor([True, True])
torch.tensor([1, 4], dtype=torch.uint8)
torch.tensor([1.5, 4.0], dtype=torch.float16)
torch.tensor(3)
""")
OPERANDS = lines("""
2
2.5
True
-3
np.float32(2.5)
np.int64(3)
np.array([1.0, 2.0])
[1, 2]
'a'
None
(1, 2)
torch.tensor(2)
torch.tensor([3.0, 1.0])
torch.tensor([3, 1])
torch.tensor([True, True])
""")
OPERATORS = ["+", "-", "*", "/", "//", "%", "**", "<", "<=", ">", ">="]
OPERATORS += ["==", "&", "|", "^", "<<", ">>"]
UNARY = lines("""
-({})
+({})
~({})
abs({})
divmod({}, 2)
divmod(7, {})
pow({}, 2)
pow(2, {})
pow({}, 2, 3)
round({})
{} @ torch.tensor([2.0, 1.0])
not ({})
""")
IN_PLACE = ["+=", "-=", "*=", "/=", "//=", "%=", "**=", "&=", "|=", "^=", "<<=", ">>="]


@pytest.mark.parametrize(("x", "operator"), [*product(TENSORS, OPERATORS)])
def test_binary(x: str, operator: str) -> None:
    for y in OPERANDS:
        check(f"{x} {operator} {y}")
        check(f"{y} {operator} {x}")


@pytest.mark.parametrize("program", [form.format(x) for form in UNARY for x in TENSORS])
def test_unary(program: str) -> None:
    check(program, says=False)


@pytest.mark.parametrize(("x", "operator"), [*product(TENSORS, IN_PLACE)])
def test_in_place(x: str, operator: str) -> None:
    for y in OPERANDS:
        check(f"x = {x}\ny = x\nx {operator} {y}\n(x, y, x is y)", says=False)


@pytest.mark.parametrize("operator", ["+", "-", "*", "/", "**"])
def test_gradients_of_reflected_operators(operator: str) -> None:
    check(
        f"""
        x = torch.tensor([1.5, 2.5], requires_grad=True)
        ((3 {operator} x) + (x {operator} 3) + (np.float64(2) {operator} x)).sum().backward()
        x.grad
        """
    )
