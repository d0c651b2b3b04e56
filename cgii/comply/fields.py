"""Reads what people typed into plan forms: cleaned, bounded, with a sentence per field at fault."""

from collections.abc import Collection
from dataclasses import dataclass, field

from cgii.base import limits
from cgii.base.errors import InvalidForm


def clean(text: str) -> str:
    """Without surrounding blanks and without NUL, which PostgreSQL cannot store."""
    return text.replace("\x00", "").strip()


@dataclass
class Problems:
    """Collects field → sentence, the first problem of each field."""

    found: dict[str, str] = field(default_factory=dict)

    def add(self, name: str, sentence: str) -> None:
        """Note a problem of a field."""
        self.found.setdefault(name, sentence)

    def text(self, name: str, value: str, *, most: int = limits.TEXT_CHARS_MAX) -> str:
        """The cleaned text; one that is too long is a problem."""
        value = clean(value)
        if len(value) > most:
            self.add(name, f"Escriba como máximo {most} caracteres.")
        return value

    def required(self, name: str, value: str, *, most: int = limits.TEXT_CHARS_MAX) -> str:
        """The cleaned text; an empty one is a problem."""
        value = self.text(name, value, most=most)
        if not value:
            self.add(name, "Complete este campo.")
        return value

    def choice(self, name: str, value: str, allowed: Collection[str]) -> str:
        """One of the codes; anything else is a problem."""
        if value not in allowed:
            self.add(name, "Elija una opción de la lista.")
        return value

    def number(self, name: str, value: int, *, least: int, most: int) -> int:
        """A number between two bounds, both included."""
        if not least <= value <= most:
            self.add(name, f"Indique un número entre {least} y {most}.")
        return value

    def end(self) -> None:
        """Raise InvalidForm if anything was noted."""
        if self.found:
            raise InvalidForm(self.found)
