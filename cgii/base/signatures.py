"""Ed25519 keys, and requests signed with them: HTTP Message Signatures (RFC 9421, RFC 9530).

Of the many forms that the standard allows, sensors use one: the label `cgii`, the components
`"@method" "@path" "content-digest"`, and the parameters created, keyid, nonce, alg, in that order.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from cgii.base import ids

COVERED = ("@method", "@path", "content-digest")
_INPUT = re.compile(
    r'cgii=\(' + " ".join(f'"{name}"' for name in COVERED) + r'\)'
    r';created=(\d{1,12});keyid="([0-9a-f]{32})";nonce="([\w-]{16,64})";alg="ed25519"',
    re.ASCII,
)  # fmt: skip
_SIGNATURE = re.compile(r"cgii=:([A-Za-z0-9+/=]{88}):")
KEY_BYTES = 32
TIME_HEADER = "Cgii-Time"  # of an answer: the centre's time, for one request
_TIME = re.compile(r'(\d{9,10})(?:;nonce="([\w-]{16,64})")?', re.ASCII)  # from 1973 to 2286


@dataclass(frozen=True, slots=True)
class Signed:
    """What a request says of its signature; nothing of it is believed before `is_genuine`."""

    key_id: str
    created: int  # seconds since 1970
    nonce: str
    signature: bytes
    params: str


class SecretKey:
    """A private key; `public` and `key_id` are what others may know."""

    def __init__(self, seed: bytes) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        self.seed = seed
        self.public = self._key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self.key_id = key_id(self.public)

    @staticmethod
    def fresh() -> "SecretKey":
        """A new key."""
        return SecretKey(Ed25519PrivateKey.generate().private_bytes_raw())

    def sign(self, text: bytes) -> bytes:
        """The signature: 64 bytes."""
        return self._key.sign(text)

    def headers(self, method: str, path: str, body: bytes, *, now: datetime) -> dict[str, str]:
        """What a request carries to be believed; a new nonce each time."""
        nonce = ids.token()[:24]
        names = " ".join(f'"{name}"' for name in COVERED)
        created = int(now.timestamp())
        params = f'({names});created={created};keyid="{self.key_id}";nonce="{nonce}";alg="ed25519"'
        digest = content_digest(body)
        text = signature_base(_components(method, path, digest), params)
        return {
            "Content-Digest": digest,
            "Signature-Input": f"cgii={params}",
            "Signature": f"cgii=:{base64.b64encode(self.sign(text)).decode()}:",
        }


def key_id(public: bytes) -> str:
    """The name of a public key: half of its SHA-256, in hex."""
    return hashlib.sha256(public).hexdigest()[:32]


def content_digest(body: bytes) -> str:
    """The value of `Content-Digest` for a body as it is sent (RFC 9530)."""
    return f"sha-256=:{base64.b64encode(hashlib.sha256(body).digest()).decode()}:"


def signature_base(components: Sequence[tuple[str, str]], params: str) -> bytes:
    """The text that is signed (RFC 9421, 2.5)."""
    lines = [f'"{name}": {value}' for name, value in components]
    return "\n".join([*lines, f'"@signature-params": {params}']).encode()


def read_signed(headers: Mapping[str, str]) -> Signed | None:
    """What the headers say, or None if they are not of the one form. Names in lower case."""
    said = _INPUT.fullmatch(headers.get("signature-input", ""))
    signature = _SIGNATURE.fullmatch(headers.get("signature", ""))
    if said is None or signature is None:
        return None
    try:
        data = base64.b64decode(signature[1], validate=True)
    except binascii.Error:
        return None
    return Signed(said[2], int(said[1]), said[3], data, said[0].removeprefix("cgii="))


def is_genuine(signed: Signed, public: bytes, *, method: str, path: str, body: bytes) -> bool:
    """Whether the owner of the key signed exactly this method, path and body."""
    digest = content_digest(body)
    text = signature_base(_components(method, path, digest), signed.params)
    return verify(public, signed.signature, text)


def verify(public: bytes, signature: bytes, text: bytes) -> bool:
    """Whether the owner of the key signed the text; a key of another length signed nothing."""
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, text)
    except (InvalidSignature, ValueError):
        return False
    return True


def nonce_of(headers: Mapping[str, str]) -> str:
    """The nonce of a request as it goes or comes; empty if it is not signed."""
    signed = read_signed({name.lower(): value for name, value in headers.items()})
    return "" if signed is None else signed.nonce


def told_time(now: datetime, nonce: str) -> str:
    """The value of TIME_HEADER in the answer to the request with this nonce, or with none."""
    return f'{int(now.timestamp())};nonce="{nonce}"' if nonce else f"{int(now.timestamp())}"


def read_told_time(text: str, nonce: str) -> datetime | None:
    """The centre's time; None unless it was told for the request with this nonce, or with none.

    Proxies, caches and other servers do not say this; the `Date` of an answer may be theirs.
    """
    told = _TIME.fullmatch(text)
    if told is None or (told[2] or "") != nonce:
        return None
    return datetime.fromtimestamp(int(told[1]), UTC)


def _components(method: str, path: str, digest: str) -> list[tuple[str, str]]:
    return list(zip(COVERED, (method, path, digest), strict=True))
