"""Tells the centre how this sensor is, takes what the centre wants of it, and renews its key."""

import random
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import orjson

from cgii import __version__
from cgii.base import clock, counters, limits, logs
from cgii.base.errors import CgiiError, Invalid, Unavailable
from cgii.collect.background import Background
from cgii.collect.identity import Identity
from cgii.collect.pushed import Pushed
from cgii.collect.send import NO_CENTRE, Sender, by_key
from cgii.collect.spool import Spool

REPORT, KEY, ENROL = "/api/v1/sensors/report", "/api/v1/sensors/key", "/api/v1/sensors/enrol"

log = logs.logger("collect")


class Reporter(Background):
    """Reports each minute. `on_change` is called when inputs or sources are new."""

    def __init__(
        self,
        sender: Sender,
        spool: Spool,
        identity: Identity,
        pushed: Pushed,
        *,
        on_change: Callable[[], None],
    ) -> None:
        super().__init__("report")
        self._sender = sender
        self._spool = spool
        self._identity = identity
        self._pushed = pushed
        self._on_change = on_change
        self._started_at = clock.now()
        self._told = ""

    def _run(self) -> None:
        while not self._stop.is_set():
            is_new = False
            try:
                is_new = self.report()
                if self._identity.is_old:
                    renew(self._sender, self._identity)
                self._told = ""
            except (CgiiError, OSError) as error:  # the spool holds what matters; say it once
                if self._told != str(error):
                    self._told = str(error)
                    log.warning("the centre did not take the sensor's report", reason=self._told)
            # What came of something new is told soon; else not all at the same second, though
            # they were started together.
            pause = limits.SENSOR_NEWS_SECONDS if is_new else limits.SENSOR_REPORT_SECONDS
            self._stop.wait(pause * (0.8 + 0.4 * random.random()))  # noqa: S311  not a secret

    def report(self) -> bool:
        """Report once, and keep what the centre wants; whether that is something new.

        Raises as Sender.post, and OSError.
        """
        answer = self._sender.post(REPORT, orjson.dumps(self._facts()))
        skew = self._sender.skew.total_seconds()
        if abs(skew) > limits.SENSOR_SKEW_SECONDS:
            log.warning("this clock differs from the centre's", seconds=round(skew))
        is_new = self._take(answer)
        if is_new:
            self._on_change()
        return is_new

    def _take(self, answer: dict[str, Any]) -> bool:
        is_new = False
        inputs, sources = answer.get("settings"), answer.get("sources")
        if isinstance(inputs, dict):
            self._pushed.keep_inputs(str(inputs.get("version", "")), str(inputs.get("text", "")))
            is_new = True
        if isinstance(sources, dict) and isinstance(sources.get("files"), dict):
            files = {str(name): str(text) for name, text in sources["files"].items()}
            self._pushed.keep_sources(str(sources.get("version", "")), files)
            is_new = True
        return is_new

    def _facts(self) -> dict[str, Any]:
        spool, oldest_at = self._spool, self._spool.oldest_at
        return {
            "version": __version__,
            "time": clock.now(),
            "started_at": self._started_at,
            "waiting_since": datetime.fromtimestamp(oldest_at, UTC) if oldest_at else None,
            "spool_records": spool.records,
            "spool_bytes": max(spool.size, 0),
            "spool_bytes_max": spool.bytes_max,
            "lost_count": counters.total(counters.EVENTS_DROPPED),
            "settings_version": self._pushed.inputs_version,
            "settings_problem": self._pushed.problem[:1_000],
            "sources_version": self._pushed.sources_version,
        }


def renew(sender: Sender, identity: Identity) -> None:
    """Make the next key known, signed with the one that is known. Raises as Sender.post."""
    if identity.key is None:
        return
    key = identity.next()
    proof = key.sign(f"cgii-key:{identity.key.key_id}".encode())
    body = orjson.dumps({"public_key": key.public.hex(), "proof": proof.hex()})
    try:
        answer = sender.post(KEY, body)
    except Invalid:
        identity.drop_next()
        raise
    _accept(identity, answer)
    log.info("the sensor's key was renewed", key=key.key_id)


def enrol(sender: Sender, identity: Identity, invitation: str) -> str:
    """Make a first key known with an invitation; the sensor's name. Raises as Sender.post.

    What was begun and not answered is asked again with the same key.
    """
    try:
        return _enrol(sender, identity, invitation)
    except Invalid as error:
        if error.field != "public_key":
            raise
        identity.drop_next()  # the centre knows that key from elsewhere
        return _enrol(sender, identity, invitation)


def _enrol(sender: Sender, identity: Identity, invitation: str) -> str:
    key = identity.next()
    body = orjson.dumps({"invitation": invitation, "public_key": key.public.hex()})
    return _accept(identity, sender.post(ENROL, body, authorise=by_key(lambda: key)))


def _accept(identity: Identity, answer: dict[str, Any]) -> str:
    """Take the next key into use if it is the centre that answered; the sensor's name."""
    if "sensor" not in answer:
        raise Unavailable(NO_CENTRE)
    identity.accept_next()
    return str(answer["sensor"])
