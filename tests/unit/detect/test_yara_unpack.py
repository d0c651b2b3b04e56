"""Archives, mails, macros and PDF streams are opened within bounds, and what is not is told."""

import io
import zlib

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cgii.base import limits
from cgii.detect.yara_macros import macros
from cgii.detect.yara_unpack import Opening, kind_of, members
from tests.yara_samples import bomb, encrypted, ovba, tarred, zipped

VBA = b'Attribute VB_Name = "M"\r\nSub AutoOpen()\r\nMsgBox "hola"\r\nEnd Sub\r\n'
MAIL = (
    b"From: a@example.org\r\nSubject: prueba\r\nMIME-Version: 1.0\r\n"
    b"Content-Type: multipart/mixed; boundary=q\r\n\r\n--q\r\nContent-Type: text/plain\r\n\r\n"
    b"texto\r\n--q\r\nContent-Disposition: attachment; filename=a.zip\r\n"
    b"Content-Transfer-Encoding: base64\r\n\r\naG9sYQ==\r\n--q--\r\n"
)


def opened(data: bytes, depth: int = 3) -> tuple[dict[str, bytes], set[str]]:
    """Everything inside, and what was left unseen."""
    opening = Opening(depth)
    return dict(members(data, io.BytesIO(data), opening)), opening.reasons


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (zipped({"a": b"x"}), "ZIP"),
        (tarred({"a": b"x"}), "GZIP"),
        (b"%PDF-1.7 x", "PDF"),
        (b"\n\n%PDF-1.7 x", "PDF"),
        (b"\x7fELF\x02", "ELF"),
        (b"MZ\x90", "EXE"),
        (MAIL, "MAIL"),
        (b"hola: mundo", ""),
        (b"", ""),
    ],
)
def test_a_file_is_known_by_its_first_bytes(data: bytes, kind: str) -> None:
    assert kind_of(data) == kind


def test_a_mail_gives_its_parts_by_their_names() -> None:
    found, reasons = opened(MAIL)
    assert found["a.zip"] == b"hola"
    assert b"texto" in found["parte 2"]
    assert reasons == set()


def test_compressed_streams_of_a_pdf_are_read() -> None:
    packed = zlib.compress(b"this.exportDataObject()")
    found, reasons = opened(b"%PDF-1.5\n1 0 obj << >> stream\r\n" + packed + b"\nendstream")
    assert found == {"flujos": b"this.exportDataObject()\n"}
    assert reasons == set()


def test_an_encrypted_pdf_is_told() -> None:
    assert opened(b"%PDF-1.5\ntrailer << /Encrypt 5 0 R >>")[1] == {"encrypted"}


def test_an_office_file_with_a_password_is_told() -> None:
    data = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + "EncryptedPackage".encode("utf-16-le")
    assert opened(data)[1] == {"encrypted"}


def test_macros_are_unpacked_from_a_document() -> None:
    document = zipped({"word/vbaProject.bin": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + ovba(VBA)})
    found, _ = opened(document)
    assert found["word/vbaProject.bin/macro 1"] == VBA


def test_a_macro_with_a_repetition_is_rebuilt() -> None:
    # Eight letters, then a token that repeats them: offset 8 and length 8, in 4 and 12 bits.
    token = ((8 - 1) << 12 | (8 - 3)).to_bytes(2, "little")
    body = b"\x00Attribut\x00e VB_Nam\x01" + ((16 - 1) << 12 | (8 - 3)).to_bytes(2, "little")
    head = (0xB000 | (len(body) + 2 - 3)).to_bytes(2, "little")
    assert list(macros(b"zz\x01" + head + body)) == [b"Attribute VB_NamAttribut"]
    assert token != b"\0\0"


def test_the_members_that_are_whole_are_seen_beside_a_damaged_one() -> None:
    data = bytearray(zipped({"a": b"x" * 500, "b": b"y" * 500}))
    data[data.find(b"PK\x03\x04") + 31] ^= 0xFF  # inside the compressed bytes of the first
    found, reasons = opened(bytes(data))
    assert found == {"b": b"y" * 500}
    assert reasons == {"damaged"}


def test_depth_zero_opens_nothing_and_says_so() -> None:
    assert opened(zipped({"a": b"x"}), depth=0) == ({}, {"too_deep"})


def test_too_many_members_are_left_and_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "YARA_MEMBERS_MAX", 3)
    found, reasons = opened(zipped({f"{n}": b"x" for n in range(9)}))
    assert (len(found), reasons) == (3, {"too_many_members"})


def test_a_bomb_stops_at_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "YARA_MEMBER_BYTES_MAX", 1_000_000)
    found, reasons = opened(bomb())
    assert [len(data) for data in found.values()] == [1_000_000]
    assert reasons == {"unpacked_too_big"}


def test_an_archive_glued_to_a_picture_is_opened() -> None:
    found, _ = opened(b"GIF89a" + bytes(100) + zipped({"a.php": b"x"}))
    assert found == {"a.php": b"x"}


@given(st.binary(max_size=400), st.integers(0, 5))
@example(encrypted({"a": b"x"}), 0)
def test_bytes_of_any_kind_are_survived(noise: bytes, place: int) -> None:
    starts = (b"", b"PK\x03\x04", b"\x1f\x8b\x08\x00", b"%PDF-stream\nx", b"BZh9", b"From: a\n")
    found, reasons = opened(starts[place] + noise)
    assert all(isinstance(data, bytes) for data in found.values())
    assert reasons <= {
        *("encrypted", "damaged", "too_deep", "unpacked_too_big", "too_many_members"),
        "unsupported_archive",
    }


@given(st.binary(max_size=300))
def test_macros_of_any_bytes_end(noise: bytes) -> None:
    for source in macros(b"\x01\xff\xb0\x00Attribut\x00e " + noise):
        assert len(source) <= limits.YARA_MEMBER_BYTES_MAX + 4_096
