"""What a sensor is told to do: `sensor.toml`, checked."""

import os
import tomllib
from pathlib import Path

from pydantic import Field, ValidationError

from cgii.base import limits
from cgii.base.errors import Invalid
from cgii.collect.input_config import FollowConfig, LocalInputs


class SensorConfig(LocalInputs):
    """`sensor.toml`: the centre, the token and the inputs."""

    centre: str = Field(pattern=r"^https?://")
    token: str = ""
    token_file: Path | None = None
    site: Path | None = None
    host: str = "127.0.0.1"
    syslog_udp_port: int | None = Field(None, ge=1, le=65535)
    syslog_tcp_port: int | None = Field(None, ge=1, le=65535)
    follow: tuple[FollowConfig, ...] = ()
    spool: Path | None = None  # beside this file unless it is given
    spool_mib_max: int = Field(limits.SPOOL_BYTES_MAX >> 20, ge=16)

    @property
    def secret(self) -> str:
        """The token: from the environment, the file it names, or the text itself."""
        if "CGII_SENSOR_TOKEN" in os.environ:
            return os.environ["CGII_SENSOR_TOKEN"]
        return self.token_file.read_text().strip() if self.token_file else self.token


def read_config(path: Path) -> SensorConfig:
    """The file's contents. Raises Invalid with what is wrong."""
    try:
        return SensorConfig.model_validate(tomllib.loads(path.read_text()))
    except OSError as error:
        raise Invalid("No se puede leer {path}: {why}.", path=path, why=error.strerror) from error
    except (tomllib.TOMLDecodeError, ValidationError) as error:
        raise Invalid("{path} no es válido: {why}", path=path, why=str(error)) from error
