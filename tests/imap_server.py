"""A small IMAP server on loopback with TLS: what a reader of one folder needs, and some malice."""

import base64
import re
import socket
import ssl
import threading
from dataclasses import dataclass, field

from tests.certificates import Pair


@dataclass
class ImapServer:
    """One account with one folder; `mails` is UID → bytes."""

    pair: Pair
    password: str = "s3creto"
    validity: int = 7
    mails: dict[int, bytes] = field(default_factory=dict)
    refused: set[int] = field(default_factory=set)
    huge: set[int] = field(default_factory=set)  # announced as terabytes
    bad: set[int] = field(default_factory=set)  # the request for them is called wrong
    empty: set[int] = field(default_factory=set)  # OK, and no data
    nil: set[int] = field(default_factory=set)  # OK, and NIL in their place
    busy: set[int] = field(default_factory=set)  # the request for them is called wrong, once
    gone: set[int] = field(default_factory=set)  # deleted when they are asked for
    cut: set[int] = field(default_factory=set)  # the connection ends, once
    said: list[str] = field(default_factory=list)
    line: int = 10**9  # numbers listed in one line
    takes_plain: bool = True  # passwords in any letters

    def __post_init__(self) -> None:
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(self.pair.certificate, self.pair.key)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def plain(self) -> bytes:
        return f"\0reportes\0{self.password}".encode()

    def close(self) -> None:
        self._listening.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            threading.Thread(target=self._talk, args=(connection,), daemon=True).start()

    def _talk(self, plain: socket.socket) -> None:
        try:
            with self._context.wrap_socket(plain, server_side=True) as connection:
                connection.sendall(b"* OK listo\r\n")
                lines = iter(connection.makefile("rb"))
                for line in lines:
                    tag, _, command = line.decode().strip().partition(" ")
                    if command == "AUTHENTICATE PLAIN":
                        connection.sendall(b"+ \r\n")
                        is_right = next(lines).strip() == base64.b64encode(self.plain)
                        connection.sendall(f"{tag} {'OK' if is_right else 'NO'} x\r\n".encode())
                        continue
                    self.said.append(command)
                    connection.sendall(self._answer(command) + self._end(tag, command))
        except OSError:
            return

    def _end(self, tag: str, command: str) -> bytes:
        found = re.match(r"UID FETCH (\d+)", command)
        wrong = command.startswith("LOGIN") and f'"{self.password}"' not in command
        wrong = wrong or (found is not None and int(found[1]) in self.refused)
        if found is not None and int(found[1]) in self.bad | self.busy:
            self.busy.discard(int(found[1]))
            return f"{tag} BAD hecho\r\n".encode()
        return f"{tag} {'NO' if wrong else 'OK'} hecho\r\n".encode()

    def _answer(self, command: str) -> bytes:
        if command.startswith("CAPABILITY"):
            more = b" AUTH=PLAIN" if self.takes_plain else b""
            return b"* CAPABILITY IMAP4rev1" + more + b"\r\n"
        if command.startswith("EXAMINE"):
            return (
                f"* {len(self.mails)} EXISTS\r\n* OK [UIDVALIDITY {self.validity}] x\r\n".encode()
            )
        if found := re.match(r"UID SEARCH UID (\d+):\*", command):
            newest = max(self.mails, default=0)
            shown = [uid for uid in self.mails if uid >= int(found[1]) or uid == newest]
            return "".join(
                f"* SEARCH {' '.join(map(str, shown[at : at + self.line]))}\r\n"
                for at in range(0, max(len(shown), 1), self.line)
            ).encode()
        if found := re.match(r"UID FETCH (\d+) .*<0\.(\d+)>", command):
            uid = int(found[1])
            if uid in self.gone:
                self.mails.pop(uid, None)
            data = self.mails.get(uid, b"")[: int(found[2])]
            if uid in self.cut:
                self.cut.discard(uid)
                raise OSError("cut")
            if uid in self.refused | self.bad | self.busy | self.empty or uid not in self.mails:
                return b""
            if uid in self.nil:
                return f"* 1 FETCH (UID {uid} BODY[] NIL)\r\n".encode()
            size = 10**12 if uid in self.huge else len(data)
            head = f'* 1 FETCH (UID {uid} INTERNALDATE "20-Nov-2026 09:05:00 -0400" RFC822.SIZE 9 '
            return f"{head}BODY[]<0> {{{size}}}\r\n".encode() + data + b")\r\n"
        return b""
