"""Asks other machines over HTTP, each by a fixed set of rules.

Only addresses that the configuration names are asked. A name is resolved once and the request goes
to that address, under that name; private networks must be allowed by name. No redirects, no proxy,
answers bounded in size and time, certificates checked.
"""

import asyncio
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from pathlib import Path
from urllib.parse import urlsplit

import httpx2

from cgii.base import limits
from cgii.base.errors import Invalid, NotAllowed, Unavailable
from cgii.base.reasons import why

DEFAULT_PORTS = {"http": 80, "https": 443}
Network = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True)
class Target:
    """The one server that may be asked."""

    scheme: str
    host: str
    port: int
    networks: tuple[Network, ...] = ()  # not public, and allowed all the same
    ca: Path | None = None  # who signs its certificate, in place of the usual authorities


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, whole."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def target_of(url: str, networks: tuple[Network, ...] = (), ca: Path | None = None) -> Target:
    """The server of an address. Raises Invalid if that is no address of a server."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise Invalid("La dirección {url} no es válida.", url=url) from error
    if parts.scheme not in DEFAULT_PORTS or not parts.hostname or parts.username:
        raise Invalid("La dirección {url} no es http(s)://servidor/…", url=url)
    default = DEFAULT_PORTS[parts.scheme]
    return Target(parts.scheme, parts.hostname, port or default, networks, ca)


def trusting(authority: Path | None) -> ssl.SSLContext:
    """TLS with servers whose certificate this one signed, or a usual one. Raises Invalid."""
    try:
        return ssl.create_default_context(cafile=authority)
    except (OSError, ValueError) as error:  # SSLError is an OSError
        raise Invalid(
            "{path} no sirve como certificado de una autoridad: {why}. Corrija la ruta o ponga ahí "
            "el certificado en PEM.",
            path=authority,
            why=why(error),
        ) from error


async def address_of(target: Target) -> str:
    """Its address, resolved now. Raises Unavailable, or NotAllowed for one that is not public."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(
            target.host, target.port, type=socket.SOCK_STREAM
        )
    except (OSError, UnicodeError) as error:
        raise Unavailable(
            "No se encuentra {host}: {why}.", host=target.host, why=why(error)
        ) from error
    addresses = [ip_address(str(row[4][0]).partition("%")[0]) for row in found]
    for address in addresses:
        if _may_be_asked(address, target.networks):
            return str(address)
    raise NotAllowed(
        "{host} está en {address}, que no es pública. Si es correcto, añada su red a «networks».",
        host=target.host,
        address=addresses[0],
    )


def _may_be_asked(address: IPv4Address | IPv6Address, networks: tuple[Network, ...]) -> bool:
    mapped = getattr(address, "ipv4_mapped", None)
    address = mapped or address
    if address.is_multicast or address.is_unspecified:
        return False
    return address.is_global or any(address in network for network in networks)


class Asker:
    """Asks one server; a request is one connection."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._verify = trusting(target.ca)

    async def get(self, url: str, headers: Mapping[str, str]) -> Answer:
        """The answer to one GET. Raises Unavailable when there is none in time, NotAllowed when the
        URL is not the target's, Invalid when the answer is too large.
        """
        asked = target_of(url)
        target = self._target
        if (asked.scheme, asked.host, asked.port) != (target.scheme, target.host, target.port):
            raise NotAllowed("{url} no es del servidor configurado.", url=_without_query(url))
        try:
            async with asyncio.timeout(limits.PULL_SECONDS_MAX):
                return await self._get(url, headers)
        except TimeoutError as error:
            raise Unavailable(
                "{host} tarda más de {limit} s.", host=target.host, limit=limits.PULL_SECONDS_MAX
            ) from error
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError, ValueError) as error:
            # ValueError: a header that cannot be sent, such as a token with an accent in it
            raise Unavailable(
                "{host} no responde: {reason}.",
                host=target.host,
                reason=why(error),
            ) from error

    async def _get(self, url: str, headers: Mapping[str, str]) -> Answer:
        target = self._target
        host = f"[{target.host}]" if ":" in target.host else target.host
        if target.port != DEFAULT_PORTS[target.scheme]:
            host = f"{host}:{target.port}"
        async with (
            httpx2.AsyncClient(
                verify=self._verify,
                timeout=limits.PULL_TIMEOUT_SECONDS,
                follow_redirects=False,
                trust_env=False,  # no proxy that the environment names
            ) as client,
            client.stream(
                "GET",
                httpx2.URL(url).copy_with(host=await address_of(target)),
                headers={**headers, "Accept-Encoding": "gzip", "Host": host},
                extensions={"sni_hostname": target.host},
            ) as answer,
        ):
            return Answer(answer.status_code, answer.headers, await _body(answer))


async def _body(answer: httpx2.Response) -> bytes:
    body = bytearray()
    async for piece in answer.aiter_bytes():  # unpacked as it comes
        body += piece
        if len(body) > limits.PULL_BYTES_MAX:
            raise Invalid("La respuesta pasa de {limit} bytes.", limit=limits.PULL_BYTES_MAX)
    return bytes(body)


def _without_query(url: str) -> str:
    return url.partition("?")[0]
