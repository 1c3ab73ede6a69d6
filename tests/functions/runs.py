"""Running a call of the table on graphc and on PyTorch, and telling whether both did the same."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

import graphc
from graphc import Tensor
from tests.functions.calls import Call, DTypeNamed, Operand
from tests.torch_peer import torch

TOLERANCE = {
    **{"float64": 1e-10, "float32": 1e-5, "float16": 2e-3, "bfloat16": 1.6e-2},
    **{"complex128": 1e-10, "complex64": 1e-5},
}
Run = Callable[..., Any]


_WARNED: dict[str, set[str]] = {"graphc": set(), "torch": set()}
"""What each library has warned of so far: each may say it only once."""


@dataclass(frozen=True)
class Outcome:
    """What a call gave: a result, or an error."""

    result: Any = None
    error: Exception | None = None
    warned: tuple[str, ...] = ()
    """The first line of each warning."""


def attempt(run: Run, args: list[Any], kwargs: dict[str, Any]) -> Outcome:
    """The result of a call or its error."""
    result, error = None, None
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            result = run(*args, **kwargs)
        except Exception as raised:
            error = raised
    return Outcome(result, error, tuple(_brief(str(w.message)) for w in caught))


def made(module: Any, call: Call, *, gradients: bool) -> tuple[list[Any], dict[str, Any]]:
    """The arguments of the call with tensors of one of the libraries."""
    position = iter(range(100))

    def build(x: Any) -> Any:
        if isinstance(x, Operand):
            tensor = from_numpy(module, x.array(next(position)))
            return tensor.requires_grad_() if gradients and x.grad and x.floating else tensor
        if isinstance(x, DTypeNamed):
            return getattr(module, x.name)
        if isinstance(x, list | tuple):
            return type(x)(map(build, x))
        return x

    return [build(x) for x in call.args], {k: build(x) for k, x in call.kwargs.items()}


def from_numpy(module: Any, array: Any) -> Any:
    """The array as a tensor of either library."""
    if module is graphc or array.dtype.name != "bfloat16":
        return module.from_numpy(array.copy())
    return torch.from_numpy(array.astype(np.float32)).bfloat16()


def to_numpy(x: Any) -> Any:
    """The numbers of a tensor of either library, bfloat16 as float32."""
    x = x.detach()
    if str(x.dtype) == "torch.bfloat16":
        x = x.float()
    return x.resolve_conj().numpy(force=True)


def tensors(x: Any) -> Iterator[Any]:
    """The tensors within arguments or results."""
    if isinstance(x, Tensor | torch.Tensor):
        yield x
    elif isinstance(x, dict):
        yield from tensors(list(x.values()))
    elif isinstance(x, list | tuple):
        for item in x:
            yield from tensors(item)


def equal(what: str, mine: Any, peer: Any) -> None:
    """Both are the same."""
    assert mine == peer, f"{what}: {mine!r}, PyTorch: {peer!r}"


def check_same(mine: Outcome, peer: Outcome, call: Call, *, in_place: bool = False) -> None:
    """Both gave equal results, or both failed with the same kind of error and its text."""
    check_warnings(mine.warned, peer.warned)
    if peer.error is not None:
        # What depends on numbers fails once they are computed.
        late = mine.error is None
        check_error(attempt(_computed, [mine.result], {}) if late else mine, peer.error, call, late)
        return
    if mine.error is not None:
        raise mine.error
    check_result(mine.result, peer.result, call.rounding, numbered=not in_place)


def _computed(result: Any) -> None:
    for x in tensors(result):
        to_numpy(x)


def check_warnings(mine: tuple[str, ...], peer: tuple[str, ...]) -> None:
    """Each warned of nothing that the other one has not warned of."""
    found = {"graphc": set(mine), "torch": {_placeless(text) for text in peer}}
    for library, texts in found.items():
        _WARNED[library] |= texts
    assert found["torch"] <= _WARNED["graphc"], f"{mine}, PyTorch: {peer}"
    assert found["graphc"] <= _WARNED["torch"], f"{mine}, PyTorch: {peer}"


def _placeless(text: str) -> str:
    """A warning without the place in PyTorch's own source."""
    return text.split(" (Triggered internally at")[0]


def check_error(mine: Outcome, peer: Exception, call: Call, late: bool = False) -> None:
    """The call failed on graphc as on PyTorch; if ``late``, in the generated program."""
    shown = _brief(str(peer))
    assert mine.error is not None, f"PyTorch raises {type(peer).__name__}: {shown}"
    # Some functions of nn.functional are Python's own, which Python itself checks.
    own = isinstance(mine.error, graphc.GraphcError | TypeError)
    assert late or own, repr(mine.error)
    kind = RuntimeError if isinstance(peer, RuntimeError) else type(peer)
    assert isinstance(mine.error, kind), f"{mine.error!r}, PyTorch: {peer!r}"
    if call.says and not isinstance(peer, TypeError):
        assert shown in str(mine.error), f"{mine.error}, PyTorch: {shown}"


def _brief(text: str) -> str:
    """The first line of a message."""
    return text.split("\n")[0].strip()


def check_result(mine: Any, peer: Any, rounding: float, *, numbered: bool = True) -> None:
    """Both results are equal, and look the same to differentiation.

    PyTorch counts some in-place forms apart, so that the number in the step's name says nothing.
    """
    if isinstance(peer, list | tuple):
        equal("length", len(mine), len(peer))
        for a, b in zip(mine, peer, strict=True):
            check_result(a, b, rounding, numbered=numbered)
        return
    if not isinstance(peer, torch.Tensor):
        equal("result", mine, peer)
        return
    check_numbers(mine, peer, rounding)
    equal("requires_grad", mine.requires_grad, peer.requires_grad)
    names = [type(x.grad_fn).__name__ for x in (mine, peer)]
    equal("grad_fn", *(names if numbered else (name.rstrip("0123456789") for name in names)))


def check_numbers(mine: Any, peer: Any, rounding: float = 1.0, dtypes: Iterable[str] = ()) -> None:
    """Type, shape and value are the same, the value up to the rounding in it and in ``dtypes``."""
    equal("dtype", str(mine.dtype), str(peer.dtype))
    equal("shape", tuple(mine.shape), tuple(peer.shape))
    kinds = (mine.dtype.name, *dtypes) if mine.dtype.is_inexact else ()
    tolerance = rounding * max((TOLERANCE.get(kind, 0) for kind in kinds), default=0)
    np.testing.assert_allclose(
        to_numpy(mine), to_numpy(peer), rtol=tolerance, atol=tolerance, equal_nan=True
    )


def check_written(given: tuple[Any, Any]) -> None:
    """The operands hold the same numbers after the call, whether or not it wrote into them."""
    for mine, peer in zip(*map(tensors, given), strict=True):
        check_numbers(mine, peer)


def check_gradients(mine: Outcome, peer: Outcome, given: tuple[Any, Any], call: Call) -> None:
    """The gradients of a weighted sum of the results are the same for all operands."""
    if not any(x.requires_grad for x in tensors(peer.result)):
        return
    leaves = [[x for x in tensors(args) if x.requires_grad] for args in given]
    ours, theirs = (attempt(_weighted(x.result).backward, [], {}) for x in (mine, peer))
    check_same(ours, theirs, call)
    dtypes = {x.dtype.name for x in tensors([mine.result, *given[0]])}
    for a, b in zip(*leaves, strict=True):
        if b.grad is None:
            assert a.grad is None
        else:
            check_numbers(a.grad, b.grad, call.rounding * 4, dtypes)


def _weighted(result: Any) -> Any:
    """A number that depends on each element of the results in another way."""
    total = 0.0
    for x in tensors(result):
        if x.requires_grad:
            shape = tuple(x.shape)
            weights = (1.5 + np.cos(np.arange(int(np.prod(shape))) * 1.7)).reshape(shape)
            module = graphc if isinstance(x, Tensor) else torch
            if x.is_complex():
                parts = module.view_as_real(x.resolve_conj()).double()
                total = (
                    total
                    + (parts[..., 0] - 2.0 * parts[..., 1]).mul(from_numpy(module, weights)).sum()
                )
                continue
            total = total + (x.double() * from_numpy(module, weights)).sum()
    return total
