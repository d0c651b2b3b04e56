"""Makes the inputs that a sensor's file, or the centre's settings, name."""

from collections.abc import Iterator

from cgii.base.errors import Invalid
from cgii.base.settings import Settings
from cgii.collect.config import SensorConfig
from cgii.collect.definition import Definitions
from cgii.collect.input_config import FollowConfig
from cgii.collect.inputs.captures import Captures
from cgii.collect.inputs.event_logs import EventLogs
from cgii.collect.inputs.following import Follow
from cgii.collect.inputs.live import Live
from cgii.collect.inputs.mail import Mailbox
from cgii.collect.inputs.netflow import Netflow
from cgii.collect.inputs.outlet import Input, Zoned
from cgii.collect.inputs.pattern import FollowPattern
from cgii.collect.inputs.pull import Pull
from cgii.collect.inputs.syslog_tls import SyslogTls
from cgii.collect.inputs.tls import TlsFiles
from cgii.collect.inputs.whole import WholeFiles


def of_sensor(sensor: SensorConfig, definitions: Definitions) -> Iterator[Input]:
    """Every input of `sensor.toml` that runs by itself."""
    for file in sensor.follow:
        yield _in_zone(following(file, definitions), file.zone)
    for logs in sensor.evtx:
        yield EventLogs(logs.source, str(logs.folder))
    for one in sensor.pull:
        yield _in_zone(Pull(**one.asked, target=one.target), one.zone)
    for box in sensor.imap:
        yield Mailbox(
            box.source, box.target, box.user, box.password_file,
            folder=box.folder, every_seconds=box.every_seconds,
        )  # fmt: skip
    if sensor.syslog_tls_port is not None and sensor.tls_files is not None:
        tls = SyslogTls(sensor.host, sensor.syslog_tls_port, sensor.tls_files, definitions)
        yield _in_zone(tls, sensor.syslog_zone)
    for captures in sensor.pcap:
        yield Captures(captures.folder)
    for card in sensor.capture:
        yield Live(card.interface, card.filter, card.promiscuous)
    if sensor.netflow_port is not None:
        yield Netflow(sensor.host, sensor.netflow_port)


def _in_zone(one: Input, zone: str) -> Input:
    return Zoned(one, zone) if zone else one


def following(one: FollowConfig, definitions: Definitions) -> Input:
    """The input for a file, a folder or a pattern."""
    path = str(one.path)
    if one.is_whole:
        definition = definitions.by_name.get(one.source)
        if definition is None:
            return WholeFiles(one.source, path, "")
        return WholeFiles(one.source, path, definition.parser, definition.path)
    several = FollowPattern(one.source, path)
    return several if one.is_pattern else Follow(one.source, one.path, several)


def tls_of_centre(settings: Settings, definitions: Definitions) -> Iterator[Input]:
    """The centre's own listener with TLS, if it has one. Raises Invalid without a certificate."""
    if not settings.syslog_tls_port:
        return
    certificate, key = settings.syslog_tls_certificate, settings.syslog_tls_key
    if certificate is None or key is None:
        raise Invalid(
            "CGII_SYSLOG_TLS_PORT pide CGII_SYSLOG_TLS_CERTIFICATE y CGII_SYSLOG_TLS_KEY."
        )
    files = TlsFiles(certificate, key, settings.syslog_tls_client_ca)
    yield SyslogTls(settings.syslog_host, settings.syslog_tls_port, files, definitions)
