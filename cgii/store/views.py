"""A person's saved searches: a name, and the query string that it stands for."""

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field
from sqlalchemy import func, select

from cgii.base import limits
from cgii.base.errors import Invalid
from cgii.model.records import SavedView
from cgii.store.act import Act


@dataclass(frozen=True)
class ViewForm:
    """A name for what the page shows now."""

    name: Annotated[str, Field(min_length=1, max_length=80)]
    query: Annotated[str, Field(max_length=2 * limits.QUERY_CHARS_MAX)] = ""


def save_view(act: Act, page: str, form: ViewForm) -> SavedView:
    """Keep it for the acting person; the same name again takes the old one's place."""
    own = (SavedView.user_id == act.user_id, SavedView.page == page)
    view = act.session.scalar(select(SavedView).where(*own, SavedView.name == form.name))
    if view is None:
        count = act.session.scalar(select(func.count()).select_from(SavedView).where(*own)) or 0
        if count >= limits.SAVED_VIEWS_MAX:
            raise Invalid(
                "Ya tiene {most} búsquedas guardadas; borre una para guardar otra.",
                field="name",
                most=limits.SAVED_VIEWS_MAX,
            )
        view = SavedView(user_id=act.user_id, page=page, name=form.name, query="", options=[])
        act.session.add(view)
    view.query = form.query
    return view


def drop_view(act: Act, view: SavedView) -> None:
    """Forget it."""
    act.session.delete(view)
