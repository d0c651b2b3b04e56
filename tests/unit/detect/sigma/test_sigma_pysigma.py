"""Where pySigma is right, our reading of the public rules agrees with its own."""

import re
import tarfile
from pathlib import Path

import pytest
from sigma.collection import SigmaCollection
from sigma.exceptions import SigmaError

from cgii.detect.nodes import items
from cgii.detect.predicates import Kind
from cgii.detect.rule_files import parse_documents
from cgii.detect.rules import SingleRule
from cgii.detect.ruleset import compile_rules
from tests.unit.detect.build import read_text, rule_text

SHARED = Path(__file__).resolve().parents[5] / "shared" / "data"
# pySigma leaves a placeholder open until a rule is converted; we want its values while reading.
OPEN_PLACEHOLDER = "no tiene valores en este sitio"


@pytest.fixture(scope="module")
def public_rules() -> dict[str, str]:
    """Every public rule file, or a loud skip."""
    path = SHARED / "sigma-rules.tar.gz"
    if not path.exists():
        pytest.skip(f"{path} is not on this machine")
    with tarfile.open(path) as archive:
        files = [(m.name, archive.extractfile(m)) for m in archive if m.name.endswith(".yml")]
        return {name: file.read().decode() for name, file in files if file}


def test_sigma_public_rules_load_but_for_those_without_values_for_placeholders(
    public_rules: dict[str, str],
) -> None:
    documents = [d for name, text in public_rules.items() for d in parse_documents(text, name)]
    loaded = compile_rules(documents)
    assert len(documents) >= 3_750
    assert len(loaded.single) + len(loaded.rejected) == len(documents)
    wrong = [str(error) for error in loaded.rejected if OPEN_PLACEHOLDER not in error.reason]
    assert wrong == []
    assert len(loaded.rejected) == 25
    texts = "".join(public_rules[error.path] for error in loaded.rejected)
    named = re.findall(r"%([^%\s]+)%", texts)
    given = compile_rules(documents, placeholders={name: ["10.0.0.1"] for name in named})
    assert [str(error) for error in given.rejected] == []


def test_sigma_pysigma_reads_the_same_public_rules(public_rules: dict[str, str]) -> None:
    chosen = dict(list(public_rules.items())[::5])
    for path, text in chosen.items():
        ours = compile_rules(parse_documents(text, path))
        try:
            theirs = SigmaCollection.from_yaml(text)
            for rule in theirs.rules:
                for condition in rule.detection.parsed_condition:
                    _ = condition.parsed
            is_read = True
        except SigmaError:
            is_read = False
        assert is_read, path
        assert not ours.rejected or OPEN_PLACEHOLDER in ours.rejected[0].reason, path
        assert len(ours.single) + len(ours.rejected) == len(theirs.rules), path


# (the rule's detection, why we differ, whether pySigma takes it, whether we do)
DIFFERENCES = [
    ("sel: {f|utf16le|base64: a}", "utf16le is in the specification", False, True),
    ("sel: {f: [a, null]}", "null in a list has no meaning", True, False),
    ("sel: {f|re: 'a(?=b)'}", "look-around cannot be matched in linear time", True, False),
    ("sel: {f: a}\ncondition: 1 of nomatch*", "nothing selected is a mistake", True, False),
    ("sel: {f|gt: '5'}", "a numeric text is a number", False, True),
]
SAME = [
    ("sel: {f: a}", True),
    ("sel: {f|contains|all: [a, b]}", True),
    ("sel: {f|windash|contains: ' -a '}", True),
    ("sel: {f|cidr: 10.0.0.0/8}", True),
    ("sel: {f|cidr: 10.0.0.1/8}", False),
    ("sel: {f|nothing: a}", False),
    ("sel: {f|contains|re: a}", False),
    ("sel: {f|base64: 'a*'}", False),
    ("sel: {f|exists: 5}", False),
    ("sel: {f: a}\ncondition: sel and other", False),
    ("sel: {f: a}\ncondition: (sel", False),
    ("sel: {f: a}\ncondition: sel | count() > 5", False),
    ("sel: {}", False),
]


def pysigma_reads(text: str) -> bool:
    try:
        for rule in SigmaCollection.from_yaml(text).rules:
            for condition in rule.detection.parsed_condition:
                _ = condition.parsed
    except SigmaError:
        return False
    return True


def with_uuid(detection: str) -> str:
    text = rule_text(detection, logsource="{product: x}")
    return text.replace("id: prueba", "id: 0a1c9b0e-3f3b-4a8e-8a3e-5c1f0a7c2d22")


@pytest.mark.parametrize(("detection", "is_read"), SAME)
def test_sigma_what_pysigma_refuses_we_refuse(detection: str, is_read: bool) -> None:
    text = with_uuid(detection)
    assert pysigma_reads(text) is is_read
    assert bool(read_text(text).single) is is_read


@pytest.mark.parametrize(("detection", "why", "theirs", "ours"), DIFFERENCES)
def test_sigma_where_we_differ_from_pysigma_there_is_a_reason(
    detection: str, why: str, theirs: bool, ours: bool
) -> None:
    text = with_uuid(detection)
    assert pysigma_reads(text) is theirs, why
    assert bool(read_text(text).single) is ours, why


def exact_texts(rule: SingleRule) -> set[str]:
    kinds = (Kind.EXACT, Kind.CONTAINS)
    return {one.predicate.argument for one in items(rule.node) if one.predicate.kind in kinds}


@pytest.mark.parametrize("text", ["foobar", "powershell", "a", "xyz12"])
def test_sigma_base64_of_plain_text_is_pysigmas(text: str) -> None:
    """Only beyond ASCII and with escapes is pySigma wrong; see the tests of M1 and M2."""
    for line in (f"f|base64|contains|cased: {text}zz", f"f|wide|base64|cased: {text}"):
        source = with_uuid(f"sel: {{{line}}}")
        theirs = SigmaCollection.from_yaml(source).rules[0].detection.detections["sel"]
        wanted = {str(value).strip("*") for value in theirs.detection_items[0].value}
        assert exact_texts(read_text(source).single[0]) == wanted


ACTIONS = """\
action: global
title: Vieja
level: high
logsource: {product: windows}
detection: {condition: sel}
---
id: 00000000-0000-4000-8000-000000000001
detection: {sel: {EventID: 1}}
---
id: 00000000-0000-4000-8000-000000000002
level: low
detection: {sel: {EventID: 2}}
---
action: repeat
id: 00000000-0000-4000-8000-000000000003
detection: {sel: {Channel: x}}
---
action: reset
---
title: Sola
id: 00000000-0000-4000-8000-000000000004
logsource: {category: y}
detection: {other: {EventID: 4}, condition: other}
"""


def test_sigma_old_actions_mean_what_they_do_in_pysigma() -> None:
    ours = [
        (
            rule.id, rule.title, rule.level, rule.logsource.product,
            {item.field for item in items(rule.node)},
        )
        for rule in read_text(ACTIONS).single
    ]  # fmt: skip
    theirs = [
        (
            str(rule.id), rule.title, str(rule.level).lower() if rule.level else "medium",
            rule.logsource.product or "",
            {item.field for part in rule.detection.detections.values()
             for item in part.detection_items},
        )
        for rule in SigmaCollection.from_yaml(ACTIONS).rules
    ]  # fmt: skip
    assert ours == theirs
