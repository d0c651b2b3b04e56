"""Every shipped source is read, has enough examples, and does what they say."""

import orjson
import pytest

from cgii.base.content import find
from cgii.collect.trial import check_collectors

NAMES = [file.path.stem for file in find("collectors", "*.yml")]


def test_every_example_of_every_source_holds() -> None:
    assert [str(problem) for problem in check_collectors()] == []


def test_the_sources_of_the_product_are_there() -> None:
    assert {
        "linux_auth",
        "suricata_eve",
        "syslog",
        "web_access",
        "windows_events",
        "zeek_json",
    } <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_source_has_ten_examples_and_two_that_are_rejected(name: str) -> None:
    (file,) = find("collectors", f"{name}.examples.jsonl")
    examples = [orjson.loads(line) for line in file.path.read_bytes().splitlines()]
    assert len(examples) >= 10
    assert sum("reject" in example for example in examples) >= 2
