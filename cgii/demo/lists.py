"""Lists of indicators and tuned rules, as a centre has them after some months."""

from datetime import timedelta

from cgii.base import content
from cgii.demo.traffic import ATTACKERS, COMMAND_DOMAINS
from cgii.detect.indicator_files import Line, read_lines
from cgii.detect.indicator_lists import ListForm, take_list
from cgii.detect.tuning import exclude, override_level, suppress
from cgii.store.act import Act

HARMLESS = ListForm("inofensivos", "Redes y servicios inofensivos", "CGII", "low", (), True)
ATTACKING = ListForm(
    "atacantes-del-estado",
    "Direcciones que atacaron a entidades",
    "Incidentes cerrados del propio centro",
    "high",
    ("rsit.intrusion-attempts.exploit", "attack.t1190"),
)
COMMAND = ListForm(
    "servidores-de-mando",
    "Servidores de mando de programas maliciosos",
    "Intercambio con otros centros de respuesta",
    "critical",
    ("rsit.malicious-code.c2-server", "attack.t1071.004", "attack.command-and-control"),
)


def take_lists(act: Act) -> None:
    """Take in the three lists of the demonstration."""
    harmless = content.shipped("rules") / "indicators" / "inofensivos.csv"
    take_list(act, HARMLESS, read_lines(harmless.read_text(encoding="utf-8").splitlines()))
    known = ATTACKERS[::6]
    take_list(act, ATTACKING, [Line(n, one) for n, one in enumerate(known, 1)], days=60)
    names = [Line(n, one, note="visto en 2026") for n, one in enumerate(COMMAND_DOMAINS, 1)]
    take_list(act, COMMAND, names, days=90)


SCANNER, HIDDEN_PAGES = (
    "107afbb8-dc4b-5084-831e-27215d628e6c",
    "c0f758e0-335c-55ef-9bb9-75f10c1d4305",
)


def tune_rules(act: Act) -> None:
    """One suppression that only watches, one level, one exclusion."""
    suppress(
        act, SCANNER, key=[("source.ip", ATTACKERS[3])], until=act.now + timedelta(days=60),
        reason="Evaluación de vulnerabilidades contratada por el centro", is_watching=True,
    )  # fmt: skip
    override_level(
        act, HIDDEN_PAGES, level="low", until=act.now + timedelta(days=120), is_watching=False,
        reason="Todo sitio del Estado la recibe a diario; no despierta a nadie",
    )  # fmt: skip
    exclude(
        act, SCANNER, until=act.now + timedelta(days=120), is_watching=False,
        condition="selection:\n  cs-uri-stem: /robots.txt\ncondition: not selection\n",
        reason="Pedir robots.txt no es un ataque",
    )  # fmt: skip
