"""Fills a template with plain data in Jinja2's immutable sandbox; what is missing is an error."""

from functools import cache
from typing import Any

from jinja2 import StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment


@cache
def template_environment() -> ImmutableSandboxedEnvironment:
    """The only environment for documents: no loader, so a template cannot include a file."""
    environment = ImmutableSandboxedEnvironment(
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.globals.clear()  # no range, no cycler: a template only lays out what it is given
    return environment


def render(template: str, data: dict[str, Any]) -> str:
    """The document as HTML. `data` holds text, numbers, lists, mappings, and our own markup."""
    return template_environment().from_string(template).render(data)
