"""The connection to Elasticsearch: how it is opened, what it is called, and its errors in words."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from elasticsearch import (
    ApiError,
    ConnectionTimeout,
    Elasticsearch,
    TransportError,
    UnsupportedProductError,
)

from cgii.base import limits
from cgii.base.errors import Invalid, Unavailable
from cgii.base.reasons import why
from cgii.store.event_shapes import Access

_NO_DATA = ("no_shard_available_action_exception", "unavailable_shards_exception")
_ACTION = re.compile(r"^action \[([^\]]+)\] is unauthorized")
_PREFIX = re.compile(r"[a-z][a-z0-9_]{0,39}")
ABSENT = ("index_not_found_exception", "index_closed_exception")  # asked for documents by id
_CONNECTIONS = 16  # per node; more requests of one process wait for one another


class Link:
    """One cluster as this process uses it; safe to share between threads.

    `owner` names the centre, the same in all its processes; empty: one that nobody looks for.
    """

    def __init__(self, url: str, access: Access, owner: str = "") -> None:
        nodes, self.prefix = read_url(url)
        self.owner = owner
        self.where = ", ".join(nodes)
        self._client = Elasticsearch(
            nodes,
            request_timeout=limits.ELASTIC_SECONDS_MAX,
            connections_per_node=_CONNECTIONS,
            http_compress=True,
            max_retries=len(nodes) - 1,  # another node, not the same one again
            retry_on_status=(),  # what to do about a status is decided by who asks
            retry_on_timeout=False,
            **_identity(access, is_secure=nodes[0].startswith("https:")),
        )

    @property
    def months(self) -> str:
        """The pattern of all indices of events."""
        return f"{self.prefix}-events-*"

    @property
    def refused(self) -> str:
        """The index of what the other indices refused."""
        return f"{self.prefix}-refused"

    def index_of(self, month: str) -> str:
        """The index of a month, `2026-11`."""
        return f"{self.prefix}-events-{month}"

    def month_of(self, index: str) -> str:
        """The month of an index."""
        return index[-7:]

    @contextmanager
    def asking(self) -> Iterator[Elasticsearch]:
        """The client for a question; what goes wrong inside becomes Unavailable.

        An ApiError with status 400 or 404 passes: it is about the question, and whoever asked
        knows what to make of it.
        """
        try:
            yield self._client
        except UnsupportedProductError as error:
            raise Unavailable(
                "Lo que responde en {where} no es Elasticsearch 8 o 9.", where=self.where
            ) from error
        except ApiError as error:
            if error.status_code in (400, 404):
                raise
            raise refusal(error.status_code, reason_of(error.body)) from error
        except ConnectionTimeout as error:
            raise Unavailable(
                "Elasticsearch no respondió en {where} dentro de {seconds} segundos: está muy "
                "ocupado, o le faltan los datos de un índice (mire GET /_cluster/health).",
                where=self.where,
                seconds=limits.ELASTIC_SECONDS_MAX,
            ) from error
        except TransportError as error:
            raise Unavailable(
                "Elasticsearch no responde en {where} ({reason}); revise que esté en marcha y que "
                "CGII_EVENTS sea correcto.",
                where=self.where,
                reason=why(error)[:200],
            ) from error

    def close(self) -> None:
        """Close the connections."""
        self._client.close()


def read_url(url: str) -> tuple[list[str], str]:
    """The addresses of the nodes and the prefix of the indices. Raises Invalid.

    `https://es1:9200,https://es2:9200/centro`: the path of the last one is the prefix.
    """
    nodes = []
    prefix = "cgii"
    each = [one.strip() for one in url.split(",")]
    for place, one in enumerate(each):
        try:
            parts = urlsplit(one)
            port = parts.port
        except ValueError as error:
            raise _wrong_url() from error
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise _wrong_url()
        if parts.username or parts.password:
            raise Invalid(
                "CGII_EVENTS no lleva usuario ni contraseña, porque se muestra; póngalos en "
                "CGII_EVENTS_USER y CGII_EVENTS_PASSWORD, o use CGII_EVENTS_API_KEY."
            )
        path = parts.path.strip("/")
        if path and (place < len(each) - 1 or not _PREFIX.fullmatch(path)):
            raise _wrong_url()
        prefix = path or prefix
        host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
        nodes.append(f"{parts.scheme}://{host}:{port or 9200}")
    if len({node.partition(":")[0] for node in nodes}) > 1:
        raise _wrong_url()
    return nodes, prefix


def _wrong_url() -> Invalid:
    return Invalid(
        "No se entiende la dirección de Elasticsearch en CGII_EVENTS; escriba por ejemplo "
        "https://es1.ejemplo.bo:9200/cgii, y varios nodos separados por comas, todos con http o "
        "todos con https. Lo que sigue a la barra es el prefijo de los índices, en minúsculas."
    )


def _identity(access: Access, *, is_secure: bool) -> dict[str, Any]:
    given: dict[str, Any] = {}
    if access.api_key:
        given["api_key"] = access.api_key
    elif access.user:
        given["basic_auth"] = (access.user, access.password)
    if is_secure and access.authority is not None:
        if not access.authority.is_file():
            raise Invalid(
                "No está el certificado {path} que nombra CGII_EVENTS_CA.",
                path=str(access.authority),
            )
        given["ca_certs"] = str(access.authority)
    return given


def reason_of(body: Any) -> tuple[str, str]:
    """Type and reason of an error as the server tells it, the innermost one.

    Of a closed index the reason is its name.
    """
    error = body.get("error", body) if isinstance(body, Mapping) else body
    if not isinstance(error, Mapping):
        return "", str(error)[:300]
    kind, reason = str(error.get("type", "")), str(error.get("reason", ""))
    cause = error.get("caused_by")
    if isinstance(cause, Mapping) and cause.get("reason"):
        reason = f"{reason}: {cause['reason']}"
    if kind == "index_closed_exception":
        return kind, str(error.get("index", reason))
    root = error.get("root_cause")
    if isinstance(root, list) and root and isinstance(root[0], Mapping):
        kind = str(root[0].get("type", kind))
        reason = str(root[0].get("reason", reason))
    return kind, reason[:300]


def refusal(status: int, told: tuple[str, str]) -> Unavailable:
    """The sentence for a status with which the server does not do what it was asked."""
    kind, reason = told
    if kind == "index_closed_exception":
        return Unavailable(
            "El índice {index} está cerrado, y nada se lee ni se guarda en él; ábralo (en "
            "Elasticsearch, POST /{index}/_open) o bórrelo si ya no lo necesita.",
            index=reason,
        )
    if kind == "cluster_block_exception":
        return Unavailable(
            "El índice de eventos está en solo lectura o bloqueado ({reason}); libere espacio en "
            "el disco de Elasticsearch y quite el bloqueo. Nada se pierde: quien envía conserva "
            "lo suyo.",
            reason=reason,
        )
    if status in (401, 403):
        action = _ACTION.search(reason)
        return Unavailable(
            "Elasticsearch no admite la cuenta del centro ({status}); revise CGII_EVENTS_USER, "
            "CGII_EVENTS_PASSWORD o CGII_EVENTS_API_KEY y sus privilegios.",
            status=f"{status}, {action[1]}" if action else status,
        )
    if kind in _NO_DATA:
        return Unavailable(
            "A Elasticsearch le faltan los datos de un índice ({reason}); espere a que vuelva el "
            "nodo que los tiene, o recupérelos de una instantánea.",
            reason=reason,
        )
    if status in (429, 503):
        return Unavailable(
            "Elasticsearch está ocupado ({status} {kind}); vuelva a intentarlo.",
            status=status,
            kind=kind,
        )
    return Unavailable(
        "Elasticsearch respondió {status} {kind}: {reason}", status=status, kind=kind, reason=reason
    )


def too_slow() -> Unavailable:
    """The sentence for a question that takes too long; the same as of the other store."""
    return Unavailable(
        "La búsqueda tardó más de {seconds} segundos y se detuvo; acorte el intervalo de "
        "tiempo o agregue una condición.",
        seconds=limits.QUERY_SECONDS_MAX,
    )
