"""A deed done from the command line: one transaction, in the name of somebody or of the system."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import select

from cgii import centre as centres
from cgii.base.errors import NotFound
from cgii.base.settings import load
from cgii.centre import Centre
from cgii.model.people import User
from cgii.store.act import Act


@contextmanager
def deed(owner: str = "") -> Iterator[tuple[Centre, Act]]:
    """A centre and an act of the person with this mail address. Raises NotFound."""
    centre = centres.build(load())
    try:
        with centre.database.transaction() as session:
            user = session.scalar(select(User).where(User.email == owner)) if owner else None
            if owner and user is None:
                raise NotFound("No hay una cuenta con el correo {owner}.", owner=owner)
            yield centre, centre.act(session, user, via="cli")
    finally:
        centre.close()
