"""`cgii serve`: the web and the API."""

import resource

import uvicorn

from cgii import centre as centres
from cgii.base import limits, logs
from cgii.base.settings import load
from cgii.cli.connections import Connection
from cgii.cli.supervise import die_with_parent
from cgii.web.app import create_app

GRACE_SECONDS = 5  # requests under way may end; everything else is sent again
FILES_MAX = 4 * limits.CONNECTIONS_MAX  # systemd allows 1,024, which our connections alone take


def serve() -> None:
    """La web y la API; puede haber varios procesos detrás de un balanceador."""
    die_with_parent()
    settings = load()
    logs.configure(level=settings.log_level)
    centre = centres.build(settings)
    _allow_open_files()
    uvicorn.run(
        create_app(centre),
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
        http=Connection,
        timeout_keep_alive=30,
    )
    centre.close()


def _allow_open_files() -> None:
    """Take what the system lets us have, so that connections leave room for our own files."""
    allowed, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES_MAX if most == resource.RLIM_INFINITY else min(FILES_MAX, most)
    if resource.RLIM_INFINITY != allowed < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))
