"""The sensor's file asks for what looks at the network, and only then is it there."""

from pathlib import Path

import pytest

from cgii.base.errors import Invalid
from cgii.collect.config import read_config
from cgii.collect.inputs.captures import Captures
from cgii.collect.inputs.live import Live
from cgii.collect.inputs.netflow import Netflow
from cgii.collect.ways_in import of_sensor
from tests.unit.collect.inputs.collecting import DEFINITIONS

CENTRE = 'centre = "http://127.0.0.1:8000"\n'


def inputs(folder: Path, text: str) -> list[object]:
    path = folder / "sensor.toml"
    path.write_text(CENTRE + text)
    return list(of_sensor(read_config(path), DEFINITIONS))


def test_nothing_looks_at_the_network_unless_it_is_asked_for(tmp_path: Path) -> None:
    assert inputs(tmp_path, "") == []


def test_each_way_is_asked_for_by_its_table(tmp_path: Path) -> None:
    text = (
        'netflow_port = 2055\n[[pcap]]\nfolder = "/c"\n'
        '[[capture]]\ninterface = "eth1"\nfilter = "not port 22"\n'
    )
    folder, card, port = inputs(tmp_path, text)

    assert folder == Captures(Path("/c"))
    assert isinstance(card, Live)
    assert (card.interface, card.filter, card.promiscuous) == ("eth1", "not port 22", True)
    assert isinstance(port, Netflow)
    assert (port.host, port.port) == ("127.0.0.1", 2055)


@pytest.mark.parametrize(
    "text", ["netflow_port = 70000", '[[pcap]]\nfile = "x"', '[[capture]]\ninterface = ""']
)
def test_a_wrong_table_is_said(tmp_path: Path, text: str) -> None:
    with pytest.raises(Invalid):
        inputs(tmp_path, text)
