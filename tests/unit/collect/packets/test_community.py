"""Community ID gives the published values, for both directions."""

from ipaddress import ip_address

import pytest

from cgii.collect.packets.community import community_id

# The baseline values of the specification's own tests, version 1.
BASELINE = [
    (6, "128.232.110.120", "66.35.250.204", (34855, 80), "1:LQU9qZlK+B5F3KDmev6m5PMibrg="),
    (17, "192.168.1.52", "8.8.8.8", (54585, 53), "1:d/FP5EW3wiY1vCndhwleRRKHowQ="),
    (1, "192.168.0.89", "192.168.0.1", (8, 0), "1:X0snYXpgwiv9TZtqg64sgzUn6Dk="),
    (132, "192.168.170.8", "192.168.170.56", (7, 80), "1:jQgCxbku+pNGw8WPbEc/TS/uTpQ="),
    (58, "fe80::200:86ff:fe05:80da", "fe80::260:97ff:fe07:69ea", (135, 0),
     "1:dGHyGvjMfljg6Bppwm3bg0LO8TY="),
]  # fmt: skip


@pytest.mark.parametrize(("protocol", "source", "destination", "ports", "wanted"), BASELINE)
def test_the_published_values_come_out(
    protocol: int, source: str, destination: str, ports: tuple[int, int], wanted: str
) -> None:
    here, there = ip_address(source).packed, ip_address(destination).packed

    assert community_id(protocol, here, there, ports) == wanted
    if protocol in (6, 17, 132):
        assert community_id(protocol, there, here, (ports[1], ports[0])) == wanted


def test_the_answer_of_a_ping_has_its_name() -> None:
    here, there = b"\x0a\0\0\1", b"\x0a\0\0\2"

    assert community_id(1, here, there, (8, 0)) == community_id(1, there, here, (0, 0))


def test_a_message_without_an_answer_goes_one_way() -> None:
    here, there = b"\x0a\0\0\1", b"\x0a\0\0\2"

    assert community_id(1, here, there, (3, 1)) != community_id(1, there, here, (3, 1))


def test_the_seed_changes_the_name() -> None:
    here, there = ip_address("128.232.110.120").packed, ip_address("66.35.250.204").packed

    assert community_id(6, here, there, (34855, 80), seed=1) == "1:3V71V58M3Ksw/yuFALMcW0LAHvc="
