"""What Python loads at first use only, loaded before a child may open nothing any more.

Apart from `confine`: only those that read mail or text of any encoding need it, and it takes time.
"""

import codecs
import email
import email.policy
import encodings
import pkgutil
from email.message import EmailMessage

SAMPLE_MAIL = (
    b"Subject: x\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n--b\n"
    b'Content-Disposition: attachment; filename="=?utf-8?q?x?="\n'
    b"Content-Transfer-Encoding: base64\n\nQQ==\n--b\nContent-Type: message/rfc822\n\n"
    b"Subject: y\nContent-Transfer-Encoding: quoted-printable\n\n=41\n--b--\n"
)


def load_late_parts() -> None:
    """Load what the readers of mail and text load at first use only: later nothing can be."""
    # Each by its own name: not all have another, and mail asks for some of those.
    for codec in pkgutil.iter_modules(encodings.__path__):
        try:
            codecs.lookup(codec.name)
        except LookupError:
            continue  # one that this system does not have, or none at all
    message = email.message_from_bytes(SAMPLE_MAIL, EmailMessage, policy=email.policy.default)
    for part in message.walk():
        part.get_filename()
        part.get_payload(decode=True)
