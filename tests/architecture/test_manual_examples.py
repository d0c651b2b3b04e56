"""What the manual and the READMEs show is true: examples are run, commands and links exist."""

import ast
import re
import shlex
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

import pytest
import typer

from cgii.base.content import KINDS
from cgii.base.errors import Invalid
from cgii.cli.app import build, main
from cgii.cli.check import check_all
from cgii.store.query import parse
from cgii.web import manual
from cgii.web.access import RIGHTS, guarded_routes
from cgii.web.app import ROUTERS
from tests.architecture.source import PACKAGE, ROOT, modules

HELP = PACKAGE / "help"
SAMPLES = ROOT / "tests" / "samples" / "manual"
PAGES = sorted(HELP.glob("*.md"))
READMES = [ROOT / "README.md", *(ROOT / kind / "README.md" for kind in KINDS)]
DOCUMENTS = [pytest.param(path, id=str(path.relative_to(ROOT))) for path in (*PAGES, *READMES)]

FENCE = re.compile(r"^ *```(\w*) ?(\S*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]+\]\(([^)\s]+)\)")
CODE = re.compile(r"`([^`\n]+)`")
# What needs no server, no network and no end; the others are only looked up.
RUN = frozenset(
    {"scan", "rules", "check", "explain", "migrate", "verify-audit", "doctor", "user"}
    | {"entity", "sensor", "tuning"}
)
NOT_PAGES = {"/metrics", "/healthz", "/readyz"}


@dataclass(frozen=True)
class Shown:
    """A command as a page shows it, and the lines that should come of it."""

    words: list[str]
    lines: list[str]


def _blocks(path: Path) -> Iterator[tuple[str, str, str]]:
    """(language, file name or nothing, text) of every fenced block."""
    for found in FENCE.finditer(path.read_text(encoding="utf-8")):
        yield found[1], found[2], dedent(found[3])


def _consoles(path: Path) -> Iterator[Shown]:
    for language, _, text in _blocks(path):
        if language != "console":
            continue
        for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
            command, _, rest = part.partition("\n")
            words = shlex.split(command, comments=True)
            if words[:1] == ["cgii"] and words[1] in RUN:
                yield Shown(words[1:], rest.splitlines())


def _site(path: Path, folder: Path) -> Path | None:
    """A site folder with the files that a page names, if it names any."""
    files = [(name, text) for _, name, text in _blocks(path) if name.split("/")[0] in KINDS]
    for name, text in files:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder if files else None


@pytest.mark.parametrize("path", DOCUMENTS)
def test_content_shown_as_an_example_is_valid(path: Path, tmp_path: Path) -> None:
    site = _site(path, tmp_path)

    assert [str(one) for one in (check_all(site) if site else ())] == []


@pytest.mark.parametrize("path", DOCUMENTS)
def test_a_shown_command_answers_as_shown(
    path: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(SAMPLES)
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("CGII_DATA", str(tmp_path / "data"))
    site = _site(path, tmp_path / "site")
    if site:
        monkeypatch.setenv("CGII_SITE", str(site))
    for shown in _consoles(path):
        monkeypatch.setattr(sys, "argv", ["cgii", *shown.words])
        with pytest.raises(SystemExit):
            main()
        told = "".join(capfd.readouterr())
        pattern = r"\s+".join(_like(line) for line in shown.lines if line.strip())
        assert re.search(pattern, told.replace(str(site), "$CGII_SITE"), re.DOTALL), (shown, told)


def _like(line: str) -> str:
    """A regular expression for a line in which `…` stands for anything."""
    words = (re.escape(part) for part in line.split("…"))
    return ".*?".join(re.sub(r"(?:\\ )+", r"\\s+", word) for word in words)


@pytest.mark.parametrize("path", DOCUMENTS)
def test_a_command_is_written_with_options_that_it_has(path: Path) -> None:
    wrong = []
    for words in _commands(path):
        command = _root()
        for place, word in enumerate(words):
            known = getattr(command, "commands", None)
            if known is None or word.startswith("-"):
                break
            if word not in known:
                wrong.append(" ".join(words[: place + 1]))
                break
            command = known[word]
        options = {option for one in command.params for option in (*one.opts, *one.secondary_opts)}
        asked = {word.partition("=")[0] for word in words if word.startswith("--")}
        wrong += [f"{' '.join(words)}: {option}" for option in asked - options - {"--help"}]

    assert wrong == []


def _commands(path: Path) -> Iterator[list[str]]:
    """Every `cgii …` in code, cut into words."""
    for language, _, text in _blocks(path):
        if language in ("console", "sh", ""):
            for line in text.splitlines():
                if found := re.search(r"(?:^|\$ |bin/|[A-Z]=\S+ )cgii ([a-z-].*)", line):
                    yield re.split(r"\s+", re.split(r" [#|>]|\\$", found[1])[0].strip())
    prose = FENCE.sub("", path.read_text(encoding="utf-8"))
    for span in CODE.findall(prose):
        if found := re.match(r"cgii ([a-z-].*)", span):
            yield found[1].split()


def _root() -> typer.core.TyperGroup:
    command = typer.main.get_command(build(None))
    assert isinstance(command, typer.core.TyperGroup)
    return command


@pytest.mark.parametrize("path", DOCUMENTS)
def test_every_link_leads_somewhere(path: Path) -> None:
    text = FENCE.sub("", path.read_text(encoding="utf-8"))
    broken = [link for link in LINK.findall(text) if not _exists(link, path)]

    assert broken == []


def _exists(link: str, path: Path) -> bool:
    address, _, anchor = link.partition("#")
    if "://" in address or address.startswith("mailto:"):
        return True
    if address.startswith("/ayuda/"):
        found = {page.name: page for page in manual.pages()}.get(address.removeprefix("/ayuda/"))
        return found is not None and (
            not anchor or anchor in {heading.anchor for heading in found.headings}
        )
    if address.startswith("/"):
        return any(
            guarded.route.path_regex.fullmatch(address) for guarded in guarded_routes(ROUTERS)
        )
    if path.parent == HELP:
        return False  # it would work on disk and not in the browser
    return not address or (path.parent / address).exists()


@pytest.mark.parametrize("path", DOCUMENTS)
def test_an_address_of_the_centre_that_is_named_is_served(path: Path) -> None:
    named = {
        span
        for span in CODE.findall(FENCE.sub("", path.read_text(encoding="utf-8")))
        if re.fullmatch(r"/[a-z][a-z0-9/-]*", span) and not (ROOT / span[1:]).exists()
    }
    served = [guarded.route.path_regex for guarded in guarded_routes(ROUTERS)]
    missing = [
        one for one in named - NOT_PAGES if not any(regex.fullmatch(one) for regex in served)
    ]

    assert missing == []


def test_the_table_of_rights_is_the_one_in_force() -> None:
    head, *rows = _table(_page("seguridad"), "| Derecho |")
    table = {
        first.strip().split("`")[1]: {
            role.strip(" `") for role, cell in zip(head[1:], cells, strict=True) if cell.strip()
        }
        for first, *cells in rows
    }

    assert table == {right: {role.value for role in who} for right, who in RIGHTS.items()}


def test_a_shown_search_is_understood() -> None:
    shown = [row[0].strip(" `") for row in _table(_page("busqueda"), "| Escriba | Encuentra |")[1:]]
    (whole,) = [text for language, _, text in _blocks(_page("busqueda")) if not language]

    for text in (*shown, whole):
        assert parse(text) is not None, text


def test_a_search_that_is_shown_as_refused_is_refused() -> None:
    table = _table(_page("busqueda"), "| No se admite |")
    refused = [span for row in table[1:] for span in CODE.findall(row[0])]

    assert refused
    for text in refused:
        with pytest.raises(Invalid):
            parse(text)


def test_a_sentence_that_is_explained_is_one_that_the_program_says() -> None:
    said = [
        re.sub(r"\{[^{}]*\}", "", node.value)
        for module in modules()
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]
    first = [
        row.split("|")[1].strip()
        for row in _page("preguntas-y-fallas").read_text(encoding="utf-8").splitlines()
        if row.startswith("| «")
    ]
    pieces = [
        piece.strip(" ,«».")
        for cell in first
        for sentence in re.split(r"», «", cell)
        for piece in sentence.strip("«»").split("…")
    ]
    unknown = [one for one in pieces if len(one) > 6 and not any(one in text for text in said)]

    assert unknown == []


def _page(name: str) -> Path:
    return next(path for path in PAGES if path.stem.split("-", 1)[1] == name)


def _table(path: Path, beginning: str) -> list[list[str]]:
    """The cells of the table whose head begins so, without the line of dashes."""
    text = path.read_text(encoding="utf-8")
    found = text[text.index(beginning) :].split("\n\n")[0].splitlines()
    return [line.strip().strip("|").split("|") for line in found if not line.startswith("|--")]


def test_a_page_of_the_manual_is_short() -> None:
    long = {
        path.name: lines for path in PAGES if (lines := len(path.read_text().splitlines())) > 200
    }

    assert long == {}


def test_the_samples_of_the_manual_are_used() -> None:
    text = "".join(path.read_text() for path in (*PAGES, *READMES))

    assert [path.name for path in SAMPLES.iterdir() if path.name not in text] == []
