"""`cgii collect check` and `unit`: whether a sensor can work, and how systemd should run it."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from cgii.base import clock, logs
from cgii.base.errors import Invalid
from cgii.collect.config import SensorConfig, read_config
from cgii.collect.pushed import Pushed
from cgii.collect.readiness import look
from cgii.collect.sensor import folder_of

ConfigPath = Annotated[Path, typer.Option("--config", help="Archivo TOML del sensor.")]
LOW_PORTS = 1024

UNIT = """\
# Guárdelo como /etc/systemd/system/cgii-sensor.service y cree la cuenta:
#   useradd --system --no-create-home --shell /usr/sbin/nologin {user}
# Para leer registros de otros, súmela a su grupo: usermod --append --groups adm {user}
[Unit]
Description=Sensor de CGII
Wants=network-online.target
After=network-online.target

[Service]
Type=exec
User={user}
ExecStartPre=+/usr/bin/install -d -o {user} -m 0700 {spool}
ExecStart={program} collect --config {config}
Restart=always
RestartSec=5
KillMode=mixed
TimeoutStopSec=60
UMask=0077
LimitNOFILE=8192
ReadWritePaths=-{spool}
NoNewPrivileges=yes
CapabilityBoundingSet={capabilities}
AmbientCapabilities={capabilities}
PrivateTmp=yes
PrivateDevices=yes
ProtectSystem=strict
ProtectHome=read-only
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
RestrictAddressFamilies={families}
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service

[Install]
WantedBy=multi-user.target
"""


def check(config: ConfigPath) -> None:
    """Revisa si el sensor puede trabajar: centro, cola, puertos y cada entrada."""
    logs.configure()
    sensor = read_config(config)
    spool = folder_of(sensor, config)
    is_good = True
    definitions = Pushed(spool / "pushed").definitions(sensor.site)
    for finding in look(sensor, spool, definitions, clock.now()):
        is_good = is_good and finding.is_good
        state = "bien " if finding.is_good else "FALTA"
        typer.echo(f"{state}  {finding.name}: {finding.sentence}")
    if not is_good:
        raise typer.Exit(1)


def unit(
    config: ConfigPath = Path("/etc/cgii/sensor.toml"),
    user: Annotated[str, typer.Option(help="Cuenta con la que corre.")] = "cgii",
) -> None:
    """Muestra un servicio de systemd que corre el sensor con los permisos que necesita."""
    sensor = read_config(config)
    config = config.resolve()
    spool = folder_of(sensor, config).absolute()
    program = f"{sys.executable} -m cgii"
    for text in (str(config), str(spool), sys.executable, user):
        if any(sign.isspace() or sign in "%\"'\\$;" for sign in text):
            raise Invalid("«{text}» no puede figurar en un servicio; elija otro nombre.", text=text)
    typer.echo(
        UNIT.format(
            user=user,
            config=config,
            spool=spool,
            program=program,
            capabilities=" ".join(capabilities(sensor)),
            families=" ".join(families(sensor)),
        ),
        nl=False,
    )


def capabilities(sensor: SensorConfig) -> list[str]:
    """What the process may do beyond its account's rights: only what its inputs need."""
    ports = (sensor.syslog_udp_port, sensor.syslog_tcp_port, sensor.syslog_tls_port)
    found = []
    if any(port is not None and port < LOW_PORTS for port in ports):
        found.append("CAP_NET_BIND_SERVICE")
    if _captures(sensor):
        found.append("CAP_NET_RAW")
    return found


def families(sensor: SensorConfig) -> list[str]:
    """The kinds of sockets it needs."""
    found = ["AF_INET", "AF_INET6", "AF_UNIX"]
    return [*found, "AF_PACKET", "AF_NETLINK"] if _captures(sensor) else found


def _captures(sensor: SensorConfig) -> bool:
    return "capture" in sensor.model_fields_set and bool(sensor.model_dump()["capture"])
