"""Silences and announced pauses on their pages and as a command."""

import itertools
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select
from typer.testing import CliRunner

from cgii.base import clock
from cgii.base.errors import CgiiError, Invalid
from cgii.base.settings import load
from cgii.centre import build as build_centre
from cgii.cli.app import build
from cgii.detect.silence import Pair, Told, Verdict, silence_alert
from cgii.model.alerts import AlertGroup
from cgii.model.people import Role
from cgii.model.records import AuditEntry, Sensor
from cgii.model.silence import QuietWindow, SourceSilence
from cgii.respond.intake import fold_alerts
from tests.make import NOW, make_entity, make_user
from tests.make_web import Pages, make_centre, make_pages

PLACE = "/administracion/silencios"
_numbers = itertools.count()


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pages]:
    centre = make_centre(tmp_path_factory.mktemp("silence"))
    yield make_pages(centre)
    centre.close()


def enter(pages: Pages, role: Role = Role.ADMINISTRATOR, **given: object):  # type: ignore[no-untyped-def]
    with pages.centre.database.transaction() as session:
        user = make_user(session, role, **given)
    return pages.visit(user)


def make_silence(pages: Pages, **given: object) -> tuple[Sensor, SourceSilence]:
    """A source of a new entity's sensor that stopped."""
    number = next(_numbers)
    with pages.centre.database.transaction() as session:
        entity = make_entity(session)
        sensor = Sensor(name=f"sensor-s{number}", entity_id=entity.id, token_hash=f"s{number}",
                        created_at=NOW)  # fmt: skip
        session.add(sensor)
        session.flush()  # its id
        key = f"sensor:{sensor.id}"
        silence = SourceSilence(
            sensor_key=key, source="linux_auth", open_key=key, state="stopped", since=NOW,
            usual_count=1234, seen_count=0, alert_id=key, opened_at=NOW, **given,
        )  # fmt: skip
        session.add(silence)
    return sensor, silence


def sent(**given: str) -> dict[str, str]:
    now = clock.local(clock.now())
    values = {
        "sensor": "local",
        "source": "linux_auth",
        "start": f"{now:%Y-%m-%dT%H:%M}",
        "end": f"{now + timedelta(hours=3):%Y-%m-%dT%H:%M}",
        "reason": "cambio de disco, orden 114",
    }
    return values | given


def test_a_silence_stands_on_the_pages_of_its_source_and_sensor(pages: Pages) -> None:
    sensor, _ = make_silence(pages)

    analyst = enter(pages, Role.ANALYST)
    for path in ("/fuentes/linux_auth", f"/sensores/{sensor.id}", f"/sensores/{sensor.id}/panel"):
        text = analyst.get(path).text
        assert "0 registros donde son habituales 1.234." in text, path
    assert sensor.name in enter(pages).get(f"{PLACE}?q=linux_auth&dura=si").text


def test_a_sensor_enrolled_just_now_is_not_missed_yet(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    centre = make_centre(tmp_path_factory.mktemp("enrolled"))
    pages = make_pages(centre)
    for name, days in (("nuevo", 0), ("olvidado", 2)):
        with centre.database.transaction() as session:
            created = centre.clock() - timedelta(days=days)
            session.add(Sensor(name=name, token_hash=name, created_at=created))
    text = enter(pages).get("/sensores").text
    centre.close()
    assert "1 sensor no se oye" in text


def test_an_entity_sees_its_own_silences_and_no_others(pages: Pages) -> None:
    sensor, _ = make_silence(pages)
    own = enter(pages, Role.REPORTER, entity_id=sensor.entity_id)
    stranger, _ = make_silence(pages)
    other = enter(pages, Role.REPORTER, entity_id=stranger.entity_id)

    assert "habituales 1.234" in own.get("/portal/sensores").text
    assert sensor.name not in other.get("/portal/sensores").text
    assert other.get(f"/sensores/{sensor.id}").status_code == 404


def test_a_silence_that_ended_is_on_the_list_only(pages: Pages) -> None:
    sensor, _ = make_silence(pages, ended_at=NOW, outcome="back")

    assert "habituales" not in enter(pages, Role.ANALYST).get(f"/sensores/{sensor.id}").text
    assert "Volvió a llegar" in enter(pages).get(f"{PLACE}?dura=no").text


def test_a_pause_is_announced_shown_and_ended(pages: Pages) -> None:
    admin = enter(pages)
    reason = "cambio de disco <b>114</b>"
    assert "Elija uno" in admin.get(f"{PLACE}/nueva").text
    assert admin.post(f"{PLACE}/nueva", data=sent(reason=reason)).status_code == 303

    text = admin.get(PLACE).text
    assert "cambio de disco &lt;b&gt;114" in text
    with pages.centre.database.reading() as session:
        window = session.scalars(select(QuietWindow).where(QuietWindow.reason == reason)).one()
        (entry,) = session.scalars(select(AuditEntry).where(AuditEntry.action == "quiet.announced"))
    assert (window.sensor_key, window.source) == ("local", "linux_auth")
    assert window.owner_id is not None
    assert entry.target == f"quiet:{window.id}"
    assert admin.post(f"{PLACE}/{window.id}/terminar").status_code == 303
    assert "114" not in admin.get(PLACE).text
    assert admin.post(f"{PLACE}/{window.id}/terminar").status_code == 422


@pytest.mark.parametrize(
    "given",
    [
        {"sensor": ""},
        {"sensor": "sensor:999999"},
        {"sensor": "sensor:²"},
        {"sensor": "sensor:" + "9" * 40},
        {"source": "x" * 81},
        {"reason": ""},
        {"reason": "x" * 401},
        {"start": "ayer"},
        {"end": "2020-01-01T00:00"},
        {"end": "2099-01-01T00:00"},
        {"start": "0001-01-01T00:00"},
        {"end": "9999-12-31T23:59"},
    ],
)
def test_a_pause_that_makes_no_sense_is_refused_with_a_sentence(
    pages: Pages, given: dict[str, str]
) -> None:
    answer = enter(pages).post(f"{PLACE}/nueva", data=sent(**given))

    assert answer.status_code == 422
    assert "Hay algo que corregir" in answer.text


def test_only_who_administers_announces_pauses(pages: Pages) -> None:
    for role in (Role.ANALYST, Role.COORDINATOR, Role.AUDITOR, Role.OFFICER, Role.REPORTER):
        visitor = enter(pages, role)
        assert visitor.post(f"{PLACE}/nueva", data=sent()).status_code == 403
        assert visitor.post(f"{PLACE}/semanal", data=weekly()).status_code == 403


def weekly(**given: str | list[str]) -> dict[str, str | list[str]]:
    return {
        "sensor": "*",
        "days": ["6", "7", "h"],
        "opens": "",
        "closes": "",
        "reason": "se apaga al cerrar la oficina",
    } | given


def test_a_pause_of_every_week_is_announced_shown_and_ended(pages: Pages) -> None:
    with pages.centre.database.transaction() as session:
        entity = make_entity(session, acronym="SEMANAL")
        session.add(Sensor(name="s", entity_id=entity.id, token_hash="semanal", created_at=NOW))
    admin = enter(pages)
    assert "Los sensores de SEMANAL" in admin.get(f"{PLACE}/semanal").text
    given = weekly(sensor=f"entity:{entity.id}", days=["2", "1", "3", "4", "5"], opens="20:00",
                   closes="06:00", source="linux_auth", reason="<i>apagan</i>")  # fmt: skip
    assert admin.post(f"{PLACE}/semanal", data=given).status_code == 303

    text = admin.get(PLACE).text
    assert "lunes a viernes, de 20:00 a 06:00 del día siguiente" in text
    assert "Los sensores de SEMANAL" in text
    assert "&lt;i&gt;apagan" in text
    with pages.centre.database.reading() as session:
        row = session.scalars(select(QuietWindow).where(QuietWindow.entity_id == entity.id)).one()
        told = session.scalars(select(AuditEntry).where(AuditEntry.target == f"quiet:{row.id}"))
        (entry,) = told
    assert (row.sensor_key, row.source, row.days, row.end_at) == ("", "linux_auth", "12345", None)
    assert (entry.action, entry.entity_id) == ("quiet.announced", entity.id)
    assert "lunes a viernes, de 20:00 a 06:00" in entry.data
    assert admin.post(f"{PLACE}/{row.id}/terminar").status_code == 303
    assert "SEMANAL" not in admin.get(PLACE).text
    assert admin.post(f"{PLACE}/{row.id}/terminar").status_code == 422


def test_a_pause_of_every_week_says_whether_it_is_now(pages: Pages) -> None:
    admin = enter(pages)
    today = clock.local(pages.centre.clock()).isoweekday()
    for day, reason in ((today, "es hoy"), (today % 7 + 1, "es mañana")):
        assert admin.post(f"{PLACE}/semanal", data=weekly(days=[str(day)], reason=reason))

    lines = {line for line in admin.get(PLACE).text.split("<li") if "es hoy" in line}
    assert all("En curso" in line for line in lines)
    assert len(lines) == 1
    (other,) = (line for line in admin.get(PLACE).text.split("<li") if "es mañana" in line)
    assert "En curso" not in other


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"days": []}, "Elija al menos 1."),
        ({"days": ["9"]}, "Elija al menos un día."),
        ({"opens": "20:00"}, "Escriba las dos horas, o ninguna para el día entero."),
        ({"opens": "20:00", "closes": "20:00"}, "Las dos horas son iguales."),
        ({"opens": "8 pm", "closes": "20:00"}, "«8 pm» no es una hora."),
        ({"sensor": ""}, "Este dato es obligatorio."),
        ({"sensor": "entity:999999"}, "No existe esa entidad."),
        ({"sensor": "entity:²"}, "No existe esa entidad."),
        ({"sensor": "sensor:999999"}, "No existe ese sensor."),
        ({"source": "squib"}, "Parecidas: squid"),
        ({"reason": ""}, "Este dato es obligatorio."),
    ],
)
def test_a_pause_of_every_week_that_makes_no_sense_is_refused_with_a_sentence(
    pages: Pages, given: dict[str, str | list[str]], said: str
) -> None:
    answer = enter(pages).post(f"{PLACE}/semanal", data=weekly(**given))

    assert answer.status_code == 422
    assert said in answer.text


def test_the_rule_of_a_silences_alert_leads_to_the_sources(pages: Pages) -> None:
    answer = enter(pages, Role.ANALYST).get("/reglas/silence.source")

    assert (answer.status_code, answer.headers["location"]) == (303, "/fuentes")
    coordinator = enter(pages, Role.COORDINATOR)
    assert coordinator.get("/reglas/silence.source/ajustar/suprimir").status_code == 200


def test_the_alert_of_a_silence_has_a_page_and_offers_to_be_suppressed(pages: Pages) -> None:
    verdict = Verdict("stopped", NOW, 400, 0)
    told = Told("a" * 32, Pair("local", "squid"), "norte", None, None, NOW, verdict)
    with pages.centre.database.transaction() as session:
        act = pages.centre.act(session)
        fold_alerts(act, [silence_alert(told)], pages.centre.attributor(session))
        group = session.scalars(select(AlertGroup)).one()

    text = enter(pages, Role.COORDINATOR).get(f"/alertas/{group.id}").text
    assert "squid de norte dejó de llegar desde el 20 nov 2026, 10:00" in text
    assert "Ya no está en vigor" not in text
    assert f"/reglas/silence.source/ajustar/suprimir?alerta={group.id}" in text


# --- the command --------------------------------------------------------------------------------
@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CGII_DATA", str(tmp_path / "data"))
    with build_centre(load()).database.transaction() as session:
        session.add(Sensor(name="norte", token_hash="t", created_at=NOW))
    return tmp_path


def command(*arguments: str) -> str:
    done = CliRunner().invoke(build("quiet"), ["quiet", *arguments])
    if done.exception is not None:
        raise done.exception
    return done.output


def test_the_command_announces_lists_and_ends(place: Path) -> None:
    said = command("add", "--sensor", "norte", "--hours", "2", "--reason", "mudanza")
    assert said.startswith("Pausa 1 hasta el ")
    command("add", "--every-sensor", "--hours", "1", "--from", "2099-01-01T10:00", "--reason", "x")

    assert "norte, todas las fuentes: mudanza" in command("list")
    assert "1 ene 2099, 10:00 – 1 ene 2099, 11:00  todos los sensores" in command("list")
    command("end", "1")
    assert "mudanza" not in command("list")
    assert "mudanza" in command("list", "--all")


def test_the_command_announces_what_comes_again(place: Path) -> None:
    with build_centre(load()).database.transaction() as session:
        make_entity(session, acronym="SIGLA")
    said = command("weekly", "--sensor", "norte", "--days", "Lunes-VIERNES, feriados",
                   "--from", "20:00", "--to", "06:00", "--reason", "apagan")  # fmt: skip
    night = "lunes a viernes y feriados, de 20:00 a 06:00 del día siguiente"
    assert said == f"Pausa 1: {night}.\n"
    command("weekly", "--entity", "SIGLA", "--days", "sabado,domingo", "--reason", "cierran")

    assert f"{night}  norte, todas las fuentes: apagan" in command("list")
    assert "sábado y domingo, todo el día  sensores de SIGLA, todas" in command("list")
    command("end", "1")
    assert "apagan" not in command("list")
    assert f"{night}, hasta el " in command("list", "--all")


@pytest.mark.parametrize(
    "arguments",
    [
        ("add", "--hours", "2", "--reason", "x"),
        ("add", "--sensor", "norte", "--entity", "MP", "--hours", "2", "--reason", "x"),
        ("add", "--entity", "NADIE", "--hours", "2", "--reason", "x"),
        ("weekly", "--days", "lunes", "--reason", "x"),
        ("weekly", "--sensor", "norte", "--days", "", "--reason", "x"),
        ("weekly", "--sensor", "norte", "--days", "ayer", "--reason", "x"),
        ("weekly", "--sensor", "norte", "--days", "lunes-", "--reason", "x"),
        ("weekly", "--sensor", "norte", "--days", "viernes-lunes", "--reason", "x"),
        ("weekly", "--sensor", "norte", "--days", "lunes-feriados", "--reason", "x"),
        ("weekly", "--sensor", "norte", "--days", "todos", "--from", "20:00", "--reason", "x"),
        ("add", "--sensor", "norte", "--every-sensor", "--hours", "2", "--reason", "x"),
        ("add", "--sensor", "sur", "--hours", "2", "--reason", "x"),
        ("add", "--sensor", "norte", "--hours", "2", "--reason", " "),
        ("add", "--sensor", "norte", "--hours", "2", "--reason", "x", "--from", "mañana"),
        ("add", "--sensor", "norte", "--hours", "2", "--reason", "x", "--from", "2020-01-01"),
        ("add", "--sensor", "norte", "--hours", "2", "--reason", "x", "--owner", "no@x.bo"),
        ("add", "--sensor", "norte", "--source", "noexiste", "--hours", "2", "--reason", "x"),
        ("end", "7"),
    ],
)
def test_the_command_says_what_is_wrong(place: Path, arguments: tuple[str, ...]) -> None:
    with pytest.raises(CgiiError):
        command(*arguments)
    assert command("list", "--all") == ""


def test_a_source_that_is_none_is_refused_with_near_names(place: Path, pages: Pages) -> None:
    with pytest.raises(Invalid, match=r"«squib»\. Parecidas: squid"):
        command("add", "--sensor", "norte", "--source", "squib", "--hours", "2", "--reason", "x")
    form = {"sensor": "*", "source": "squib", "reason": "x",
            "start": "2099-01-01T10:00", "end": "2099-01-01T11:00"}  # fmt: skip
    admin = enter(pages)
    answer = admin.post(f"{PLACE}/nueva", data=form)
    assert (answer.status_code, "Parecidas: squid" in answer.text) == (422, True)
    command("add", "--sensor", "norte", "--source", "squid", "--hours", "2", "--reason", "x")
    assert "norte, squid: x" in command("list")


def test_the_command_names_the_option_whose_moment_is_none(place: Path) -> None:
    with pytest.raises(Invalid, match="--from «mañana»"):
        command("add", "--sensor", "norte", "--hours", "2", "--reason", "x", "--from", "mañana")


def test_a_pause_that_is_over_is_not_ended_again(place: Path) -> None:
    command("add", "--sensor", "norte", "--hours", "2", "--reason", "mudanza")
    command("end", "1")

    with pytest.raises(Invalid):
        command("end", "1")
