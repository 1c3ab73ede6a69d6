"""Random programs of views, writes, reads and arithmetic, which run on either library."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import numpy as np

Action = Callable[["Story", Any], Any]


class Story:
    """One random program; its choices depend on a seed and on shapes alone."""

    def __init__(self, torch: Any, seed: int, *, gradients: bool, length: int) -> None:
        self.torch = torch
        self.random = Random(seed)
        self.length = length
        self.log: list[str] = []
        x = torch.arange(24.0, dtype=torch.float64).reshape(2, 3, 4)
        self.leaf = x.requires_grad_() if gradients else None
        self.tensors: list[Any] = [x * 2 + 1 if gradients else x]
        self.arrays: list[Any] = []
        self.gradients = gradients

    def run(self) -> Any:
        """The tensors, arrays and errors at the end, and the gradient of the leaf."""
        for _ in range(self.length):
            names = [name for name in ACTIONS if not (self.gradients and name in NO_GRADIENT)]
            name = self.random.choice(names)
            x = self.random.choice(self.tensors)
            try:
                made = ACTIONS[name](self, x)
            except (RuntimeError, IndexError) as error:
                self.log.append(f"{name}: {str(error).splitlines()[0]}")
                continue
            if made is not None and len(self.tensors) < 8:
                self.tensors.append(made)
        gradient = self._gradient() if self.leaf is not None else None
        values = [x.detach().clone() for x in self.tensors]
        return values, [a.copy() for a in self.arrays], gradient, len(self.log)

    def _gradient(self) -> Any:
        assert self.leaf is not None
        total = sum((x * (i + 1)).sum() for i, x in enumerate(self.tensors))
        if not total.requires_grad:
            return None
        total.backward()
        return self.leaf.grad

    # -- choices -------------------------------------------------------------------------------

    def index(self, x: Any) -> Any:
        """Integers and slices for some of the dimensions."""
        parts: list[Any] = []
        for n in x.shape:
            kind = self.random.randrange(5)
            if kind == 0 and n:
                parts.append(self.random.randrange(-n, n))
            elif kind == 1:
                start = self.random.randrange(n + 1)
                parts.append(slice(start, self.random.randrange(start, n + 1)))
            elif kind == 2:
                parts.append(slice(None, None, self.random.choice([1, 2])))
            elif kind == 3:
                parts.append(slice(None))
            else:
                break
        if self.random.random() < 0.1:
            parts.insert(self.random.randrange(len(parts) + 1), None)
        return tuple(parts)

    def number(self) -> float:
        return self.random.choice([0.0, 1.0, -2.0, 0.5, 3.0])

    def other(self, x: Any) -> Any:
        """A tensor that broadcasts to ``x``, if there is one."""
        fitting = [y for y in self.tensors if _broadcasts(tuple(y.shape), tuple(x.shape))]
        return self.random.choice(fitting) if fitting else self.torch.tensor(self.number())


def _broadcasts(shape: tuple[int, ...], to: tuple[int, ...]) -> bool:
    try:
        return np.broadcast_shapes(shape, to) == to
    except ValueError:
        return False


def _transposed(story: Story, x: Any) -> Any:
    if x.ndim < 2:
        return None
    return x.transpose(story.random.randrange(x.ndim), story.random.randrange(x.ndim))


def _permuted(story: Story, x: Any) -> Any:
    order = list(range(x.ndim))
    story.random.shuffle(order)
    return x.permute(order)


def _expanded(story: Story, x: Any) -> Any:
    return x.unsqueeze(0).expand(2, *x.shape).contiguous()


def _part(story: Story, x: Any) -> Any:
    if not x.ndim or not x.shape[0]:
        return None
    parts = x.chunk(2) if story.random.random() < 0.5 else x.unbind()
    return parts[story.random.randrange(len(parts))]


def _set(story: Story, x: Any) -> None:
    x[story.index(x)] = story.number()


def _set_tensor(story: Story, x: Any) -> None:
    index = story.index(x)
    x[index] = story.other(x[index]).clone()


def _set_masked(story: Story, x: Any) -> None:
    x[x.detach() > story.number()] = story.number()


def _set_rows(story: Story, x: Any) -> None:
    if x.ndim and x.shape[0]:
        rows = [story.random.randrange(x.shape[0]) for _ in range(2)]
        x[story.torch.tensor(rows)] = story.number()


def _added(story: Story, x: Any) -> None:
    x += story.other(x).clone()


def _read(story: Story, x: Any) -> None:
    story.log.append(str(x.detach().sum().item()))


def _handed_out(story: Story, x: Any) -> None:
    if len(story.arrays) < 3:
        story.arrays.append(x.numpy())


def _written_by_numpy(story: Story, x: Any) -> None:
    if story.arrays:
        array = story.random.choice(story.arrays)
        if array.flags.writeable:
            array += 1


def _done(action: Action) -> Action:
    """An action whose result is no further tensor."""

    def act(story: Story, x: Any) -> None:
        action(story, x)

    return act


def _forgotten(story: Story, x: Any) -> None:
    if len(story.tensors) > 1:
        del story.tensors[story.random.randrange(len(story.tensors))]


ACTIONS: dict[str, Action] = {
    "index": lambda story, x: x[story.index(x)],
    "transpose": _transposed,
    "permute": _permuted,
    "expand": _expanded,
    "part": _part,
    "flatten": lambda story, x: x.reshape(-1),
    "squeeze": lambda story, x: x.squeeze(),
    "unsqueeze": lambda story, x: x.unsqueeze(-1),
    "diagonal": lambda story, x: x.diagonal() if x.ndim > 1 else None,
    "detach": lambda story, x: x.detach(),
    "clone": lambda story, x: x.contiguous().clone(),
    "contiguous": lambda story, x: x.contiguous(),
    "twice": lambda story, x: (x * 2).contiguous(),
    "sum with another": lambda story, x: (x + story.other(x)).contiguous(),
    "set": _set,
    "set to a tensor": _set_tensor,
    "set where": _set_masked,
    "set rows": _set_rows,
    "add in place": _added,
    "add a number": _done(lambda story, x: x.add_(story.number())),
    "multiply": _done(lambda story, x: x.mul_(story.number())),
    "fill": _done(lambda story, x: x.fill_(story.number())),
    "zero": _done(lambda story, x: x.zero_()),
    "copy": _done(lambda story, x: x.copy_(story.other(x).clone())),
    "clamp": _done(lambda story, x: x.clamp_(-3, 3)),
    "read": _read,
    "forget": _forgotten,
    "hand out": _handed_out,
    "numpy writes": _written_by_numpy,
}
"""What may happen next; a result that is no None is a tensor from then on."""
NO_GRADIENT = frozenset({"hand out", "numpy writes", "clamp", "detach", "part"})
"""What needs numbers without a gradient, or what PyTorch refuses to write to, and to use later."""
