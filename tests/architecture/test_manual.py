"""The manual knows every setting, command, job and counter."""

import re

import pytest
from prometheus_client.metrics import MetricWrapperBase

from cgii.base import counters
from cgii.base.settings import Settings, manual_page
from cgii.cli.app import COMMANDS
from tests.architecture.source import PACKAGE, ROOT, modules

HELP = PACKAGE / "help"
PAGES = "\n".join(path.read_text() for path in sorted(HELP.glob("*.md")))


def test_the_page_on_settings_is_the_one_made_from_them() -> None:
    assert (HELP / "settings.md").read_text() == manual_page(), "run `make manual`"


@pytest.mark.parametrize("name", list(Settings.model_fields))
def test_a_setting_has_a_sentence_of_meaning(name: str) -> None:
    assert (Settings.model_fields[name].description or "").endswith(".")


@pytest.mark.parametrize("name", list(COMMANDS))
def test_a_command_is_in_the_manual(name: str) -> None:
    assert f"`cgii {name}" in PAGES


def test_the_commands_of_the_manual_exist() -> None:
    named = set(re.findall(r"`cgii ([a-z-]+)", PAGES))

    assert named <= COMMANDS.keys()


def test_every_command_of_make_says_what_it_does() -> None:
    text = (ROOT / "Makefile").read_text()
    phony = re.search(r"^\.PHONY: (.*)$", text, re.MULTILINE)
    assert phony is not None
    inner = {"assets", "bytecode", "packages", "packages-for-tests"}  # parts of the others

    assert set(re.findall(r"^([a-z-]+):.*## ", text, re.MULTILINE)) == {*phony[1].split()} - inner


def test_every_counter_is_in_the_manual() -> None:
    made = [value for value in vars(counters).values() if isinstance(value, MetricWrapperBase)]
    names = {metric.describe()[0].name for metric in made}
    # Prometheus keeps a counter's name without the ending that it shows.
    documented = {name.removesuffix("_total") for name in re.findall(r"`(cgii_[a-z_]+)`", PAGES)}

    assert names
    assert names == documented


def test_every_job_is_in_the_list_and_in_the_manual() -> None:
    from cgii.jobs import JOBS

    enqueued = {
        name
        for module in modules()
        for name in re.findall(r"enqueue\(\s*[\w.]+,\s*\"(\w+)\"", module.text)
    }
    documented = set(re.findall(r"^\| `(\w+)` \|", (HELP / "jobs.md").read_text(), re.MULTILINE))

    assert enqueued <= JOBS.keys()
    assert documented == JOBS.keys()
