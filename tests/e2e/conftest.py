"""A real centre with a small country, a real Chromium, and people who are already signed in."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from cgii import centre as centres
from cgii.base.ids import hash_token, token
from cgii.base.settings import load
from cgii.centre import Centre
from cgii.model.people import User, WebSession
from tests.e2e.country import Country, settle
from tests.e2e.watching import PATIENCE_SECONDS, Visit, Watch
from tests.process import RunningCentre
from tests.servers import chromium

ARGUMENTS = ("--no-sandbox", "--disable-background-networking", "--disable-gpu")
HERE = Path(__file__).parent
expect.set_options(timeout=PATIENCE_SECONDS * 1000)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything here needs a browser."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """The one Chromium of all tests; each visit has a profile of its own.

    Not for the session: while Playwright lives, its event loop counts as running in this thread,
    and no other test could start one.
    """
    program = chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=program, args=list(ARGUMENTS), timeout=PATIENCE_SECONDS * 1000
        )
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def record(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Centre]:
    """The parts of the centre in this process, on the data that the real one serves."""
    centre = centres.build(load(data=tmp_path_factory.mktemp("browser") / "data"))
    yield centre
    centre.close()


@pytest.fixture(scope="session")
def country(record: Centre) -> Country:
    """Who and what is in the record."""
    return settle(record)


@pytest.fixture(scope="session")
def running(record: Centre, country: Country) -> Iterator[RunningCentre]:
    """`cgii run` on that data."""
    running = RunningCentre(record.settings.data)
    running.start().wait_for_syslog()
    yield running
    running.stop()


@pytest.fixture
def visit(
    browser: Browser, record: Centre, country: Country, running: RunningCentre
) -> Iterator[Visit]:
    """Open a browser as somebody: `visit("analyst", "/mesa", width=390)`; "" is nobody.

    At the end of the test no browser may have seen a fault.
    """
    watch = Watch(running.url)
    contexts: list[BrowserContext] = []

    def open_browser(name: str, path: str = "", *, width: int = 1440, theme: str = "light") -> Page:
        context = browser.new_context(
            base_url=running.url,
            viewport={"width": width, "height": 844 if width < 600 else 900},
            locale="es-BO",
            timezone_id="America/La_Paz",
            color_scheme="dark" if theme == "dark" else "light",
            reduced_motion="reduce",
        )
        context.set_default_timeout(PATIENCE_SECONDS * 1000)
        watch.over(context)
        contexts.append(context)
        if name:
            secret = _session(record, country.users[name])
            context.add_cookies([{"name": "cgii", "value": secret, "url": running.url}])
        page = context.new_page()
        if path:
            page.goto(path)
        return page

    yield open_browser
    for context in contexts:
        context.close()
    assert not watch.faults, "\n".join(dict.fromkeys(watch.faults))


def _session(centre: Centre, user_id: int) -> str:
    secret, now = token(), centre.clock()
    with centre.database.transaction() as session:
        user = session.get_one(User, user_id)
        session.add(
            WebSession(
                token_hash=hash_token(secret),
                user_id=user.id,
                csrf_token=token(),
                is_second_factor_done=True,
                created_at=now,
                seen_at=now,
                expires_at=now + timedelta(hours=1),
            )
        )
    return secret
