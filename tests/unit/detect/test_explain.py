"""Why a rule is true of an event, and what is missing when it is not."""

from cgii.detect.explain import Failure
from cgii.model.event import LogSource, MatchedField
from tests.unit.detect.build import event, why

RULE = """
sel:
  Image|endswith: [cmd.exe, bash]
  User: '*'
words: [needle]
filter:
  User: system
condition: (sel or words) and not filter
"""


def test_a_match_names_selection_field_value_and_what_was_wanted() -> None:
    found = why(RULE, event({"Image": r"C:\CMD.exe", "User": "ana"}))
    assert found.matched
    assert found.fields == (
        MatchedField("sel", "Image", r"C:\CMD.exe", "endswith 'cmd.exe'"),
        MatchedField("sel", "User", "ana", "'*'"),
    )


def test_a_keyword_shows_the_text_in_which_it_was_found() -> None:
    found = why(RULE, event({"x": "hay needle hay", "y": "hay"}))
    assert found.fields == (MatchedField("words", "", "hay needle hay", "'needle'"),)


def test_of_an_array_only_the_fitting_elements_are_shown() -> None:
    found = why("sel: {f|contains: b}", event({"f": ["a", "b", "bb"]}))
    assert found.fields[0].value == "b, bb"


def test_a_miss_names_the_first_selection_that_failed() -> None:
    found = why(RULE, event({"Image": r"C:\other.exe", "User": "ana"}))
    assert not found.matched
    assert found.failures[0] == Failure("sel", "Image", "endswith 'cmd.exe'", r"C:\other.exe")


def test_a_miss_through_a_filter_says_what_the_filter_found() -> None:
    found = why(RULE, event({"Image": "bash", "User": "SYSTEM"}))
    assert found.failures == (Failure("filter", "User", "no 'system'", "SYSTEM"),)


def test_a_field_that_is_not_there_is_told_apart_from_an_empty_one() -> None:
    assert why("sel: {f: x}", event({})).failures == (Failure("sel", "f", "'x'", None),)
    assert why("sel: {f: x}", event({"f": ""})).failures == (Failure("sel", "f", "'x'", ""),)


def test_an_event_of_another_kind_says_so() -> None:
    found = why(
        "sel: {f: x}",
        event({"f": "x"}, logsource=LogSource("linux", "", "auth")),
        logsource="{product: windows, service: security}",
    )
    assert (found.matched, found.logsource) == (False, False)
    assert found.failures == (
        Failure("logsource", "product", "windows", "linux"),
        Failure("logsource", "service", "security", "auth"),
    )


def test_comparisons_and_references_are_explained_too() -> None:
    found = why("sel: {f|gt: 5, g|fieldref: f, h: null}", event({"f": 6, "g": "6"}))
    assert [(f.field, f.value, f.wanted) for f in found.fields] == [
        ("f", "6", "gt 5"),
        ("g", "6", "fieldref 'f'"),
        ("h", "", "null"),
    ]
    missed = why("sel: {g|fieldref: f}", event({"f": 6, "g": "7"}))
    assert missed.failures == (Failure("sel", "g", "fieldref 'f'", "7"),)


def test_long_values_are_cut() -> None:
    found = why("sel: {f|contains: x}", event({"f": "x" * 5000}))
    assert len(found.fields[0].value) == 500
