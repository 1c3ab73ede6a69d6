"""What the parameters and values of distributions must satisfy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from graphc.tensor import Tensor


@dataclass(frozen=True, repr=False)
class Constraint:
    """A condition on tensors, of which the last ``event_dim`` dimensions are one value."""

    shown: str
    """As PyTorch prints it."""
    holds: Callable[[Tensor], Any]
    """Where the condition is met."""
    event_dim: int = 0
    is_discrete: bool = False

    def check(self, value: Tensor) -> Tensor:
        """True for each value that satisfies the condition."""
        result: Tensor = self.holds(value)
        return result

    def __repr__(self) -> str:
        return self.shown


Constraints = dict[str, Constraint]
"""By the names of parameters."""


def greater_than(lower_bound: float) -> Constraint:
    """Numbers above the bound."""
    return Constraint(f"GreaterThan(lower_bound={lower_bound})", lambda x: x > lower_bound)


def greater_than_eq(lower_bound: float) -> Constraint:
    """Numbers not below the bound."""
    return Constraint(f"GreaterThanEq(lower_bound={lower_bound})", lambda x: x >= lower_bound)


def interval(lower_bound: Any, upper_bound: Any) -> Constraint:
    """Numbers from one bound to the other."""
    return Constraint(
        f"Interval(lower_bound={lower_bound}, upper_bound={upper_bound})",
        lambda x: (x >= lower_bound) & (x <= upper_bound),
    )


def half_open_interval(lower_bound: Any, upper_bound: Any) -> Constraint:
    """Numbers from one bound to below the other."""
    return Constraint(
        f"HalfOpenInterval(lower_bound={lower_bound}, upper_bound={upper_bound})",
        lambda x: (x >= lower_bound) & (x < upper_bound),
    )


def integer_interval(lower_bound: Any, upper_bound: Any) -> Constraint:
    """Integers from one bound to the other."""
    return Constraint(
        f"IntegerInterval(lower_bound={lower_bound}, upper_bound={upper_bound})",
        lambda x: (x % 1 == 0) & (x >= lower_bound) & (x <= upper_bound),
        is_discrete=True,
    )


def independent(base: Constraint, count: int) -> Constraint:
    """Values of which the last dimensions count as one."""

    def holds(x: Tensor) -> Any:
        found = base.check(x)
        if found.ndim < count:
            raise ValueError(
                f"Expected value.dim() >= {base.event_dim + count} but got {found.ndim}"
            )
        return found.flatten(found.ndim - count).all(-1) if count else found

    shown = f"IndependentConstraint({base}, {count})"
    return Constraint(shown, holds, base.event_dim + count, base.is_discrete)


real = Constraint("Real()", lambda x: x == x)
boolean = Constraint("Boolean()", lambda x: (x == 0) | (x == 1), is_discrete=True)
nonnegative_integer = Constraint(
    "IntegerGreaterThan(lower_bound=0)", lambda x: (x % 1 == 0) & (x >= 0), is_discrete=True
)
positive = greater_than(0.0)
nonnegative = greater_than_eq(0.0)
unit_interval = interval(0.0, 1.0)
simplex = Constraint(
    "Simplex()", lambda x: (x >= 0).all(-1) & ((x.sum(-1) - 1).abs() < 1e-6), event_dim=1
)
one_hot = Constraint(
    "OneHot()",
    lambda x: ((x == 0) | (x == 1)).all(-1) & (x.sum(-1) == 1),
    event_dim=1,
    is_discrete=True,
)
real_vector = independent(real, 1)
lower_cholesky = Constraint(
    "LowerCholesky()",
    lambda x: (x.tril() == x).flatten(-2).all(-1) & (x.diagonal(dim1=-2, dim2=-1) > 0).all(-1),
    event_dim=2,
)
positive_definite = Constraint(
    "PositiveDefinite()", lambda x: (x == x.mT).flatten(-2).all(-1), event_dim=2
)
