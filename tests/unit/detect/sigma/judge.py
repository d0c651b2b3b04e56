"""One verdict of three: the index, the walk over the tree, and the evaluator of tests/."""

from typing import Any

from cgii.detect.detector import Detector
from cgii.detect.explain import explain
from cgii.detect.rule_files import parse_documents
from cgii.detect.ruleset import compile_rules
from tests.sigma_oracle import verdict
from tests.unit.detect.build import event, rule_text

PLACES = {"admins": ["root", "adm*"], "nets": ["10.", "a?c"], "one": ["1.5", "(x)"]}


def true_of(detection: str, fields: dict[str, Any], *, original: str = "") -> bool:
    """Whether the rule with this detection is true of the event; all three have to agree."""
    text = rule_text(detection)
    loaded = compile_rules(parse_documents(text, "<texto>"), placeholders=PLACES)
    assert not loaded.rejected, [str(error) for error in loaded.rejected]
    seen = event(fields, original=original)
    matched = bool(Detector(loaded).match([seen]))
    assert explain(loaded.single[0], seen).matched is matched
    assert verdict(text, fields, original=original, placeholders=PLACES) is matched
    return matched


def is_true(line: str, value: object, **more: object) -> bool:
    """The same for one line of one selection and the field `f`."""
    return true_of(f"sel:\n  {line}", {"f": value, **more})
