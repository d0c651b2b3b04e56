"""What was said: DNS, HTTP, TLS with its fingerprints and certificates, DHCP."""

import contextlib
import datetime
import struct
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from cgii.base import limits
from cgii.collect.packets.certificates import NotCertificate, read_certificate
from cgii.collect.packets.dhcp import NotDhcp, read_dhcp
from cgii.collect.packets.dns import NotDns, entropy, read_message
from cgii.collect.packets.hello import (
    Hello,
    NotHello,
    ja3,
    ja4,
    read_client_hello,
    read_server_hello,
)
from tests.make_packets import (
    MAC_1,
    client_hello,
    conversation,
    dhcp,
    dns_answer,
    dns_name,
    dns_query,
    ethernet,
    tcp,
    tls_record,
    udp,
    words,
)
from tests.unit.collect.packets.test_observe import ENDS, THEM, US, observe


def spoken(*said: tuple[int, bytes], kind: str, port: int = 443) -> list[dict[str, Any]]:
    return observe(conversation((US, 40_000, THEM, port), said), kind)


def dns_over_udp(*messages: tuple[int, bytes]) -> list[dict[str, Any]]:
    ways = ((US, 5_000, THEM, 53), (THEM, 53, US, 5_000))
    return observe([ethernet(udp(*ways[way], data)) for way, data in messages], "dns")


# --- DNS -----------------------------------------------------------------------------------------
def test_a_question_and_its_answer_are_one_record() -> None:
    (found,) = dns_over_udp(
        (0, dns_query(7, "www.Gob.bo")), (1, dns_answer(7, "www.Gob.bo", 1, [b"\xc6\x33\x64\1"]))
    )

    assert (found["query"], found["qtype_name"], found["rcode_name"]) == (
        "www.Gob.bo",
        "A",
        "NOERROR",
    )
    assert (found["answers"], found["TTLs"], found["rtt"]) == (["198.51.100.1"], [300], 0.01)
    assert (found["id.orig_h"], found["id.resp_h"], found["id.resp_p"]) == (US, THEM, 53)


def test_a_question_without_an_answer_is_told_at_the_end() -> None:
    (found,) = dns_over_udp((0, dns_query(7, "nadie.example", 16)))

    assert found["qtype_name"] == "TXT"
    assert "rcode" not in found


def test_a_name_that_does_not_exist_says_so() -> None:
    (found,) = dns_over_udp((0, dns_query(7, "no.bo")), (1, dns_answer(7, "no.bo", code=3)))

    assert found["rcode_name"] == "NXDOMAIN"


@pytest.mark.parametrize(
    ("kind", "data", "wanted"),
    [
        (28, bytes(15) + b"\1", "::1"),
        (5, dns_name("otro.bo"), "otro.bo"),
        (5, b"\xc0\x0c", "www.a.bo"),
        (15, b"\0\x0a" + dns_name("mx.bo"), "mx.bo"),
        (16, b"\3abc\2de", "abcde"),
        (33, b"\0\1\0\1\x01\x85" + dns_name("ldap.bo"), "ldap.bo:389"),
        (10, b"\xff\0", "ff00"),
    ],
)
def test_answers_are_written_as_people_write_them(kind: int, data: bytes, wanted: str) -> None:
    _, found = read_message(dns_answer(1, "www.a.bo", kind, [data]))

    assert found["answers"] == [wanted]


def test_a_name_has_a_shape_by_which_tunnels_are_known() -> None:
    _, plain = read_message(dns_query(1, "www.entidad.gob.bo"))
    _, tunnel = read_message(dns_query(1, "mfzwizlogq4tanjvgu2tkmrrgy3tqojqgezdgnbvgy3t.t.example"))

    assert (plain["label_max"], plain["label_count"], plain["query_length"]) == (7, 4, 18)
    assert tunnel["label_max"] == 44
    assert tunnel["label_entropy"] > 4 > plain["label_entropy"]
    assert entropy("") == entropy("aaaa") == 0


def test_dns_over_tcp_may_come_in_pieces() -> None:
    query, answer = dns_query(9, "zona.bo", 252), dns_answer(9, "zona.bo", 252)
    said = [(0, struct.pack(">H", len(query)) + query[:5]), (0, query[5:])]
    (found,) = spoken(*said, (1, struct.pack(">H", len(answer)) + answer), kind="dns", port=53)

    assert (found["qtype_name"], found["proto"], found["rcode"]) == ("AXFR", "tcp", 0)


def test_pointers_that_go_in_circles_are_refused() -> None:
    head = struct.pack(">6H", 1, 0x0100, 1, 0, 0, 0)

    with pytest.raises(NotDns):
        read_message(head + b"\xc0\x0c\0\1\0\1")


def test_bytes_that_are_no_text_keep_their_difference() -> None:
    _, found = read_message(struct.pack(">6H", 1, 0x0100, 1, 0, 0, 0) + b"\2\xff.\0\0\1\0\1")

    assert found["query"] == "\\xff\\x2e"


def test_questions_for_which_there_is_no_room_to_wait_are_told_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "BEGINNINGS_BYTES_MAX", 3_000)
    found = dns_over_udp(*((0, dns_query(n, f"n{n}.bo")) for n in range(5)))

    assert sorted(one["query"] for one in found) == [f"n{n}.bo" for n in range(5)]


def test_two_kinds_asked_with_one_number_are_two_questions() -> None:
    asked = [(0, dns_query(7, "a.bo", 1)), (0, dns_query(7, "a.bo", 28))]
    (found, other) = dns_over_udp(*asked, (1, dns_answer(7, "a.bo", 28, [bytes(16)])))

    assert (found["qtype_name"], found["answers"], "rtt" in found) == ("AAAA", ["::"], True)
    assert (other["qtype_name"], "rcode" in other) == ("A", False)


def test_a_reserved_bit_or_another_question_hides_nothing() -> None:
    marked = bytearray(dns_query(7, "a.bo"))
    marked[3] |= 0x40
    both = bytearray(dns_query(8, "b.bo") + dns_name("c.bo") + struct.pack(">HH", 1, 1))
    both[5] = 2
    found = dns_over_udp((0, bytes(marked)), (0, bytes(both)))

    assert [one["query"] for one in found] == ["a.bo", "b.bo"]
    assert found[1]["question_count"] == 2


def test_a_dot_within_a_label_is_none_between_two() -> None:
    asked = bytearray(dns_query(7, "www-google-com"))
    asked[16], asked[23] = b".\\"

    assert read_message(bytes(asked))[1]["query"] == r"www\x2egoogle\x5ccom"


# --- HTTP ----------------------------------------------------------------------------------------
REQUEST = (
    b"POST /login?x=1 HTTP/1.1\r\nHost: sistema.gob.bo\r\nUser-Agent: curl/8\r\nReferer: http://a/\r\n"
    b"Content-Length: 3\r\n\r\na=1"
)
ANSWER = b"HTTP/1.1 302 Found\r\nServer: nginx\r\nLocation: /otro\r\nContent-Length: 0\r\n\r\n"


def test_a_request_and_its_answer_are_one_record() -> None:
    (found,) = spoken((0, REQUEST), (1, ANSWER), kind="http", port=8080)

    assert (found["method"], found["uri"], found["host"]) == (
        "POST",
        "/login?x=1",
        "sistema.gob.bo",
    )
    assert (found["user_agent"], found["referrer"]) == ("curl/8", "http://a/")
    assert (found["status_code"], found["location"], found["server"]) == (302, "/otro", "nginx")
    assert (found["request_body_len"], found["response_body_len"]) == (3, 0)
    assert found["id.resp_p"] == 8080


def test_a_head_may_come_in_pieces_out_of_order_and_twice() -> None:
    cut = [REQUEST[:10], REQUEST[10:30], REQUEST[30:]]
    at = [1_001, 1_011, 1_031]
    frames = conversation(ENDS, [], closes=False)
    for number in (0, 2, 0, 1, 2):
        frames.append(ethernet(tcp(ENDS, 24, at[number], cut[number])))
    (found,) = observe(frames, "http")

    assert found["host"] == "sistema.gob.bo"


def test_every_request_of_a_kept_connection_is_told() -> None:
    get = b"GET /%d HTTP/1.1\r\nHost: a.bo\r\n\r\n"
    body = b"HTTP/1.1 200 OK\r\nContent-Length: 3000\r\n\r\n" + b"z" * 3_000
    said = [(0, get % 1), (1, body), (0, get % 2 + get % 3), (1, body), (1, ANSWER)]
    found = spoken(*said, kind="http")

    assert [(one["uri"], one["status_code"]) for one in found] == [
        ("/1", 200), ("/2", 200), ("/3", 302),
    ]  # fmt: skip


def test_of_a_head_with_a_hole_the_lines_before_it_are_told_and_the_next_one_is_read() -> None:
    far = 1_001 + 2 * limits.BEGINNING_BYTES_MAX
    frames = conversation(ENDS, [], closes=False)
    frames.append(ethernet(tcp(ENDS, 24, 1_001, b"GET /secret HTTP/1.1\r\nHost: a")))
    frames.append(ethernet(tcp(ENDS, 24, far, b"z.bo\r\n\r\n")))
    frames.append(ethernet(tcp(ENDS, 24, far + 8, REQUEST)))

    (cut, whole) = observe(frames, "http")

    assert (cut["uri"], "host" in cut) == ("/secret", False)
    assert (whole["uri"], whole["host"]) == ("/login?x=1", "sistema.gob.bo")


def test_heads_that_the_capture_cut_are_told_as_far_as_they_go() -> None:
    """Each packet is kept up to 150 bytes, as with `tcpdump -s`."""
    long = b"GET /%d HTTP/1.1\r\nHost: a.bo\r\nCookie: " + b"x" * 400 + b"\r\n\r\n"
    answer = b"HTTP/1.1 %d OK\r\nServer: nginx\r\nContent-Length: 900\r\n\r\n" + b"z" * 900
    said = [(0, long % 1), (1, answer % 200), (0, long % 2), (1, answer % 404), (0, long % 3)]
    found = observe([frame[:150] for frame in conversation(ENDS, said)], "http")

    assert [(one["uri"], one.get("status_code")) for one in found] == [
        ("/1", 200), ("/2", 404), ("/3", None),
    ]  # fmt: skip
    assert {one["host"] for one in found} == {"a.bo"}


def test_a_request_without_an_answer_is_told_at_the_end() -> None:
    (found,) = spoken((0, REQUEST), kind="http")

    assert "status_code" not in found


def test_a_head_without_end_is_cut_off() -> None:
    endless = b"GET / HTTP/1.1\r\nHost: a.bo\r\n" + b"X: " + b"y" * 3 * limits.BEGINNING_BYTES_MAX
    (found,) = spoken((0, endless), kind="http")

    assert found["host"] == "a.bo"


def test_a_conversation_seen_from_its_middle_gives_its_next_request() -> None:
    frames = [ethernet(tcp(ENDS, 24, 5_000, REQUEST))]

    assert observe(frames, "http")[0]["method"] == "POST"


# --- TLS -----------------------------------------------------------------------------------------
def certificate() -> tuple[bytes, x509.Certificate]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "BO"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Ministerio, de Ejemplo"),
            x509.NameAttribute(NameOID.COMMON_NAME, "www.ejemplo.gob.bo"),
        ]
    )
    begin = datetime.datetime(2026, 1, 2, 3, 4, 5)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(0x1234)
        .not_valid_before(begin)
        .not_valid_after(begin.replace(year=2060))
        .add_extension(
            x509.SubjectAlternativeName([x509.DNSName("a.bo"), x509.DNSName("b.bo")]), False
        )
        .sign(key, hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.DER), made


def server_hello(version: int = 0x0303, extensions: bytes = b"") -> bytes:
    body = struct.pack(">H", version) + bytes(32) + b"\0\xc0\x2f\0"
    return tls_record(2, body + struct.pack(">H", len(extensions)) + extensions)


def certificates(*chain: bytes) -> bytes:
    listed = b"".join(len(one).to_bytes(3) + one for one in chain)
    return tls_record(11, len(listed).to_bytes(3) + listed)


def test_a_hello_tells_name_protocols_and_versions() -> None:
    hello = client_hello(
        "correo.gob.bo",
        extensions=[(16, b"\0\x0c\2h2\x08http/1.1"), (43, b"\4\x03\x04\x03\x03")],
    )
    (found,) = spoken((0, hello), kind="ssl")

    assert found["server_name"] == "correo.gob.bo"
    assert found["client_alpn"] == ["h2", "http/1.1"]
    assert found["client_versions"] == ["TLSv12", "TLSv13"]
    assert found["ja4"].startswith("t13d0303h2_")


def test_of_hellos_that_the_capture_cut_the_servers_is_told() -> None:
    """The client's goes on in a segment that does not follow on what was kept."""
    hello = client_hello("a.bo", extensions=[(21, bytes(300))])
    said = [(0, hello), (1, server_hello()), (0, client_hello("falso.bo"))]
    found = observe([frame[:200] for frame in conversation(ENDS, said)], "ssl")

    assert [(one["version"], "server_name" in one) for one in found] == [("TLSv12", False)]


def test_the_certificate_of_an_old_handshake_is_read() -> None:
    raw, made = certificate()
    said = [(0, client_hello("ejemplo.bo")), (1, server_hello() + certificates(raw, raw))]
    (found,) = spoken(*said, kind="ssl")

    assert (found["version"], found["cipher"], found["cert_count"]) == ("TLSv12", "0xc02f", 2)
    assert found["subject"] == "CN=www.ejemplo.gob.bo,O=Ministerio\\, de Ejemplo,C=BO"
    assert found["self_signed"] is True
    assert (found["not_valid_before"], found["not_valid_after"]) == (
        "2026-01-02T03:04:05Z", "2060-01-02T03:04:05Z",
    )  # fmt: skip
    assert (found["serial"], found["san"]) == ("1234", ["a.bo", "b.bo"])
    assert found["cert_sha256"] == made.fingerprint(hashes.SHA256()).hex()


def test_a_new_handshake_shows_no_certificate() -> None:
    chosen = server_hello(extensions=struct.pack(">HHH", 43, 2, 0x0304))
    (found,) = spoken((0, client_hello("a.bo")), (1, chosen), kind="ssl")

    assert found["version"] == "TLSv13"
    assert "subject" not in found


def test_ja3_gives_its_published_value() -> None:
    hello = Hello(
        769, [47, 53, 5, 10, 49161, 49162, 49171, 49172, 50, 56, 19, 4], [0, 10, 11],
        groups=[23, 24, 25], points=[0],
    )  # fmt: skip

    assert ja3(hello) == "ada70206e40642a3e4461f35503241d5"


def test_ja4_gives_its_published_value_in_any_order_and_with_grease() -> None:
    ciphers = [0x0A0A, 0x1301, 0x1302, 0x1303, 0xC02B, 0xC02F, 0xC02C, 0xC030, 0xCCA9, 0xCCA8,
               0xC013, 0xC014, 0x9C, 0x9D, 0x2F, 0x35]  # fmt: skip
    extensions = [0x1A1A, 0x1B, 0, 0x33, 0x10, 0x4469, 0x17, 0x2D, 0x0D, 5, 0x23, 0x12, 0x2B,
                  0xFF01, 0x0B, 0x0A, 0x15]  # fmt: skip
    algorithms = [0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601]
    hello = Hello(
        0x0303, ciphers, extensions, algorithms=algorithms, protocols=[b"h2"],
        versions=[0x2A2A, 0x0304, 0x0303],
    )  # fmt: skip

    assert ja4(hello) == "t13d1516h2_8daaf6152771_e5627efa2ab1"
    hello.ciphers.reverse()
    hello.extensions.reverse()
    assert ja4(hello) == "t13d1516h2_8daaf6152771_e5627efa2ab1"


def test_ja4_of_a_bare_hello_has_zeros() -> None:
    hello = read_client_hello(client_hello(ciphers=[])[9:])

    assert ja4(hello) == "t12i000000_000000000000_000000000000"


# --- DHCP ----------------------------------------------------------------------------------------
def test_a_lease_is_told() -> None:
    given_ = dhcp(
        5, MAC_1, [(12, b"pc-caja"), (51, b"\0\0\x0e\x10"), (54, b"\x0a\1\0\1"), (6, b"\x0a\1\0\2")]
    )
    (found,) = observe([ethernet(udp("10.1.0.1", 67, "10.1.2.3", 68, given_))], "dhcp")

    assert (found["msg_type"], found["mac"], found["host_name"]) == (
        "ACK",
        "52:54:00:00:00:01",
        "pc-caja",
    )
    assert (found["assigned_addr"], found["server_addr"]) == ("10.1.2.3", "10.1.0.1")
    assert (found["lease_time"], found["name_servers"]) == (3_600, ["10.1.0.2"])


@pytest.mark.parametrize("name", [b"\x05pc-17\x03gob\x02bo\0", b"\x05pc-17\x03gob\x02bo"])
def test_a_clients_name_in_labels_is_read(name: bytes) -> None:
    told = read_dhcp(dhcp(3, MAC_1, [(81, b"\x05\0\0" + name)]))

    assert told["client_fqdn"] == "pc-17.gob.bo"
    assert read_dhcp(dhcp(3, MAC_1, [(81, b"\1\0\0pc-17.gob.bo")]))["client_fqdn"] == "pc-17.gob.bo"


# --- hostile bytes -------------------------------------------------------------------------------
WHOLE = certificate()[0]


@given(st.binary(max_size=300))
def test_no_bytes_make_a_reader_fail(data: bytes) -> None:
    for read, refusal in (
        (read_message, NotDns),
        (read_client_hello, NotHello),
        (read_server_hello, NotHello),
        (read_certificate, NotCertificate),
        (read_dhcp, NotDhcp),
    ):
        with contextlib.suppress(refusal):
            read(data)


@given(st.integers(0, 2_000), st.integers(0, 255))
def test_no_changed_byte_makes_a_reader_fail(at: int, value: int) -> None:
    for whole, read, refusal in (
        (dns_answer(1, "www.a.bo", 16, [b"\3abc", b"\2de"]), read_message, NotDns),
        (client_hello("a.bo", extensions=[(10, words([1, 2])), (16, b"\0\3\2h2")])[9:],
         read_client_hello, NotHello),
        (WHOLE, read_certificate, NotCertificate),
        (dhcp(1, MAC_1, [(12, b"pc")]), read_dhcp, NotDhcp),
    ):  # fmt: skip
        broken = bytearray(whole)
        broken[at % len(broken)] = value
        with contextlib.suppress(refusal):
            read(bytes(broken))


@given(st.lists(st.tuples(st.integers(0, 1), st.binary(min_size=1, max_size=80)), max_size=8))
def test_no_words_make_the_conversation_readers_fail(said: list[tuple[int, bytes]]) -> None:
    for port, first in ((443, client_hello("a.bo")), (53, b"\0"), (80, b"GET / HTTP/1.1\r\n")):
        observe(conversation((US, 40_000, THEM, port), [(0, first), *said]))
        for way, data in said:
            ends = ((US, 5_000, THEM, port), (THEM, port, US, 5_000))[way]
            observe([ethernet(udp(*ends, data))])
