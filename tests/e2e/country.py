"""A small country for the browser tests: two entities, people of each role, some work."""

from dataclasses import dataclass, field
from datetime import timedelta

from sqlalchemy.orm import Session

from cgii.centre import Centre
from cgii.comply.general import Asset, Duty, GeneralForm, Risk, save_general
from cgii.comply.plans import open_plan
from cgii.comply.statements import StatementForm, fill_statements
from cgii.model.entities import Contact, Entity, EntityDomain, EntityNetwork
from cgii.model.incidents import Incident, IncidentControl
from cgii.model.people import Role, User
from cgii.respond.notices import NoticeForm, file_notice
from cgii.web.passwords import hash_password
from tests.make import make_entity, make_user

PASSWORD = "llama blanca sobre el salar"
NETWORK = "10.20.0.0/16"  # of the first entity
LEFT_TO_FILL = ("1.1", "1.2")  # controls that the browser fills
STAFF = {
    "analyst": (Role.ANALYST, "Ana Choque Mamani"),
    "analyst2": (Role.ANALYST, "Bruno Condori Flores"),
    "coordinator": (Role.COORDINATOR, "Carla Vargas Rojas"),
    "reviewer": (Role.REVIEWER, "Diego Quispe Arce"),
    "management": (Role.MANAGEMENT, "Elena Suárez Paz"),
    "administrator": (Role.ADMINISTRATOR, "Félix Rocha Vaca"),
    "auditor": (Role.AUDITOR, "Gloria Ticona Limachi"),
}
OWN = {
    "reporter": (Role.REPORTER, "Hugo Mercado Salinas"),
    "officer": (Role.OFFICER, "Inés Calle Huanca"),
    "mae": (Role.MAE, "Jorge Peredo Antelo"),
}
OTHER = {
    "other_reporter": (Role.REPORTER, "Karen Limachi Apaza"),
    "other_officer": (Role.OFFICER, "Luis Torrico Gómez"),
}
DONE = StatementForm(
    applies=True,
    status="implemented",
    maturity=3,
    target=4,
    statement="Existe un procedimiento aprobado, difundido y en uso; se revisa cada año.",
    responsible="Inés Calle Huanca",
)


@dataclass
class Country:
    """Who and what is there, by name."""

    users: dict[str, int] = field(default_factory=dict)
    codes: dict[str, str] = field(default_factory=dict)  # of notices and incidents
    plan_id: int = 0


def settle(centre: Centre) -> Country:
    """Add everything in one transaction."""
    country = Country()
    with centre.database.transaction() as session:
        own = _entity(centre, session, "Ministerio de Pruebas y Ensayos", "MINPRU", NETWORK)
        other = _entity(centre, session, "Autoridad de Comprobaciones", "ACOM", "10.30.0.0/16")
        for group, entity in ((STAFF, None), (OWN, own), (OTHER, other)):
            for name, (role, said) in group.items():
                user = make_user(
                    session,
                    role,
                    name=said,
                    email=f"{name}@{entity.domains[0].domain if entity else 'cgii.example'}",
                    entity_id=entity.id if entity else None,
                    created_at=centre.clock(),
                    password_hash=hash_password(PASSWORD) if name == "analyst" else "",
                )
                country.users[name] = user.id
        _cases(centre, session, country, own, other)
        country.plan_id = _plan(centre, session, own, country.users["officer"])
    return country


def _entity(centre: Centre, session: Session, name: str, acronym: str, cidr: str) -> Entity:
    entity = make_entity(session, name=name, acronym=acronym, created_at=centre.clock())
    domain = f"{acronym.lower()}.gob.bo"
    entity.networks.append(EntityNetwork(cidr=cidr))
    entity.domains.append(EntityDomain(domain=domain))
    entity.contacts.append(
        Contact(
            duty="rsi",
            name="Inés Calle Huanca",
            email=f"rsi@{domain}",
            cite="MEMO-12/2026",
            since=centre.clock().date(),
        )
    )
    session.flush()  # the people need its id
    return entity


def _cases(centre: Centre, session: Session, country: Country, own: Entity, other: Entity) -> None:
    titles = (
        "Correo falso pide claves al personal",
        "Portal institucional responde con error desde la madrugada",
        "Equipo de contabilidad con archivos cifrados y una nota de rescate en el escritorio",
        "Cuenta de redes sociales con publicaciones ajenas",
    )
    for place, title in enumerate(titles):
        entity, who = (own, "reporter") if place % 2 == 0 else (other, "other_reporter")
        act = centre.act(session, session.get(User, country.users[who]), via="web")
        notice = file_notice(
            act,
            NoticeForm(
                entity_id=entity.id,
                title=title,
                description="Lo notó el personal al comenzar el día; no se tocó nada todavía.",
                noticed_at=centre.clock() - timedelta(hours=2 + place),
                affected="Correo institucional y unas 40 personas",
                contact_name="Hugo Mercado Salinas",
                contact_email="hugo@minpru.gob.bo",
            ),
        )
        session.flush()  # the incident's number is asked below
        country.codes[f"notice{place}"] = notice.code
        incident = session.get_one(Incident, notice.incident_id)
        country.codes[f"incident{place}"] = incident.code
        if place == 0:  # so that the entity's plan must say what it does about it
            session.add(
                IncidentControl(
                    incident_id=incident.id,
                    entity_id=entity.id,
                    control=LEFT_TO_FILL[0],
                    named_at=act.now,
                )
            )


def _plan(centre: Centre, session: Session, entity: Entity, officer_id: int) -> int:
    act = centre.act(session, session.get(User, officer_id), via="web")
    plan = open_plan(act, entity, act.now.year)
    general = GeneralForm(
        roles={"mae": Duty("Jorge Peredo Antelo", "Ministro", "DS 5000")},
        assets=(Asset("Sistema de trámites", "software", "Planificación", 4, 5, 4),),
        risks=(Risk("Cifrado de archivos", "Sistema de trámites", 4, 5, controls=("6.6", "6.7")),),
    )
    save_general(act, plan, general, expected_version=plan.version)
    codes = [row.control for row in plan.statements if row.control not in LEFT_TO_FILL]
    fill_statements(act, plan, dict.fromkeys(codes, DONE))
    session.flush()  # its number is asked by the tests
    return plan.id
