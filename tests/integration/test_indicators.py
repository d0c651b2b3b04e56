"""Indicators from a list to an alert: pasted in the browser, taken by command, found in a log."""

import gzip
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import func, select
from starlette.testclient import TestClient
from typer.testing import CliRunner

from cgii.base import limits
from cgii.cli.app import build
from cgii.model.alerts import AlertGroup
from cgii.model.event import Origin, Raw
from cgii.model.indicators import Indicator, IndicatorList
from cgii.model.people import Role
from cgii.pipeline import take
from tests.make import NOW, make_user
from tests.make_web import Pages, make_centre, make_pages

ORIGIN = Origin("web_access", "sensor:1", "1")
LIST = {"name": "c2", "title": "Servidores de mando", "level": "high", "days": "30",
        "tags": "rsit.malicious-code.c2-server"}  # fmt: skip


def access(number: int, address: str) -> Raw:
    text = f'{address} - - [20/Nov/2026:09:00:00 -0400] "GET /{number} HTTP/1.1" 200 5 "-" "a"'
    return Raw(number, text.encode())


@pytest.fixture
def pages(tmp_path: Path) -> Iterator[Pages]:
    centre = make_centre(tmp_path / "data")
    centre.clock = lambda: NOW
    yield make_pages(centre)
    centre.close()


def enter(pages: Pages, role: Role = Role.COORDINATOR) -> TestClient:
    with pages.centre.database.transaction() as session:
        user = make_user(session, role)
    return pages.visit(user)


def groups(pages: Pages) -> list[AlertGroup]:
    with pages.centre.database.reading() as session:
        query = select(AlertGroup).where(AlertGroup.rule_kind == "indicator")
        return list(session.scalars(query))


def test_what_a_pasted_list_names_becomes_an_alert_that_explains_itself(pages: Pages) -> None:
    browser = enter(pages)
    take(pages.centre, ORIGIN, [access(1, "198.51.100.7")])  # before the list: nothing to find
    sent = browser.post("/indicadores/nueva", data=LIST | {"values": "198[.]51[.]100[.]0/24 # red"})
    assert (sent.status_code, sent.headers["location"]) == (303, "/indicadores/c2")
    take(pages.centre, ORIGIN, [access(2, "198.51.100.7"), access(3, "192.0.2.1")])

    (group,) = groups(pages)
    assert (group.rule_id, group.level, group.rsit_type) == ("indicator.c2", "high", "c2-server")
    assert (group.alert_count, group.key) == (1, [["indicator", "198.51.100.0/24"]])
    page = browser.get(f"/alertas/{group.id}").text
    assert "198.51.100.7" in page
    assert "Servidores de mando" in page
    assert "198.51.100.0/24" in browser.get("/indicadores/c2").text


def test_the_same_batch_again_counts_nothing_twice(pages: Pages) -> None:
    enter(pages).post("/indicadores/nueva", data=LIST | {"values": "198.51.100.7"})
    for _ in range(2):
        take(pages.centre, ORIGIN, [access(1, "198.51.100.7")])
    assert [group.alert_count for group in groups(pages)] == [1]
    with pages.centre.database.reading() as session:
        assert session.scalars(select(Indicator.hit_count)).one() == 1


def test_the_alerts_of_a_list_are_tuned_like_those_of_a_rule(pages: Pages) -> None:
    browser = enter(pages)
    browser.post("/indicadores/nueva", data=LIST | {"values": "198.51.100.7"})
    take(pages.centre, ORIGIN, [access(1, "198.51.100.7")])
    (group,) = groups(pages)

    page = browser.get(f"/alertas/{group.id}").text
    assert "Ya no está en vigor" not in page
    assert f'href="/reglas/indicator.c2/ajustar/suprimir?alerta={group.id}"' in page
    rule = browser.get("/reglas/indicator.c2")
    assert rule.headers["location"] == "/indicadores/c2"
    form = browser.get(f"/reglas/indicator.c2/ajustar/suprimir?alerta={group.id}").text
    assert "indicator=198.51.100.7" in form
    sent = {"key": "indicator=198.51.100.7", "reason": "Es nuestro", "until": "2026-12-20"}
    assert browser.post("/reglas/indicator.c2/ajustar/suprimir", data=sent).status_code == 303
    take(pages.centre, Origin("web_access", "sensor:1", "2"), [access(2, "198.51.100.7")])

    assert [one.alert_count for one in groups(pages)] == [1]
    assert "Es nuestro" in browser.get("/indicadores/c2").text
    assert "Indicador de «Servidores de mando»" in browser.get("/reglas/ajustes").text


def test_records_are_not_excluded_from_a_list_and_an_unknown_list_is_not_tuned(
    pages: Pages,
) -> None:
    browser = enter(pages)
    browser.post("/indicadores/nueva", data=LIST | {"values": "198.51.100.7"})

    page = browser.get("/reglas/indicator.c2/ajustar/excluir").text
    assert "Solo se excluyen registros de una regla de un registro" in page
    assert browser.get("/reglas/indicator.none/ajustar/apagar").status_code == 404


def test_a_retired_list_and_a_warning_list_are_silent(pages: Pages) -> None:
    browser = enter(pages)
    browser.post("/indicadores/nueva", data=LIST | {"values": "198.51.100.7\n198.51.100.8"})
    harmless = {"name": "dns", "title": "DNS públicos", "level": "low", "is_warning": "on"}
    browser.post("/indicadores/nueva", data=harmless | {"values": "198.51.100.8"})
    take(pages.centre, ORIGIN, [access(1, "198.51.100.8")])
    assert groups(pages) == []
    assert browser.post("/indicadores/c2/retirar", data={"reason": ""}).status_code == 422
    assert browser.post("/indicadores/c2/retirar", data={"reason": "Cerró"}).status_code == 303
    take(pages.centre, ORIGIN, [access(2, "198.51.100.7")])
    assert groups(pages) == []


def test_anybody_who_sees_rules_may_ask_whether_a_value_is_known(pages: Pages) -> None:
    enter(pages).post("/indicadores/nueva", data=LIST | {"values": "malo.example"})
    analyst = enter(pages, Role.ANALYST)
    ask = "/indicadores?valor="
    assert "Servidores de mando" in analyst.get(f"{ask}hxxp://x.malo[.]example/a").text
    assert "No está en ninguna lista" in analyst.get(f"{ask}1.2.3.4").text
    assert "no es un indicador" in analyst.get(f"{ask}<script>").text
    assert "<script>alert" not in analyst.get(f"{ask}<script>alert(1)</script>").text
    assert analyst.get("/indicadores/nueva").status_code == 403
    assert enter(pages, Role.REPORTER).get("/indicadores").status_code in (403, 404)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"values": "hola"}, "ningún indicador"),
        ({"values": ""}, "ningún indicador"),
        ({"values": "{"}, "JSON"),
        ({"name": "Con Espacio", "values": "1.2.3.4"}, "formato"),
        ({"level": "", "values": "1.2.3.4"}, "Elija un nivel"),
        ({"days": "-1", "values": "1.2.3.4"}, "desde 1"),
        ({"values": "0.0.0.0/0"}, "ningún indicador"),
    ],
)
def test_a_wrong_list_is_answered_with_what_is_wrong(
    pages: Pages, wrong: dict[str, str], sentence: str
) -> None:
    answer = enter(pages).post("/indicadores/nueva", data=LIST | wrong)
    assert answer.status_code == 422
    assert sentence in answer.text
    with pages.centre.database.reading() as session:
        assert session.scalar(select(func.count()).select_from(IndicatorList)) == 0


def test_a_list_too_long_for_a_form_is_sent_to_the_command(pages: Pages) -> None:
    many = "\n".join(f"h{n}.malo.example" for n in range(limits.INDICATOR_FORM_VALUES_MAX + 1))
    answer = enter(pages).post(
        "/indicadores/nueva", data=LIST, files={"file": ("lista.txt", many.encode())}
    )
    assert answer.status_code == 422
    assert "cgii indicators import" in answer.text


def test_the_command_takes_a_packed_list_finds_and_retires(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CGII_DATA", str(tmp_path / "data"))
    file = tmp_path / "lista.csv.gz"
    file.write_bytes(gzip.compress(b"value,type\n203.0.113.9,ip-dst\n???,\n"))

    def run(*words: str) -> tuple[int, str]:
        done = CliRunner().invoke(build("indicators"), ["indicators", *words])
        return done.exit_code, done.output

    code, output = run("import", str(file), "--list", "c2", "--level", "high")
    assert (code, "c2: 1 nuevos, 0 ya conocidos" in output) == (0, True)
    assert f"{file}:3: " in output
    assert run("find", "203.0.113.9")[0] == 0
    assert run("find", "203.0.113.10")[0] == 1
    assert "c2" in run("list")[1]
    file.write_bytes(gzip.compress(b"203.0.113.10\n"))
    assert "1 olvidados" in run("import", str(file), "--list", "c2", "--replace")[1]
    assert run("find", "203.0.113.9")[0] == 1
    assert run("retire", "--list", "c2", "--reason", "Cerró")[0] == 0
    assert run("find", "203.0.113.10")[0] == 1
    file.write_bytes(b"\x1f\x8bbroken")
    assert run("import", str(file), "--list", "c2")[0] != 0
    assert run("import", str(tmp_path / "nada"), "--list", "c2")[0] != 0
    assert run("retire", "--list", "nada", "--reason", "x")[0] != 0
