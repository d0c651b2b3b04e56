"""Captures: from a file to conversations, against a plain read of the same file."""

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random

from cgii.collect.packets.captures import Frame, read_capture
from cgii.collect.packets.observe import Observer
from tests.benchmarks.figures import Figure
from tests.make_packets import (
    ACK,
    PSH,
    client_hello,
    conversation,
    dns_answer,
    dns_query,
    ethernet,
    pcap,
    tcp,
    udp,
)

CONVERSATIONS, PACKETS_EACH, LOOKUPS = 2_000, 150, 2_000
APPLICATION = b"\x17\x03\x03\x05\x73"  # encrypted data of TLS


def _frames() -> Iterator[bytes]:
    """Conversations over TCP that run beside each other, with DNS between them."""
    random = Random(7)
    ends = [
        (f"10.1.{one % 250}.{one % 199 + 1}", 20_000 + one, f"198.51.100.{one % 250}", 443)
        for one in range(CONVERSATIONS)
    ]
    hello = client_hello("www.ejemplo.bo")
    for each in ends:
        yield from conversation(each, [(0, hello)], closes=False)
    at = [[1_001 + len(hello), 70_001] for _ in ends]
    sizes = (0, 0, 120, 700, 1_400, 1_400)
    for round_number in range(PACKETS_EACH):
        for number, (there, port, here, far) in enumerate(ends):
            way = random.random() < 0.6
            size = random.choice(sizes)
            side = (here, far, there, port) if way else (there, port, here, far)
            data = APPLICATION + bytes(size - 5) if size else b""
            yield ethernet(tcp(side, PSH | ACK, at[number][way], data))
            at[number][way] += size
        for one in range(LOOKUPS // PACKETS_EACH):
            client, name = f"10.1.1.{one + 1}", f"www{one}.ejemplo{round_number}.bo"
            port = 30_000 + round_number
            yield ethernet(udp(client, port, "10.1.0.53", 53, dns_query(one, name)))
            answer = dns_answer(one, name, 1, [bytes((198, 51, 100, 1))])
            yield ethernet(udp("10.1.0.53", 53, client, port, answer))


def bench() -> list[Figure]:
    """Frames per second of each step, of one core: seconds are the processor's."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(name, "bench.pcap")
        path.write_bytes(pcap(_frames(), step=0.0001))
        begun = time.process_time()
        with path.open("rb") as file:
            while file.read(256 * 1024):
                pass
        plain = time.process_time() - begun
        begun = time.process_time()
        with path.open("rb") as file:
            frames = sum(1 for _ in read_capture(file))
        reading = time.process_time() - begun
        begun = time.process_time()
        records = _observe(path)
        observing = time.process_time() - begun
        size = path.stat().st_size
    return [
        Figure("plain read of the file", size / plain / 1e6, "MB/s"),
        Figure("frames out of the file", frames / reading, "packets/s",
               f"{reading / plain:.1f} plain reads"),
        Figure("conversations, DNS and TLS", frames / observing, "packets/s",
               f"{observing / plain:.1f} plain reads; {frames:,} packets, {records:,} records"),
    ]  # fmt: skip


def _observe(path: Path) -> int:
    observer = Observer()

    def frames() -> Iterator[Frame]:
        with path.open("rb") as file:
            yield from read_capture(file)

    return sum(1 for _ in observer.see(frames())) + sum(1 for _ in observer.end())
