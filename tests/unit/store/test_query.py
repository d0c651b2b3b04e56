"""Reading Lucene syntax: what is understood, and what is refused with which sentence."""

import threading

import pytest

from cgii.base import limits
from cgii.base.errors import Invalid
from cgii.store.query import parse
from cgii.store.query_tree import (
    And,
    Equals,
    Everything,
    Exists,
    Like,
    Not,
    Or,
    Range,
    Regex,
    Wild,
    Within,
    Words,
)


@pytest.mark.parametrize("text", ["", "   ", "*", "*:*", "(*:*)"])
def test_nothing_asked_means_everything(text: str) -> None:
    assert parse(text) == Everything()


def test_words_side_by_side_must_all_be_there() -> None:
    assert parse("a b") == parse("a AND b") == And((Words(("a",)), Words(("b",))))


def test_and_binds_closer_than_or() -> None:
    both = And((Words(("b",)), Words(("c",))))
    assert parse("a OR b AND c") == Or((Words(("a",)), both))


def test_a_field_may_have_several_values_in_brackets() -> None:
    wanted = Or((Equals("event.code", "4624"), Equals("event.code", "4625")))
    assert parse("event.code:(4624 OR 4625)") == wanted


def test_an_alias_stands_for_its_fields() -> None:
    assert parse("usuario:Ana") == Equals("user.name", "ana")
    assert parse("ip:10.0.0.1") == Or(
        (Equals("source.ip", "10.0.0.1"), Equals("destination.ip", "10.0.0.1"))
    )


def test_a_network_is_one_only_in_a_field_of_addresses() -> None:
    assert parse("source.ip:10.1.2.3/8") == Within("source.ip", "10.0.0.0", "10.255.255.255")
    assert parse('source.ip:"2001:db8::/127"') == Within("source.ip", "2001:db8::", "2001:db8::1")
    assert parse("url.path:10.1.2.3/8") == Equals("url.path", "10.1.2.3/8")


def test_a_minus_before_a_value_is_a_negation_and_in_a_range_a_sign() -> None:
    assert parse("a:-5") == Not(Equals("a", "5"))
    assert parse("a:[-5 TO 5]") == Range("a", "-5", "5")
    assert parse("a:>-1") == Range("a", "-1", low_counts=False)
    assert parse("a:(<=-1.5 OR >=2)") == Or((Range("a", high="-1.5"), Range("a", "2")))
    assert parse('a:"x >-1" b:/x >-1/') == And((Equals("a", "x >-1"), Regex("b", "x >-1")))
    with pytest.raises(Invalid):
        parse("a >-1")


V4_LAST, V6_LAST = "255.255.255.255", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("[10.0.0.9 TO 10.0.0.20]", "10.0.0.9", "10.0.0.20"),
        ("{10.0.0.9 TO 10.0.0.20}", "10.0.0.10", "10.0.0.19"),
        ("[10.0.0.9 TO *]", "10.0.0.9", V4_LAST),
        (">10.0.0.9", "10.0.0.10", V4_LAST),
        (">=10.0.0.9", "10.0.0.9", V4_LAST),
        ("<10.0.0.9", "0.0.0.0", "10.0.0.8"),
        ("<=10.0.0.9", "0.0.0.0", "10.0.0.9"),
        ('>="2001:DB8:0::1"', "2001:db8::1", V6_LAST),
        ('["::1" TO "::a"}', "::1", "::9"),
    ],
)
def test_an_interval_of_addresses_is_of_one_family(text: str, first: str, last: str) -> None:
    assert parse(f"source.ip:{text}") == Within("source.ip", first, last)


def test_a_backslash_makes_signs_plain_and_stays_before_letters() -> None:
    assert parse(r"a:x\*") == Equals("a", "x*")
    assert parse(r"a:C\:\\Temp\\*") == Like("a", ("c:\\temp\\", Wild.ANY))
    assert parse(r'a:"C:\Windows"') == parse(r'a:"C:\\Windows"') == Equals("a", "c:\\windows")


def test_exists_asks_for_any_value() -> None:
    assert parse("_exists_:user.name") == parse("user.name:*") == Exists("user.name")
    assert parse("_exists_:*") == Everything()  # no event is without any field


def test_a_field_of_the_producer_may_have_any_name() -> None:
    assert parse(r"a\*b:x") == Equals("a*b", "x")
    assert parse(r"_exists_:a\?b") == Exists("a?b")
    assert parse("_id:5f1") == Equals("_id", "5f1")


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("source.ip:[10.0.0 TO 10.0.0.9]", "no es una dirección IP completa"),
        ("source.ip:>=10.0.0.0/8", "o una red"),
        ('source.ip:[10.0.0.1 TO "2001:db8::1"]', "escriba dos"),
        ("source.ip:[10.0.0.9 TO 10.0.0.1]", "primero la menor"),
        ("source.ip:>255.255.255.255", "no hay ninguna dirección"),
        ("source.ip:10.0.0.5-10.0.0.9", "source.ip:[10.0.0.5 TO 10.0.0.9]"),
        ("user.*:root", "no admite comodines: «user.*»"),
        ("us?r:root", "no admite comodines"),
        ("_exists_:user.*", "no admite comodines"),
        (f"_id:{'0a' * 16} OR a:b", "sin nada más en la pantalla"),
        ("source.port:[a TO 5]", "«a» no es un número"),
        ("source.port:>a", "«a» no es un número"),
        ("source.port:[1 TO 1e3]", "«1e3» no es un número"),
        ("a:[1 TO z]", "«z» no es un número"),
        ("a && b", "AND en lugar de «&&»"),
        ("a || b", "OR en lugar de «||»"),
        ("!a", "NOT en lugar de «!»"),
        ("a and b", "mayúsculas"),
        ("a b OR c", "paréntesis"),
        ("source.port<1024", "dos puntos después del campo"),
        ("source.ip:2001:db8", "Hay dos campos seguidos"),
        ("a:b::c", "comillas"),
        ("http://x.bo/y", "comillas"),
        ("/root/", "necesita un campo"),
        ("a:/(/", "no es válida"),
        ("[1 TO 5]", "necesita un campo"),
        ("a~2", "no se admiten"),
        ("a~.", "no se admiten"),
        ("a^2", "no se admiten"),
        ('"abc', "cerrar unas comillas"),
        ("(a", "paréntesis"),
        ("a AND", "incompleta"),
        ("a:", "incompleta"),
        ("---", "incompleta"),
        ('"--"', "ninguna palabra"),
        ("@timestamp:ayer", "no es una fecha"),
        ("@timestamp:2026*", "no admite comodines"),
        ("source.ip:10.0.0.0/99", "no es una red"),
        ("*a*b-c*", "necesita un campo"),
        ("a:*1*2*3*4*5*6*7*8*9*", "comodines"),
        ("*:x", "solo se admite"),
    ],
)
def test_what_cannot_be_read_is_refused_with_a_hint(text: str, hint: str) -> None:
    with pytest.raises(Invalid) as refusal:
        parse(text)
    assert hint in str(refusal.value)
    assert refusal.value.field == "q"


@pytest.mark.parametrize(
    "text",
    [
        "(" * 600 + "a" + ")" * 600,
        "NOT " * 400 + "a",
        "-" * 900 + "a",
        "a:(" * 400 + "b" + ")" * 400,
        '(")"' * 300 + "a" + ")" * 300,
        "a:" * 500 + "b",
        "a OR " * 399 + "b",
        "x" * (limits.QUERY_CHARS_MAX + 1),
    ],
)
def test_a_search_too_deep_or_too_long_is_refused_quickly(text: str) -> None:
    with pytest.raises(Invalid):
        parse(text)


def test_many_threads_read_searches_at_once() -> None:
    wrong: list[str] = []

    def read(number: int) -> None:
        for turn in range(100):
            text = f"a{number} AND (b:c{turn} OR NOT d)"
            wanted = And(
                (Words((f"a{number}",)), Or((Equals("b", f"c{turn}"), Not(Words(("d",))))))
            )
            if parse(text) != wanted:
                wrong.append(text)

    threads = [threading.Thread(target=read, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
