"""Imported sets: validated, kept apart, replaced whole, never above the site's own rules."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from cgii.base.errors import Conflict, Invalid, NotFound
from cgii.detect.rule_imports import (
    Choice,
    Outcome,
    described,
    import_set,
    imported_sets,
    imports_folder,
    licence_texts,
    name_for,
    remove_set,
    update_set,
)
from cgii.detect.ruleset import load_rules

NOW = datetime(2026, 11, 22, 14, tzinfo=UTC)
LATER = datetime(2026, 11, 23, 14, tzinfo=UTC)
OURS = "6b7e2f6a-55a5-4a54-9a0b-6f2f3b6a9c0"


def rule(number: int, *, level: str = "high", status: str = "test", value: str = "x") -> str:
    return (
        f"title: Regla {number}\nid: {OURS}{number}\nname: regla_{number}\nlevel: {level}\n"
        f"status: {status}\nlogsource: {{product: linux, service: auth}}\n"
        f"detection:\n  s: {{program: {value}}}\n  condition: s\n"
    )


def write(folder: Path, **files: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / f"{name}.yml").write_text(text, encoding="utf-8")
    return folder


def taken(site: Path, origin: Path, choice: Choice | None = None) -> Outcome:
    return import_set(site, origin, name="otros", choice=choice or Choice(), now=NOW)


def imported_ids(site: Path) -> set[str]:
    return {one.id[-1] for one in load_rules(site).all if one.id.startswith(OURS)}


def test_an_imported_set_is_loaded_and_describes_itself(tmp_path: Path) -> None:
    site, origin = tmp_path / "site", write(tmp_path / "o", a=rule(1), b=rule(2))
    (origin / "LICENSE").write_text("Condiciones")
    (origin / "rota.yml").write_text("title: x\ndetection: {s: {a|nada: 1}, condition: s}\n")
    (origin / "latin.yml").write_bytes("title: sesión\ndetection: {}\n".encode("latin-1"))
    (origin / "otra.yml").write_text("uno: dos\n")

    outcome = taken(site, origin)

    assert imported_ids(site) == {"1", "2"}
    found = described(site, "otros")
    assert imported_sets(site) == [found] == [outcome.described]
    assert (found.rules, found.files, found.refused) == (2, 2, 2)
    assert any("latin.yml: no está en UTF-8" in one for one in found.refusals)
    assert any(one.startswith("rota.yml:") for one in found.refusals)
    assert outcome.other_files == 1
    assert licence_texts(site, found) == [("LICENSE", "Condiciones")]
    assert not list(site.glob(".staging/*"))
    assert [one for one in load_rules(site).rejected if "otros" in one.path] == []


def test_level_and_state_choose_but_a_correlation_keeps_what_it_counts(tmp_path: Path) -> None:
    counting = (
        f"title: Cuenta\nid: {OURS}9\nlevel: high\nstatus: test\ncorrelation:\n"
        "  type: event_count\n  rules: [regla_1]\n  group-by: [user]\n"
        "  timespan: 5m\n  condition: {gte: 3}\n"
    )
    origin = write(
        tmp_path / "o",
        a=rule(1, level="low"),
        b=rule(2, level="low"),
        c=rule(3, status="deprecated"),
        d=rule(4),
        e=counting,
    )

    outcome = taken(tmp_path / "site", origin, Choice("high"))

    assert imported_ids(tmp_path / "site") == {"1", "4", "9"}
    assert outcome.described.left_out == 2


def test_our_own_rule_stands_above_an_imported_one_of_its_id(tmp_path: Path) -> None:
    site = tmp_path / "site"
    write(site / "rules" / "sigma" / "zz", propia=rule(1, value="nuestro"))
    outcome = taken(site, write(tmp_path / "o", a=rule(1, value="suyo"), b=rule(2)))

    assert "nuestro" in load_rules(site).by_id[f"{OURS}1"].text
    assert [one.id for one in outcome.repeated] == [f"{OURS}1"]


def test_an_update_tells_what_is_new_changed_and_gone(tmp_path: Path) -> None:
    site, origin = tmp_path / "site", write(tmp_path / "o", a=rule(1), b=rule(2), c=rule(3))
    taken(site, origin)
    (origin / "c.yml").unlink()
    write(origin, b=rule(2, value="otro"), d=rule(4))

    outcome = update_set(site, "otros", origin=None, choice=None, now=LATER)

    told = [[one.id[-1] for one in part] for part in (outcome.new, outcome.changed, outcome.gone)]
    assert told == [["4"], ["2"], ["3"]]
    assert imported_ids(site) == {"1", "2", "4"}
    found = described(site, "otros")
    assert (found.imported_at, found.updated_at) == (NOW, LATER)


def test_an_update_that_fails_leaves_the_set_as_it_was(tmp_path: Path) -> None:
    site = tmp_path / "site"
    taken(site, write(tmp_path / "o", a=rule(1)))

    for origin in (tmp_path / "nada", write(tmp_path / "vacia", a="uno: dos\n")):
        with pytest.raises(Invalid):
            update_set(site, "otros", origin=origin, choice=None, now=LATER)
    assert imported_ids(site) == {"1"}
    assert described(site, "otros").updated_at == NOW


def test_a_set_goes_whole(tmp_path: Path) -> None:
    site = tmp_path / "site"
    taken(site, write(tmp_path / "o", a=rule(1)))

    remove_set(site, "otros")

    assert imported_ids(site) == set()
    assert not (imports_folder(site) / "otros").exists()
    with pytest.raises(NotFound):
        described(site, "otros")


def test_a_name_is_taken_once_and_leads_nowhere_else(tmp_path: Path) -> None:
    site, origin = tmp_path / "site", write(tmp_path / "o", a=rule(1))
    taken(site, origin)

    with pytest.raises(Conflict):
        taken(site, origin)
    for name in ("../x", "", "A", "x/y"):
        with pytest.raises(Invalid):
            import_set(site, origin, name=name, choice=Choice(), now=NOW)
    with pytest.raises(NotFound):
        remove_set(site, "../../o")


@pytest.mark.parametrize(
    ("origin", "name"),
    [
        ("Sigma-Core.zip", "sigma-core"),
        ("sigma_2026.08.tar.gz", "sigma_2026.08"),
        ("ñ.zip", "reglas"),
    ],
)
def test_a_set_is_named_after_its_origin(origin: str, name: str) -> None:
    assert name_for(Path(origin)) == name


def test_a_damaged_description_is_told(tmp_path: Path) -> None:
    site = tmp_path / "site"
    taken(site, write(tmp_path / "o", a=rule(1)))
    (imports_folder(site) / "otros" / "set.yml").write_text("name: [\n")

    with pytest.raises(Invalid, match="dañado"):
        described(site, "otros")
