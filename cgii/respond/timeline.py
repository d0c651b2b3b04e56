"""The only writer of an incident's timeline: entries, comments, and what is shared on purpose."""

from typing import Any

from cgii.base import limits
from cgii.base.errors import Invalid
from cgii.model.incidents import Entry, Incident
from cgii.store.act import Act


def enter(
    act: Act,
    incident: Incident,
    kind: str,
    text: str,
    *,
    data: dict[str, Any] | None = None,  # JSON values
    is_shared: bool = False,
) -> Entry:
    """Append one line to the timeline. `text` is Spanish, as people read it."""
    entry = Entry(
        incident_id=incident.id,
        kind=kind,
        at=act.now,
        author_id=act.user_id,
        text=text,
        data=data or {},
        is_shared=is_shared,
    )
    act.session.add(entry)
    incident.updated_at = act.now
    return entry


def comment(act: Act, incident: Incident, text: str, *, shared: bool) -> Entry:
    """Write a comment; `shared` shows it to the entity too."""
    text = text.strip()
    if not text:
        raise Invalid("Escriba el comentario.", field="text")
    if len(text) > limits.TEXT_CHARS_MAX:
        raise Invalid(
            "El comentario es demasiado largo: {size} caracteres de {most} permitidos.",
            field="text",
            size=len(text),
            most=limits.TEXT_CHARS_MAX,
        )
    entry = enter(act, incident, "comment", text, is_shared=shared)
    act.record(
        "incident.commented",
        f"incident:{incident.code}",
        entity_id=incident.entity_id,
        shared=shared,
    )
    return entry


def share_entry(act: Act, incident: Incident, entry: Entry) -> None:
    """Show one entry to the entity from now on; the timeline keeps who did it."""
    if entry.incident_id != incident.id:
        raise Invalid("Esta anotación es de otro incidente.")
    if entry.is_shared:
        return
    entry.is_shared = True
    enter(act, incident, "shared", "Anotación compartida con la entidad.", data={"entry": entry.id})
    act.record(
        "incident.entry_shared",
        f"incident:{incident.code}",
        entity_id=incident.entity_id,
        entry=entry.id,
    )
