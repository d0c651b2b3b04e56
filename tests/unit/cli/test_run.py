"""What `cgii run` says of where it can be reached."""

from cgii.base.settings import load
from cgii.cli.run import _address


def test_the_address_told_is_that_of_the_port_served() -> None:
    assert _address(load(port=8123)) == "http://127.0.0.1:8123"
    assert _address(load(port=8123, public_url="https://cgii.example")) == "https://cgii.example"
