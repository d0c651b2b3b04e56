"""What is wrong with YARA rules or their examples is told with its place."""

from pathlib import Path

import pytest

from cgii.base.errors import ContentError
from cgii.detect.yara_rules import YaraFile, YaraSources
from cgii.detect.yara_trial import check_sources, check_yara, read_examples

pytest.importorskip("yara", reason="yara-python is not installed")

RULE = """rule propia {
    meta:
        title = "Propia"
        description = "Una regla de prueba."
        author = "CGII"
        date = "2026-11-22"
        level = "high"
        attack = "T1059"
        rsit = "malicious-code.infected-system"
        false_positives = "Ninguno"
    strings:
        $a = "MARCA-7"
    condition:
        $a
}
"""
GOOD = """- {match: true, why: tiene la marca, parts: [MARCA, "-7"]}
- {match: false, why: no la tiene, text: nada}
"""


def problems(folder: Path, rule: str = RULE, examples: str | None = GOOD) -> list[str]:
    """What `cgii check` says of one rule of the site."""
    path = folder / "propia.yar"
    if examples is not None:
        (folder / "propia.examples.yml").write_text(examples)
    sources = YaraSources((YaraFile("propia", str(path), rule),))
    return [f"{Path(one.path).name}:{one.line}: {one.reason}" for one in check_sources(sources)]


def test_a_complete_rule_with_its_examples_is_good(tmp_path: Path) -> None:
    assert problems(tmp_path) == []


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('title = "Propia"', "", "propia.yar:1: propia: falta en meta: title"),
        ('level = "high"', 'level = "alto"', "propia.yar:1: propia: level «alto» no es válido"),
        ("T1059", "T59", "propia.yar:1: propia: attack «T59» no es válido"),
        ("infected-system", "x", "propia.yar:1: propia: rsit «malicious-code.x» no es válido"),
        ("2026-11-22", "ayer", "propia.yar:1: propia: date «ayer» no es válido"),
        ('"MARCA-7"', "/MARCA-7.*x/", "propia.yar:12: aviso de YARA: $a contains"),
        ("$a = ", "$b = ", "propia.yar:15: YARA no la acepta: undefined string"),
    ],
)
def test_a_slip_in_a_rule_is_told_with_its_line(
    tmp_path: Path, old: str, new: str, said: str
) -> None:
    assert said in "\n".join(problems(tmp_path, RULE.replace(old, new)))


@pytest.mark.parametrize(
    ("examples", "said"),
    [
        (None, "propia.yar:None: faltan los ejemplos (propia.examples.yml)"),
        (GOOD.replace("true", "false"), "propia.examples.yml:1:  coincide y no debía"),
        (GOOD.replace("[MARCA,", "[OTRA,"), "propia.examples.yml:1:  no coincide y debía"),
        (GOOD.splitlines()[0], "propia: hace falta un ejemplo que coincida y uno que no"),
        (GOOD.replace("why", "rule: otra, why"), "la regla «otra» no está en el archivo"),
        ("hola", "se esperaba una lista de ejemplos"),
        ("- {match: si", "no es YAML válido"),
        ("- {match: true, why: x, texto: x}", "un ejemplo solo lleva las claves"),
        ("- {match: 1, why: x, text: x}", "un ejemplo lleva match (true o false) y why (por qué)"),
        ("- {match: true, why: x}", "un ejemplo lleva uno de text, parts"),
        ("- {match: true, why: x, parts: [{hex: zz}]}", "no se entiende una parte"),
        ("- {match: true, why: x, parts: [{otro: zz}]}", "no se entiende una parte"),
    ],
)
def test_a_slip_in_the_examples_is_told(tmp_path: Path, examples: str | None, said: str) -> None:
    assert said in "\n".join(problems(tmp_path, examples=examples))


def test_a_file_without_rules_is_told(tmp_path: Path) -> None:
    assert problems(tmp_path, "// nada todavía\n") == ["propia.yar:None: no tiene ninguna regla"]


def test_rules_of_others_need_no_meta_and_no_examples(tmp_path: Path) -> None:
    (tmp_path / "ajena.yar").write_text('rule ajena { strings: $a = "ajena" condition: $a }')
    assert check_yara(paths=[tmp_path]) == []


def test_an_example_is_put_together_from_its_parts(tmp_path: Path) -> None:
    path = tmp_path / "x.examples.yml"
    path.write_text(
        "- match: true\n  why: todas\n  parts: [ab, {hex: '00ff', times: 2}, {utf16: c},"
        " {text: d}, {random: 3}]\n"
    )
    [example] = read_examples(path)
    assert example.data[:-3] == b"ab\x00\xff\x00\xffc\x00d"
    assert (len(example.data), example.line) == (12, 1)
    assert read_examples(path) == [example]


def test_examples_that_would_be_enormous_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.examples.yml"
    path.write_text(f"- {{match: true, why: x, parts: [{{text: {'x' * 999}, times: 99999}}]}}\n")
    with pytest.raises(ContentError, match="demasiado grande"):
        read_examples(path)
