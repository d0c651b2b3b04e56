"""Signed requests: as the standard's own example, and nothing else than what was signed."""

import base64
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cgii.base.signatures import (
    SecretKey,
    is_genuine,
    key_id,
    read_signed,
    signature_base,
    verify,
)

NOW = datetime(2026, 11, 29, 12, 0, tzinfo=UTC)
BODY = b'{"source": "syslog"}'
PATH = "/api/v1/ingest"


def lower(headers: dict[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def test_the_signed_text_is_that_of_the_standard() -> None:
    # The example of RFC 9421, B.2.6, with its published key.
    seed = base64.urlsafe_b64decode("n4Ni-HpISpVObnQMW0wOhCKROaIKqKtW_2ZYb2p9KcU=")
    text = signature_base(
        [
            ("date", "Tue, 20 Apr 2021 02:07:55 GMT"),
            ("@method", "POST"),
            ("@path", "/foo"),
            ("@authority", "example.com"),
            ("content-type", "application/json"),
            ("content-length", "18"),
        ],
        '("date" "@method" "@path" "@authority" "content-type" "content-length")'
        ';created=1618884473;keyid="test-key-ed25519"',
    )
    expected = (
        "wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw=="
    )
    assert base64.b64encode(SecretKey(seed).sign(text)).decode() == expected


def test_a_request_is_known_again_by_the_key_that_signed_it() -> None:
    key = SecretKey.fresh()
    signed = read_signed(lower(key.headers("POST", PATH, BODY, now=NOW)))

    assert signed is not None
    assert signed.key_id == key.key_id == key_id(key.public)
    assert signed.created == int(NOW.timestamp())
    assert is_genuine(signed, key.public, method="POST", path=PATH, body=BODY)
    assert not is_genuine(signed, SecretKey.fresh().public, method="POST", path=PATH, body=BODY)
    assert not is_genuine(signed, b"short", method="POST", path=PATH, body=BODY)


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [("PUT", PATH, BODY), ("POST", "/api/v1/sensor/key", BODY), ("POST", PATH, BODY + b" ")],
)
def test_a_signature_holds_for_one_method_path_and_body(
    method: str, path: str, body: bytes
) -> None:
    key = SecretKey.fresh()
    signed = read_signed(lower(key.headers("POST", PATH, BODY, now=NOW)))

    assert signed is not None
    assert not is_genuine(signed, key.public, method=method, path=path, body=body)


@pytest.mark.parametrize(
    ("old", "new"),
    [("created=1", "created=2"), ('nonce="', 'nonce="x'), ('keyid="', 'keyid="0')],
)
def test_time_nonce_and_key_are_signed_too(old: str, new: str) -> None:
    key = SecretKey.fresh()
    headers = lower(key.headers("POST", PATH, BODY, now=NOW))
    headers["signature-input"] = headers["signature-input"].replace(old, new)
    signed = read_signed(headers)

    assert signed is None or not is_genuine(signed, key.public, method="POST", path=PATH, body=BODY)


def test_two_requests_have_two_nonces() -> None:
    key = SecretKey.fresh()
    first, second = (key.headers("POST", PATH, BODY, now=NOW) for _ in range(2))
    assert first["Signature"] != second["Signature"]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"content-digest"', '"date"'),
        ('("@method" "@path" "content-digest")', '("@method")'),
        ("ed25519", "hmac-sha256"),
        ("cgii=", "other="),
        (";alg", ";expires=9;alg"),
    ],
)
def test_other_forms_of_the_standard_are_no_signature_of_ours(old: str, new: str) -> None:
    headers = lower(SecretKey.fresh().headers("POST", PATH, BODY, now=NOW))
    headers["signature-input"] = headers["signature-input"].replace(old, new)
    assert read_signed(headers) is None


@given(st.text(max_size=300), st.text(max_size=120))
def test_any_text_in_the_headers_is_read_or_refused(said: str, signature: str) -> None:
    found = read_signed({"signature-input": said, "signature": signature})
    assert found is None or len(found.signature) <= 66


@given(st.binary(max_size=40), st.binary(max_size=80))
def test_any_bytes_are_no_signature(public: bytes, signature: bytes) -> None:
    assert not verify(public, signature, b"text")
