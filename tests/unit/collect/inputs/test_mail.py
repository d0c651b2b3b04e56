"""Mails of a mailbox become records, once each; a hostile mail or server harms nobody else."""

import asyncio
import json
from collections.abc import AsyncGenerator, Iterator
from dataclasses import replace
from email.message import EmailMessage
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cgii.base import limits
from cgii.collect.inputs.mail import Mailbox
from cgii.collect.inputs.whole_child import Answer, Begins, Loss, Record, Step
from cgii.collect.mail_report import report
from cgii.collect.mailbox import quoted, words_of
from cgii.collect.outgoing import Target
from tests.certificates import Authority
from tests.imap_server import ImapServer
from tests.unit.collect.inputs.collecting import Kept, a_while, collecting, until

pytestmark = pytest.mark.usefixtures("quick")


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def server(authority: Authority) -> Iterator[ImapServer]:
    found = ImapServer(authority.issue("servidor"))
    yield found
    found.close()


def mailbox(server: ImapServer, authority: Authority, folder: Path) -> Mailbox:
    (folder / "password").write_text(f"{server.password}\n")
    here = (ip_network("127.0.0.0/8"),)
    target = Target("imaps", "localhost", server.port, here, authority.file)
    return Mailbox("mail_report", target, "reportes", folder / "password", folder="INBOX",
                   every_seconds=0.05)  # fmt: skip


def mail(subject: str, text: str = "Vea http://malo.example/a?b=1.") -> EmailMessage:
    message = EmailMessage()
    message["From"] = "Soporte <soporte@malo.example>"
    message["Subject"] = subject
    message.set_content(text)
    return message


def subjects(kept: Kept) -> list[str]:
    return [json.loads(text)["subject"] for text in kept.texts]


def test_each_mail_arrives_once_with_its_facts_also_after_a_restart(
    server: ImapServer, authority: Authority, kept: Kept, tmp_path: Path
) -> None:
    box = mailbox(server, authority, tmp_path)

    async def run() -> None:
        server.mails = {3: bytes(mail("tres")), 9: bytes(mail("nueve"))}
        async with collecting(kept, box):
            await until(lambda: len(kept.texts) == 2, "both arrive")
            server.mails[12] = bytes(mail("doce"))
            await until(lambda: len(kept.texts) == 3, "the new one arrives")
        del server.mails[9]
        server.mails[15] = bytes(mail("quince"))
        async with collecting(kept, box):
            await until(lambda: len(kept.texts) == 4, "what came meanwhile arrives")
            await a_while()

    asyncio.run(run())
    assert subjects(kept) == ["tres", "nueve", "doce", "quince"]
    assert (kept.again, kept.changed, kept.losses) == (0, [], [])
    facts = json.loads(kept.texts[0])
    assert facts["time"] == "2026-11-20T13:05:00+00:00"
    assert (facts["uid"], facts["from"]) == (3, "soporte@malo.example")
    assert facts["urls"] == ["http://malo.example/a?b=1"]
    assert not any(said.startswith(("STORE", "UID STORE", "SELECT")) for said in server.said)


def test_a_kill_before_the_place_is_kept_stores_nothing_twice(
    server: ImapServer, authority: Authority, kept: Kept, tmp_path: Path
) -> None:
    box = mailbox(server, authority, tmp_path)

    async def run() -> None:
        server.mails = {3: bytes(mail("tres")), 9: bytes(mail("nueve"))}
        kept.keeps_places = False
        async with collecting(kept, box):
            await until(lambda: len(kept.texts) == 2, "both arrive")
        kept.keeps_places = True
        del server.mails[3]
        server.mails[10] = bytes(mail("diez"))
        async with collecting(kept, box):
            await until(lambda: len(kept.texts) == 3, "the new one arrives")

    asyncio.run(run())
    assert sorted(subjects(kept)) == ["diez", "nueve", "tres"]
    assert kept.changed == []


def test_accents_in_password_and_folder_are_understood(
    server: ImapServer, authority: Authority, kept: Kept, tmp_path: Path
) -> None:
    server.password = "contraseña"
    server.mails = {1: bytes(mail("uno"))}
    box = replace(mailbox(server, authority, tmp_path), folder="Suplantación & más")

    async def run() -> None:
        async with collecting(kept, box):
            await until(lambda: len(kept.texts) == 1, "the mail arrives")

    asyncio.run(run())
    assert 'EXAMINE "Suplantaci&APM-n &- m&AOE-s"' in server.said
    assert json.loads(kept.texts[0])["mailbox"] == "reportes/Suplantación & más"


@pytest.mark.parametrize(
    ("folder", "wanted"),
    [
        ("INBOX", '"INBOX"'), ("Suplantaci&APM-n", '"Suplantaci&APM-n"'), ('a"\\', '"a\\"\\\\"'),
        ("日本語", '"&ZeVnLIqe-"'), ("ñ😀", '"&APHYPd4A-"'),
    ],
)  # fmt: skip
def test_a_folder_has_the_name_that_imap_gives_it(folder: str, wanted: str) -> None:
    assert quoted(folder) == wanted


def test_a_server_that_takes_no_accents_is_told_in_a_sentence(
    server: ImapServer, authority: Authority, kept: Kept, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    server.password, server.takes_plain = "contraseña", False

    async def run() -> None:
        async with collecting(kept, mailbox(server, authority, tmp_path)):
            await a_while()

    asyncio.run(run())
    assert "no admite contraseñas con acentos" in capsys.readouterr().out


@pytest.mark.parametrize("line", [10**9, 1_000])
def test_a_mailbox_of_very_many_mails_is_read(
    server: ImapServer, authority: Authority, kept: Kept, tmp_path: Path, line: int
) -> None:
    """All numbers in one line are more than a million bytes."""
    server.line = line
    server.mails = dict.fromkeys(range(1_000_000, 1_140_000), bytes(mail("muchos")))

    async def run() -> None:
        async with collecting(kept, mailbox(server, authority, tmp_path)):
            await until(lambda: len(kept.texts) > 2, "the first arrive")

    asyncio.run(run())


def test_another_uidvalidity_is_another_mailbox(
    server: ImapServer, authority: Authority, kept: Kept, tmp_path: Path
) -> None:
    async def run() -> None:
        server.mails = {3: bytes(mail("tres"))}
        async with collecting(kept, mailbox(server, authority, tmp_path)):
            await until(lambda: len(kept.texts) == 1, "it arrives")
            server.validity, server.mails = 8, {1: bytes(mail("otro"))}
            await until(lambda: len(kept.texts) == 2, "the other arrives")

    asyncio.run(run())
    assert kept.changed == []


def test_a_mail_that_cannot_be_had_or_kills_the_reader_is_told_and_passed(
    server: ImapServer, authority: Authority, kept: Kept, tmp_path: Path
) -> None:
    async def run() -> None:
        server.mails = {uid: bytes(mail(f"n {uid}")) for uid in (1, 2, 3, 4)}
        server.refused, server.huge = {2}, {3}
        async with collecting(kept, mailbox(server, authority, tmp_path)):
            await until(lambda: len(kept.texts) == 2, "the others arrive")
            await until(lambda: len(kept.losses) == 2, "both are told")

    asyncio.run(run())
    assert subjects(kept) == ["n 1", "n 4"]
    assert [(loss["uid"], loss["count"]) for loss in kept.losses] == [(2, 1), (3, 1)]


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ([b"carpeta desconocida"], "carpeta desconocida"),
        ([b"no \xf1"], "no \ufffd"),
        ([None], "el servidor no dice por qué"),
        ([], "el servidor no dice por qué"),
    ],
)
def test_what_a_server_says_is_told_as_text(said: list[bytes | None], told: str) -> None:
    assert words_of(said) == told


@pytest.mark.parametrize("way", ["bad", "empty", "nil"])
def test_whatever_way_a_mail_is_not_handed_over_the_others_follow(
    server: ImapServer, authority: Authority, kept: Kept, tmp_path: Path, way: str
) -> None:
    async def run() -> None:
        server.mails = {uid: bytes(mail(f"n {uid}")) for uid in (1, 2, 3)}
        getattr(server, way).add(2)
        async with collecting(kept, mailbox(server, authority, tmp_path)):
            await until(lambda: len(kept.texts) == 2, "the others arrive")

    asyncio.run(run())
    assert subjects(kept) == ["n 1", "n 3"]
    assert [(loss["uid"], loss["reason"]) for loss in kept.losses] == [(2, "refused")]


@pytest.mark.parametrize(
    ("way", "shown"), [("busy", ["n 1", "n 2", "n 3"]), ("gone", ["n 1", "n 3"])]
)
def test_a_server_that_was_busy_and_a_mail_deleted_before_it_was_read_are_no_loss(
    server: ImapServer, authority: Authority, kept: Kept, tmp_path: Path, way: str, shown: list[str]
) -> None:
    async def run() -> None:
        server.mails = {uid: bytes(mail(f"n {uid}")) for uid in (1, 2, 3)}
        getattr(server, way).add(2)
        async with collecting(kept, mailbox(server, authority, tmp_path)):
            await until(lambda: "n 3" in subjects(kept), "the last arrives")

    asyncio.run(run())
    assert subjects(kept) == shown
    assert kept.losses == []


def test_a_connection_that_breaks_over_a_mail_is_no_loss(
    server: ImapServer, authority: Authority, kept: Kept, tmp_path: Path
) -> None:
    async def run() -> None:
        server.mails = {uid: bytes(mail(f"n {uid}")) for uid in (1, 2)}
        server.cut = {1}
        async with collecting(kept, mailbox(server, authority, tmp_path)):
            await until(lambda: len(kept.texts) == 2, "both arrive")

    asyncio.run(run())
    assert server.cut == set(), "it broke once"
    assert kept.losses == []


def test_a_wrong_password_or_certificate_is_no_loss_and_nothing_is_said_without_tls(
    server: ImapServer, authority: Authority, kept: Kept, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    other = tmp_path / "otra"
    other.mkdir()

    async def run() -> None:
        box = mailbox(server, authority, tmp_path)
        box.password_file.write_text("equivocada")
        untrusted = mailbox(server, Authority(other), other)
        server.mails = {1: bytes(mail("uno"))}
        async with collecting(kept, box, untrusted):
            await until(lambda: any("LOGIN" in said for said in server.said), "one signs in")
            await a_while()

    asyncio.run(run())
    assert (kept.texts, kept.losses) == ([], [])
    assert "s3creto" not in str(server.said)
    out = capsys.readouterr().out
    assert "a mailbox cannot be read" in out
    assert "equivocada" not in out


# --- what a mail says ----------------------------------------------------------------------------
def test_a_mail_sent_on_as_attachment_is_reported_with_its_own_facts() -> None:
    bad = mail("Su cuenta")
    bad["Authentication-Results"] = "mx.gob.bo; spf=softfail x; dkim=pass y; dmarc=fail"
    bad["Received"] = "from a ([10.0.0.1]) by b"
    bad["Received"] = "from evil ([8.8.4.4]) by mx"
    bad.add_attachment(b"MZ", maintype="application", subtype="x", filename="factura.exe")
    outer = mail("Sospechoso", "Me llegó esto")
    outer.add_attachment(bad)

    found = report(bytes(outer))
    assert found["reported"]["subject"] == "Su cuenta"
    assert (found["reported"]["spf"], found["reported"]["dmarc"]) == ("softfail", "fail")
    assert found["reported"]["sender_ip"] == "8.8.4.4"
    assert found["attachment_names"] == ["factura.exe"]
    assert found["urls"] == ["http://malo.example/a?b=1"]


def test_of_the_body_only_a_beginning_is_kept() -> None:
    found = report(bytes(mail("x", "a" * 100_000)))
    assert len(found["body"]) == limits.MAIL_BODY_CHARS_MAX


def test_the_topmost_result_of_authentication_counts() -> None:
    message = mail("x")
    message["Authentication-Results"] = "mx.gob.bo; dmarc=fail header.from=x; dmarc=pass (forged)"
    assert report(bytes(message))["dmarc"] == "fail"


@given(st.binary(max_size=400))
def test_any_bytes_have_an_answer(data: bytes) -> None:
    json.dumps(report(data))


@pytest.mark.parametrize(
    "data",
    [
        b"Content-Type: multipart/mixed; boundary=x\n\n" + b"--x\n\n" * 5_000,
        b"Content-Type: message/rfc822\n\n" * 500,
        b"From: " + b"<" * 20_000 + b"\n\nx",
        b"Subject: =?utf-99?q?x?=\nContent-Type: text/plain; charset=nothing\n\nx",
        b"Content-Disposition: attachment; filename*=x'y%\nContent-Type: a/b\n\nx",
        b"To: " + b"a@b.c, " * 20_000 + b"\n\nx",
    ],
)
def test_mails_made_to_hurt_are_bounded(data: bytes) -> None:
    assert len(json.dumps(report(data))) < 200_000


@pytest.mark.parametrize(("kills", "told"), [(1, []), (99, [5])])
def test_a_mail_is_passed_only_when_its_reader_died_over_it_again_and_again(
    server: ImapServer, authority: Authority, kept: Kept, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, kills: int, told: list[int],
) -> None:  # fmt: skip
    runs: list[int] = []

    async def killed(_: str, request: dict[str, Any]) -> AsyncGenerator[Answer, None]:
        runs.append(request["after"])
        yield Begins("7", continues=request["validity"] == "7")
        if request["after"] < 5:
            yield Step(5)
            yield Loss("crashed") if len(runs) <= kills else Record(5, "cinco")

    monkeypatch.setattr("cgii.collect.inputs.mail.run_child", killed)

    async def run() -> None:
        async with collecting(kept, mailbox(server, authority, tmp_path)):
            await until(lambda: runs[-1:] == [5], "the mail is done with")

    asyncio.run(run())
    assert runs.count(5) < len(runs) == (3 if told == [] else 4)
    assert [loss["uid"] for loss in kept.losses] == told
