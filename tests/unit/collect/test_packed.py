"""What is wrong with a packed file is told in the language of who reads it."""

import gzip
import io
import zlib

import pytest

from cgii.collect.packed import packed_damage

WHOLE = gzip.compress(b"hola" * 1_000)
CHANGED = "su contenido cambió después de empaquetarlo, o no es de gzip"
SENTENCE = "el archivo empaquetado está dañado: "


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (WHOLE[:-10], "se corta antes de su final"),
        (WHOLE[:-8] + b"12345678", CHANGED),
        (WHOLE[:12] + b"xxxxxxxx" + WHOLE[20:], CHANGED),
        (WHOLE + b"basura", CHANGED),
    ],
)  # fmt: skip
def test_each_damage_has_its_sentence(data: bytes, why: str) -> None:
    with pytest.raises((EOFError, OSError, zlib.error)) as caught:
        gzip.GzipFile(fileobj=io.BytesIO(data)).read()

    assert packed_damage(caught.value) == SENTENCE + why
