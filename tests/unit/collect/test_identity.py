"""The sensor's key: on disk before it is used, for nobody else to read, changed as a whole."""

import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx2
import orjson
import pytest
import time_machine

from cgii.base.errors import Invalid, Unavailable
from cgii.base.signatures import verify
from cgii.collect.identity import Identity
from cgii.collect.reporting import enrol, renew
from cgii.collect.send import Sender, by_key, by_token

NOW = datetime(2026, 11, 29, 12, 0, tzinfo=UTC)


class Centre:
    """Answers as it is told, then with 200; keeps the keys that it was shown."""

    def __init__(self, *answers: int) -> None:
        self.answers = list(answers)
        self.keys: list[str] = []
        self.bodies: list[dict[str, str]] = []
        self.refused = "public_key"
        self.is_centre = True

    def answer(self, request: httpx2.Request) -> httpx2.Response:
        body = orjson.loads(request.content)
        self.bodies.append(body)
        self.keys.append(body["public_key"])
        status = self.answers.pop(0) if self.answers else 200
        if status == 0:
            raise httpx2.ReadTimeout("the answer was lost")
        if status == 422:
            return httpx2.Response(422, json={"problems": {self.refused: "no"}})
        return httpx2.Response(status, json={"sensor": "uno"} if self.is_centre else {})

    def sender(self, identity: Identity) -> Sender:
        authorise = by_key(identity.signing) if identity.key else by_token("")
        transport = httpx2.MockTransport(self.answer)
        return Sender("https://centro.example", authorise, transport=transport)


def enrolled(folder: Path) -> Identity:
    identity, centre = Identity(folder), Centre()
    enrol(centre.sender(identity), identity, "invitación")
    return identity


def test_a_new_sensor_has_no_key_and_an_enrolled_one_keeps_it(tmp_path: Path) -> None:
    assert Identity(tmp_path).key is None
    identity = enrolled(tmp_path)
    assert identity.key is not None
    again = Identity(tmp_path).key
    assert again is not None
    assert again.key_id == identity.key.key_id
    for path in tmp_path.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_lost_answer_is_asked_for_with_the_same_key(tmp_path: Path) -> None:
    centre = Centre(0)
    identity = Identity(tmp_path)
    with pytest.raises(Unavailable):
        enrol(centre.sender(identity), identity, "invitación")
    later = Identity(tmp_path)  # as after a kill
    assert later.key is None
    assert enrol(centre.sender(later), later, "invitación") == "uno"
    assert len({*centre.keys}) == 1


def test_a_key_that_the_centre_will_not_have_is_made_anew(tmp_path: Path) -> None:
    centre, identity = Centre(422), Identity(tmp_path)
    enrol(centre.sender(identity), identity, "invitación")
    assert len({*centre.keys}) == 2


def test_a_refused_invitation_keeps_the_key_that_the_centre_may_know(tmp_path: Path) -> None:
    centre, identity = Centre(0, 422), Identity(tmp_path)
    centre.refused = "invitation"
    with pytest.raises(Unavailable):  # it was bound, and the answer was lost
        enrol(centre.sender(identity), identity, "la buena")
    with pytest.raises(Invalid):
        enrol(centre.sender(identity), identity, "mal pegada" * 50)
    enrol(centre.sender(identity), identity, "la buena")
    assert len({*centre.keys}) == 1


def test_a_proxy_that_says_200_changes_no_key(tmp_path: Path) -> None:
    identity = enrolled(tmp_path)
    before = identity.signing().key_id
    centre = Centre()
    centre.is_centre = False
    with pytest.raises(Unavailable):
        renew(centre.sender(identity), identity)
    assert identity.signing().key_id == Identity(tmp_path).signing().key_id == before


def test_a_key_that_cannot_be_kept_does_not_sign(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    identity = enrolled(tmp_path)
    before = identity.signing().key_id

    def full(self: Path, target: Path) -> None:
        raise OSError(28, "No space left on device")

    identity.next()
    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(Unavailable):
        identity.accept_next()
    assert identity.signing().key_id == before


def test_a_key_that_somebody_else_took_into_use_is_no_surprise(tmp_path: Path) -> None:
    identity = enrolled(tmp_path)
    with pytest.raises(Unavailable):
        identity.accept_next()  # `cgii collect enrol` ran beside
    assert identity.signing()


def test_a_renewed_key_takes_over_when_the_centre_has_it(tmp_path: Path) -> None:
    identity = enrolled(tmp_path)
    before = identity.signing()
    centre = Centre(503)
    with pytest.raises(Unavailable):
        renew(centre.sender(identity), identity)
    assert identity.signing().key_id == before.key_id
    assert identity.is_old  # it is tried again
    renew(centre.sender(identity), identity)
    assert identity.signing().public.hex() == centre.keys[0] == centre.keys[1]
    assert not identity.is_old
    proof = bytes.fromhex(centre.bodies[-1]["proof"])
    assert verify(identity.signing().public, proof, f"cgii-key:{before.key_id}".encode())


def test_a_key_is_old_after_its_days(tmp_path: Path) -> None:
    with time_machine.travel(NOW, tick=False):
        identity = enrolled(tmp_path)
        assert not identity.is_old
    with time_machine.travel(NOW + timedelta(days=61), tick=False):
        assert identity.is_old


def test_a_key_made_by_a_clock_far_ahead_is_old(tmp_path: Path) -> None:
    with time_machine.travel(NOW + timedelta(days=3650), tick=False):
        identity = enrolled(tmp_path)
        assert not identity.is_old
    with time_machine.travel(NOW, tick=False):
        assert identity.is_old


@pytest.mark.parametrize("text", [b"", b"{}", b"[]", b'{"seed": "00", "made_at": "x"}', b"\xff"])
def test_a_damaged_key_says_what_to_do(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "key.json").write_bytes(text)
    with pytest.raises(Invalid, match="cgii collect enrol"):
        Identity(tmp_path)
