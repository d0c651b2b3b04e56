"""Certificates of a TLS listener, taken anew from their files when these change."""

import ssl
from dataclasses import dataclass
from pathlib import Path

from cgii.base import logs
from cgii.base.errors import Invalid
from cgii.base.reasons import why

log = logs.logger("collect")

Stamp = tuple[tuple[int, int, int], ...]


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """PEM files: our certificate with its chain, its key, who signs the senders' certificates."""

    certificate: Path
    key: Path
    client_ca: Path | None = None  # with it, a sender without a certificate is not heard

    @property
    def paths(self) -> tuple[Path, ...]:
        """All of them."""
        given = (self.certificate, self.key)
        return (*given, self.client_ca) if self.client_ca else given


def server_context(files: TlsFiles) -> ssl.SSLContext:
    """TLS 1.2 or newer with these files. Raises Invalid with what is wrong."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    # A sender of syslog never reads. With tickets that wait unread its system resets the connection
    # when it closes it, and what it had not sent yet is lost.
    context.num_tickets = 0
    try:
        # A key with a password would ask for it on the terminal; there is nobody.
        context.load_cert_chain(files.certificate, files.key, password=_no_password)
        if files.client_ca is not None:
            context.load_verify_locations(files.client_ca)
            context.verify_mode = ssl.CERT_REQUIRED
    except (OSError, ValueError) as error:  # SSLError is an OSError
        raise Invalid(
            "El certificado {path} o su clave no sirven: {reason}.",
            path=files.certificate,
            reason=why(error),
        ) from error
    return context


class Certificates:
    """The context for the next connection; a renewed certificate serves without a restart."""

    def __init__(self, files: TlsFiles) -> None:
        self._files = files
        self._stamp = _stamp(files)
        self._context = server_context(files)

    def context(self) -> ssl.SSLContext:
        """As the files are now; while new ones are no good, those that were."""
        stamp = _stamp(self._files)
        if stamp != self._stamp:
            self._stamp = stamp
            try:
                self._context = server_context(self._files)
                log.info("certificate loaded again", path=str(self._files.certificate))
            except Invalid as error:
                log.error("the new certificate is no good, the old one stays", reason=str(error))
        return self._context


def _stamp(files: TlsFiles) -> Stamp:
    found = []
    for path in files.paths:
        try:
            known = path.stat()
        except OSError:
            found.append((0, 0, 0))
        else:
            found.append((known.st_ino, known.st_size, known.st_mtime_ns))
    return tuple(found)


def _no_password() -> str:
    raise ValueError("la clave tiene contraseña; guárdela sin ella y protegida por sus permisos")
