"""Every text in the templates can be translated, and nothing in them offends the content policy."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from cgii.web.environment import HERE, build_environment

TEMPLATES = sorted((HERE / "templates").rglob("*.html"))
SPOKEN = {"title", "aria-label", "placeholder", "alt", "data-confirm", "value"}
LETTERS = re.compile(r"[A-Za-zÁÉÍÓÚÑáéíóúñ¿¡]{2,}")
ATTRIBUTE = re.compile(r'[a-z-]+="[^"]*"')
# Names, signs and units that are the same in every language.
UNTRANSLATED = {"CGII", "CGII_", "UTC", "SHA", "TLP", "kB", "Esc", "Enter", "Excel", "CSV"} | {
    "sha",
    "sum",
    "json",
    "ISO",
    "IEC",
}


class Texts(HTMLParser):
    """Collects what a reader would see of a template without its expressions."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._silent = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._silent += tag in ("script", "style", "kbd", "code", "svg")
        kind = dict(attrs).get("type")
        for name, value in attrs:
            if name == "value" and (tag != "input" or kind != "submit"):
                continue
            if name in SPOKEN and value:
                self._look(value)

    def handle_endtag(self, tag: str) -> None:
        self._silent -= tag in ("script", "style", "kbd", "code", "svg")

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self._look(data)

    def _look(self, text: str) -> None:
        text = ATTRIBUTE.sub("", text)  # a macro that writes an attribute
        for word in LETTERS.findall(text):
            if word not in UNTRANSLATED:
                self.found.append(text.strip())
                return


def without_expressions(source: str) -> str:
    """The template with comments, statements, expressions and translated blocks taken out."""
    source = re.sub(r"\{#.*?#\}", "", source, flags=re.DOTALL)
    source = re.sub(r"\{%-? *trans.*?endtrans *-?%\}", "", source, flags=re.DOTALL)
    source = re.sub(r"\{%.*?%\}", "", source, flags=re.DOTALL)
    return re.sub(r"\{\{.*?\}\}", "0", source, flags=re.DOTALL)


def name(path: Path) -> str:
    """`entities/list.html`, as the test's name."""
    return path.relative_to(HERE / "templates").as_posix()


@pytest.mark.parametrize("path", TEMPLATES, ids=name)
def test_every_text_can_be_translated(path: Path) -> None:
    parser = Texts()
    parser.feed(without_expressions(path.read_text(encoding="utf-8")))
    assert parser.found == []


def test_a_bare_text_is_found() -> None:
    parser = Texts()
    parser.feed(without_expressions('<p title="Cerrar">{{ _("Bien") }} Guardado</p>'))
    assert parser.found == ["Cerrar", "0 Guardado"]


@pytest.mark.parametrize("path", TEMPLATES, ids=name)
def test_no_template_has_what_the_content_policy_refuses(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    written = without_expressions(source)
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=|javascript:|hx-on|hx-vals='js", written)
    for script in re.findall(r"<script\b[^>]*>", source):
        assert "src=" in script or 'type="application/json"' in script
    assert not re.search(r"""(?:src|href)=["'](?:https?:)?//""", source)


@pytest.mark.parametrize("path", TEMPLATES, ids=name)
def test_no_template_turns_escaping_off(path: Path) -> None:
    assert not re.search(r"\|\s*safe\b|autoescape", path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", TEMPLATES, ids=name)
def test_a_template_can_be_read(path: Path) -> None:
    build_environment().get_template(name(path))


@pytest.mark.parametrize("path", TEMPLATES, ids=name)
def test_a_form_that_posts_carries_the_sessions_token(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    for form in re.findall(r'<form\b[^>]*method="post".*?</form>', source, flags=re.DOTALL):
        if 'action="/entrar' not in form and 'action="/salir"' not in form:
            assert "csrf" in form, form[:120]


@pytest.mark.parametrize("path", TEMPLATES, ids=name)
def test_a_percent_sign_in_a_text_is_doubled(path: Path) -> None:
    # Texts are filled in with `%`, so a lone sign breaks the page when it is shown.
    for text in re.findall(r'_\("((?:[^"\\]|\\.)*)"', path.read_text(encoding="utf-8")):
        assert re.sub(r"%%|%\([a-z_]+\)s", "", text).count("%") == 0, text
