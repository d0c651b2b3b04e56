"""A rule in words: what its parts ask, and when they make it true."""

from cgii.detect.rules import SingleRule
from cgii.detect.ruleset import RuleSet
from cgii.detect.written import read_written
from cgii.web.rule_meaning import Ask, Meaning, meaning_of

HEAD = "title: x\nid: x-1\nlogsource: {product: windows}\ndetection:\n"


def meaning(detection: str) -> Meaning:
    """The meaning of a rule with this detection."""
    written = read_written(HEAD + detection, RuleSet())
    assert isinstance(written.rule, SingleRule), written.problems
    return meaning_of(written.rule)


def asks(selection: str) -> list[Ask]:
    """What one selection asks."""
    [part] = meaning(f"  s: {selection}\n  condition: s\n").parts
    return list(part.asks)


def words(detection: str) -> str:
    """The condition as a sentence."""
    return " ".join(word.text for word in meaning(detection).condition)


def test_values_of_one_field_are_said_together() -> None:
    assert asks("{Image|endswith: ['\\a.exe', '\\b.exe']}") == [
        Ask(0, "Image", "termina en", ("\\a.exe", "\\b.exe"))
    ]
    assert asks("{CommandLine|contains|all: [x, y]}") == [
        Ask(0, "CommandLine", "contiene", ("x", "y"), is_all=True)
    ]


def test_what_is_written_keeps_its_case() -> None:
    assert asks("{CommandLine|contains: MimiKatz}")[0].values == ("MimiKatz",)


def test_each_kind_of_question_has_its_words() -> None:
    said = {
        "{a: b}": "es",
        "{a: '*b'}": "termina en",
        "{a: 'b*'}": "empieza con",
        "{a: 'b*c'}": "tiene la forma",
        "{a|re: 'b+'}": "cumple la expresión",
        "{a|cidr: 10.0.0.0/8}": "está en la red",
        "{a|gte: 5}": "es al menos",
        "{a: null}": "está vacío o no existe",
        "{a|exists: true}": "existe",
        "{a|exists: false}": "no existe",
        "{a|hour|gte: 22}": "(la hora) es al menos",
        "{a|fieldref: b}": "se compara con el campo",
    }
    assert {written: asks(written)[0].verb for written in said} == said


def test_keywords_are_sought_in_the_whole_record() -> None:
    assert asks("[uno, dos]") == [Ask(0, "El texto del registro", "contiene", ("uno", "dos"))]


def test_alternatives_of_several_fields_stand_beneath_a_heading() -> None:
    assert asks("[{a: 1}, {b: 2, c: 3}]") == [
        Ask(0, "", "al menos una de estas:"),
        Ask(1, "a", "es", ("1",)),
        Ask(1, "", "todo esto:"),
        Ask(2, "b", "es", ("2",)),
        Ask(2, "c", "es", ("3",)),
    ]


def test_the_condition_names_the_parts() -> None:
    parts = "  a: {x: 1}\n  b: {y: 2}\n  c: {z: 3}\n"
    assert words(f"{parts}  condition: a and not (b or c)\n") == "a y no ( b o c )"
    assert words(f"{parts}  condition: 1 of *\n") == "a o b o c"


def test_a_long_list_says_how_many_are_left_out() -> None:
    [ask] = asks(f"{{a|contains: [{', '.join(f'v{n}' for n in range(30))}]}}")

    assert (len(ask.values), ask.more) == (24, 6)
