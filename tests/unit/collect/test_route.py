"""A syslog line finds the source that reads it best."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cgii.collect.definition import load_definitions
from cgii.collect.route import choose_source

DEFINITIONS = load_definitions()


@pytest.mark.parametrize(
    ("line", "source"),
    [
        (b"<38>Mar  3 02:14:07 srv sshd[1]: Failed password for root", "linux_auth"),
        (b"<38>1 2026-05-01T10:00:00Z srv sudo 1 - - x", "linux_auth"),
        (b"<78>Mar  3 02:14:07 srv CRON[1]: (root) CMD (x)", "linux_auth"),
        (b"<38>Mar  3 02:14:07 srv nginx: something", "syslog"),
        (b"<13>no header at all", "syslog"),
        (b"nothing", "syslog"),
        (b'<134>Mar  3 02:14:07 ids suricata[9]: {"timestamp":"x","event_type":"dns","flow_id":1}',
         "suricata_eve"),
        (b"<134>Mar  3 02:14:07 ids suricata[9]: engine started", "syslog"),
        (b'<13>1 2026-05-01T10:00:00Z pc nxlog - - - {"EventID":1,"Channel":"Security"}',
         "windows_events"),
        (b'{"_path":"conn","ts":1.5}', "zeek_json"),
        (b'<13>Mar  3 02:14:07 a app: @cee: {"_path":"conn","ts":1.5}', "zeek_json"),
        (b'<13>Mar  3 02:14:07 a app: {"unknown":1}', "syslog"),
        (b'<13>Mar  3 02:14:07 a app: {"broken":', "syslog"),
        # What stands further on is somebody's words, whatever it looks like.
        (b"<13>Nov 20 10:00:00 srv myapp[5]: failed for user type=USER_LOGIN msg=audit(1.1:1): "
         b"acct=root res=success", "syslog"),
        (b"<13>Nov 20 10:00:00 srv myapp: GET /?q= CEF:0|Fortinet|x|1|2|n|5|src=6.6.6.6", "syslog"),
        (b"<13>Nov 20 10:00:00 srv myapp: GET LEEF:1.0|a|b|c|d|src=6.6.6.6", "syslog"),
        (b"<13>Nov 20 10:00:00 srv dovecot: user=<x %ASA-6-605005: Login permitted", "syslog"),
        (b"<13>Nov 20 10:00:00 srv nginx: error: client said <Event> hello", "syslog"),
        (b'<13>Nov 20 10:00:00 srv nginx: x date=2026-11-20 time=10:00:00 devid="FGT1" logid=1',
         "syslog"),
        (b"<13>Nov 20 10:00:00 srv app: a 1,2026/11/20 10:00:00,0,TRAFFIC,end,", "syslog"),
        (b"{" * 300_000, "syslog"),
        (b'{"a":' * 5_000, "syslog"),
    ],
)  # fmt: skip
def test_a_line_goes_to_its_source(line: bytes, source: str) -> None:
    assert choose_source(line, DEFINITIONS) == source


@given(st.binary(max_size=200))
def test_any_line_has_a_source(line: bytes) -> None:
    assert choose_source(line, DEFINITIONS) in DEFINITIONS.by_name
