"""A centre with its pages, and browsers that are already signed in."""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from starlette.testclient import TestClient

from cgii.base.ids import hash_token, token
from cgii.base.settings import load
from cgii.centre import Centre
from cgii.model.people import User, WebSession
from cgii.model.registry import Table
from cgii.web.app import create_app

HOST = "http://127.0.0.1:8000"


def make_centre(folder: Path, **given: Any) -> Centre:
    """A centre on an empty record, made without the migrations because that is quicker."""
    centre = Centre(load(data=folder, **given))
    Table.metadata.create_all(centre.database.engine)
    return centre


@dataclass(frozen=True)
class Pages:
    """The pages of a centre, to be visited by anybody."""

    centre: Centre
    client: TestClient

    def visit(self, user: User | None = None) -> TestClient:
        """A browser; with `user`, one that is signed in and sends the session's token."""
        browser = TestClient(
            self.client.app, base_url=HOST, raise_server_exceptions=False, follow_redirects=False
        )
        if user is not None:
            self.sign_in(browser, user)
        return browser

    def sign_in(self, browser: TestClient, user: User) -> WebSession:
        """Put a fresh session of this person into the browser."""
        secret, now = token(), self.centre.clock()
        row = WebSession(
            token_hash=hash_token(secret),
            user_id=user.id,
            csrf_token=token(),
            is_second_factor_done=True,
            created_at=now,
            seen_at=now,
            expires_at=now + timedelta(hours=1),
        )
        with self.centre.database.transaction() as session:
            session.add(row)
        browser.cookies.set("cgii", secret)
        browser.headers["X-CSRF-Token"] = row.csrf_token
        return row


def make_pages(centre: Centre) -> Pages:
    """The application of a centre, without a server."""
    app = create_app(centre)
    return Pages(centre, TestClient(app, base_url=HOST, raise_server_exceptions=False))
