"""What a sensor is told to do: `sensor.toml` on its machine, and inputs pushed by the centre."""

import os
import re
import tomllib
from collections.abc import Mapping
from glob import has_magic
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cgii.base import limits
from cgii.base.errors import Invalid
from cgii.base.reasons import why
from cgii.collect.definition import Definitions
from cgii.collect.input_config import FollowConfig, LocalInputs, ZoneName


class InputsConfig(BaseModel):
    """The inputs that a centre may choose."""

    model_config = ConfigDict(extra="forbid")
    host: str = "127.0.0.1"
    syslog_udp_port: int | None = Field(None, ge=1, le=65535)
    syslog_tcp_port: int | None = Field(None, ge=1, le=65535)
    syslog_zone: ZoneName = ""
    netflow_port: int | None = Field(None, ge=1, le=65535)
    follow: tuple[FollowConfig, ...] = ()


class SensorConfig(InputsConfig, LocalInputs):
    """`sensor.toml`: the centre, how it knows us, and the inputs."""

    centre: str = Field(pattern=r"^https?://")
    ca_file: Path | None = None  # of a centre whose certificate is signed by its own authority
    token: str = ""
    token_file: Path | None = None
    site: Path | None = None
    spool: Path | None = None  # beside this file unless it is given
    spool_mib_max: int = Field(limits.SPOOL_BYTES_MAX >> 20, ge=16)
    pushed_inputs: bool = True  # whether the centre may choose the inputs …
    pushed_paths: tuple[Path, ...] = (Path("/var/log"),)  # … and files in which folders

    @property
    def secret(self) -> str:
        """The token: from the environment, the file it names, or the text itself; may be empty."""
        if "CGII_SENSOR_TOKEN" in os.environ:
            return os.environ["CGII_SENSOR_TOKEN"]
        if self.token_file is None:
            return self.token
        try:
            return self.token_file.read_text(encoding="utf-8-sig").strip()
        except OSError as error:
            raise Invalid(
                "No se puede leer {path}: {why}.", path=self.token_file, why=why(error)
            ) from error
        except UnicodeDecodeError as error:
            raise Invalid("{path} no es un texto.", path=self.token_file) from error

    def with_inputs(self, pushed: InputsConfig) -> "SensorConfig":
        """The same with the inputs that the centre chose. Raises Invalid for a file elsewhere."""
        for one in pushed.follow:
            if not self._is_allowed(one.path):
                raise Invalid(
                    "El sensor no permite que el centro elija {path}; solo archivos dentro de "
                    "{folders} (pushed_paths en su configuración).",
                    path=one.path,
                    folders=", ".join(map(str, self.pushed_paths)) or "ninguna carpeta",
                )
        chosen = {name: getattr(pushed, name) for name in INPUTS}
        for name in ("host", "syslog_zone"):  # what listens beside them keeps its own
            if name not in pushed.model_fields_set:
                chosen[name] = getattr(self, name)
        return self.model_copy(update=chosen)

    def _is_allowed(self, path: Path) -> bool:
        # Links of a pattern's last part are not followed; those of the others are looked at here.
        place = path.parent if has_magic(path.name) else path
        if has_magic(str(place)) or "**" in path.name:
            return False
        found = place.resolve()
        return any(found.is_relative_to(folder.resolve()) for folder in self.pushed_paths)


INPUTS = tuple(InputsConfig.model_fields)
FORMS = {
    "centre": "debe comenzar con https:// o http://",
    "host": "debe ser un nombre o una dirección, sin nada más",
    "folder": "no puede tener saltos de línea ni otros signos de control",
}
Config = TypeVar("Config", bound=InputsConfig)
MISTAKES = {
    "extra_forbidden": "no se conoce esta clave",
    "missing": "falta",
    **dict.fromkeys(("int_type", "int_parsing", "int_from_float"), "debe ser un número entero"),
    **dict.fromkeys(("string_type", "path_type"), "debe ser un texto"),
    **dict.fromkeys(("tuple_type", "list_type"), "debe ser una lista"),
    **dict.fromkeys(("bool_type", "bool_parsing"), "debe ser true o false"),
    **dict.fromkeys(("dict_type", "model_type"), "debe ser una tabla"),
    "string_pattern_mismatch": "no tiene la forma debida",
    "ip_any_network": "debe ser una red, como 10.20.0.0/16, sin nada tras su prefijo",
    "string_too_short": "no puede estar vacío",
    "string_too_long": "es demasiado largo",
}


def read_config(path: Path) -> SensorConfig:
    """The file's contents. Raises Invalid with what is wrong."""
    text = text_of(path)
    try:
        return _read(SensorConfig, text)
    except Invalid as error:
        raise Invalid("{path} no es válido: {why}", path=path, why=str(error)) from error


def text_of(path: Path) -> str:
    """A configuration's text; some editors begin it with a mark. Raises Invalid."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise Invalid("No se puede leer {path}: {why}.", path=path, why=why(error)) from error
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise Invalid(
            "{path} no está en UTF-8 (línea {line}); guárdelo así.", path=path, line=line
        ) from error


def read_inputs(text: str) -> InputsConfig:
    """Inputs as a centre pushes them. Raises Invalid with what is wrong."""
    return _read(InputsConfig, text)


def check_inputs(text: str, definitions: Definitions) -> None:
    """Raise Invalid, for the field `text`, unless a sensor could read these inputs."""
    try:
        inputs = read_inputs(text)
    except Invalid as error:
        raise Invalid(error.message, field="text", **error.facts) from error
    for one in inputs.follow:
        definitions.check(one.source, field="text")


def _read(kind: type[Config], text: str) -> Config:
    try:
        return kind.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise Invalid("No es TOML válido: {where}.", where=_where(str(error))) from error
    except ValidationError as error:
        found = [": ".join(filter(None, (_of(one), _why(one)))) for one in error.errors()]
        raise Invalid("{problems}.", problems="; ".join(found)) from error


def _where(told: str) -> str:
    """The place that the reader of TOML names."""
    found = re.search(r"line (\d+), column (\d+)", told)
    return f"línea {found[1]}, columna {found[2]}" if found else "termina antes de tiempo"


def _of(problem: Mapping[str, Any]) -> str:
    """The key, and of a list which one: people count from one."""
    parts = (f" n.º {one + 1}, " if isinstance(one, int) else str(one) for one in problem["loc"])
    return "".join(parts).removesuffix(", ")


def _why(problem: Mapping[str, Any]) -> str:
    kind, facts = problem["type"], problem.get("ctx", {})
    if kind in ("less_than_equal", "greater_than_equal"):
        return (
            f"debe ser {facts.get('le', facts.get('ge'))} o {'menos' if 'le' in facts else 'más'}"
        )
    if kind == "string_pattern_mismatch":
        return FORMS.get(problem["loc"][-1], MISTAKES[kind])
    return MISTAKES.get(kind) or str(problem["msg"]).removeprefix("Value error, ")
