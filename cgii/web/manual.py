"""The manual: pages in cgii/help/*.md, made into safe HTML with a table of contents."""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import nh3

from cgii.base.content import PACKAGE
from cgii.base.errors import NotFound

FOLDER = PACKAGE / "help"
TAGS = {
    *("h1", "h2", "h3", "h4", "p", "ul", "ol", "li", "strong", "em", "code", "pre", "blockquote"),
    *("a", "table", "thead", "tbody", "tr", "th", "td", "hr", "br"),
}
ATTRIBUTES = {"a": {"href"}, "h2": {"id"}, "h3": {"id"}, "th": {"scope"}}
SCHEMES = {"http", "https", "mailto"}
NAMED_BLOCK = re.compile(r"^```(\w+) (\S+)$", re.MULTILINE)  # ```yaml rules/sigma/x.yml


@dataclass(frozen=True)
class Heading:
    """A heading of a page, with its anchor."""

    anchor: str
    text: str
    level: int


@dataclass(frozen=True)
class ManualPage:
    """One page as HTML that may be shown as it is."""

    name: str
    title: str
    html: str
    text: str
    headings: tuple[Heading, ...]


def pages() -> list[ManualPage]:
    """All pages in the order of their file names (`01-empezar.md`, …)."""
    return [_page(path) for path in sorted(FOLDER.rglob("*.md"))]


def page(name: str) -> ManualPage:
    """The page of this name. Raises NotFound."""
    for candidate in pages():
        if candidate.name == name:
            return candidate
    raise NotFound("El manual no tiene esa página.")


def search(words: str) -> Iterator[tuple[ManualPage, str]]:
    """Pages with all these words, each with the place where the first one stands."""
    wanted = _plain(words).split()
    for candidate in pages():
        plain = _plain(candidate.text)
        if wanted and all(word in plain for word in wanted):
            place = max(0, plain.find(wanted[0]) - 80)
            yield candidate, candidate.text[place : place + 240].strip()


@cache
def _page(path: Path) -> ManualPage:
    # Here and not above: most processes never show a page.
    from markdown_it import MarkdownIt

    source = path.read_text(encoding="utf-8")
    markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
    headings: list[Heading] = []
    # An example that is a file is shown with the name of the file.
    tokens = markdown.parse(NAMED_BLOCK.sub(r"`\2`\n\n```\1", source))
    title = path.stem
    if tokens and tokens[0].tag == "h1":  # the page's frame shows it
        title = tokens[1].content.replace("`", "")
        del tokens[:3]
    for place, token in enumerate(tokens):
        if token.type == "heading_open":
            text = tokens[place + 1].content
            anchor = re.sub(r"[^a-z0-9]+", "-", _plain(text)).strip("-")
            token.attrSet("id", anchor)
            headings.append(Heading(anchor, text.replace("`", ""), int(token.tag[1])))
    raw = markdown.renderer.render(tokens, markdown.options, {})
    html = nh3.clean(
        raw,
        tags=TAGS,
        attributes=ATTRIBUTES,
        url_schemes={"http", "https", "mailto"},
        link_rel=None,
    )
    name = re.sub(r"^\d+-", "", path.relative_to(FOLDER).with_suffix("").as_posix())
    return ManualPage(name, title, html, source, tuple(headings))


def _plain(text: str) -> str:
    """Lower case without accents, so that `contrasena` finds `Contraseña`; same length."""
    folded = (unicodedata.normalize("NFD", letter)[0] for letter in text)
    return "".join(folded).lower()
