"""The inputs that look at the network, as the sensor's file asks for them."""

from collections.abc import Iterator

from cgii.collect.config import SensorConfig
from cgii.collect.inputs.captures import Captures
from cgii.collect.inputs.live import Live
from cgii.collect.inputs.netflow import Netflow
from cgii.collect.inputs.outlet import Input


def network_inputs(config: SensorConfig) -> Iterator[Input]:
    """Those that are asked for."""
    for one in config.pcap:
        yield Captures(one.folder)
    for card in config.capture:
        yield Live(card.interface, card.filter, card.promiscuous)
    if config.netflow_port is not None:
        yield Netflow(config.host, config.netflow_port)
