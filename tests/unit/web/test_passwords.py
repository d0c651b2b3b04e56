"""Passwords are hard to guess, codes work once, secrets are stored sealed."""

from datetime import UTC, datetime, timedelta

import pyotp
import pytest

from cgii.base.errors import Invalid
from cgii.web import passwords

NOW = datetime(2026, 11, 22, 18, 0, 10, tzinfo=UTC)
SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


def test_a_password_fits_its_hash_and_no_other() -> None:
    made = passwords.hash_password("corazón de piedra")

    assert made.startswith("$argon2id$")
    assert passwords.verify_password(made, "corazón de piedra")  # composed otherwise
    assert not passwords.verify_password(made, "corazon de piedra")


def test_nobody_signs_in_with_an_empty_hash() -> None:
    assert not passwords.verify_password("", "nobody")
    assert not passwords.verify_password("not a hash", "x")


@pytest.mark.parametrize(
    "weak",
    ["corta", "aaaaaaaaaaaaaaa", "bolivia12345", "anaquispe2026", "contraseña123", "x" * 300],
)
def test_a_weak_password_is_refused_with_a_sentence(weak: str) -> None:
    with pytest.raises(Invalid) as caught:
        passwords.check_new_password(weak, email="anaquispe@x.bo", name="Ana Quispe")
    assert caught.value.field == "password"


def test_a_phrase_is_accepted() -> None:
    passwords.check_new_password("tres llamas cruzan el salar", email="a@x.bo", name="Ana Quispe")


def test_a_code_works_once_and_for_a_clock_that_is_off_by_one_step() -> None:
    code = pyotp.TOTP(SECRET).at(NOW)

    step = passwords.matching_step(SECRET, code, after_step=0, now=NOW)
    assert step is not None
    assert passwords.matching_step(SECRET, code, after_step=step, now=NOW) is None
    late = NOW + timedelta(seconds=30)
    assert passwords.matching_step(SECRET, code, after_step=0, now=late) == step
    later = NOW + timedelta(seconds=90)
    assert passwords.matching_step(SECRET, code, after_step=0, now=later) is None


@pytest.mark.parametrize("code", ["", "12345", "abcdef", "١٢٣٤٥٦", "1234567", "-12345"])
def test_what_is_no_code_matches_nothing(code: str) -> None:
    assert passwords.matching_step(SECRET, code, after_step=0, now=NOW) is None


def test_a_sealed_secret_opens_with_the_same_key_only() -> None:
    sealed = passwords.seal(b"key" * 12, SECRET)

    assert SECRET not in sealed
    assert passwords.unseal(b"key" * 12, sealed) == SECRET
    with pytest.raises(Invalid):
        passwords.unseal(b"other" * 12, sealed)
