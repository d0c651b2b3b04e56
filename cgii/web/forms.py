"""From a sent form to a dataclass: what was typed is kept, what is wrong is collected by field.

    form = read(sent, CloseForm)          # any dataclass or pydantic model
    with redo(request, "incident/close.html", form=form):
        close(act, incident, form.data())

Empty text counts as absent, times are La Paz time, a ticked box is True, a list field takes all
values of its name.
"""

import types
from dataclasses import MISSING, dataclass, field, fields, is_dataclass, replace
from datetime import UTC, date, datetime
from typing import Annotated, Any, Generic, TypeVar, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel, TypeAdapter, ValidationError
from starlette.datastructures import FormData, UploadFile

from cgii.base.clock import LA_PAZ
from cgii.base.errors import Invalid, InvalidForm
from cgii.web.language import gettext

Data = TypeVar("Data")
Typed = dict[str, str | list[str]]

REQUIRED = "Este dato es obligatorio."
# pydantic's kinds of problem → our sentence; its context fills it.
SENTENCES = {
    "missing": REQUIRED,
    "string_too_short": "Escriba al menos {min_length} caracteres.",
    "string_too_long": "Escriba como máximo {max_length} caracteres.",
    "string_pattern_mismatch": "El formato no es el esperado.",
    "int_parsing": "Escriba un número entero.",
    "int_type": "Escriba un número entero.",
    "float_parsing": "Escriba un número.",
    "greater_than_equal": "Escriba un número desde {ge}.",
    "less_than_equal": "Escriba un número hasta {le}.",
    "literal_error": "Elija una de las opciones.",
    "enum": "Elija una de las opciones.",
    "bool_parsing": "Elija una de las opciones.",
    "date_from_datetime_parsing": "Escriba una fecha, por ejemplo 2026-11-22.",
    "datetime_from_date_parsing": "Escriba fecha y hora, por ejemplo 2026-11-22 14:05.",
    "too_short": "Elija al menos {min_length}.",
    "too_long": "Elija como máximo {max_length}.",
}
UNREADABLE = "El valor no es válido."


@dataclass(frozen=True)
class Filled(Generic[Data]):
    """A form as filled in: `typed` goes back into the fields, `problems` stand beside them."""

    model: type[Data] | None
    typed: Typed = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)
    facts: dict[str, dict[str, Any]] = field(default_factory=dict)  # fill the problems' sentences
    general: str = ""  # what is wrong with the whole

    def data(self) -> Data:
        """The values in their types. Raises InvalidForm with every problem at once."""
        assert self.model is not None, "this form was only shown, never sent"
        try:
            made: Data = _adapter(self.model).validate_python(_prepared(self.model, self.typed))
            return made
        except ValidationError as error:
            found = Problems.of(error)
            raise found from error

    def value(self, name: str, default: object = "") -> Any:  # text, or a list of texts
        """What stands in a field."""
        return self.typed.get(name, default)

    def problem(self, name: str) -> str:
        """What is wrong with a field, "" when nothing is."""
        text = gettext(self.problems[name]) if name in self.problems else ""
        return text.format(**self.facts[name]) if text and name in self.facts else text

    def with_problems(self, error: Invalid) -> "Filled[Data]":
        """The same form with an error's sentences beside their fields."""
        if isinstance(error, Problems):
            return replace(self, problems=error.problems, facts=error.facts_by_field)
        if isinstance(error, InvalidForm):
            return replace(self, problems=error.problems)
        if error.field:
            facts = {error.field: error.facts} if error.facts else {}
            return replace(self, problems={error.field: error.message}, facts=facts)
        return self.with_general(str(error))

    def with_general(self, text: str) -> "Filled[Data]":
        """The same form with a sentence above it."""
        return replace(self, general=text)


class Problems(InvalidForm):
    """Problems found by reading types; their sentences have facts by field."""

    facts_by_field: dict[str, dict[str, Any]]

    @classmethod
    def of(cls, error: ValidationError) -> "Problems":
        """Turn pydantic's findings into sentences."""
        problems, facts = {}, {}
        for finding in error.errors(include_url=False, include_input=False):
            name = str(finding["loc"][0]) if finding["loc"] else ""
            context = finding.get("ctx", {})
            own = context.get("error")
            if finding["type"] == "value_error" and isinstance(own, ValueError):
                problems[name] = str(own)  # raised by our own validator, in our words
                continue
            problems[name] = SENTENCES.get(finding["type"], UNREADABLE)
            if finding["type"] == "string_too_short" and context.get("min_length") == 1:
                problems[name] = REQUIRED
            facts[name] = dict(context)
        made = cls(problems)
        made.facts_by_field = facts
        return made


def read(sent: FormData, model: type[Data]) -> Filled[Data]:
    """Take the model's fields from a sent form; anything else that was sent is ignored."""
    typed: Typed = {}
    for name, annotation in _annotations(model).items():
        values = [value for value in sent.getlist(name) if isinstance(value, str)]
        if _is_list(annotation):
            typed[name] = values
        elif values:
            typed[name] = values[-1].strip().replace("\r\n", "\n")
    return Filled(model, typed)


def blank(**values: Any) -> Filled[Any]:  # as the model's fields
    """A form to be shown, with these values in its fields."""
    return Filled(None, {name: _shown(value) for name, value in values.items()})


def read_id(sent: object) -> int | None:
    """A row's id as a form or an address has it; None for what can be none."""
    if not isinstance(sent, str) or not sent.isascii() or not sent.isdecimal():
        return None
    return int(sent) if len(sent) < 16 else None


def file_of(sent: FormData, name: str) -> UploadFile | None:
    """An uploaded file, None when none was chosen."""
    value = sent.get(name)
    return value if isinstance(value, UploadFile) and value.filename else None


def files_of(sent: FormData, name: str) -> list[UploadFile]:
    """All uploaded files of one field."""
    values = sent.getlist(name)
    return [value for value in values if isinstance(value, UploadFile) and value.filename]


def _shown(value: object) -> str | list[str]:
    if value is None or value is False:
        return ""
    if value is True:
        return "on"
    if isinstance(value, (list, tuple)):
        return [str(item) for item in value]
    if isinstance(value, datetime):
        return f"{value.astimezone(LA_PAZ):%Y-%m-%dT%H:%M}"
    return str(value)


def _prepared(model: type[Any], typed: Typed) -> dict[str, Any]:
    """The typed texts as pydantic should read them; what is absent takes the model's default."""
    prepared: dict[str, Any] = {}
    optional = _with_default(model)
    for name, annotation in _annotations(model).items():
        value = typed.get(name, "")
        if _is_list(annotation):
            prepared[name] = value
        elif _is(annotation, bool):
            prepared[name] = value not in ("", "off", "no", "0", "false")
        elif value != "" and isinstance(value, str) and _is(annotation, datetime):
            prepared[name] = _moment(value)
        elif value != "":
            prepared[name] = value
        elif type(None) in get_args(_bare(annotation)):
            prepared[name] = None
        elif name not in optional and _is(annotation, str):
            prepared[name] = ""  # then its min_length decides, in the model's own words
    return prepared


def _moment(text: str) -> datetime | str:
    try:
        moment = datetime.fromisoformat(text)
        return (moment.replace(tzinfo=LA_PAZ) if moment.tzinfo is None else moment).astimezone(UTC)
    except ValueError:
        return text  # pydantic says what is wrong with it
    except OverflowError:
        return ""  # the last evening of the year 9999 is no longer in it in UTC


_adapters: dict[Any, TypeAdapter[Any]] = {}  # by model: building one takes milliseconds


def _adapter(model: type[Any]) -> TypeAdapter[Any]:
    if model not in _adapters:
        _adapters[model] = TypeAdapter(model)
    return _adapters[model]


def _annotations(model: type[Any]) -> dict[str, Any]:
    hints = get_type_hints(model, include_extras=True)
    if is_dataclass(model):
        return {item.name: hints[item.name] for item in fields(model)}
    assert issubclass(model, BaseModel), f"{model.__name__} is no form"
    return {name: hints[name] for name in model.model_fields}


def _with_default(model: type[Any]) -> frozenset[str]:
    if is_dataclass(model):
        return frozenset(
            item.name
            for item in fields(model)
            if item.default is not MISSING or item.default_factory is not MISSING
        )
    return frozenset(name for name, item in model.model_fields.items() if not item.is_required())


def _bare(annotation: Any) -> Any:  # a type expression
    return get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation


def _is_list(annotation: Any) -> bool:  # a type expression
    return get_origin(_bare(annotation)) in (list, tuple, set, frozenset)


def _is(annotation: Any, wanted: type[object]) -> bool:  # a type expression
    bare = _bare(annotation)
    if get_origin(bare) in (Union, types.UnionType):
        return any(_is(part, wanted) for part in get_args(bare))
    if wanted is date and bare is datetime:
        return False
    return bare is wanted
