"""Whether the centre can take work now: its database, its event store, its disk."""

import os
import shutil

from sqlalchemy.exc import SQLAlchemyError

from cgii.base import limits
from cgii.base.errors import CgiiError
from cgii.centre import Centre


def problems(centre: Centre) -> list[str]:
    """What keeps this process from being ready, in English words for machines; empty when ready."""
    found = []
    try:
        if not centre.database.is_current():
            found.append("database: schema is not current")
    except (CgiiError, SQLAlchemyError):
        found.append("database: no answer")
    try:
        centre.events.get_many(["0" * 32])
    except CgiiError:
        found.append("events: no answer")
    else:
        found += _storing(centre)
    found += _disk(centre)
    return found


def _storing(centre: Centre) -> list[str]:
    try:
        centre.events.must_take(centre.clock())
    except CgiiError:
        return ["events: read-only"]
    return []


def _disk(centre: Centre) -> list[str]:
    folder = centre.settings.data
    if not os.access(folder, os.W_OK):
        return ["disk: data folder is not writable"]
    if shutil.disk_usage(folder).free < limits.DISK_FREE_BYTES_MIN:
        return ["disk: almost full"]
    return []
