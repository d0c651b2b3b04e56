"""Filters of captures: written as in tcpdump, compiled by libpcap with Scapy, run by the kernel."""

import socket

from cgii.base.errors import Invalid, Unavailable

SO_ATTACH_FILTER = 26


def attach(receiver: socket.socket, text: str, link: int) -> None:
    """Have the kernel pass only what the filter lets through. Raises Invalid, Unavailable."""
    receiver.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, compiled(text, link))


def compiled(text: str, link: int) -> bytes:
    """A filter as the kernel takes it, for one kind of link. Raises Invalid, Unavailable."""
    # Loaded late: it takes half a second, and few captures have a filter.
    try:
        from scapy.arch.common import compile_filter
        from scapy.consts import LINUX
        from scapy.error import Scapy_Exception
        from scapy.libs.structures import sock_fprog
    except ImportError as error:
        raise Unavailable("Falta Scapy, que lee el filtro; instálelo o quite «filter».") from error
    assert LINUX, "packet sockets are Linux's"
    try:
        program = compile_filter(text, linktype=link)
    except ImportError as error:
        raise Unavailable(
            "Falta libpcap, que lee el filtro; instale libpcap0.8 o quite «filter»."
        ) from error
    except Scapy_Exception as error:
        raise Invalid(
            "El filtro «{text}» no es válido: {why}. Se escribe como en tcpdump.",
            text=text,
            why=str(error),
        ) from error
    return bytes(sock_fprog(program.bf_len, program.bf_insns))
