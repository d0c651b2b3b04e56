"""What `sensor.toml` says of each way in, checked."""

import glob
import os
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    IPvAnyNetwork,
    model_validator,
)

from cgii.base import limits
from cgii.base.errors import Invalid
from cgii.collect.inputs.tls import TlsFiles
from cgii.collect.outgoing import Target, target_of
from cgii.collect.times import zone_named


def _known_zone(name: str) -> str:
    try:
        return name and zone_named(name).key
    except Invalid as error:
        raise ValueError(str(error).removesuffix(".")) from error


# Of lines that name none; empty: the zone of their source.
ZoneName = Annotated[str, AfterValidator(_known_zone)]


class FollowConfig(BaseModel):
    """A file, a folder or a pattern to follow; `whole`: of files that do not grow."""

    model_config = ConfigDict(extra="forbid")
    source: str = Field(min_length=1, max_length=limits.NAME_CHARS_MAX)
    path: Path
    whole: bool = False
    zone: ZoneName = ""

    @property
    def is_pattern(self) -> bool:
        """Whether it may name several files."""
        return glob.has_magic(str(self.path)) or os.path.isdir(self.path)

    @property
    def is_whole(self) -> bool:
        """Whether its files are read once each, from beginning to end."""
        return self.whole or self.path.suffix == ".gz"


class EventLogsConfig(BaseModel):
    """A folder into which Windows event logs (EVTX) are copied."""

    model_config = ConfigDict(extra="forbid")
    folder: Path
    source: str = "windows_events"


class PullConfig(BaseModel):
    """An HTTP interface that is asked for records."""

    model_config = ConfigDict(extra="forbid")
    source: str
    url: str = Field(max_length=limits.CURSOR_CHARS_MAX)
    every_seconds: int = Field(60, ge=5, le=86_400)
    records: str = ""  # a dotted path in the answer; empty: the answer is the list
    cursor: str = ""  # a dotted path, or `link` for the Link header
    parameter: str = ""  # that gives the cursor back; empty: the cursor is an address
    headers: dict[str, str] = {}
    token_file: Path | None = None
    auth_header: str = "Authorization"
    auth_prefix: str = "Bearer "
    networks: tuple[IPvAnyNetwork, ...] = ()  # not public, and allowed all the same
    ca: Path | None = None
    zone: ZoneName = ""

    @model_validator(mode="after")
    def _is_safe(self) -> Self:
        try:
            target = self.target
        except Invalid as error:
            raise ValueError(str(error)) from error
        if target.scheme == "http" and not self.networks:
            raise ValueError("sin TLS solo se pregunta en redes propias: nómbrelas en networks")
        return self

    @property
    def target(self) -> Target:
        """The server that may be asked."""
        return target_of(self.url, self.networks, self.ca)

    @property
    def asked(self) -> dict[str, Any]:
        """What is asked of it and how, as the parameters of a `Pull`."""
        return self.model_dump(exclude={"networks", "ca", "zone"})


class MailboxConfig(BaseModel):
    """A mailbox whose mails are records, such as where people report phishing."""

    model_config = ConfigDict(extra="forbid")
    host: str = Field(pattern=r"^[\w.:-]+$")
    port: int = Field(993, ge=1, le=65535)
    user: str
    password_file: Path
    folder: str = Field("INBOX", pattern=r"^[^\x00-\x1f\x7f]+$")
    source: str = "mail_report"
    every_seconds: int = Field(60, ge=10, le=86_400)
    networks: tuple[IPvAnyNetwork, ...] = ()
    ca: Path | None = None

    @property
    def target(self) -> Target:
        """The server."""
        return Target("imaps", self.host, self.port, self.networks, self.ca)


class CapturesConfig(BaseModel):
    """A folder of captures, as the sensor's TOML file names it."""

    model_config = ConfigDict(extra="forbid")
    folder: Path


class LiveConfig(BaseModel):
    """An interface to capture on, as the sensor's TOML file names it."""

    model_config = ConfigDict(extra="forbid")
    interface: str = Field(min_length=1, max_length=15)
    filter: str = Field("", max_length=2_000)
    promiscuous: bool = True


class LocalInputs(BaseModel):
    """Inputs that only the machine's own file may name: they read its keys and secrets."""

    model_config = ConfigDict(extra="forbid")
    syslog_tls_port: int | None = Field(None, ge=1, le=65535)
    syslog_tls_certificate: Path | None = None
    syslog_tls_key: Path | None = None
    syslog_tls_client_ca: Path | None = None

    evtx: tuple[EventLogsConfig, ...] = ()
    pull: tuple[PullConfig, ...] = ()
    imap: tuple[MailboxConfig, ...] = ()
    pcap: tuple[CapturesConfig, ...] = ()
    capture: tuple[LiveConfig, ...] = ()

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
