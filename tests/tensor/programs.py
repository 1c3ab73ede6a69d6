"""Short programs that run on graphc and on PyTorch, whose results and errors are compared."""

from __future__ import annotations

import ast
import copy
import math
import pickle
import warnings
from collections.abc import Callable, Mapping
from textwrap import dedent
from typing import Any

import numpy as np

import graphc
from graphc import Tensor
from tests.functions.runs import Outcome, check_numbers, equal
from tests.torch_peer import torch

Program = str | Callable[[Any], Any]
"""Text whose last line is an expression, or a function; either sees the library as ``torch``."""
PLAIN = (bool, int, float, complex, str, bytes, type(None), slice, range)


def check(program: Program, *, says: bool = True, rounding: float = 1.0) -> None:
    """The program does the same on both libraries; ``says``: an error has PyTorch's text."""
    mine, peer = (outcome(program, library) for library in (graphc, torch))
    if peer.error is not None:
        check_error(mine, peer.error, says)
        return
    if mine.error is not None:
        raise mine.error
    same("result", mine.result, peer.result, rounding)


def outcome(program: Program, library: Any) -> Outcome:
    """What the program gives on one library."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            if callable(program):
                return Outcome(result=program(library))
            return Outcome(result=_value(program, library))
        except Exception as error:
            return Outcome(error=error)


def _value(program: str, library: Any) -> Any:
    """The value of the last expression of the text."""
    tree = ast.parse(dedent(program).strip())
    last = tree.body.pop()
    assert isinstance(last, ast.Expr), "a program ends with an expression"
    names = {"torch": library, "np": np, "math": math, "copy": copy, "pickle": pickle}
    exec(compile(tree, "<program>", "exec"), names)
    return eval(compile(ast.Expression(last.value), "<program>", "eval"), names)


def check_error(mine: Outcome, peer: Exception, says: bool) -> None:
    """graphc failed as PyTorch did; what PyTorch's parser of arguments says is its own affair."""
    shown = str(peer).split("\n")[0].strip()
    assert mine.error is not None, f"PyTorch raises {type(peer).__name__}: {shown}"
    assert isinstance(mine.error, type(peer)), f"{mine.error!r}, PyTorch: {peer!r}"
    if says and not _of_parser(peer, shown):
        assert shown in str(mine.error), f"{mine.error}, PyTorch: {shown}"


def _of_parser(error: Exception, shown: str) -> bool:
    parsed = ("(): argument", "invalid combination of arguments", "missing", "unexpected keyword")
    return isinstance(error, TypeError) and any(text in shown for text in parsed)


def same(what: str, mine: Any, peer: Any, rounding: float = 1.0) -> None:
    """Both results are equal, tensors in value, type, shape and the look of their history."""
    if isinstance(peer, torch.Tensor):
        assert isinstance(mine, Tensor), f"{what}: {mine!r}, PyTorch: {peer!r}"
        check_numbers(mine, peer, rounding)
        equal(f"requires_grad of {what}", mine.requires_grad, peer.requires_grad)
        equal(f"is_leaf of {what}", mine.is_leaf, peer.is_leaf)
        equal(f"grad_fn of {what}", *(type(x.grad_fn).__name__ for x in (mine, peer)))
    elif isinstance(peer, Mapping):
        equal(f"keys of {what}", list(mine), list(peer))
        for key, value in peer.items():
            same(f"{what}[{key!r}]", mine[key], value, rounding)
    elif isinstance(peer, list | tuple):
        equal(f"kind of {what}", type(mine).__name__, type(peer).__name__)
        equal(f"length of {what}", len(mine), len(peer))
        for i, (a, b) in enumerate(zip(mine, peer, strict=True)):
            same(f"{what}[{i}]", a, b, rounding)
    elif isinstance(peer, np.ndarray | np.generic):
        equal(f"kind of {what}", (type(mine), mine.dtype), (type(peer), peer.dtype))
        tolerance = 1e-6 * rounding
        np.testing.assert_allclose(mine, np.asarray(peer), rtol=tolerance, atol=tolerance)
    elif isinstance(peer, float) and math.isnan(peer):
        assert isinstance(mine, float) and math.isnan(mine), f"{what}: {mine!r}, PyTorch: nan"
    elif isinstance(peer, PLAIN):
        equal(f"kind of {what}", type(mine).__name__, type(peer).__name__)
        equal(what, mine, peer)
    else:
        equal(what, str(mine), str(peer))


def lines(text: str) -> list[str]:
    """The lines of a text that are not empty, as programs of one line."""
    return [line.strip() for line in text.splitlines() if line.strip()]


def blocks(text: str) -> list[str]:
    """The programs of a text, which empty lines set apart."""
    return [block.strip("\n") for block in text.split("\n\n") if block.strip()]


def named(program: str) -> str:
    """A program of several lines as a name of one."""
    return program.replace("\n", "; ").replace("    ", "")
