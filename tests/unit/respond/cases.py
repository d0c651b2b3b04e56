"""Builds what tests of this room share: notices and acts at another moment."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from cgii.model.people import Role
from cgii.respond.notices import NoticeForm
from cgii.store.act import Act
from tests.make import NOW, make_act, make_entity, make_user

HOUR = timedelta(hours=1)


def make_form(session: Session, **given: Any) -> NoticeForm:
    """A notice of a defaced site, noticed an hour before NOW."""
    values: dict[str, Any] = {
        "title": "Portal con contenido ajeno",
        "description": "La portada muestra un mensaje que no es nuestro.",
        "noticed_at": NOW - HOUR,
        "affected": "www.ejemplo.gob.bo",
        "contact_name": "Ana Quispe",
        "contact_email": "ana@ejemplo.gob.bo",
    }
    if "entity_id" not in given:
        given["entity_id"] = make_entity(session).id
    return NoticeForm(**values | given)


def analyst_act(session: Session) -> Act:
    """An analyst at work, now."""
    return make_act(session, make_user(session, Role.ANALYST))


def at(act: Act, moment: datetime) -> Act:
    """The same person at another moment."""
    return replace(act, now=moment)
