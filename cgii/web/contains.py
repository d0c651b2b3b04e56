"""Searching in texts as people type: without regard to case or accents, on both databases."""

from typing import Any

from sqlalchemy import ColumnElement, func

ACCENTED = "ÁÀÂÄÃÉÈÊËÍÌÎÏÓÒÔÖÕÚÙÛÜÑÇáàâäãéèêëíìîïóòôöõúùûüñç"
PLAIN = "aaaaaeeeeiiiiooooouuuuncaaaaaeeeeiiiiooooouuuunc"
_FOLD = str.maketrans(ACCENTED, PLAIN)


def contains(column: Any, words: str) -> ColumnElement[bool]:  # a column of text
    """Whether the text has these words: "educacion" finds "Ministerio de Educación".

    SQLite's own `lower` knows ASCII only, so the accented letters are folded by `translate`,
    which PostgreSQL has and `store/database.py` gives to SQLite.
    """
    folded = words.translate(_FOLD).lower()
    plain: ColumnElement[bool] = func.translate(func.lower(column), ACCENTED, PLAIN).contains(
        folded, autoescape=True
    )
    return plain
