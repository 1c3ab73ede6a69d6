"""Functions that compute the derivatives of functions, by nests of tensors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

from graphc import autograd
from graphc.autodiff import reachable_leaves
from graphc.autograd.grad_mode import enable_grad, is_grad_enabled
from graphc.errors import GraphcRuntimeError, GraphcTypeError, GraphcValueError
from graphc.factories import zeros_like
from graphc.nest import leaves, mapped
from graphc.recording import session
from graphc.surface import LIFTED
from graphc.tensor import Tensor

Function = Callable[..., Any]
Places = int | tuple[int, ...]


def grad(func: Function, argnums: Places = 0, has_aux: bool = False) -> Function:
    """The function that gives the gradient of ``func``, whose result is one number."""
    both = grad_and_value(func, argnums, has_aux)

    @wraps(func)
    def gradient(*args: Any, **kwargs: Any) -> Any:
        found, value = both(*args, **kwargs)
        return (found, value[1]) if has_aux else found

    return gradient


def grad_and_value(func: Function, argnums: Places = 0, has_aux: bool = False) -> Function:
    """The function that gives the gradient of ``func`` and what ``func`` gives."""

    @wraps(func)
    def both(*args: Any, **kwargs: Any) -> Any:
        with Opened("grad", args, argnums) as opened:
            value, rest = _parted(func(*opened.args, **kwargs), has_aux)
            if not isinstance(value, Tensor) or value.ndim:
                raise GraphcRuntimeError(
                    "grad_and_value(f)(*args): Expected f(*args) to return a scalar Tensor, got "
                    + (
                        f"tensor with {value.ndim} dims"
                        if isinstance(value, Tensor)
                        else repr(value)
                    )
                )
            found = opened.gradients([value], [None])
        given = opened.finished(value)
        return opened.finished(found), (given, opened.finished(rest)) if has_aux else given

    return both


def vjp(func: Function, *primals: Any, has_aux: bool = False) -> tuple[Any, ...]:
    """What ``func`` gives, and the function from a vector to its product with the Jacobian."""
    opened = Opened("vjp", primals, tuple(range(len(primals))))
    with opened:
        result, rest = _parted(func(*opened.args), has_aux)
    outputs = list(leaves(result))

    def product(cotangents: Any, retain_graph: bool = True, create_graph: bool = True) -> Any:
        with opened:
            return opened.finished(opened.gradients(outputs, list(leaves(cotangents))))

    found = opened.finished(result), product
    return (*found, opened.finished(rest)) if has_aux else found


def jvp(func: Function, primals: Any, tangents: Any, *, has_aux: bool = False) -> tuple[Any, ...]:
    """What ``func`` gives, and the Jacobian times the tangents: the gradient of a gradient."""
    if not isinstance(primals, tuple) or not isinstance(tangents, tuple):
        raise GraphcRuntimeError("jvp(f, primals, tangents): Expected primals to be a tuple.")
    opened = Opened("jvp", primals, tuple(range(len(primals))))
    with opened:
        result, rest = _parted(func(*opened.args), has_aux)
        outputs = list(leaves(result))
        seeds = [zeros_like(y.detach()).requires_grad_() for y in outputs]
        first = list(leaves(opened.gradients(outputs, seeds)))
        given = list(leaves(tangents))
        used = [(g, t) for g, t in zip(first, given, strict=True) if g.requires_grad]
        found = _gradients([g for g, _ in used], seeds, [t for _, t in used])
    products = iter(found)
    product = opened.finished(mapped(lambda _, path: next(products), result), seeds)
    return (opened.finished(result), product, *([opened.finished(rest)] if has_aux else []))


def jacrev(
    func: Function,
    argnums: Places = 0,
    has_aux: bool = False,
    *,
    chunk_size: int | None = None,
) -> Function:
    """The function that gives the Jacobian of ``func``, a row for each element of its result."""

    @wraps(func)
    def jacobian(*args: Any, **kwargs: Any) -> Any:
        with Opened("jacrev", args, argnums) as opened:
            result, rest = _parted(func(*opened.args, **kwargs), has_aux)
            found = mapped(lambda y, path: opened.jacobian(y), result)
        found = opened.finished(found)
        return (found, opened.finished(rest)) if has_aux else found

    return jacobian


def jacfwd(
    func: Function, argnums: Places = 0, has_aux: bool = False, *, randomness: str = "error"
) -> Function:
    """As ``jacrev``: there is one way to a Jacobian, row by row."""
    return jacrev(func, argnums, has_aux)


def hessian(func: Function, argnums: Places = 0) -> Function:
    """The function that gives the second derivatives of ``func``."""
    return jacrev(jacrev(func, argnums), argnums)


def _parted(result: Any, has_aux: bool) -> tuple[Any, Any]:
    """The result to differentiate, and what comes beside it."""
    if not has_aux:
        return result, None
    if not isinstance(result, tuple) or len(result) != 2:
        raise GraphcRuntimeError(
            "If has_aux is True, the function must return a tuple of an output and something else."
        )
    return result


def _gradients(
    outputs: Sequence[Tensor], inputs: Sequence[Tensor], seeds: Sequence[Any]
) -> tuple[Tensor, ...]:
    """The gradients, which can be differentiated again; zeros where none flows."""
    pairs = [(y, s) for y, s in zip(outputs, seeds, strict=True) if y.requires_grad]
    if not pairs or not inputs:
        return tuple(zeros_like(x.detach()) for x in inputs)
    ys, given = zip(*pairs, strict=True)
    return autograd.grad(  # type: ignore[return-value]
        ys, inputs, given, retain_graph=True, create_graph=True, materialize_grads=True
    )


class Opened:
    """Arguments of which some are variables of differentiation, within a ``with``."""

    def __init__(self, name: str, args: tuple[Any, ...], argnums: Places) -> None:
        self.single = isinstance(argnums, int)
        wanted = (argnums,) if isinstance(argnums, int) else argnums
        self.places = [_place(name, n, args) for n in wanted]
        self.variables: list[Tensor] = []
        """What the derivatives are by."""
        self.fresh: list[Tensor] = []
        """Those of them that nothing outside leads to."""
        self.tracked = is_grad_enabled()
        given = list(args)
        with enable_grad():
            for n in self.places:
                given[n] = mapped(lambda x, path: self._variable(name, x), given[n])
        self.args = tuple(given)
        self._mode: Any = None

    def __enter__(self) -> Opened:
        self._mode = enable_grad()
        self._mode.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._mode.__exit__(*error)

    def _variable(self, name: str, x: Any) -> Any:
        if not isinstance(x, Tensor):
            raise GraphcTypeError(f"{name}: Expected only tensors, got {type(x).__name__}")
        if x.requires_grad:
            made = x.view_as(x)
        else:
            made = x.detach().requires_grad_()
            self.fresh.append(made)
        self.variables.append(made)
        return made

    def gradients(self, outputs: Sequence[Tensor], seeds: Sequence[Any]) -> Any:
        """The gradients of the outputs, in nests as the arguments are."""
        return self._arranged(_gradients(outputs, self.variables, seeds))

    def jacobian(self, output: Tensor) -> Any:
        """∂output/∂input for each input, of shape output.shape + input.shape."""
        flat = output.reshape(-1)
        rows = [_gradients([y], self.variables, [None]) for y in flat.unbind()]
        return self._arranged(
            [
                LIFTED["stack"]([row[i] for row in rows]).reshape((*output.shape, *x.shape))
                for i, x in enumerate(self.variables)
            ]
        )

    def _arranged(self, found: Sequence[Tensor]) -> Any:
        each = iter(found)
        parts = [mapped(lambda x, path: next(each), self.args[n]) for n in self.places]
        return parts[0] if self.single else tuple(parts)

    def finished(self, results: Any, seeds: Sequence[Tensor] = ()) -> Any:
        """The results without the history that leads to nothing but the variables made here."""
        own = {session.trace.node_of(x) for x in (*self.fresh, *seeds)}
        return mapped(lambda x, path: self._closed(x, own), results)

    def _closed(self, x: Any, own: set[Any]) -> Any:
        if not isinstance(x, Tensor) or not x.requires_grad:
            return x
        found = reachable_leaves(session.trace.node_of(x))
        return x if self.tracked and not own.issuperset(found) else x.detach()


def _place(name: str, n: int, args: tuple[Any, ...]) -> int:
    if not -len(args) <= n < len(args):
        raise GraphcValueError(
            f"{name}(f, argnums)(*args): Got argnum={n}, but only {len(args)} positional inputs"
        )
    return n % len(args)
