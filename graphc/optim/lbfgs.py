"""L-BFGS: steps by an estimate of the inverse Hessian from the last changes of the gradient.

What a step does depends on numbers that it computes, so it is done at once and not recorded.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from graphc.autograd import enable_grad
from graphc.errors import GraphcRuntimeError, GraphcValueError
from graphc.memory import overwrite
from graphc.optim.line_search import Point, Search
from graphc.optim.optimizer import Optimizer, Parameters
from graphc.optim.recorded import check_rate
from graphc.storage import Array, Storage
from graphc.tensor import Tensor, from_storage

Closure = Callable[[], Any]
KEPT = ("d", "t", "old_dirs", "old_stps", "ro", "H_diag", "prev_flat_grad", "prev_loss")


def _stored(x: Any) -> Any:
    """Numbers and arrays as the state has them: tensors, but for Python's own numbers."""
    if isinstance(x, list):
        return [_stored(part) for part in x]
    return from_storage(Storage(np.asarray(x))) if isinstance(x, np.ndarray | np.generic) else x


def _read(x: Any) -> Any:
    """What ``_stored`` was given."""
    if isinstance(x, list):
        return [_read(part) for part in x]
    return x._value()[()] if isinstance(x, Tensor) else x


class LBFGS(Optimizer):
    """x + t · d, d = -H · g, H being estimated from the last changes of the gradient g."""

    def __init__(
        self,
        params: Parameters,
        lr: Any = 1,
        max_iter: int = 20,
        max_eval: int | None = None,
        tolerance_grad: float = 1e-7,
        tolerance_change: float = 1e-9,
        history_size: int = 100,
        line_search_fn: str | None = None,
    ) -> None:
        check_rate(lr)
        defaults = {
            "lr": lr,
            "max_iter": max_iter,
            "max_eval": max_iter * 5 // 4 if max_eval is None else max_eval,
            "tolerance_grad": tolerance_grad,
            "tolerance_change": tolerance_change,
            "history_size": history_size,
            "line_search_fn": line_search_fn,
        }
        super().__init__(params, defaults)
        if len(self.param_groups) != 1:
            raise GraphcValueError("LBFGS doesn't support per-parameter options (parameter groups)")

    @property
    def _params(self) -> list[Tensor]:
        params: list[Tensor] = self.param_groups[0]["params"]
        return params

    def _flat_grad(self) -> Array:
        pieces = []
        for p in self._params:
            found = p._type
            gradient = (
                np.zeros(found.size, found.dtype.numpy) if p.grad is None else p.grad._value()
            )
            pieces.append(gradient.reshape(-1))
        return np.concatenate(pieces)

    def _place(self) -> list[Array]:
        return [p._value().copy() for p in self._params]

    def _go(self, start: list[Array], step: Any, direction: Array) -> None:
        """Move the parameters to ``start`` plus ``step`` times the direction."""
        begin = 0
        for p, x in zip(self._params, start, strict=True):
            piece = direction[begin : begin + x.size].reshape(x.shape)
            overwrite(p, x + piece * x.dtype.type(step))
            begin += x.size

    def step(self, closure: Closure | None = None) -> Any:
        """Up to ``max_iter`` steps; the loss before the first, as ``closure`` computes it."""
        assert closure is not None
        run = _Run(self, closure)
        first = run.begin()
        if run.loss_is_flat():
            return first
        run.iterate()
        run.keep()
        return first


class _Run:
    """The iterations of one call of ``step``."""

    def __init__(self, optimizer: LBFGS, closure: Closure) -> None:
        self.optimizer, self.closure = optimizer, closure
        self.group = optimizer.param_groups[0]
        self.state = optimizer.state[optimizer._params[0]]
        self.state.setdefault("func_evals", 0)
        self.state.setdefault("n_iter", 0)
        self.evaluations = 0
        held = {name: _read(self.state.get(name)) for name in KEPT}
        self.direction, self.t = held["d"], held["t"]
        self.changes, self.steps = held["old_dirs"] or [], held["old_stps"] or []
        self.ro, self.scale = held["ro"] or [], held["H_diag"]
        self.gradient_before, self.loss_before = held["prev_flat_grad"], held["prev_loss"]
        self.loss = 0.0
        self.gradient: Array = np.zeros(0)

    def _evaluate(self) -> Any:
        with enable_grad():
            loss = self.closure()
        self.evaluations += 1
        self.state["func_evals"] += 1
        self.loss, self.gradient = float(loss), self.optimizer._flat_grad().copy()
        return loss

    def begin(self) -> Any:
        """The loss where the parameters stand."""
        return self._evaluate()

    def loss_is_flat(self) -> bool:
        """Whether the gradient is as small as is asked for."""
        return bool(abs(self.gradient).max() <= self.group["tolerance_grad"])

    def iterate(self) -> None:
        """Go on until a limit or a tolerance is reached."""
        for number in range(1, self.group["max_iter"] + 1):
            self.state["n_iter"] += 1
            self._turn()
            slope = self.gradient @ self.direction
            if slope > -self.group["tolerance_change"]:
                return
            self._move(slope, last=number == self.group["max_iter"])
            if number == self.group["max_iter"] or self._done():
                return

    def _turn(self) -> None:
        """Choose the direction and the step to try first."""
        first = self.state["n_iter"] == 1
        if first:
            self.changes, self.steps, self.ro, self.scale = [], [], [], 1
            self.direction = -self.gradient
        else:
            self._remember()
            self.direction = self._descent()
        self.gradient_before, self.loss_before = self.gradient, self.loss
        rate = float(self.group["lr"])
        self.t = min(1.0, 1.0 / abs(self.gradient).sum()) * rate if first else rate

    def _remember(self) -> None:
        change = self.gradient - self.gradient_before
        step = self.direction * self.t
        product = change @ step
        if not product > 1e-10:
            return
        if len(self.changes) == self.group["history_size"]:
            for held in (self.changes, self.steps, self.ro):
                held.pop(0)
        self.changes.append(change)
        self.steps.append(step)
        self.ro.append(1.0 / product)
        self.scale = product / (change @ change)

    def _descent(self) -> Array:
        """-H · g, by the two loops over what is remembered."""
        held = self.state.setdefault("al", [None] * self.group["history_size"])
        shares: list[Any] = []
        q = -self.gradient
        for i in reversed(range(len(self.changes))):
            shares.insert(0, (self.steps[i] @ q) * self.ro[i])
            q = q - shares[0] * self.changes[i]
        r = q * self.scale
        for i, share in enumerate(shares):
            r = r + self.steps[i] * (share - (self.changes[i] @ r) * self.ro[i])
            held[i] = _stored(share)
        return np.asarray(r)

    def _move(self, slope: Any, *, last: bool) -> None:
        """Go a step; the loss and gradient there, unless nobody will look at them."""
        optimizer, search = self.optimizer, self.group["line_search_fn"]
        start = optimizer._place()
        if search is None:
            optimizer._go(start, self.t, self.direction)
            if not last:
                self._evaluate()
            return
        if search != "strong_wolfe":
            raise GraphcRuntimeError("only 'strong_wolfe' is supported")

        def evaluate(step: Any) -> tuple[float, Array]:
            optimizer._go(start, step, self.direction)
            self._evaluate()
            return self.loss, self.gradient

        here = Point(0, self.loss, self.gradient, slope)
        limit = self.group["max_eval"] - self.evaluations
        found = Search(evaluate, self.direction, here, limit).run(
            self.t, self.group["tolerance_change"]
        )
        self.t, self.loss, self.gradient = found.step, found.loss, found.gradient
        optimizer._go(start, self.t, self.direction)

    def _done(self) -> bool:
        tolerance = self.group["tolerance_change"]
        return bool(
            self.evaluations >= self.group["max_eval"]
            or self.loss_is_flat()
            or abs(self.direction * self.t).max() <= tolerance
            or abs(self.loss - self.loss_before) < tolerance
        )

    def keep(self) -> None:
        """Leave in the optimizer's state what the next call goes on with."""
        held = (
            self.direction,
            self.t,
            self.changes,
            self.steps,
            self.ro,
            self.scale,
            self.gradient_before,
            self.loss_before,
        )
        self.state.update(zip(KEPT, map(_stored, held), strict=True))
