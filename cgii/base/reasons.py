"""Why something outside does not do what it was asked, in Spanish: the system, a resolver, TLS."""

import errno
import socket
from collections.abc import Iterator

from cgii.base.errors import CgiiError

DEPTH_MAX = 8  # of errors that were raised because of others
SYSTEM = {
    errno.ENOENT: "no existe",
    errno.EACCES: "no hay permiso",
    errno.EPERM: "no está permitido",
    errno.EEXIST: "ya existe",
    errno.EISDIR: "es una carpeta",
    errno.ENOTDIR: "una parte de la ruta no es una carpeta",
    errno.ENOTEMPTY: "la carpeta no está vacía",
    errno.ENAMETOOLONG: "el nombre es demasiado largo",
    errno.ELOOP: "los enlaces simbólicos dan vueltas",
    errno.EBUSY: "está en uso",
    errno.ENODEV: "no existe ese dispositivo",
    errno.ENXIO: "no existe ese dispositivo",
    errno.EIO: "error de entrada y salida",
    errno.ENOSPC: "no queda espacio en el disco",
    errno.EDQUOT: "se agotó la cuota de disco",
    errno.EROFS: "el disco está en solo lectura",
    errno.EFBIG: "el archivo sería demasiado grande",
    errno.ESTALE: "la carpeta de red ya no lo tiene",
    errno.EMFILE: "este proceso tiene demasiados archivos abiertos",
    errno.ENFILE: "el sistema tiene demasiados archivos abiertos",
    errno.ENOMEM: "no alcanza la memoria",
    errno.EAGAIN: "ahora no hay recursos para ello",
    errno.ECONNREFUSED: "se rechazó la conexión",
    errno.ECONNRESET: "se cortó la conexión",
    errno.ECONNABORTED: "se cortó la conexión",
    errno.EPIPE: "se cortó la conexión",
    errno.ETIMEDOUT: "no hubo respuesta a tiempo",
    errno.EHOSTUNREACH: "no hay camino hasta esa máquina",
    errno.EHOSTDOWN: "esa máquina está apagada",
    errno.ENETUNREACH: "no hay camino hasta esa red",
    errno.ENETDOWN: "la red está desconectada",
    errno.EADDRINUSE: "ya está en uso",
    errno.EADDRNOTAVAIL: "esa dirección no es de esta máquina",
    errno.EAFNOSUPPORT: "esta máquina no usa esa clase de direcciones",
}
# Their numbers are negative on Linux, and those above are not.
RESOLVER = {
    socket.EAI_NONAME: "ese nombre no existe",
    socket.EAI_NODATA: "ese nombre no tiene dirección",
    socket.EAI_AGAIN: "el servidor de nombres (DNS) no responde",
    socket.EAI_FAIL: "el servidor de nombres (DNS) falló",
}
# X509_V_ERR_… of OpenSSL, as `verify_code`.
CERTIFICATE = {
    2: "no se confía en quien firmó su certificado",
    9: "su certificado todavía no vale",
    10: "su certificado venció",
    18: "su certificado está firmado por sí mismo",
    19: "no se confía en quien firmó su certificado",
    20: "no se confía en quien firmó su certificado",
    21: "no se confía en quien firmó su certificado",
    23: "su certificado fue revocado",
    62: "su certificado es de otro nombre",
    64: "su certificado es de otra dirección",
}
# Reasons of OpenSSL, as `reason`.
TLS = {
    "WRONG_VERSION_NUMBER": "no habla TLS",
    "RECORD_LAYER_FAILURE": "no habla TLS",
    "HTTP_REQUEST": "no habla TLS",
    "UNSUPPORTED_PROTOCOL": "no hay una versión de TLS en común",
    "TLSV1_ALERT_PROTOCOL_VERSION": "no hay una versión de TLS en común",
    "NO_SHARED_CIPHER": "no hay un cifrado en común",
    "SSLV3_ALERT_HANDSHAKE_FAILURE": "rechazó la negociación de TLS",
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": "pide un certificado",
    "TLSV1_ALERT_UNKNOWN_CA": "no confía en quien firmó nuestro certificado",
    "UNEXPECTED_EOF_WHILE_READING": "se cortó la conexión",
    "KEY_VALUES_MISMATCH": "la clave no es la de ese certificado",
    "NO_CERTIFICATE_OR_CRL_FOUND": "no trae un certificado en PEM",
    "EE_KEY_TOO_SMALL": "la clave es demasiado corta",
}
# How what libraries say begins, where there is no number.
SAID = {
    "[SSL] PEM lib": "no es PEM",
    "EOF occurred in violation of protocol": "se cortó la conexión",
    "Compressed file ended": "termina antes de tiempo",
    "Not a gzipped file": "no es gzip",
    "CRC check failed": "su suma de control no coincide",
    "Incorrect length of data": "su largo no coincide",
    "Error -3 while decompressing": "sus datos comprimidos no son válidos",
    "Server disconnected without": "cortó la conexión sin responder",
    "Connection unexpectedly closed": "cortó la conexión",
    # With a token or a password that stands there: never in the words of the library.
    "Illegal header value": "lo que se envía en una cabecera tiene signos que HTTP no admite",
    "'ascii' codec can't encode": "lo que se envía tiene signos que no son ASCII",
    "encoding with 'idna' codec failed": "no es un nombre de máquina",
}


def why(error: BaseException) -> str:
    """The reason in Spanish, if it is a well-known one; else the words it came with, on one line.

    Wrapped errors are followed to the one that explains them. No path: the sentence has it.
    """
    for one in _causes(error):
        if isinstance(one, CgiiError):
            return str(one)
        if told := _known(one):
            return told
        if isinstance(one, OSError) and one.errno:
            break  # what is behind it explains something else
    words = error.strerror if isinstance(error, OSError) and error.strerror else _words(error)
    return words or type(error).__name__


def why_not_unpacked(error: Exception) -> str:
    """The sentence for a packed file that is damaged on its way."""
    return f"el archivo empaquetado está dañado: {why(error)}"


def _causes(error: BaseException) -> Iterator[BaseException]:
    # Libraries raise `from None`, and what they hide is what explains it.
    cause: BaseException | None = error
    for _ in range(DEPTH_MAX):
        if cause is None:
            return
        yield cause
        cause = cause.__cause__ or cause.__context__


def _known(error: BaseException) -> str:
    if hasattr(error, "verify_code"):
        return CERTIFICATE.get(error.verify_code, "")
    if _is_of_tls(error):
        told = TLS.get(getattr(error, "reason", None) or "")
    elif isinstance(error, OSError) and error.errno:
        told = (SYSTEM | RESOLVER).get(error.errno)
    elif isinstance(error, TimeoutError):
        told = SYSTEM[errno.ETIMEDOUT]
    elif isinstance(error, UnicodeDecodeError):
        told = "no es un texto en UTF-8"
    else:
        told = None
    words = _words(error)
    return told or next((SAID[head] for head in SAID if words.startswith(head)), "")


def _is_of_tls(error: BaseException) -> bool:
    # Not by its class: who reads files in a small child need not load TLS. Its `errno` has codes
    # of its own, which mean other things.
    return type(error).__module__ == "ssl"


def _words(error: BaseException) -> str:
    said = error.args[0] if error.args else ""
    text = said.decode(errors="replace") if isinstance(said, bytes) else str(error)  # of a server
    return " ".join(text.split())
