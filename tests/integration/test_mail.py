"""Mail goes through a real SMTP server, whole and once; what is refused says why."""

import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from cgii.base.errors import Invalid, Unavailable
from cgii.base.settings import load
from cgii.link.mail import Mail, Mailer
from tests import servers
from tests.make import NOW
from tests.ports import free_port

MAIL = Mail(
    key="message-7",
    recipient="rsi@example.bo",
    subject="Incidente CGII-2026-000042: requiere su atención",
    body="Señor responsable:\n\nSe detectó «fuerza bruta» en Ñuflo.\n" + "línea larga " * 200,
)


def mailer(inbox: servers.Inbox, **settings: object) -> Mailer:
    """A mailer for that server, without TLS unless told."""
    values = {"mail_host": inbox.host, "mail_port": inbox.port, "mail_tls": False} | settings
    return Mailer(load(mail_from="CGII <cgii@cgii.example.bo>", **values))


def test_a_mail_arrives_as_it_was_written() -> None:
    with servers.smtp() as inbox:
        mailer(inbox).send(MAIL, now=NOW)

    (mail,) = inbox.mails
    assert inbox.recipients == ["rsi@example.bo"]
    assert mail["subject"] == MAIL.subject
    assert mail["from"] == "CGII <cgii@cgii.example.bo>"
    assert mail.get_content().replace("\r\n", "\n").rstrip("\n") == MAIL.body.rstrip("\n")
    assert mail["date"].datetime == NOW
    assert mail["auto-submitted"] == "auto-generated"


def test_a_mail_sent_twice_is_known_as_one() -> None:
    with servers.smtp() as inbox:
        for _ in range(2):
            mailer(inbox).send(MAIL, now=NOW)

    assert [mail["message-id"] for mail in inbox.mails] == ["<message-7@cgii.example.bo>"] * 2


@pytest.mark.parametrize(
    "subject", ["Hola\r\nBcc: otra@example.bo", "Hola\nX: y", "Ho\x00la\u2028"]
)
def test_a_subject_brings_in_no_header(subject: str) -> None:
    with servers.smtp() as inbox:
        mailer(inbox).send(Mail("k", "rsi@example.bo", subject, "x"), now=NOW)

    (mail,) = inbox.mails
    assert mail["bcc"] is None
    assert mail["x"] is None
    assert inbox.recipients == ["rsi@example.bo"]


@pytest.mark.parametrize(
    "recipient",
    [
        "",
        "nadie",
        "a@b@c",
        "a@example.bo, b@example.bo",
        "a@example.bo\r\nBcc: b@example.bo",
        "<a@example.bo>",
        "a b@example.bo",
    ],
)
def test_what_is_not_one_address_gets_no_mail(recipient: str) -> None:
    with servers.smtp() as inbox:
        with pytest.raises(Invalid):
            mailer(inbox).send(Mail("k", recipient, "x", "x"), now=NOW)
        assert inbox.mails == []


def test_a_refusal_for_good_is_told_with_its_reason() -> None:
    with servers.smtp() as inbox:
        inbox.answers.append("550 no such mailbox")
        with pytest.raises(Invalid, match="550 no such mailbox"):
            mailer(inbox).send(MAIL, now=NOW)


def test_a_refusal_for_now_may_be_tried_again() -> None:
    with servers.smtp() as inbox:
        inbox.answers.append("451 greylisted, come back later")
        with pytest.raises(Unavailable, match="greylisted"):
            mailer(inbox).send(MAIL, now=NOW)
        mailer(inbox).send(MAIL, now=NOW)

    assert len(inbox.mails) == 1


def test_a_server_that_is_away_may_be_tried_again() -> None:
    away = servers.Inbox("127.0.0.1", free_port())
    with pytest.raises(Unavailable):
        mailer(away).send(MAIL, now=NOW)


def test_no_mail_goes_in_the_clear_when_tls_is_demanded() -> None:
    with servers.smtp() as inbox:
        with pytest.raises(Unavailable, match="STARTTLS"):
            mailer(inbox, mail_tls=True).send(MAIL, now=NOW)
        assert inbox.mails == []


def test_a_mail_goes_over_tls_to_a_server_we_trust(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate = _certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with servers.smtp(_context(certificate)) as inbox:
        mailer(inbox, mail_tls=True).send(MAIL, now=NOW)

    assert len(inbox.mails) == 1


def test_a_server_with_a_strange_certificate_gets_no_mail(tmp_path: Path) -> None:
    with servers.smtp(_context(_certificate(tmp_path))) as inbox:
        with pytest.raises(Unavailable, match="certificado"):
            mailer(inbox, mail_tls=True).send(MAIL, now=NOW)
        assert inbox.mails == []


def _context(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


def _certificate(folder: Path) -> Path:
    """A key and a certificate for localhost that signs itself, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    names = [x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))]
    today = datetime.now(UTC)  # OpenSSL compares with the real clock
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(today - timedelta(days=1))
        .not_valid_after(today + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / "localhost.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    path.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return path
