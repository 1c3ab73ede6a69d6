"""Which module of a backend makes the kernel of each primitive."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from graphc.backend import refusal
from graphc.ir.node import Node


def modules_of(tables: Mapping[str, str]) -> dict[str, str]:
    """For each primitive its module, of the primitives that each module has makers for."""
    return {name: module for module, names in tables.items() for name in names.split()}


def maker_in(backend: str, modules: Mapping[str, str], node: Node) -> Any:
    """The maker of a node's kernel: in a table of its module that has the module's name.

    Raises where there is none, in the name of the backend.
    """
    name = getattr(node.op, "key", node.op.name)
    module = modules.get(name)
    if module is None:
        raise refusal(backend, node)
    return getattr(import_module(f"graphc.backends.{backend}.{module}"), module.upper())[name]
