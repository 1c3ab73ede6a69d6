"""What all distributions have."""

from __future__ import annotations

from typing import Any, ClassVar, Self

from graphc.autograd.grad_mode import no_grad
from graphc.distributions.constraints import Constraint, Constraints
from graphc.memory import is_known
from graphc.size import Size
from graphc.tensor import Tensor


class Distribution:
    """A family of random values: ``batch_shape`` of them, each of ``event_shape``.

    Arguments are checked where their numbers are known: looking at others would end the program
    that is being recorded.
    """

    has_rsample = False
    has_enumerate_support = False
    arg_constraints: ClassVar[Constraints] = {}
    support: Any = None
    _validate_args = __debug__

    @staticmethod
    def set_default_validate_args(value: bool) -> None:
        """Whether arguments are checked where nothing else is asked for."""
        if value not in (True, False):
            raise ValueError
        Distribution._validate_args = value

    def __init__(
        self, batch_shape: Any = (), event_shape: Any = (), validate_args: bool | None = None
    ) -> None:
        self._batch_shape, self._event_shape = Size(batch_shape), Size(event_shape)
        if validate_args is not None:
            self._validate_args = validate_args
        if self._validate_args:
            for name, constraint in self.arg_constraints.items():
                if name in self.__dict__:
                    self._check_parameter(name, constraint)

    def _check_parameter(self, name: str, constraint: Constraint) -> None:
        value = getattr(self, name)
        known = isinstance(value, Tensor) and is_known(value)
        if known and not _all_satisfy(value, constraint):
            raise ValueError(
                f"Expected parameter {name} ({type(value).__name__} of shape "
                f"{tuple(value.shape)}) of distribution {self!r} to satisfy the constraint "
                f"{constraint!r}, but found invalid values:\n{value}"
            )

    def _validate_sample(self, value: Any) -> None:
        if not self._validate_args:
            return
        if not isinstance(value, Tensor):
            raise ValueError("The value argument to log_prob must be a Tensor")
        n = len(self._event_shape)
        if tuple(value.shape[value.ndim - n :]) != tuple(self._event_shape):
            raise ValueError(
                "The right-most size of value must match event_shape: "
                f"{value.shape} vs {self._event_shape}."
            )
        given, own = tuple(value.shape), (*self._batch_shape, *self._event_shape)
        for i, j in zip(reversed(given), reversed(own), strict=False):
            if i != 1 and j != 1 and i != j:
                raise ValueError(
                    f"Value is not broadcastable with batch_shape+event_shape: {value.shape} vs "
                    f"{Size(own)}."
                )
        self._check_support(value)

    def _check_support(self, value: Tensor) -> None:
        support = self.support
        bounds = [x for x in self.__dict__.values() if isinstance(x, Tensor)]
        if support is None or not all(is_known(x) for x in (value, *bounds)):
            return
        if not _all_satisfy(value, support):
            raise ValueError(
                f"Expected value argument ({type(value).__name__} of shape {tuple(value.shape)}) "
                f"to be within the support ({support!r}) of the distribution {self!r}, but found "
                f"invalid values:\n{value}"
            )

    def _copied(self, batch_shape: Any, **values: Any) -> Self:
        """The distribution with other parameters, which are not checked again."""
        made = type(self).__new__(type(self))
        made.__dict__.update(self.__dict__, **values)
        made._batch_shape = Size(batch_shape)
        return made

    def expand(self, batch_shape: Any, _instance: Any = None) -> Self:
        """The distribution over a larger batch."""
        shape = tuple(batch_shape)
        found = {
            name: value.expand(shape + tuple(value.shape[len(self._batch_shape) :]))
            for name, value in self.__dict__.items()
            if isinstance(value, Tensor)
        }
        return self._copied(shape, **found)

    @property
    def batch_shape(self) -> Size:
        """The shape of what the distribution is given for, one value each."""
        return self._batch_shape

    @property
    def event_shape(self) -> Size:
        """The shape of one value."""
        return self._event_shape

    @property
    def mean(self) -> Any:
        """The mean."""
        raise NotImplementedError

    @property
    def mode(self) -> Any:
        """The most probable value."""
        raise NotImplementedError(f"{type(self)} does not implement mode")

    @property
    def variance(self) -> Any:
        """The variance."""
        raise NotImplementedError

    @property
    def stddev(self) -> Any:
        """The standard deviation."""
        return self.variance.sqrt()

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Values drawn, through which no gradient flows."""
        with no_grad():
            return self.rsample(sample_shape)

    def sample_n(self, n: int) -> Tensor:
        """``n`` values drawn."""
        return self.sample((n,))

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """Values drawn as a function of the parameters."""
        raise NotImplementedError

    def log_prob(self, value: Any) -> Any:
        """The logarithm of the probability, or of its density."""
        raise NotImplementedError

    def cdf(self, value: Any) -> Any:
        """The probability of what is not above ``value``."""
        raise NotImplementedError

    def icdf(self, value: Any) -> Any:
        """The inverse of ``cdf``."""
        raise NotImplementedError

    def entropy(self) -> Any:
        """The mean of -ln p."""
        raise NotImplementedError

    def perplexity(self) -> Any:
        """The exponential of the entropy."""
        return self.entropy().exp()

    def enumerate_support(self, expand: bool = True) -> Any:
        """All values that there are."""
        raise NotImplementedError

    def _for_each(self, values: Any, expand: bool) -> Any:
        """Values along a first dimension, for each of the batch."""
        values = values.view(-1, *(1,) * len(self._batch_shape))
        return values.expand(-1, *self._batch_shape) if expand else values

    def _extended_shape(self, sample_shape: Any = ()) -> tuple[int, ...]:
        return (*sample_shape, *self._batch_shape, *self._event_shape)

    def __repr__(self) -> str:
        given = {
            name: self.__dict__[name] for name in self.arg_constraints if name in self.__dict__
        }
        shown = ", ".join(f"{k}: {x if x.numel() == 1 else x.size()}" for k, x in given.items())
        return f"{type(self).__name__}({shown})"


def _all_satisfy(value: Tensor, constraint: Constraint) -> bool:
    with no_grad():
        return bool(constraint.check(value).all())
