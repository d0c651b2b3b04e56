"""`cgii serve`: the web and the API."""

import uvicorn

from cgii import centre as centres
from cgii.base import limits, logs
from cgii.base.settings import load
from cgii.cli.supervise import die_with_parent
from cgii.web.app import create_app

GRACE_SECONDS = 5  # requests under way may end; everything else is sent again


def serve() -> None:
    """La web y la API; puede haber varios procesos detrás de un balanceador."""
    die_with_parent()
    settings = load()
    logs.configure(level=settings.log_level)
    centre = centres.build(settings)
    uvicorn.run(
        create_app(centre),
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
        limit_concurrency=limits.CONNECTIONS_MAX,
        timeout_keep_alive=30,
    )
    centre.close()
