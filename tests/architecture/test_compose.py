"""compose.yaml fits the program: its settings exist, its secrets are elsewhere, all are watched.

No container engine is asked: these are tests of the text.
"""

import re
from typing import Any

import pytest
import yaml

from cgii.base import limits
from cgii.base.settings import Settings
from cgii.cli.app import COMMANDS
from tests.architecture.source import ROOT

TEXT = (ROOT / "compose.yaml").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: one for name, one in SERVICES.items() if one["image"] == "cgii"}
EXAMPLE = dict(
    line.split("=", 1)
    for line in (ROOT / ".env.example").read_text().splitlines()
    if line and not line.startswith("#")
)
FILLED = re.compile(r"(?<!\$)\$\{(\w+)(?::([?-])([^}]*))?\}")
SECRET = re.compile(r"PASS|SECRET|KEY$|TOKEN")


def filled(text: str) -> str:
    """The text as the engine sees it, with the same word for everything that must be given."""
    return FILLED.sub(lambda found: found[3] if found[2] == "-" else "dado", text)


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_a_service_is_watched_started_again_and_pinned(name: str) -> None:
    service = SERVICES[name]

    assert service["healthcheck"]["test"][0] in ("CMD", "CMD-SHELL")
    assert service["restart"] == "unless-stopped"
    assert service in OURS.values() or re.fullmatch(r"[a-z]+:\d+(\.\d+)*", service["image"])


def test_there_are_two_of_each_part() -> None:
    started = [tuple(one["command"]) for one in OURS.values()]

    assert sorted(OURS) == ["ingest-1", "ingest-2", "web-1", "web-2", "work-1", "work-2"]
    assert {one: started.count(one) for one in started} == {("serve",): 4, ("work",): 2}
    assert {"serve", "work"} <= COMMANDS.keys()


@pytest.mark.parametrize("name", sorted(OURS))
def test_its_environment_makes_settings(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    given = {key: filled(value) for key, value in OURS[name]["environment"].items()}
    named = {key: value for key, value in given.items() if key.startswith("CGII_")}
    for key, value in named.items():
        monkeypatch.setenv(key, value)
    settings = Settings()

    assert {key.removeprefix("CGII_").lower() for key in named} == settings.model_fields_set
    for shared in ("database", "events", "broker", "secret"):
        assert shared in settings.model_fields_set
    assert given.keys() - named.keys() == {"FORWARDED_ALLOW_IPS"}


def test_every_word_that_looks_like_a_setting_is_one() -> None:
    known = {f"CGII_{name.upper()}" for name in Settings.model_fields}

    assert set(re.findall(r"\bCGII_[A-Z_]+", TEXT)) <= known
    assert {name for name in EXAMPLE if name.startswith("CGII_")} <= known


def test_no_secret_is_written_down() -> None:
    for service in SERVICES.values():
        for key, value in service.get("environment", {}).items():
            if SECRET.search(key):
                assert FILLED.fullmatch(value), key
            for password in re.findall(r"//[^/@]*:([^/@]*)@", filled(value)):
                assert password == "dado", key
    for name, value in EXAMPLE.items():
        assert not (SECRET.search(name) and value), name
    assert ".env" in (ROOT / ".gitignore").read_text().splitlines()


def test_what_must_be_given_is_in_the_example_and_nothing_else_is() -> None:
    assert {name for name, *_ in FILLED.findall(TEXT)} == EXAMPLE.keys()


def test_only_the_balancer_is_reached_from_outside() -> None:
    assert [name for name, one in SERVICES.items() if "ports" in one] == ["balancer"]
    assert all(one["networks"] == ["inside"] for n, one in SERVICES.items() if n != "balancer")
    [subnet] = [one["subnet"] for one in COMPOSE["networks"]["inside"]["ipam"]["config"]]
    assert {one["environment"]["FORWARDED_ALLOW_IPS"] for one in OURS.values()} == {subnet}


def test_the_balancer_knows_every_web_process_and_passes_the_largest_file() -> None:
    written = COMPOSE["configs"]["balancer"]["content"]
    ports = {one["environment"]["CGII_PORT"] for one in OURS.values()}

    assert {f"{name}:{port}" for name in OURS if "work" not in name for port in ports} == set(
        re.findall(r"server ([\w-]+:\d+) resolve;", written)
    )
    assert SERVICES["balancer"]["depends_on"].keys() == {
        name for name in OURS if "work" not in name
    }
    [most] = re.findall(r"client_max_body_size (\d+)m;", written)
    assert int(most) * 2**20 > limits.UPLOAD_BYTES_MAX
    assert not re.search(r"(?<!\$)\$(?!\$)", written)  # the engine would fill it in


def test_the_balancer_finds_a_process_that_got_another_address() -> None:
    """`resolve` needs nginx 1.27.3 or later, a resolver, and a zone in each upstream."""
    written = COMPOSE["configs"]["balancer"]["content"]
    version = SERVICES["balancer"]["image"].partition(":")[2]

    assert tuple(map(int, version.split("."))) >= (1, 28)
    assert re.search(r"^resolver 127\.0\.0\.11 valid=\d+s", written, re.MULTILINE)
    upstreams = re.findall(r"^upstream \w+ \{(.*?)^\}", written, re.MULTILINE | re.DOTALL)
    assert len(upstreams) == 2
    assert all(re.search(r"\bzone \w+ \d+k;", one) for one in upstreams)


def test_what_is_asked_whether_a_part_is_well_is_an_address_of_ours() -> None:
    known = (ROOT / "tests" / "integration" / "routes.txt").read_text().split()
    asked = {
        name: re.findall(r"127\.0\.0\.1[:\d]*(/\w+)", str(SERVICES[name]["healthcheck"]["test"]))
        for name in (*OURS, "balancer")
    }

    assert {name for name, found in asked.items() if not found} == {"work-1", "work-2"}
    assert {place for found in asked.values() for place in found} <= set(known)


def test_what_services_wait_for_exists() -> None:
    for service in SERVICES.values():
        assert service.get("depends_on", {}).keys() <= SERVICES.keys()
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert source.startswith("$") or source in COMPOSE["volumes"]


def test_the_image_is_made_of_the_wheel_alone() -> None:
    kept = (ROOT / ".dockerignore").read_text().splitlines()
    built = (ROOT / "Dockerfile").read_text()

    assert [line for line in kept if not line.startswith("#")] == [
        "*", "!constraints.txt", "!dist/*.whl",
    ]  # fmt: skip
    assert "[centre]" in built
    assert "USER cgii" in built
