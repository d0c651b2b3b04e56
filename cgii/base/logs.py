"""Structured logs: JSON lines for machines, coloured text on a terminal; secrets never pass."""

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

SECRET = re.compile(r"password|secret|token|authorization|cookie|totp|csrf", re.IGNORECASE)


def configure(*, level: str = "INFO", json_lines: bool | None = None) -> None:
    """Set up logging, once per process. By default JSON, unless errors go to a terminal."""
    as_json = not sys.stderr.isatty() if json_lines is None else json_lines
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        hide_secrets,
    ]
    # Plain: the default one prints local variables, and among those are passwords.
    on_terminal = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    last: Any = structlog.processors.JSONRenderer() if as_json else on_terminal
    structlog.configure(
        processors=[*shared, structlog.processors.format_exc_info, last]
        if as_json
        else [*shared, last],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level)),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )


def hide_secrets(
    _logger: object, _method: str, entry: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Replace the value of every key that sounds like a secret."""
    for key in entry:
        if SECRET.search(key):
            entry[key] = "•••"
    return entry


def logger(room: str) -> Any:  # structlog's loggers take any method name
    """A logger that says which room speaks."""
    return structlog.get_logger(room=room)
