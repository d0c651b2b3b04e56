"""A correlation's page says what it could not take into account."""

import re
from html import unescape
from pathlib import Path

from cgii.model.alerts import CorrelationLoss
from cgii.model.people import Role
from tests.make import NOW, make_user
from tests.make_web import make_centre, make_pages


def test_what_a_correlation_lost_stands_on_its_page(tmp_path: Path) -> None:
    centre = make_centre(tmp_path)
    rule, other = centre.content.rules.correlations[:2]
    with centre.database.transaction() as session:
        user = make_user(session, Role.ANALYST)
        session.add(
            CorrelationLoss(
                rule_id=rule.id, late_count=3, evicted_count=1, missing_count=0, last_at=NOW
            )
        )
    browser = make_pages(centre).visit(user)
    text, quiet = (
        " ".join(unescape(re.sub(r"<[^>]+>", " ", browser.get(f"/reglas/{one.id}").text)).split())
        for one in (rule, other)
    )
    assert "3 eventos tardíos" in text
    assert "1 descartado por un límite" in text
    assert "sin clave" not in text
    assert "No tomó en cuenta" not in quiet
    centre.close()
