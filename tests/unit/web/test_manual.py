"""The manual is Markdown made safe, with anchors, and can be searched."""

from pathlib import Path

import pytest

from cgii.web import manual


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(manual, "FOLDER", tmp_path)
    (tmp_path / "02-cuentas.md").write_text(
        "# Cuentas\n\nLa contraseña.\n\n## Segundo factor\n\n<script>alert(1)</script>\n\n"
        "[mal](javascript:alert(1)) [bien](https://example.bo)\n",
        encoding="utf-8",
    )
    (tmp_path / "01-empezar.md").write_text("# Empezar\n\nHola.\n", encoding="utf-8")
    return tmp_path


def test_pages_come_in_the_order_of_their_files(folder: Path) -> None:
    assert [(page.name, page.title) for page in manual.pages()] == [
        ("empezar", "Empezar"),
        ("cuentas", "Cuentas"),
    ]


def test_nothing_in_a_page_runs(folder: Path) -> None:
    html = manual.page("cuentas").html

    assert "<script" not in html
    assert 'href="javascript' not in html
    assert 'href="https://example.bo"' in html
    assert '<h2 id="segundo-factor">' in html


def test_words_are_found_without_accents(folder: Path) -> None:
    assert [page.name for page, _ in manual.search("CONTRASENA")] == ["cuentas"]
    assert list(manual.search("nada de esto")) == []


def test_marks_of_code_are_not_shown_in_the_contents(folder: Path) -> None:
    (folder / "03-ordenes.md").write_text("# Usar `cgii`\n\n## `cgii scan`\n", encoding="utf-8")
    page = manual.page("ordenes")

    assert (page.title, page.headings[0].text) == ("Usar cgii", "cgii scan")
    assert "<code>cgii scan</code>" in page.html
