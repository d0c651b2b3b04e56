"""What `sensor.toml` says of each way in, checked."""

import glob
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from cgii.collect.inputs.tls import TlsFiles


class FollowConfig(BaseModel):
    """A file, a folder or a pattern to follow; `whole`: of files that do not grow."""

    model_config = ConfigDict(extra="forbid")
    source: str
    path: Path
    whole: bool = False

    @property
    def is_pattern(self) -> bool:
        """Whether it may name several files."""
        return glob.has_magic(str(self.path)) or self.path.is_dir()

    @property
    def is_whole(self) -> bool:
        """Whether its files are read once each, from beginning to end."""
        return self.whole or self.path.suffix == ".gz"


class EventLogsConfig(BaseModel):
    """A folder into which Windows event logs (EVTX) are copied."""

    model_config = ConfigDict(extra="forbid")
    folder: Path
    source: str = "windows_events"


class InputsConfig(BaseModel):
    """The part of `sensor.toml` that names the inputs which run by themselves."""

    model_config = ConfigDict(extra="forbid")
    syslog_tls_port: int | None = Field(None, ge=1, le=65535)
    syslog_tls_certificate: Path | None = None
    syslog_tls_key: Path | None = None
    syslog_tls_client_ca: Path | None = None

    follow: tuple[FollowConfig, ...] = ()
    evtx: tuple[EventLogsConfig, ...] = ()

    @model_validator(mode="after")
    def _with_certificate(self) -> Self:
        if self.syslog_tls_port is not None and self.tls_files is None:
            raise ValueError("syslog_tls_port pide syslog_tls_certificate y syslog_tls_key")
        return self

    @property
    def tls_files(self) -> TlsFiles | None:
        """The listener's certificate, if one is named."""
        if self.syslog_tls_certificate is None or self.syslog_tls_key is None:
            return None
        return TlsFiles(self.syslog_tls_certificate, self.syslog_tls_key, self.syslog_tls_client_ca)
