"""The technical facts of an incident: addresses, names, hashes, accounts; each once."""

from collections.abc import Iterable

from sqlalchemy import select

from cgii.base import limits
from cgii.base.errors import Conflict, Invalid
from cgii.base.labels import label, labels
from cgii.model.incidents import TLPS, Incident, Observable
from cgii.respond.stages import expect_open, touch
from cgii.respond.timeline import enter
from cgii.store.act import Act


def observe(
    act: Act, incident: Incident, kind: str, value: str, *, note: str = "", tlp: str | None = None
) -> Observable:
    """Add one fact by hand. Raises Conflict when the incident has it already."""
    expect_open(incident)
    value, tlp = value.strip(), tlp or incident.tlp
    if kind not in labels("incidents.observable_kinds"):
        raise Invalid("Elija el tipo de dato.", field="kind")
    if not value or len(value) > limits.SHORT_TEXT_CHARS_MAX:
        raise Invalid(
            "Escriba el dato, de {most} caracteres como máximo.",
            field="value",
            most=limits.SHORT_TEXT_CHARS_MAX,
        )
    if tlp not in TLPS:
        raise Invalid("Elija un TLP de la lista.", field="tlp")
    known = select(Observable.id).where(
        Observable.incident_id == incident.id,
        Observable.kind == kind,
        Observable.value == value,
    )
    if act.session.scalar(known) is not None:
        raise Conflict("El incidente ya tiene este dato.")
    touch(act, incident)
    observable = Observable(
        incident_id=incident.id,
        kind=kind,
        value=value,
        tlp=tlp,
        note=note.strip()[: limits.SHORT_TEXT_CHARS_MAX],
        added_at=act.now,
    )
    act.session.add(observable)
    name = label("incidents.observable_kinds", kind)
    enter(act, incident, "observable", f"Dato agregado: {name} {value}", data={"kind": kind})
    act.record(
        "incident.observed",
        f"incident:{incident.code}",
        entity_id=incident.entity_id,
        kind=kind,
        value=value,
    )
    return observable


def add_observables(act: Act, incident: Incident, found: Iterable[tuple[str, str]]) -> int:
    """Add technical facts that the incident does not have yet; returns how many."""
    kinds = labels("incidents.observable_kinds")
    wanted = dict.fromkeys(
        (kind, value.strip()[: limits.SHORT_TEXT_CHARS_MAX])
        for kind, value in found
        if kind in kinds and value.strip()
    )
    known = {
        (row.kind, row.value)
        for row in act.session.scalars(
            select(Observable).where(Observable.incident_id == incident.id)
        )
    }
    new = [pair for pair in wanted if pair not in known]
    for kind, value in new:
        act.session.add(
            Observable(
                incident_id=incident.id,
                kind=kind,
                value=value,
                tlp=incident.tlp,
                added_at=act.now,
            )
        )
    return len(new)
