"""The framework file is read whole or refused with a place and a reason."""

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

from cgii.base.errors import ContentError, NotFound
from cgii.comply.controls import in_order, load_framework, read_framework

GOOD: dict[str, Any] = {
    "urn": "urn:test",
    "version": "2",
    "name": "Marco",
    "note": "De prueba",
    "sections": [
        {
            "code": "1",
            "title": "Personas",
            "certainty": "confirmed",
            "controls": [
                {
                    "code": "1.1",
                    "title": "Acuerdo",
                    "objective": "Objetivo",
                    "guidance": "Guía",
                    "evidence": "Prueba",
                    "certainty": "to_confirm",
                    "iso_2013": ["7.1.2"],
                    "iso_2022": ["6.2"],
                }
            ],
        }
    ],
}


def written(folder: Path, data: object) -> Path:
    path = folder / "controls.yml"
    path.write_text(yaml.safe_dump(data), encoding="utf-8")
    return path


def test_a_good_file_is_read(tmp_path: Path) -> None:
    framework = read_framework(written(tmp_path, GOOD))
    assert framework.urn == "urn:test:2"
    assert framework.control("1.1").iso_2013 == ("7.1.2",)
    assert framework.sections[0].controls == (framework.control("1.1"),)


def test_an_unknown_control_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        read_framework(written(tmp_path, GOOD)).control("9.9")


def test_another_version_than_the_shipped_one_is_not_found() -> None:
    with pytest.raises(NotFound):
        load_framework("urn:cgii:framework:pisi:0.1")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda data, control: data.pop("version"), "falta «version»"),
        (lambda data, control: data.update(sections=[]), "no tiene secciones"),
        (lambda data, control: control.update(code="2.1"), "no pertenece"),
        (lambda data, control: control.update(code=1.1), "no tiene código entre comillas"),
        (lambda data, control: control.update(title="  "), "falta «title» en el control 1.1"),
        (lambda data, control: control.update(certainty="sure"), "certainty"),
        (lambda data, control: control.update(iso_2013=[7.1]), "iso_2013"),
        (lambda data, control: data["sections"][0].update(controls=None), "no tiene controles"),
        (lambda data, control: data["sections"][0]["controls"].append(control), "dos veces"),
        (
            lambda data, control: data["sections"][0]["controls"].insert(
                0, control | {"code": "1.10"}
            ),
            "no están en orden",
        ),
    ],
)
def test_a_bad_file_is_refused_with_the_reason(tmp_path: Path, change: Any, reason: str) -> None:
    data = copy.deepcopy(GOOD)
    change(data, data["sections"][0]["controls"][0])
    with pytest.raises(ContentError, match=reason):
        read_framework(written(tmp_path, data))


def test_broken_yaml_is_refused_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "controls.yml"
    path.write_text("urn: x\nname: [", encoding="utf-8")
    with pytest.raises(ContentError) as caught:
        read_framework(path)
    assert caught.value.line is not None


def test_codes_sort_as_people_count() -> None:
    assert sorted(["10.1", "2.10", "2.9"], key=in_order) == ["2.9", "2.10", "10.1"]
