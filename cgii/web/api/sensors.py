"""What sensors say of themselves: their first key, their next one, how they are."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Request
from pydantic import AfterValidator, AwareDatetime, Field, TypeAdapter, ValidationError
from starlette.concurrency import run_in_threadpool

from cgii.base.errors import Invalid, NotSignedIn
from cgii.base.signatures import KEY_BYTES, Signed, is_genuine, key_id, read_signed, verify
from cgii.base.text import one_line
from cgii.centre import Centre
from cgii.model.records import Sensor
from cgii.store import sensor_keys, sensor_reports
from cgii.web.access import token_only
from cgii.web.answers import JsonResponse
from cgii.web.senders import Sender, known_sender

router = APIRouter(prefix="/api/v1/sensors", tags=["sensors"])
Body = TypeVar("Body")
LAST = datetime(2200, 1, 1, tzinfo=UTC)  # clocks that stand beyond it are no clocks
PublicKey = Annotated[str, Field(pattern=rf"^[0-9a-f]{{{2 * KEY_BYTES}}}$")]
Count = Annotated[int, Field(ge=0, lt=2**62)]
Moment = Annotated[AwareDatetime, Field(ge=datetime(1970, 1, 1, tzinfo=UTC), lt=LAST)]
Short = Annotated[str, Field(max_length=80, pattern=r"^[^\x00-\x1f\x7f-\x9f]*$")]


@dataclass(frozen=True)
class EnrolBody:
    """The invitation and the key that it shall be used for."""

    invitation: Annotated[str, Field(max_length=200)]
    public_key: PublicKey


@dataclass(frozen=True)
class KeyBody:
    """The next key, and its own signature of `cgii-key:<key id of the old one>`, in hex."""

    public_key: PublicKey
    proof: Annotated[str, Field(pattern=r"^[0-9a-f]{128}$")]


@dataclass(frozen=True)
class ReportBody:
    """How a sensor is, and which settings and sources of the centre it works with."""

    version: Short
    time: Moment
    started_at: Moment
    spool_records: Count
    spool_bytes: Count
    spool_bytes_max: Count
    lost_count: Count
    waiting_since: Moment | None = None
    settings_version: Short = ""
    # An error's words, which may have several lines; a report is not to be refused for them.
    settings_problem: Annotated[
        str, Field(max_length=1_000, pattern=r"^[^\x00]*$"), AfterValidator(one_line)
    ] = ""
    sources_version: Short = ""


@router.post("/enrol", dependencies=[token_only("sensors")])
async def enrol(request: Request) -> JsonResponse:
    """Bind a key to the invited sensor; the request is signed with that key.

    The same invitation with the same key answers the same again, for a sensor that lost the answer.
    """
    centre: Centre = request.app.state.centre
    body = await request.body()  # bounded by the guard in front of every route
    sent = _read(EnrolBody, body)
    public = bytes.fromhex(sent.public_key)
    signed = read_signed(request.headers)
    if signed is None or signed.key_id != key_id(public):
        raise NotSignedIn("La inscripción debe ir firmada con la llave que presenta.")
    if not is_genuine(signed, public, method="POST", path=request.url.path, body=body):
        raise NotSignedIn("La firma no corresponde a esta petición.")
    return JsonResponse(await run_in_threadpool(_enrol, centre, sent, public, signed))


def _enrol(centre: Centre, sent: EnrolBody, public: bytes, signed: Signed) -> dict[str, Any]:
    with centre.database.transaction() as session:
        act = centre.act(session, via="enrolment")
        sensor_keys.check_time(signed, act.now)
        sensor = sensor_keys.accept_invitation(act, sent.invitation, public)
        session.flush()  # the key is looked for among the rows
        sensor_keys.use(session, signed, now=act.now)
        return _named(sensor)


@router.post("/key", dependencies=[token_only("sensors")])
async def renew(request: Request) -> JsonResponse:
    """A next key for the sensor that signs with the old one; its first use ends the old one."""
    centre: Centre = request.app.state.centre
    sender = await known_sender(request, centre)
    if sender.signed is None:
        raise NotSignedIn("Solo un sensor que firma puede cambiar de llave.")
    sent = _read(KeyBody, await request.body())
    public, text = bytes.fromhex(sent.public_key), f"cgii-key:{sender.signed.key_id}".encode()
    if not verify(public, bytes.fromhex(sent.proof), text):
        raise Invalid("La llave nueva no firmó su presentación.", field="proof")
    return JsonResponse(await run_in_threadpool(_renew, centre, sender, public))


def _renew(centre: Centre, sender: Sender, public: bytes) -> dict[str, Any]:
    with centre.database.transaction() as session:
        sender.enter(session)
        sensor = session.get_one(Sensor, sender.id, with_for_update=True)
        sensor_keys.renew_key(centre.act(session, via=f"sensor:{sender.id}"), sensor, public)
        return _named(sensor)


@router.post("/report", dependencies=[token_only("sensors")])
async def report(request: Request) -> JsonResponse:
    """Take a sensor's report; answer what the centre wants of it, where that differs."""
    centre: Centre = request.app.state.centre
    sender = await known_sender(request, centre)
    sent = _read(ReportBody, await request.body())
    return JsonResponse(await run_in_threadpool(_report, centre, sender, sent))


def _report(centre: Centre, sender: Sender, sent: ReportBody) -> dict[str, Any]:
    now = centre.clock()
    answer: dict[str, Any] = {"time": now}
    with centre.database.transaction() as session:
        sender.enter(session)
        kept = sensor_reports.Report(**vars(sent))
        sensor_reports.keep_report(session, sender.id, kept, now=now)
        wanted = sensor_reports.settings_of(session, sender.id)
        version, text = (wanted.version, wanted.text) if wanted else ("", "")
        if version != sent.settings_version:  # it may have those of another centre, or of before
            answer["settings"] = {"version": version, "text": text}
    offer = centre.offered.current()
    if offer.version != sent.sources_version:
        answer["sources"] = {"version": offer.version, "files": offer.files}
    return answer


def _read(kind: type[Body], body: bytes) -> Body:
    try:
        return TypeAdapter(kind).validate_json(body)
    except ValidationError as error:
        name = ".".join(map(str, error.errors()[0]["loc"])) or "JSON"
        raise Invalid("«{name}» falta o no es válido.", name=name, field=name) from error


def _named(sensor: Sensor) -> dict[str, Any]:
    home = sensor.entity.acronym if sensor.entity else ""
    return {"sensor": sensor.name, "entity": home}
