"""A body that comes too slowly is cut off, whoever would read it."""

import asyncio

import pytest
from starlette.exceptions import HTTPException
from starlette.types import Message, Receive, Scope, Send

from cgii.base import limits
from cgii.web.middleware import BodyLimit


def test_a_sender_that_trickles_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "BODY_SECONDS_MAX", 0.05)
    pieces = iter([b"{", b" "])

    async def reader(scope: Scope, receive: Receive, send: Send) -> None:
        while (await receive()).get("more_body"):
            pass

    async def receive() -> Message:
        piece = next(pieces, None)
        if piece is None:
            await asyncio.Event().wait()
        return {"type": "http.request", "body": piece, "more_body": True}

    async def send(message: Message) -> None:
        raise AssertionError("nobody answers")

    scope = {"type": "http", "path": "/api/v1/ingest", "query_string": b"", "headers": []}
    with pytest.raises(HTTPException) as cut:
        asyncio.run(BodyLimit(reader, allowances=[])(scope, receive, send))
    assert cut.value.status_code == 408
