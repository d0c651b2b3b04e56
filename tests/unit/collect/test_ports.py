"""Whether a port can be had is told, whatever is in the way."""

import errno
import os
import socket

import pytest

from cgii.collect.ports import Port, why_not
from tests.ports import free_port


def test_a_machine_that_gives_no_socket_is_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    port = Port("syslog TCP", free_port(), socket.SOCK_STREAM)
    assert why_not("127.0.0.1", port) == ""

    def none(*_: object) -> None:
        raise OSError(errno.EAFNOSUPPORT, os.strerror(errno.EAFNOSUPPORT))

    monkeypatch.setattr(socket, "socket", none)
    assert why_not("::1", port) == "esta máquina no usa esa clase de direcciones"
