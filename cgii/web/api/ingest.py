"""Accepts pushed batches of records: authenticated, bounded, answered after all is committed."""

import zlib
from dataclasses import dataclass
from functools import partial
from typing import Any

import orjson
from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool

from cgii.base import limits
from cgii.base.errors import Invalid
from cgii.centre import Centre
from cgii.collect.times import zone_named
from cgii.model.event import Origin, Raw
from cgii.pipeline import Receipt, take
from cgii.web.access import token_only
from cgii.web.answers import JsonResponse
from cgii.web.ingest_places import IngestPlaces
from cgii.web.postponed import ComeAgain
from cgii.web.senders import KnownKeys, Sender, batch_sender

PATH = "/api/v1/ingest"
router = APIRouter(tags=["ingest"])


@router.post(PATH, dependencies=[token_only("ingest")])
async def ingest(request: Request) -> JsonResponse:
    """Commit a batch and answer its receipt.

    Header `Authorization: Bearer <token>`, or signed (see `web.senders`); body a JSON object,
    gzip allowed:
    `{"source": "linux_auth", "epoch": "2026-11-22T10:00Z/1", "seq": 100, "records": ["…", {…}]}`.
    Optional: `stream` (tells streams of one source apart), `peers` (who sent record i), `zone` (an
    IANA name, for records whose time names none; else the source's).
    Record i has the number seq + i; (source, epoch, number) sent again is stored once. 200 means
    that everything is on disk; on 429, 503 or no answer at all, send the same batch again.
    """
    centre: Centre = request.app.state.centre
    known: KnownKeys = request.app.state.known_keys
    sender = await batch_sender(request, centre, known)
    body = await request.body()  # bounded by the guard in front of every route
    encoding = request.headers.get("content-encoding", "")
    places: IngestPlaces = request.app.state.ingest_places
    try:
        async with places.place(sender.owner):
            batch = Sent(sender, body, encoding)
            try:
                receipt = await run_in_threadpool(_take, centre, known, batch)
            finally:
                places.spend(sender.owner, batch.records)
    except ComeAgain as refusal:
        if refusal.reason == "pace":  # a line may be short again in a moment
            request.app.state.postponed.remember(request.headers, refusal.seconds)
        raise
    return JsonResponse(
        {
            "events": receipt.events,
            "rejects": receipt.rejects,
            "alerts": receipt.alerts,
            "repeated": receipt.repeated,
        }
    )


@dataclass
class Sent:
    """A batch as it came; `records` when it was read."""

    sender: Sender
    body: bytes
    encoding: str
    records: int = 0


def _take(centre: Centre, known: KnownKeys, sent: Sent) -> Receipt:
    """Read and commit a batch, in one go: each change of threads costs as much as a query."""
    sender = sent.sender
    check = partial(known.check, sender=sender)
    try:
        origin, raws = _read(sender, sent.body, sent.encoding)
    except Invalid:
        # Only who is in force is told what is wrong: `cgii collect check` asks with an empty batch.
        with centre.database.reading() as session:
            check(session)
        raise
    sent.records = len(raws)
    return take(centre, origin, raws, check=check, enter=sender.enter)


def _unpack(body: bytes, encoding: str) -> bytes:
    if encoding in ("", "identity"):
        return body
    if encoding != "gzip":
        raise Invalid("El lote usa la codificación «{encoding}»; use gzip.", encoding=encoding)
    reader = zlib.decompressobj(wbits=31)
    try:
        unpacked = reader.decompress(body, limits.BATCH_UNPACKED_BYTES_MAX)
    except zlib.error as error:
        raise Invalid("El lote comprimido está dañado. Vuelva a comprimirlo.") from error
    if reader.unconsumed_tail:
        raise Invalid(
            "El lote descomprimido pasa de {limit} bytes. Divídalo.",
            limit=limits.BATCH_UNPACKED_BYTES_MAX,
        )
    if not reader.eof:
        raise Invalid("El lote comprimido está incompleto. Reenvíelo entero.")
    if reader.unused_data:  # of two parts put together the second would be lost
        raise Invalid("Detrás del lote comprimido hay algo más. Envíe un solo lote por petición.")
    return unpacked


def _read(sender: Sender, body: bytes, encoding: str) -> tuple[Origin, list[Raw]]:
    body = _unpack(body, encoding)
    if sum(map(body.count, (b",", b"[", b"{"))) > limits.BATCH_VALUES_MAX:
        raise Invalid("El lote trae demasiados valores. Divídalo.")
    try:
        batch = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Invalid("El lote no es JSON válido: {reason}.", reason=str(error)) from error
    if not isinstance(batch, dict):
        raise Invalid("El lote debe ser un objeto JSON con source, epoch, seq y records.")
    source = _text(batch, "source", limits.NAME_CHARS_MAX)
    stream = batch.get("stream", "")
    if not isinstance(stream, str) or len(stream) > limits.NAME_CHARS_MAX or "\0" in stream:
        raise Invalid("«stream» debe ser un texto corto.", field="stream")
    zone = batch.get("zone", "")
    if not isinstance(zone, str):
        raise Invalid("«zone» debe ser el nombre de una zona horaria.", field="zone")
    seq = batch.get("seq")
    if not isinstance(seq, int) or isinstance(seq, bool) or not 0 <= seq < limits.SEQ_MAX:
        raise Invalid("«seq» debe ser un número entero desde 0.", field="seq")
    origin = Origin(
        source=source,
        stream=f"sensor:{sender.id}/{source}" + (f"/{stream}" if stream else ""),
        epoch=_text(batch, "epoch", 80),
        sensor_id=sender.id,
        entity_id=sender.entity_id,
        zone=zone and zone_named(zone).key,
    )
    return origin, _raws(batch, seq)


def _raws(batch: dict[str, Any], seq: int) -> list[Raw]:
    records, peers = batch.get("records"), batch.get("peers", [])
    if not isinstance(records, list) or not records:
        raise Invalid("«records» debe ser una lista con al menos un registro.", field="records")
    if len(records) > limits.BATCH_RECORDS_MAX:
        raise Invalid(
            "El lote trae {count} registros y el máximo es {limit}. Divídalo.",
            count=len(records),
            limit=limits.BATCH_RECORDS_MAX,
        )
    if not isinstance(peers, list) or len(peers) not in (0, len(records)):
        raise Invalid("«peers» debe tener tantos textos como «records».", field="peers")
    sent_by = [str(peer)[: limits.NAME_CHARS_MAX] for peer in peers] or [""] * len(records)
    pairs = zip(records, sent_by, strict=True)
    return [Raw(seq + place, _data(record), peer) for place, (record, peer) in enumerate(pairs)]


def _text(batch: dict[str, Any], name: str, chars_max: int) -> str:
    value = batch.get(name)
    if not isinstance(value, str) or not value or len(value) > chars_max or "\0" in value:
        raise Invalid("«{name}» debe ser un texto de hasta {limit} caracteres.", field=name,
                      name=name, limit=chars_max)  # fmt: skip
    return value


def _data(record: object) -> bytes | dict[str, Any]:
    if isinstance(record, str):
        return record.encode("utf-8", "replace")
    if isinstance(record, dict):
        return record
    return orjson.dumps(record)  # a number or a list: the source's reader says what is wrong
