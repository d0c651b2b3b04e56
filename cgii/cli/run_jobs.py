"""What `cgii run` does itself: the background jobs, and the demonstration's sensors."""

from collections.abc import Iterator
from contextlib import contextmanager

import typer

from cgii import centre as centres
from cgii.base.settings import Settings
from cgii.demo.country import accounts_of, build_country
from cgii.demo.feed import Feed
from cgii.demo.people import DemoAccount
from cgii.demo.sensors import sensors_of
from cgii.web.passwords import hash_password
from cgii.worker import JobThread


@contextmanager
def working(settings: Settings, *, is_demo: bool) -> Iterator[None]:
    """Do it in threads until the end of the block. Raises Unavailable, as `centre.build` does."""
    centre = centres.build(settings)
    if is_demo:
        _print_accounts(accounts_of(centre) or build_country(centre, hash_password))
    jobs = JobThread(centre)
    jobs.start()
    feed = Feed(centre, sensors_of(centre) if is_demo else ())
    feed.start()
    try:
        yield
    finally:
        feed.ask_to_stop()
        jobs.stop()
        feed.stop()
        centre.close()


def _print_accounts(accounts: tuple[DemoAccount, ...]) -> None:
    for account in accounts:
        typer.echo(f"  {account.role:<16} {account.email:<44} {account.password}")
