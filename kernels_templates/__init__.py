"""The Jinja templates of the kernels, and how one is rendered."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jinja2 import Environment

FOLDER = Path(__file__).resolve().parent


@lru_cache(maxsize=1)
def environment() -> Environment:
    """The one environment of every template: an undefined variable is an error."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    from graphc.kernels_templates.bytecode import Bytecode

    return Environment(
        loader=FileSystemLoader(FOLDER),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
        bytecode_cache=Bytecode(),
    )


def render(template_name: str, **variables: object) -> str:
    """The text of a template, by its file name within this folder."""
    return environment().get_template(template_name).render(**variables)


def render_block(template_name: str, block: str, **variables: object) -> str:
    """The text of one block of a template."""
    template = environment().get_template(template_name)
    return "".join(template.blocks[block](template.new_context(variables)))
