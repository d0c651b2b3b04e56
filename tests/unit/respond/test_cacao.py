"""Playbooks pass schema and graph; what cannot run is refused with sentence and line."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cgii.base import limits
from cgii.base.errors import ContentError
from cgii.respond.cacao import check_playbooks, load_playbooks, parse_playbook
from tests.unit.respond.books import (
    ALARM,
    ASK,
    END,
    FIX,
    LATE,
    LOOK,
    START,
    YES_END,
    action,
    make_document,
    sid,
)


def refused(document: dict[str, Any]) -> ContentError:
    with pytest.raises(ContentError) as caught:
        parse_playbook(json.dumps(document, indent=1, ensure_ascii=False).encode())
    return caught.value


def changed(step_id: str, **given: Any) -> dict[str, Any]:
    document = make_document()
    step = document["workflow"][step_id]
    document["workflow"][step_id] = {
        key: value for key, value in (step | given).items() if value is not None
    }
    return document


def line_of(document: dict[str, Any], text: str) -> int:
    lines = json.dumps(document, indent=1, ensure_ascii=False).splitlines()
    return next(number for number, line in enumerate(lines, 1) if f'"{text}":' in line)


def test_a_whole_playbook_is_read() -> None:
    playbook = parse_playbook(json.dumps(make_document()).encode())
    assert playbook.classes == ("fraud",)
    assert playbook.steps[LOOK].due_hours == 4
    assert playbook.steps[FIX].stage == "contained"
    assert playbook.steps[LOOK].instruction == "Haga: Mirar"
    assert playbook.scopes[YES_END] == ASK


def test_a_loop_is_refused_with_its_line() -> None:
    document = changed(LATE, on_completion=LOOK)
    error = refused(document)
    assert "ciclo" in error.reason
    assert error.line == line_of(document, LOOK)


@pytest.mark.parametrize(
    ("document", "said"),
    [
        (changed(LOOK, on_completion=sid("action", 99)), "no existe"),
        (changed(ASK, on_true=END), "dos ramas"),
        (changed(ALARM, on_completion=FIX), "dos ramas"),
        (changed(ASK, condition="malo"), "condición"),
        (changed(ASK, condition="__otra__:value = 1"), "no está declarada"),
        (changed(LOOK, out_args=[]), "nadie da valor"),
        (changed(LOOK, out_args=["__otra__"]), "no está declarada"),
        (changed(LOOK, on_completion=None), "a dónde"),
        (changed(FIX, on_completion=END), "no ambos"),
        (changed(LOOK, timeout=5000), "timeout"),
        (changed(LOOK, delay=5000), "delay"),
        (changed(LOOK, agent="individual--x"), "no está definido"),
        (changed(LOOK, commands=[{"type": "bash", "command": "rm"}]), "«bash» todavía no"),
        (changed(ASK, type="while-condition"), "todavía no se ejecutan"),
        (changed(ASK, type="parallel"), "todavía no se ejecutan"),
        (changed(ASK, type="nunca-visto"), "todavía no se ejecutan"),
        (make_document(workflow_exception=LATE), "todavía no se ejecuta"),
        (make_document(workflow_start=sid("start", 77)), "workflow_start"),
        (make_document(labels=["rsit:magia"]), "magia"),
        (make_document(spec_version="CACAO-2.0"), "no se admite"),
        (make_document(created="2026-11-22"), "created"),
        (make_document(id="playbook--ai-0001"), "id no tiene la forma"),
        (make_document(workflow={}), "workflow"),
    ],
)
def test_what_cannot_run_is_refused_in_a_sentence(document: dict[str, Any], said: str) -> None:
    error = refused(document)
    assert said in error.reason
    assert error.line is not None


@pytest.mark.parametrize("missing", ["name", "workflow", "modified", "created_by"])
def test_what_the_standard_requires_is_required(missing: str) -> None:
    document = make_document()
    del document[missing]
    assert missing in refused(document).reason


def test_an_unreachable_step_is_refused() -> None:
    document = make_document()
    document["workflow"][sid("action", 50)] = action("Nadie llega", on_completion=END)
    error = refused(document)
    assert "no se llega nunca" in error.reason
    assert error.line == line_of(document, sid("action", 50))


def test_a_stage_that_does_not_exist_is_refused() -> None:
    document = make_document()
    (extension,) = document["workflow"][FIX]["step_extensions"].values()
    extension["stage"] = "olvidado"
    assert "olvidado" in refused(document).reason


@pytest.mark.parametrize(
    "data",
    [
        b"{",
        b"\xff\xfe",
        b"[]",
        b"null",
        b'{"a": 1, "a": 2}',
        b"[" * 100_000,
    ],
)
def test_no_bytes_are_more_than_a_sentence(data: bytes) -> None:
    with pytest.raises(ContentError):
        parse_playbook(data)


def test_a_huge_file_and_a_huge_playbook_are_refused(tmp_path: Path) -> None:
    document = make_document()
    for number in range(limits.PLAYBOOK_STEPS_MAX):
        document["workflow"][sid("action", 1000 + number)] = action("x", on_completion=END)
    assert "pasos" in refused(document).reason
    folder = tmp_path / "playbooks"
    folder.mkdir()
    (folder / "grande.json").write_bytes(b" " * (limits.PLAYBOOK_BYTES_MAX + 1))
    assert any("pesa" in fault.reason for fault in load_playbooks(tmp_path).rejected)


def test_one_bad_file_does_not_hide_the_others(tmp_path: Path) -> None:
    folder = tmp_path / "playbooks"
    folder.mkdir()
    (folder / "nueva.json").write_text(json.dumps(make_document()))
    (folder / "otra.json").write_text(json.dumps(make_document()))
    (folder / "rota.json").write_text("{")
    loaded = load_playbooks(tmp_path)
    assert make_document()["id"] in loaded.by_id
    assert len(loaded.by_id) > 6
    assert [Path(fault.path).name for fault in loaded.rejected] == ["otra.json", "rota.json"]
    assert len(check_playbooks(tmp_path)) == 2


def test_the_more_special_playbook_comes_first(tmp_path: Path) -> None:
    folder = tmp_path / "playbooks"
    folder.mkdir()
    (folder / "z.json").write_text(json.dumps(make_document(labels=["rsit:other"])))
    names = [one.name for one in load_playbooks(tmp_path).for_class("other")]
    assert names[0] == "Guía de prueba"
    assert len(names) == 2


STEPS = [START, LOOK, ASK, ALARM, YES_END, FIX, LATE, END]


@given(
    st.sampled_from(STEPS),
    st.sampled_from(["on_completion", "on_success", "on_failure", "on_true", "on_false"]),
    st.sampled_from(STEPS),
)
def test_any_rewired_graph_is_read_or_refused(step: str, way: str, target: str) -> None:
    data = json.dumps(changed(step, **{way: target})).encode()
    try:
        playbook = parse_playbook(data)
    except ContentError:
        return
    # What is read can be walked: it ends, and every step is reached.
    assert set(playbook.scopes) == set(playbook.steps)
    assert START in playbook.scopes
