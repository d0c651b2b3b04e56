"""Frames of a network interface, straight from the kernel, which counts what it had to drop."""

import select
import socket
import struct

from cgii.base import clock, limits
from cgii.base.errors import CgiiError, Unavailable
from cgii.base.reasons import why
from cgii.collect.packets import filters
from cgii.collect.packets.captures import SECOND, Frame
from cgii.collect.packets.decode import ETHERNET

EVERYTHING = 3  # ETH_P_ALL
SOL_PACKET, AUXDATA, STATISTICS, MEMBERSHIP, PROMISCUOUS = 263, 8, 6, 1, 1
SO_TIMESTAMPNS = 35
OUTGOING = 4
LOOPBACK, WITHOUT_HEAD = 772, 65_534  # kinds of hardware
LINKS = {1: ETHERNET, LOOPBACK: ETHERNET, WITHOUT_HEAD: 101, 512: 101}
VLAN_IS_VALID = 0x10
ANCILLARY_BYTES = 256


class Interface:
    """An open interface. Raises Unavailable with a sentence, Invalid for a bad filter."""

    def __init__(self, name: str, filter_text: str = "", *, promiscuous: bool = True) -> None:
        self._name = name
        try:
            # Without a protocol nothing comes until the filter is in place.
            self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        except PermissionError as error:
            raise Unavailable(
                "Capturar en {name} necesita el permiso CAP_NET_RAW: déselo al servicio del sensor "
                "(AmbientCapabilities=CAP_NET_RAW).",
                name=name,
            ) from error
        try:
            self._open(filter_text, promiscuous=promiscuous)
        except OSError as error:
            self.close()
            raise Unavailable(
                "No se puede capturar en {name}: {reason}.",
                name=name,
                reason=why(error),
            ) from error
        except CgiiError:
            self.close()
            raise

    def _open(self, filter_text: str, *, promiscuous: bool) -> None:
        receiver = self._socket
        receiver.setblocking(False)
        receiver.bind((self._name, 0))
        hardware = receiver.getsockname()[3]
        if hardware not in LINKS:
            raise Unavailable(
                "No se sabe leer la interfaz {name} (tipo {kind}).", name=self._name, kind=hardware
            )
        self._link = LINKS[hardware]
        self._is_loopback = hardware == LOOPBACK
        if filter_text:
            filters.attach(receiver, filter_text, self._link)
        receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, limits.CAPTURE_RECEIVE_BYTES)
        receiver.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        receiver.setsockopt(SOL_PACKET, AUXDATA, 1)
        if promiscuous and not self._is_loopback:
            index = socket.if_nametoindex(self._name)
            member = struct.pack("iHH8s", index, PROMISCUOUS, 0, b"")
            receiver.setsockopt(SOL_PACKET, MEMBERSHIP, member)
        receiver.bind((self._name, EVERYTHING))

    def close(self) -> None:
        """Stop to capture."""
        self._socket.close()

    def pull(self, seconds: float) -> list[Frame]:
        """What has come, after waiting for `seconds` at most. Raises OSError."""
        found: list[Frame] = []
        poller = select.poll()
        poller.register(self._socket, select.POLLIN)
        if not poller.poll(seconds * 1_000):
            return found
        while len(found) < limits.CAPTURE_PULL_FRAMES:
            try:
                data, more, _, sender = self._socket.recvmsg(
                    limits.CAPTURE_SNAP_BYTES, ANCILLARY_BYTES, socket.MSG_TRUNC
                )
            except BlockingIOError:
                break
            if self._is_loopback and sender[2] == OUTGOING:
                continue  # it comes again as received
            found.append(self._frame(data, more))
        return found

    def _frame(self, data: bytes, more: list[tuple[int, int, bytes]]) -> Frame:
        at, size = 0, len(data)
        for level, kind, value in more:
            if (level, kind) == (socket.SOL_SOCKET, SO_TIMESTAMPNS) and len(value) >= 16:
                second, part = struct.unpack_from("qq", value)
                at = second * SECOND + part
            elif (level, kind) == (SOL_PACKET, AUXDATA) and len(value) >= 20:
                status, size, _, _, _, tag, protocol = struct.unpack_from("IIIHHHH", value)
                if status & VLAN_IS_VALID and self._link == ETHERNET:
                    # The card took it out; put back, frames are as they were on the wire.
                    mark = struct.pack(">HH", protocol or 0x8100, tag)
                    data, size = data[:12] + mark + data[12:], size + 4
        return at or int(clock.now().timestamp() * SECOND), self._link, size, data

    def dropped(self) -> int:
        """Frames that the kernel dropped since the last time that this was asked."""
        _, dropped = struct.unpack("II", self._socket.getsockopt(SOL_PACKET, STATISTICS, 8))
        return int(dropped)
