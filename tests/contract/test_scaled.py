"""One machine outgrown: over PostgreSQL, Elasticsearch and RabbitMQ nothing is lost either."""

import itertools
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import func, select

from cgii.base import limits
from cgii.base.settings import Settings
from cgii.centre import Centre, build
from cgii.model.alerts import AlertGroup, AlertRow
from cgii.model.event import Origin, Raw
from cgii.model.incidents import Notice
from cgii.model.records import Batch, Job, Message
from cgii.pipeline import take
from tests import servers
from tests.integration.crash_plan import KILLS, Plan
from tests.integration.ledger_check import Stored, originals
from tests.integration.ledgers import BATCH, BatchSender, Reporter, failed_login, finish_jobs, post
from tests.own_server import Server
from tests.scaled import SERVES, WORKS, ScaledSet
from tests.waiting import until

pytestmark = [pytest.mark.postgres, pytest.mark.rabbitmq, pytest.mark.elasticsearch]

SENDERS = 4
MANY_KILLS = 10
VICTIMS: tuple[tuple[str, ...], ...] = (SERVES[:1], WORKS[:1], (*SERVES, *WORKS), SERVES, WORKS,
                                        SERVES[1:], WORKS[1:])  # fmt: skip


@pytest.fixture
def inbox() -> Iterator[servers.Inbox]:
    """A mail server that keeps every copy."""
    with servers.smtp() as inbox:
        yield inbox


@pytest.fixture
def scaled(
    postgres_server: str,
    migrated_name: str,
    rabbitmq_server: str,
    elastic_url: str,
    inbox: servers.Inbox,
    tmp_path: Path,
) -> Iterator[ScaledSet]:
    """Two `cgii serve` and two `cgii work`, not started yet, and an empty record."""
    with servers.fresh_database(postgres_server, migrated_name) as database:
        scaled = ScaledSet(
            tmp_path / "data", database=database, broker=rabbitmq_server, events=elastic_url,
            mail_host=inbox.host, mail_port=str(inbox.port), mail_tls="false",
        )  # fmt: skip
        yield scaled
        scaled.kill()


@pytest.fixture
def killable(
    postgres: Server, rabbitmq: Server, elasticsearch_server: Server
) -> Mapping[str, Server]:
    """The servers that are ours to kill, not the ones that the environment named."""
    known = {"postgres": postgres, "rabbitmq": rabbitmq}
    if KILLS >= MANY_KILLS:  # it takes longest to come back, and test_elastic_faults.py kills it
        known["elasticsearch"] = elasticsearch_server
    return {name: server for name, server in known.items() if server.is_ours}


@pytest.mark.crash
def test_nothing_acknowledged_is_lost_or_stored_twice_by_many_processes(
    scaled: ScaledSet, killable: Mapping[str, Server], inbox: servers.Inbox
) -> None:
    token = scaled.command("sensor", "add", "prueba", "--token")
    kind = ("--kind", "ministry", "--level", "central")
    scaled.command("entity", "add", "0001", "MP", "Ministerio de Pruebas", *kind)
    own = scaled.command("sensor", "add", "propio", "--entity", "MP", "--token")
    person = ("rsi@mp.example", "Ana Quispe", "--role", "reporter", "--entity", "MP")
    scaled.command("user", "add", *person)
    scaled.start()
    senders = [BatchSender(scaled, token, number) for number in range(SENDERS)]
    reporter = Reporter(scaled, own)
    for ledger in (*senders, reporter):
        ledger.start()
    centre = Centre(scaled.settings)
    until(lambda: all(one.acknowledged for one in senders), "every sender is heard")
    until(lambda: bool(reporter.receipts), "a notice is filed")
    # Each server dies once for certain, beside the kills that are asked for.
    plan = Plan(senders, kills=KILLS + len(killable))
    Killer(scaled, centre, killable, plan).kill_again_and_again()
    enough = plan.acknowledged + BATCH
    until(lambda: plan.acknowledged > enough, "it goes on after the kills")
    for ledger in (*senders, reporter):
        ledger.stop()
    until(lambda: _was_run_by(centre, ":celery"), "a job is done by Celery")
    scaled.kill()
    print(f"killed: {dict(plan.killed)}")
    _check_lines(centre, plan, senders)
    _check_notices(centre, reporter)
    deaths = plan.killed["work"] + 2 * plan.killed["postgres"]  # the mark of a mail may fail, too
    _check_jobs(centre, inbox, copies_max=limits.JOBS_AT_ONCE * deaths)
    with centre.database.reading() as session:
        assert list(centre.trail.verify(session)) == []
    centre.close()
    for name in SERVES:  # a server that is away is no fault of ours: 503, not 500
        assert "request failed" not in scaled.parts[name].log.read_text(errors="replace")


def test_the_scaled_set_tells_the_same_alerts_as_one_process(
    scaled: ScaledSet, tmp_path: Path
) -> None:
    batches = _input()
    alone = build(Settings(data=tmp_path / "alone"))
    for epoch, seq, lines in batches:
        origin = Origin("linux_auth", "sensor:1/linux_auth", epoch, 1)
        take(alone, origin, [Raw(seq + n, line.encode()) for n, line in enumerate(lines)])
    wanted = _alerts(alone)
    alone.close()
    assert len({rule for rule, *_ in wanted}) >= 2
    token = scaled.command("sensor", "add", "prueba", "--token")
    scaled.start()
    by_epoch = itertools.groupby(batches, key=lambda batch: batch[0])
    threads = [
        threading.Thread(target=_send_all, args=(scaled, token, list(own))) for _, own in by_epoch
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    centre = Centre(scaled.settings)
    assert _alerts(centre) == wanted
    centre.close()


def _input() -> list[tuple[str, int, list[str]]]:
    """(epoch, seq, lines) of four hosts: guessing that succeeds, spraying, and quiet lines.

    All of it happens within five minutes, in which the order of arrival does not count.
    """
    batches = []
    for host in range(4):
        lines = [
            failed_login(number, host=f"srv{host}", network=f"203.0.{host}")
            for number in range(200)
        ]
        for attempt in range(8):
            lines.append(
                f"Nov 22 10:04:{attempt:02d} srv{host} sshd[9]: Failed password for root "
                f"from 198.51.100.{host + 1} port 400{attempt} ssh2"
            )
        lines.append(
            f"Nov 22 10:04:30 srv{host} sshd[9]: Accepted password for root "
            f"from 198.51.100.{host + 1} port 4100 ssh2"
        )
        batches += [(f"s{host}", seq, lines[seq : seq + 20]) for seq in range(0, len(lines), 20)]
    return batches


def _send_all(scaled: ScaledSet, token: str, batches: list[tuple[str, int, list[str]]]) -> None:
    """Send each in turn to either process, and some of them to both."""
    chance = random.Random(batches[0][0])
    for epoch, seq, lines in batches:
        body = {"source": "linux_auth", "epoch": epoch, "seq": seq, "records": lines}
        for _ in range(chance.choice((1, 1, 1, 1, 2))):
            while post(scaled, "/api/v1/ingest", body, Authorization=f"Bearer {token}") is None:
                time.sleep(0.1)


def _alerts(centre: Centre) -> Counter[tuple[object, ...]]:
    """(rule, key, at, count, events) of every alert."""
    wanted = select(AlertGroup, AlertRow).join(AlertRow, AlertRow.group_id == AlertGroup.id)
    with centre.database.reading() as session:
        return Counter(
            (group.rule_id, group.key_text, row.at, row.event_count, tuple(row.event_ids))
            for group, row in session.execute(wanted)
        )


@dataclass
class Killer:
    """Kills processes and servers, and sees to it that the others outlive it."""

    scaled: ScaledSet
    centre: Centre
    servers: Mapping[str, Server]
    plan: Plan

    def kill_again_and_again(self) -> None:
        """Until the plan has no more moments; the first victims are certain."""
        certain = [*VICTIMS[:3], *((name,) for name in self.servers)]
        anybody = [*VICTIMS, *((name,) for name in self.servers)]
        for number in self.plan.moments():
            some = number < len(certain)
            names = certain[number] if some else self.plan.chance.choice(anybody)
            if names[0] in self.servers:
                self._kill_server(names[0])
            else:
                self._kill_processes(names)

    def _kill_processes(self, names: tuple[str, ...]) -> None:
        for name in names:
            self.scaled.parts[name].kill()
            self.plan.killed[name.split()[0]] += 1
        # Whoever keeps processes alive starts them at once; the others go on meanwhile.
        for part in self.scaled.parts.values():
            if not part.is_alive():
                part.start()
        for part in self.scaled.parts.values():
            part.wait()

    def _kill_server(self, name: str) -> None:
        """None of our processes ends by it, and each goes on by itself once it is back.

        One that is only starting may end: so those that were killed before have to work first.
        """
        for work in WORKS:
            self._until_it_works(work, since=datetime.min, why=f"before {name} is killed")
        self.plan.killed[name] += 1
        self.servers[name].kill()
        time.sleep(self.plan.chance.uniform(0.2, 2.5))
        self.servers[name].start_again()
        returned_at = self.centre.clock()
        for part in self.scaled.parts.values():
            part.wait()
        enough = self.plan.acknowledged + SENDERS * BATCH
        until(lambda: self.plan.acknowledged > enough, f"senders are heard again after {name}")
        for work in WORKS if name != "elasticsearch" else ():
            self._until_it_works(work, since=returned_at, why=f"again after {name}")

    def _until_it_works(self, work: str, *, since: datetime, why: str) -> None:
        owner = f":{self.scaled.parts[work].pid}:celery:"
        until(
            lambda: _was_run_by(self.centre, owner, since=since),
            f"{work} takes jobs from the broker {why}",
        )


def _was_run_by(centre: Centre, owner: str, *, since: datetime = datetime.min) -> bool:
    done = select(Job.id).where(
        Job.state == "done", Job.ended_at > since.replace(tzinfo=UTC),
        Job.lease_owner.contains(owner),
    )  # fmt: skip
    with centre.database.reading() as session:
        return session.scalar(done.limit(1)) is not None


def _check_lines(centre: Centre, plan: Plan, senders: list[BatchSender]) -> None:
    stored = Stored(senders).enter(originals(centre.events))
    lost = sum(stored.lost(one, one.acknowledged) for one in senders)
    print(
        f"acknowledged {plan.acknowledged}, lost {lost}, stored twice {stored.twice}, "
        f"strange {stored.strange}"
    )
    assert plan.acknowledged > SENDERS * BATCH
    assert (lost, stored.twice, stored.strange) == (0, 0, 0)
    with centre.database.reading() as session:
        marked = session.scalar(select(func.sum(Batch.record_count))) or 0
        alerts = session.scalar(select(func.count()).select_from(AlertRow)) or 0
        folded = session.scalar(select(func.sum(AlertGroup.alert_count)))
    assert 0 <= stored.total - marked <= SENDERS * BATCH  # the last of each may stand unmarked
    assert marked >= plan.acknowledged
    assert 0 < alerts == folded


def _check_notices(centre: Centre, reporter: Reporter) -> None:
    with centre.database.reading() as session:
        codes = session.scalars(select(Notice.code)).all()
    print(f"notices acknowledged {len(reporter.receipts)}, filed {len(codes)}")
    assert 0 < len(reporter.receipts) == len(set(reporter.receipts.values()))
    assert set(reporter.receipts.values()) <= set(codes)
    assert len(codes) - len(reporter.receipts) <= 1  # one may have been filed unheard


def _check_jobs(centre: Centre, inbox: servers.Inbox, *, copies_max: int) -> None:
    """Once the leases of the dead have run out, every mail is sent, under one name each."""
    unfinished = select(func.count()).where(
        Job.name == "send_message", Job.state.in_(("waiting", "leased"))
    )
    finish_jobs(centre, unfinished, "every mail is sent")
    with centre.database.reading() as session:
        parked = session.scalars(select(Job).where(Job.state == "parked")).all()
        states = Counter(session.scalars(select(Message.state)))
        keys = {f"message-{number}" for number in session.scalars(select(Message.id))}
        sources = session.scalars(select(Message.dedupe_key)).all()
    names = Counter(str(mail["Message-ID"]) for mail in inbox.mails)
    copies = sum(names.values()) - len(names)
    print(f"mails {dict(states)}, sent under {len(names)} names, copies {copies}")
    assert [(job.name, job.last_error) for job in parked] == []
    assert states == {"sent": len(keys)}
    assert len(set(sources)) == len(sources)
    # Who is killed between the mail server's answer and its own mark sends a copy under the
    # same name, which readers' programs show once.
    assert len(names) == len(keys)
    assert copies <= copies_max
