"""What is typed and not sent is kept; what is sent leaves nothing behind that would come back."""

from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from tests.make import make_incident
from tests.make_desk import enter, number_apart
from tests.make_web import Pages, make_centre, make_pages

TYPED = {"values": '{"text": "Llamé a la entidad"}'}


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pages]:
    centre = make_centre(tmp_path_factory.mktemp("drafts"))
    number_apart(centre)
    yield make_pages(centre)
    centre.close()


@pytest.fixture
def code(pages: Pages) -> str:
    with pages.centre.database.transaction() as session:
        return make_incident(session, received_at=pages.centre.clock()).code


def kept(browser: TestClient, draft: str) -> object:
    return browser.get(f"/borradores/{draft}").json()["values"]


def test_a_form_that_was_taken_leaves_no_draft(pages: Pages, code: str) -> None:
    browser, draft = enter(pages)[0], f"incident:{code}:comment"
    other = f"incident:{code}:close"
    browser.post(f"/borradores/{draft}", data=TYPED)
    browser.post(f"/borradores/{other}", data=TYPED)

    sent = {"text": "Llamé a la entidad", "draft": draft}
    assert browser.post(f"/incidentes/{code}/comentarios", data=sent).status_code == 303

    assert kept(browser, draft) == {}
    assert kept(browser, other) != {}


def test_a_form_that_was_refused_keeps_its_draft(pages: Pages, code: str) -> None:
    browser, draft = enter(pages)[0], f"incident:{code}:comment"
    browser.post(f"/borradores/{draft}", data=TYPED)

    sent = {"text": " ", "draft": draft}
    assert browser.post(f"/incidentes/{code}/comentarios", data=sent).status_code == 422

    assert kept(browser, draft) == {"text": "Llamé a la entidad"}


def test_the_draft_of_another_person_stays(pages: Pages, code: str) -> None:
    browser, other, draft = enter(pages)[0], enter(pages)[0], f"incident:{code}:comment"
    other.post(f"/borradores/{draft}", data=TYPED)

    sent = {"text": "Llamé a la entidad", "draft": draft}
    assert browser.post(f"/incidentes/{code}/comentarios", data=sent).status_code == 303

    assert kept(other, draft) != {}
