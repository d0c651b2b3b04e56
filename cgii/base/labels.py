"""The tables of cgii/reference: codes and the Spanish words that people see for them."""

from functools import cache
from typing import Any

import yaml

from cgii.base.content import reference


@cache
def load_table(name: str) -> Any:  # any YAML value
    """The content of `reference/<name>.yml`, read once; callers don't change it."""
    return yaml.safe_load(reference(f"{name}.yml").read_text(encoding="utf-8"))


@cache
def labels(path: str) -> dict[str, str]:
    """Code → label of all items below `path`, in their order: "plans.states", "taxonomy.classes".

    The first word names the file; items are mappings with `code` and `label`, at any depth, or
    one mapping of codes to labels.
    """
    name, *keys = path.split(".")
    value = load_table(name)
    for key in keys:
        value = value[key]
    if isinstance(value, dict) and all(isinstance(text, str) for text in value.values()):
        return {str(code): text for code, text in value.items()}
    found: dict[str, str] = {}
    _collect(value, found)
    return found


def label(path: str, code: str) -> str:
    """The word for a code, or the code itself where the table does not know it."""
    return labels(path).get(code, code)


def _collect(value: Any, found: dict[str, str]) -> None:  # any YAML value
    if isinstance(value, dict):
        if "code" in value and "label" in value:
            found.setdefault(str(value["code"]), str(value["label"]))
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            _collect(item, found)
