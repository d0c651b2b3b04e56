"""Whether a document has the shape of a CACAO 2.0 playbook, as the schema in `reference/` says."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError, best_match

from cgii.base.content import reference


@dataclass(frozen=True)
class Fault:
    """What is wrong, and the keys that lead to it from the top of the document."""

    sentence: str
    keys: tuple[str, ...]


def fault_in(document: Mapping[str, Any]) -> Fault | None:
    """The fault that says most; None when there is none."""
    fault = best_match(_schema().iter_errors(document))
    if fault is None:
        return None
    return Fault(
        _sentence(fault), tuple(key for key in fault.absolute_path if isinstance(key, str))
    )


@cache
def _schema() -> Draft202012Validator:
    text = reference("cacao-playbook.schema.json").read_text(encoding="utf-8")
    return Draft202012Validator(json.loads(text))


def _sentence(fault: ValidationError) -> str:
    where = ".".join(str(part) for part in fault.absolute_path) or "el documento"
    if fault.validator == "required":
        missing = [name for name in fault.validator_value if name not in fault.instance]
        return f"falta «{missing[0]}» en {where}"
    if fault.validator in ("const", "enum"):
        return f"{where} tiene el valor {fault.instance!r}, que no se admite"
    if fault.validator == "type":
        return f"{where} debe ser de tipo {fault.validator_value}"
    return f"{where} no tiene la forma que pide CACAO 2.0"
