"""Every shipped report can be used: its file is sound and its template parses."""

from cgii.report.definition import check_reports, load_reports


def test_no_shipped_report_has_a_fault() -> None:
    assert check_reports() == []
    assert {"monthly", "incident", "receipt"} <= set(load_reports()[0])


def test_no_report_reaches_outside_itself() -> None:
    for report in load_reports()[0].values():
        for forbidden in ("http:", "https:", "url(", "@import", "<script", "<img", "|safe"):
            assert forbidden not in report.template + report.style, report.id


def test_every_report_says_its_tlp_and_language() -> None:
    for report in load_reports()[0].values():
        assert "TLP:{{ tlp }}" in report.template
        assert '<html lang="es">' in report.template
