"""A full disk: 503, nothing falsely acknowledged, cases go on, and it resumes by itself."""

import errno
import json
import os
import resource
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from cgii.base import limits
from cgii.base.errors import Unavailable
from cgii.base.settings import Settings
from cgii.centre import Centre, build
from cgii.model.event import Origin, Raw
from cgii.pipeline import take
from cgii.store.events import EventQuery
from tests.integration.ledgers import failed_login
from tests.process import RunningCentre

MEGABYTE = 1024 * 1024
LINES = 1_000
NOTICE = {
    "title": "Aviso con el disco lleno",
    "description": "La página muestra otro contenido.",
    "noticed_at": "2026-11-20T14:00:00Z",
    "affected": "Portal",
    "contact_name": "Ana Flores",
    "contact_email": "ana@example.bo",
}


class Site:
    """A running centre, an entity's sensor, and what was acknowledged to it."""

    def __init__(self, data: Path, log: Path) -> None:
        self.running = RunningCentre(data, syslog_udp_port="0", syslog_tcp_port="0")
        self.running.log = log
        kind = ("--kind", "ministry", "--level", "central")
        self.running.command("entity", "add", "0001", "MP", "Ministerio de Pruebas", *kind)
        self.token = self.running.command("sensor", "add", "propio", "--entity", "MP", "--token")
        self.running.start()
        self.acknowledged = 0

    def ask(self, path: str, body: object = None, **headers: str) -> tuple[int, str]:
        """Status and text of an answer."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        data = None if body is None else json.dumps(body).encode()
        bearer = {"Authorization": f"Bearer {self.token}"} if body is not None else {}
        request = urllib.request.Request(self.running.url + path, data, bearer | named)
        try:
            with urllib.request.urlopen(request, timeout=240) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def send(self) -> int:
        """The next batch, the same again until it is taken; the answer's status."""
        begin = self.acknowledged
        lines = [
            failed_login(n, host="srv", network="203.0.113") for n in range(begin, begin + LINES)
        ]
        body = {"source": "linux_auth", "epoch": "e", "seq": begin, "records": lines}
        status, text = self.ask("/api/v1/ingest", body)
        assert status in (200, 503), text
        if status == 200:
            self.acknowledged += LINES
        return status

    def file_notice(self, key: str) -> int:
        """File an incident, which also writes the audit trail; the answer's status."""
        return self.ask("/api/v1/notices", NOTICE, Idempotency_Key=key)[0]

    def check(self) -> None:
        """What was acknowledged is there, once, and the audit trail is whole."""
        centre = Centre(Settings(data=self.running.data))
        assert centre.events.count(EventQuery()) == self.acknowledged
        with centre.database.reading() as session:
            assert list(centre.trail.verify(session)) == []
        centre.close()
        log = self.running.log.read_text()
        assert "process ended" not in log  # none of them died of it
        assert "request failed" not in log


def test_files_that_may_not_grow_stop_the_ingest_until_they_may(tmp_path: Path) -> None:
    site = Site(tmp_path / "data", tmp_path / "log")
    pid = site.running.children()["serve"]
    unlimited = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    try:
        assert site.send() == 200
        # Each file for itself: the month of events meets the limit, the record stays below.
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (6 * MEGABYTE, unlimited[1]))
        answers: list[int] = []
        while answers[-3:] != [503] * 3:  # a file may find a little more room in between
            assert len(answers) < 60
            answers.append(site.send())
        assert site.file_notice("uno") == 201
        assert site.ask("/entrar")[0] == 200
        resource.prlimit(pid, resource.RLIMIT_FSIZE, unlimited)
        assert [site.send(), site.send()] == [200, 200]
        assert site.running.children()["serve"] == pid  # it lived through it
        site.check()
    finally:
        site.running.kill()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own with 300 MB."""
    if os.geteuid() != 0:
        pytest.skip("NO SMALL DISK: only root may mount a tmpfs")
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=300m", "tmpfs", folder]
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"NO SMALL DISK: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def test_a_full_disk_is_told_and_what_is_left_of_it_belongs_to_cases(
    small_disk: Path, tmp_path: Path
) -> None:
    site = Site(small_disk / "data", tmp_path / "log")
    filler = small_disk / "filler"
    try:
        assert site.send() == 200
        _fill(filler, leave=limits.DISK_RESERVE_BYTES - MEGABYTE)
        status, text = site.ask("/readyz")
        assert (status, "disk: almost full" in text) == (503, True)
        assert site.send() == 503
        assert site.file_notice("uno") == 201  # what is left is for this

        _fill(filler, leave=0)
        assert site.send() == 503
        assert site.file_notice("dos") == 503
        assert site.ask("/entrar")[0] == 200

        filler.unlink()
        assert [site.send(), site.send()] == [200, 200]
        assert site.file_notice("dos") == 201
        assert site.ask("/readyz")[0] == 200
        site.check()
    finally:
        site.running.kill()


def _fill(filler: Path, *, leave: int) -> None:
    """Take all the room but so many bytes, while the centre goes on writing."""
    with filler.open("ab") as file:
        for spare in range(100):
            room = os.statvfs(filler)
            more = (room.f_bavail - spare) * room.f_frsize - leave
            if more <= 0:
                return
            try:
                os.posix_fallocate(file.fileno(), 0, file.tell() + more)
            except OSError as error:
                if error.errno != errno.ENOSPC:  # somebody took a block since it was counted
                    raise
            else:
                return
    raise AssertionError("the disk never had the room that it told of")


def test_the_last_of_the_disk_is_not_for_events(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    centre = build(Settings(data=tmp_path / "data"))
    line = failed_login(1, host="srv", network="203.0.113").encode()
    batch = (Origin("linux_auth", "sensor:1/linux_auth", "e", 1), [Raw(0, line)])
    monkeypatch.setattr(limits, "DISK_RESERVE_BYTES", 2**62)
    with pytest.raises(Unavailable, match="espacio en disco"):
        take(centre, *batch)
    monkeypatch.undo()
    assert take(centre, *batch).events == 1
    centre.close()
