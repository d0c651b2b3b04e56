"""Every shipped source is read, has enough examples, and does what they say."""

from pathlib import Path

import orjson
import pytest

from cgii.base.content import find
from cgii.collect.definition import GENERIC, load_definitions
from cgii.collect.files import guess_source
from cgii.collect.route import choose_source
from cgii.collect.trial import check_collectors

DEFINITIONS = load_definitions()
NAMES = [file.path.stem for file in find("collectors", "*.yml")]


def test_every_example_of_every_source_holds() -> None:
    assert [str(problem) for problem in check_collectors()] == []


def test_the_sources_of_the_product_are_there() -> None:
    assert set(NAMES) >= set(
        "linux_auth linux_auditd linux_kernel syslog windows_events suricata_eve zeek_json "
        "web_access microsoft_iis haproxy squid modsecurity_json fortinet_fortigate paloalto_panos "
        "cisco_asa checkpoint_firewall pfsense_filterlog common_cef common_leef postfix zimbra "
        "isc_bind dns_unbound dnsmasq aws_cloudtrail microsoft_365 microsoft_defender clamav "
        "wazuh_alerts sensor_losses zeek_tsv microsoft_exchange shadowserver_report "
        "postgresql network_traffic netflow".split()
    )


@pytest.mark.parametrize("name", NAMES)
def test_a_source_has_ten_examples_and_two_that_are_rejected(name: str) -> None:
    (file,) = find("collectors", f"{name}.examples.jsonl")
    examples = [orjson.loads(line) for line in file.path.read_bytes().splitlines()]
    assert len(examples) >= 10
    assert sum("reject" in example for example in examples) >= 2


def raws(name: str) -> list[bytes]:
    """The records that a source reads, as its examples have them."""
    (file,) = find("collectors", f"{name}.examples.jsonl")
    found = [orjson.loads(line) for line in file.path.read_bytes().splitlines()]
    read = [one["raw"] for one in found if "expect" in one]
    return [one.encode() if isinstance(one, str) else orjson.dumps(one) for one in read]


@pytest.mark.parametrize("name", NAMES)
def test_a_file_of_a_source_is_known_as_such(name: str, tmp_path: Path) -> None:
    file = tmp_path / "records.log"
    file.write_bytes(b"\n".join(raws(name)) + b"\n")

    assert guess_source(file, DEFINITIONS) == name


@pytest.mark.parametrize("name", [name for name in NAMES if name != GENERIC])
def test_no_record_of_a_source_is_sent_to_another_one(name: str) -> None:
    sent = {choose_source(raw, DEFINITIONS) for raw in raws(name)}

    assert sent <= {name, GENERIC}
