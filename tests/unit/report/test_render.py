"""A template sees only what it is given, cannot act, and nothing in the data becomes markup."""

import pytest
from jinja2 import UndefinedError
from jinja2.exceptions import SecurityError

from cgii.report.render import render


def test_text_from_people_is_escaped() -> None:
    made = render("<p>{{ name }}</p>", {"name": "<script>alert(1)</script>"})
    assert made == "<p>&lt;script&gt;alert(1)&lt;/script&gt;</p>"


def test_what_is_missing_is_an_error_not_a_blank() -> None:
    with pytest.raises(UndefinedError):
        render("{{ nothing }}", {})


@pytest.mark.parametrize(
    "template",
    [
        "{{ ''.__class__.__mro__ }}",
        "{{ items.append(1) }}",
        "{{ items.__init__.__globals__ }}",
        "{{ '%s'.__format__ }}",
    ],
)
def test_a_template_cannot_climb_out_or_change_its_data(template: str) -> None:
    with pytest.raises((SecurityError, UndefinedError)):
        render(template, {"items": [1]})


@pytest.mark.parametrize("name", ["range", "cycler", "namespace", "lipsum", "dict"])
def test_no_globals_are_left(name: str) -> None:
    with pytest.raises(UndefinedError):
        render("{{ " + name + "(9) }}", {})


def test_a_template_cannot_read_another_file() -> None:
    with pytest.raises((TypeError, UndefinedError)):
        render("{% include '/etc/passwd' %}", {})
