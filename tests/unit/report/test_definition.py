"""A report's folder is read strictly, and its faults are said with file and line."""

from pathlib import Path

import pytest

from cgii.base.errors import ContentError
from cgii.report.definition import check_reports, load_reports

GOOD = """\
id: mine
title: El mío
about: Para probar.
subject: period
tlp: CLEAR
formats: [html]
panels:
- {id: one, metric: times, chart: table}
"""


def _site(tmp_path: Path, text: str = GOOD, template: str = "<p>{{ title }}</p>") -> Path:
    folder = tmp_path / "reports" / "mine"
    folder.mkdir(parents=True)
    (folder / "report.yml").write_text(text)
    if template:
        (folder / "report.html.j2").write_text(template)
    return tmp_path


def _fault(site: Path) -> ContentError:
    errors = check_reports(site)
    assert len(errors) == 1
    return errors[0]


def test_a_site_adds_a_report_of_its_own(tmp_path: Path) -> None:
    reports, errors = load_reports(_site(tmp_path))
    assert errors == []
    assert reports["mine"].panels[0].metric == "times"
    assert "monthly" in reports


@pytest.mark.parametrize(
    ("old", "new", "line", "word"),
    [
        ("metric: times", "metric: happiness", 8, "happiness"),
        ("subject: period", "subject: everything", 4, "subject"),
        ("tlp: CLEAR", "tlp: WHITE", 5, "tlp"),
        ("formats: [html]", "formats: [docx]", 6, "formats"),
        ("id: mine", "id: other", 1, "carpeta"),
        ("about:", "abuot:", 3, "abuot"),
        ("subject: period", "subject: incident", 7, "panels"),
    ],
)
def test_a_fault_is_said_with_its_line(
    tmp_path: Path, old: str, new: str, line: int, word: str
) -> None:
    fault = _fault(_site(tmp_path, GOOD.replace(old, new, 1)))
    assert (fault.line, word in fault.reason) == (line, True)


def test_a_template_that_does_not_parse_is_said_with_its_line(tmp_path: Path) -> None:
    fault = _fault(_site(tmp_path, template="<p>\n{% if %}\n"))
    assert fault.line == 2
    assert fault.path.endswith("report.html.j2")


def test_a_missing_template_is_said(tmp_path: Path) -> None:
    assert "report.html.j2" in _fault(_site(tmp_path, template="")).reason
