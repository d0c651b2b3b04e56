"""Rules written in the browser: checked as one types, tried, saved, changed, taken out of use."""

import json
import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from starlette.testclient import TestClient

from cgii.base import limits
from cgii.detect.trial import examples_path
from cgii.model.detection import SiteRule
from cgii.model.event import Origin, Raw
from cgii.model.people import Role
from cgii.model.records import AuditEntry
from cgii.pipeline import take
from tests.make import NOW, make_user
from tests.make_web import Pages, make_centre, make_pages

SUDO = "cbb5c803-9850-53ec-ba7f-5ad9be3c5085"
NEW = "5d7f0a52-0d0e-4a4b-9d4e-6c6a2b1f9e10"
RULE = f"""\
title: Entrada de la cuenta de soporte
id: {NEW}
name: soporte_de_prueba
description: La cuenta de soporte entró por SSH.
tags: [attack.initial-access, attack.t1078]
logsource: {{product: linux, service: sshd}}
detection:
  entrada:
    result: accepted
    user: soporte
  condition: entrada
level: high
"""
YES = "Nov 20 10:00:00 srv sshd[1]: Accepted password for soporte from 203.0.113.9 port 5 ssh2"
NO = "Nov 20 10:00:00 srv sshd[1]: Accepted password for ana from 203.0.113.9 port 5 ssh2"


@pytest.fixture(scope="module")
def centre_pages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pages]:
    """One centre for all tests here: reading its rules takes longer than any of them."""
    centre = make_centre(tmp_path_factory.mktemp("editor"))
    centre.clock = lambda: NOW
    yield make_pages(centre)
    centre.close()


@pytest.fixture
def pages(centre_pages: Pages) -> Pages:
    with centre_pages.centre.database.transaction() as session:
        for row in session.scalars(select(SiteRule)):
            session.delete(row)
    # A look in the background may have taken one of them into force.
    centre_pages.centre.reload_rules()
    return centre_pages


def enter(pages: Pages, role: Role = Role.COORDINATOR) -> TestClient:
    with pages.centre.database.transaction() as session:
        user = make_user(session, role)
    return pages.visit(user)


def text_of(html: str) -> str:
    """What a reader sees, without the tags."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", html)).split())


def filled(**changes: Any) -> dict[str, Any]:
    """The editor's fields."""
    usual = {"text": RULE, "matching": YES, "not_matching": NO, "source": "auto", "base": "0"}
    return {**usual, "reason": "Pedido de la mesa", "untested": "", **changes}


def kept(pages: Pages, rule_id: str) -> list[SiteRule]:
    """The versions of a rule, the first first."""
    with pages.centre.database.reading() as session:
        query = select(SiteRule).where(SiteRule.rule_id == rule_id).order_by(SiteRule.number)
        rows = list(session.scalars(query))
        session.expunge_all()
        return rows


def check(pages: Pages, **changes: Any) -> Any:  # the test client's answer
    """What the live check answers."""
    return enter(pages).post(
        "/reglas/comprobar", data=filled(**changes), headers={"HX-Request": "true"}
    )


def test_a_new_rule_begins_with_a_text_that_has_no_errors(pages: Pages) -> None:
    text = enter(pages).get("/reglas/nueva").text

    assert "Sin errores" in text
    assert re.search(r"id: [0-9a-f]{8}-[0-9a-f]{4}-4", text)


def test_the_check_names_the_line_and_the_reason(pages: Pages) -> None:
    broken = RULE.replace("result: accepted", "result|contiene: accepted")
    text = text_of(check(pages, text=broken).text)

    assert "1 error" in text
    assert "línea 9" in text
    assert "modificador desconocido «contiene»" in text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("title: [", "YAML mal formado"),
        ("", "escriba la regla"),
        ("- una\n- lista\n", "se esperaba un mapa"),
        (RULE.replace(f"id: {NEW}\n", ""), "falta el identificador"),
        (RULE.replace(NEW, "a/b"), "el id solo lleva letras"),
        (RULE.replace(NEW, SUDO), "ya es de otra regla"),
        (f"{RULE}---\n{RULE}", "una sola regla por texto"),
        (RULE.replace("condition: entrada", "condition: otra"), "otra"),
        ("title: x\nid: f1\nlogsource: {product: linux}\nfilter: {rules: any}\n", "es un filtro"),
    ],
)
def test_what_is_wrong_with_a_text_is_said(pages: Pages, text: str, said: str) -> None:
    answer = check(pages, text=text)

    assert said in text_of(answer.text)
    assert "Sin errores" not in answer.text


def test_hostile_text_is_shown_as_text(pages: Pages) -> None:
    hostile = RULE.replace("Entrada de la cuenta de soporte", "<script>alert(1)</script>")
    answer = check(pages, text=hostile)

    assert "Sin errores" in answer.text
    assert "<script>alert" not in answer.text
    assert "&lt;script&gt;alert(1)" in answer.text


def test_a_text_that_is_too_long_is_refused_with_a_sentence(pages: Pages) -> None:
    browser = enter(pages)
    over = browser.post("/reglas/nueva", data=filled(text="a" * (limits.RULE_TEXT_CHARS_MAX + 1)))
    huge = browser.post("/reglas/nueva", data=filled(text="a" * 1024 * 1024))

    assert over.status_code == 422
    assert "Escriba como máximo" in over.text
    assert huge.status_code in (413, 422)
    assert "demasiado grande" in text_of(huge.text)


def test_the_given_records_are_run_while_one_types(pages: Pages) -> None:
    good = text_of(check(pages).text)
    turned = text_of(check(pages, matching=NO, not_matching="basura").text)

    assert good.count("Cumple debe coincidir") == good.count("Cumple no debe coincidir") == 1
    assert "Falla debe coincidir: no coincide" in turned
    assert "entrada user 'soporte' ana" in turned
    assert "Falla no debe coincidir: Ninguna fuente puede leer el registro." in turned


def test_a_saved_rule_is_a_version_with_its_examples_and_its_reason(pages: Pages) -> None:
    answer = enter(pages).post("/reglas/nueva", data=filled())
    [row] = kept(pages, NEW)
    with pages.centre.database.reading() as session:
        deeds = session.scalars(select(AuditEntry.action)).all()

    assert (answer.status_code, answer.headers["location"]) == (303, f"/reglas/{NEW}")
    assert (row.number, row.state, row.reason) == (1, "active", "Pedido de la mesa")
    assert row.text.strip() == RULE.strip()
    assert [(one["match"], one["raws"]) for one in row.examples] == [(True, [YES]), (False, [NO])]
    assert "rule.saved" in deeds


def test_a_saved_rule_leaves_no_draft_behind(pages: Pages) -> None:
    browser = enter(pages)
    draft = re.findall(r'data-draft="([^"]+)"', browser.get("/reglas/nueva").text)[0]
    browser.post(f"/borradores/{draft}", data={"values": '{"text": "a medias"}'})
    assert browser.get(f"/borradores/{draft}").json()["values"] == {"text": "a medias"}
    browser.post("/reglas/nueva", data=filled())

    assert browser.get(f"/borradores/{draft}").json()["values"] == {}
    assert f'data-draft="rule:{NEW}:1"' in browser.get(f"/reglas/{NEW}/editar").text


def test_a_rule_with_errors_without_records_or_without_a_reason_is_not_saved(pages: Pages) -> None:
    browser = enter(pages)
    for changes, said in (
        ({"text": "title: x\n"}, "tiene errores"),
        ({"matching": ""}, "Dé al menos un registro"),
        ({"matching": NO}, "1 de los registros dados no hacen lo que deben"),
        ({"reason": "  "}, "Escriba el motivo"),
    ):
        answer = browser.post("/reglas/nueva", data=filled(**changes))
        assert answer.status_code == 422
        assert said in text_of(answer.text)
    assert kept(pages, NEW) == []


def test_a_rule_without_records_says_why(pages: Pages) -> None:
    data = filled(matching="", not_matching="", untested="Nadie guarda esos registros todavía")
    enter(pages).post("/reglas/nueva", data=data)

    assert kept(pages, NEW)[0].untested == "Nadie guarda esos registros todavía"


def change_sudo(
    pages: Pages, browser: TestClient, *, level: str, base: int
) -> Any:  # the test client's answer
    """Save the shipped rule with another level."""
    text = pages.centre.content.rules.by_id[SUDO].text
    text = re.sub(r"(?m)^level: .*", f"level: {level}", text)
    data = filled(
        text=text, base=str(base), matching="", not_matching="", untested="las del archivo"
    )
    return browser.post(f"/reglas/{SUDO}/editar", data=data)


def test_a_shipped_rule_gets_a_version_above_it_whose_difference_is_shown(pages: Pages) -> None:
    browser = enter(pages)
    assert (
        "es una versión propia que rige en su lugar" in browser.get(f"/reglas/{SUDO}/editar").text
    )
    assert change_sudo(pages, browser, level="critical", base=0).status_code == 303
    [row] = kept(pages, SUDO)
    page = browser.get(f"/reglas/{SUDO}").text

    assert "level: low" in row.over
    assert '<span class="plus">+level: critical' in page
    assert '<span class="minus">-level: low' in page
    assert "Escrita aquí" in text_of(page)


def test_a_shipped_rule_brings_the_records_beside_its_file(pages: Pages) -> None:
    rule = pages.centre.content.rules.by_id[SUDO]
    beside = [json.loads(line) for line in examples_path(Path(rule.path)).read_text().splitlines()]
    page = unescape(enter(pages).get(f"/reglas/{SUDO}/editar").text)

    matching = re.search(r'name="matching"[^>]*>(.*?)</textarea>', page, re.DOTALL)
    assert matching is not None
    wanted = [one["raw"] for one in beside if one["match"] and one["source"] == beside[0]["source"]]
    assert wanted
    assert matching[1].splitlines() == wanted
    assert f'<option value="{beside[0]["source"]}" selected' in page


def test_what_somebody_else_saved_meanwhile_is_told_and_nothing_typed_is_lost(pages: Pages) -> None:
    ana, juan = enter(pages), enter(pages)
    change_sudo(pages, ana, level="critical", base=0)
    answer = change_sudo(pages, juan, level="medium", base=0)

    assert answer.status_code == 409
    assert "se guardó la versión 1 de esta regla" in answer.text
    assert "level: medium" in answer.text
    assert '<span class="minus">-level: critical' in answer.text
    assert 'name="base" value="1"' in answer.text
    assert change_sudo(pages, juan, level="medium", base=1).status_code == 303
    assert [row.number for row in kept(pages, SUDO)] == [1, 2]


def test_the_id_of_a_rule_is_not_changed(pages: Pages) -> None:
    browser = enter(pages)
    answer = browser.post(f"/reglas/{SUDO}/editar", data=filled())

    assert answer.status_code == 422
    assert "y no se cambia" in text_of(answer.text)


def test_a_rule_that_a_correlation_counts_is_neither_retired_nor_renamed(pages: Pages) -> None:
    browser = enter(pages)
    rules = pages.centre.content.rules
    counting = next(one for one in rules.correlations if SUDO in one.rule_ids)
    refused = browser.post(f"/reglas/{SUDO}/retirar", data={"reason": "sobra"})

    assert refused.status_code == 409
    assert counting.title in unescape(refused.text)
    assert counting.title in unescape(browser.get(f"/reglas/{SUDO}/retirar").text)
    assert kept(pages, SUDO) == []


def test_a_rule_is_retired_restored_and_given_back_to_its_file(pages: Pages) -> None:
    browser = enter(pages)
    rules = pages.centre.content.rules
    counted = {one for rule in rules.correlations for one in rule.rule_ids}
    rule = next(one for one in rules.single if one.id not in counted)
    url = f"/reglas/{rule.id}"

    assert browser.post(f"{url}/retirar", data={"reason": ""}).status_code == 422
    assert browser.post(f"{url}/retirar", data={"reason": "sobra"}).status_code == 303
    assert "Esta regla está retirada" in browser.get(url).text
    restored = browser.post(f"{url}/restaurar", data={"number": "1", "reason": "hacía falta"})
    assert restored.status_code == 303
    assert browser.get(f"{url}/soltar").status_code == 200
    assert browser.post(f"{url}/soltar", data={"reason": "basta la suya"}).status_code == 303
    rows = kept(pages, rule.id)
    assert [row.state for row in rows] == ["retired", "active", "released"]
    assert {row.text for row in rows} == {rule.text}
    assert browser.post(f"{url}/soltar", data={"reason": "otra vez"}).status_code == 409
    assert browser.post(f"{url}/restaurar", data={"number": "9", "reason": "x"}).status_code == 422


def test_a_rule_that_was_never_in_force_has_a_page_and_an_unknown_one_has_none(
    pages: Pages,
) -> None:
    browser = enter(pages)
    browser.post("/reglas/nueva", data=filled())

    assert "Entrada de la cuenta de soporte" in browser.get(f"/reglas/{NEW}").text
    for address in ("", "/editar", "/retirar", "/soltar", "/ajustar/apagar"):
        assert browser.get(f"/reglas/ninguna{address}").status_code == 404


def test_a_rule_given_back_to_its_file_has_its_page_at_once(pages: Pages) -> None:
    browser = enter(pages)
    rules = pages.centre.content.rules
    counted = {one for rule in rules.correlations for one in rule.rule_ids}
    rule = next(one for one in rules.single if one.id not in counted)
    browser.post(f"/reglas/{rule.id}/retirar", data={"reason": "sobra"})
    pages.centre.reload_rules()
    assert rule.id not in pages.centre.content.rules.by_id
    browser.post(f"/reglas/{rule.id}/soltar", data={"reason": "basta la suya"})

    assert rule.title in unescape(browser.get(f"/reglas/{rule.id}").text)


def test_the_trial_looks_at_stored_events_of_its_kind_of_log_and_stores_nothing(
    pages: Pages,
) -> None:
    lines = [YES, NO, YES.replace("203.0.113.9", "203.0.113.10")]
    take(
        pages.centre,
        Origin("linux_auth", "editor/linux_auth", "1"),
        [Raw(number, line.encode()) for number, line in enumerate(lines)],
    )
    before = pages.centre.events.stats().events
    answer = enter(pages).post("/reglas/ensayar", data=filled())
    text = text_of(answer.text)

    assert "2 coincidencias en los últimos 3 registros" in text
    assert "from 203.0.113.10" in text
    assert "entrada user 'soporte' soporte" in text
    assert pages.centre.events.stats().events == before


def test_a_correlation_is_written_and_tried_with_the_rules_that_it_counts(pages: Pages) -> None:
    correlation = f"""\
title: Sudo negado dos veces
id: {NEW}
correlation:
  type: event_count
  rules: [{SUDO}]
  group-by: [user.name]
  timespan: 10m
  condition: {{gte: 2}}
level: high
"""
    refused = (
        "Nov 20 10:0{}:00 srv sudo: juan : user NOT in sudoers ; TTY=pts/0 ; PWD=/home/juan ; "
        "USER=root ; COMMAND=/bin/bash"
    )
    twice, once = "\n".join(refused.format(n) for n in (1, 2)), refused.format(1)
    text = text_of(check(pages, text=correlation, matching=twice, not_matching=once).text)
    saved = enter(pages).post(
        "/reglas/nueva", data=filled(text=correlation, matching=twice, not_matching=once)
    )

    assert text.count("Cumple") == 2
    assert saved.status_code == 303
    assert len(kept(pages, NEW)[0].examples[0]["raws"]) == 2


def test_who_may_only_read_rules_writes_none(pages: Pages) -> None:
    analyst = enter(pages, Role.ANALYST)

    assert analyst.get("/reglas/nueva").status_code == 403
    assert analyst.post("/reglas/nueva", data=filled()).status_code == 403
    assert analyst.post(f"/reglas/{SUDO}/retirar", data={"reason": "x"}).status_code == 403
    assert "/editar" not in analyst.get(f"/reglas/{SUDO}").text
