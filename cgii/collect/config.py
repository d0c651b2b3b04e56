"""What a sensor is told to do: `sensor.toml` on its machine, and inputs pushed by the centre."""

import os
import tomllib
from glob import has_magic
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cgii.base import limits
from cgii.base.errors import Invalid
from cgii.collect.input_config import FollowConfig, LocalInputs


class InputsConfig(BaseModel):
    """The inputs that a centre may choose."""

    model_config = ConfigDict(extra="forbid")
    host: str = "127.0.0.1"
    syslog_udp_port: int | None = Field(None, ge=1, le=65535)
    syslog_tcp_port: int | None = Field(None, ge=1, le=65535)
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
            return self.token_file.read_text().strip()
        except OSError as error:
            raise Invalid(
                "No se puede leer {path}: {why}.", path=self.token_file, why=error.strerror
            ) from error

    def with_inputs(self, pushed: InputsConfig) -> "SensorConfig":
        """The same with the inputs that the centre chose. Raises Invalid for a file elsewhere."""
        for one in pushed.follow:
            # Links of the pattern's last part are not followed; those of the others are here.
            place = one.path.parent.resolve() if has_magic(one.path.name) else one.path.resolve()
            if has_magic(str(one.path.parent)) or not any(
                place.is_relative_to(folder.resolve()) for folder in self.pushed_paths
            ):
                raise Invalid(
                    "El sensor no permite que el centro elija {path}; solo archivos dentro de "
                    "{folders} (pushed_paths en su configuración).",
                    path=one.path,
                    folders=", ".join(map(str, self.pushed_paths)) or "ninguna carpeta",
                )
        return self.model_copy(update={name: getattr(pushed, name) for name in INPUTS})


INPUTS = tuple(InputsConfig.model_fields)
Config = TypeVar("Config", bound=InputsConfig)


def read_config(path: Path) -> SensorConfig:
    """The file's contents. Raises Invalid with what is wrong."""
    try:
        return _read(SensorConfig, path.read_text(encoding="utf-8"))
    except OSError as error:
        raise Invalid("No se puede leer {path}: {why}.", path=path, why=error.strerror) from error
    except (ValueError, Invalid) as error:
        raise Invalid("{path} no es válido: {why}", path=path, why=str(error)) from error


def read_inputs(text: str) -> InputsConfig:
    """Inputs as a centre pushes them. Raises Invalid with what is wrong."""
    return _read(InputsConfig, text)


def check_inputs(text: str) -> None:
    """Raise Invalid, for the field `text`, unless a sensor could read these inputs."""
    try:
        read_inputs(text)
    except Invalid as error:
        raise Invalid(error.message, field="text", **error.facts) from error


def _read(kind: type[Config], text: str) -> Config:
    try:
        return kind.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise Invalid("No es TOML válido: {why}.", why=str(error)) from error
    except ValidationError as error:
        found = [
            f"{'.'.join(map(str, one['loc']))}: {_why(one['type'], one['msg'])}"
            for one in error.errors()
        ]
        raise Invalid("{problems}.", problems="; ".join(found)) from error


def _why(kind: str, message: str) -> str:
    """The commonest mistakes in Spanish."""
    known = {"extra_forbidden": "no se conoce esta clave", "missing": "falta"}
    return known.get(kind, message)
