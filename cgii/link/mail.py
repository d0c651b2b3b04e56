"""Sends one mail through the SMTP server of the settings; the only home of smtplib."""

import re
import smtplib
import ssl
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP

from cgii.base import limits
from cgii.base.errors import Invalid, Unavailable
from cgii.base.reasons import why
from cgii.base.settings import Settings

# Narrower than the standards: no quoted parts, no comments, no routes, one address.
ADDRESS = re.compile(r"[^\s@<>()\[\],;:\\\"\x00-\x1f\x7f]+@[^\s@<>()\[\],;:\\\"\x00-\x1f\x7f]+")
UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\s]+")
PERMANENT = 500  # answers from here on do not change by asking again


@dataclass(frozen=True)
class Mail:
    """One text to one person; the same `key` gives the same Message-ID, so that a copy is known."""

    key: str
    recipient: str
    subject: str
    body: str


class Mailer:
    """Knows the way to the SMTP server; opens a connection for each mail."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    @property
    def is_configured(self) -> bool:
        """Whether there is a server to hand mails to."""
        return bool(self._settings.mail_host)

    def send(self, mail: Mail, *, now: datetime) -> None:
        """Hand the mail over; on return the server has answered for it.

        Raises Unavailable when another try may succeed, Invalid when none will.
        """
        message = compose(mail, self._settings.mail_from, now=now)
        try:
            connection = self._connect()
            try:
                connection.send_message(message)
            finally:
                # What the server says to our farewell no longer matters.
                with suppress(OSError, smtplib.SMTPException):
                    connection.quit()
                connection.close()
        except smtplib.SMTPRecipientsRefused as error:
            code, words = next(iter(error.recipients.values()))
            raise _refusal(code, words) from error
        except (smtplib.SMTPSenderRefused, smtplib.SMTPDataError) as error:
            raise _refusal(error.smtp_code, error.smtp_error) from error
        except smtplib.SMTPNotSupportedError as error:  # an address that needs SMTPUTF8
            raise _refusal(PERMANENT, str(error)) from error
        except (OSError, smtplib.SMTPException) as error:
            raise Unavailable(
                "El servidor de correo no responde: {reason}", reason=_one_line(why(error))
            ) from error

    def _connect(self) -> smtplib.SMTP:
        settings = self._settings
        connection = smtplib.SMTP(
            settings.mail_host,
            settings.mail_port,
            local_hostname=_domain(settings.mail_from),
            timeout=limits.MAIL_SECONDS_MAX,
        )
        try:
            if settings.mail_tls:
                connection.ehlo()
                if not connection.has_extn("starttls"):
                    raise smtplib.SMTPException("STARTTLS no disponible")
                connection.starttls(context=ssl.create_default_context())
            if settings.mail_user:
                connection.login(settings.mail_user, settings.mail_password.get_secret_value())
        except (OSError, smtplib.SMTPException):
            connection.close()
            raise
        return connection


def compose(mail: Mail, sender: str, *, now: datetime) -> EmailMessage:
    """The mail as it goes over the wire. Raises Invalid when the address is not one address."""
    if not ADDRESS.fullmatch(mail.recipient):
        raise Invalid("La dirección de correo no es válida: {address}", address=mail.recipient)
    message = EmailMessage(policy=SMTP)
    message["From"] = sender
    message["To"] = mail.recipient
    message["Subject"] = _one_line(mail.subject)
    message["Date"] = now
    message["Message-ID"] = f"<{re.sub(r'[^A-Za-z0-9.-]', '-', mail.key)}@{_domain(sender)}>"
    message["Auto-Submitted"] = "auto-generated"  # no automatic answers, please (RFC 3834)
    message["Content-Language"] = "es"
    message.set_content(mail.body, cte="quoted-printable")
    return message


def _refusal(code: int, words: bytes | str) -> Invalid | Unavailable:
    text = words.decode(errors="replace") if isinstance(words, bytes) else words
    reason = _one_line(f"{code} {text}")
    if code >= PERMANENT:
        return Invalid("El servidor de correo rechazó el mensaje: {reason}", reason=reason)
    return Unavailable("El servidor de correo pide esperar: {reason}", reason=reason)


def _one_line(text: str) -> str:
    return UNPRINTABLE.sub(" ", text).strip()[: limits.MAIL_LINE_CHARS_MAX]


def _domain(address: str) -> str:
    return address.rpartition("@")[2].rstrip(">").strip() or "localhost"
