"""What `sensor.toml` says of each way in, checked."""

from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from cgii.collect.inputs.tls import TlsFiles


class InputsConfig(BaseModel):
    """The part of `sensor.toml` that names the inputs which run by themselves."""

    model_config = ConfigDict(extra="forbid")
    syslog_tls_port: int | None = Field(None, ge=1, le=65535)
    syslog_tls_certificate: Path | None = None
    syslog_tls_key: Path | None = None
    syslog_tls_client_ca: Path | None = None

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
