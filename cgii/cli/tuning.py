"""`cgii tuning`: hold a rule back by key, field, level or wholly; watch first, then enforce."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy import select

from cgii.base.errors import Invalid, NotFound
from cgii.base.settings import load
from cgii.cli.deeds import deed
from cgii.detect import tuning
from cgii.detect.ruleset import read_placeholders
from cgii.detect.tuning_files import export_tuning, import_tuning
from cgii.detect.tuning_preview import proposal_of, would_have_hidden
from cgii.detect.tuning_targets import target_of, titles_of
from cgii.model.detection import RuleTuning
from cgii.store.act import Act

tunings = typer.Typer(
    no_args_is_help=True, help="Ajustes de reglas: supresiones, exclusiones, nivel, apagado."
)
RuleName = Annotated[str, typer.Argument(help="Id o nombre de la regla.")]
Reason = Annotated[str, typer.Option(help="Por qué; queda en la bitácora.")]
Owner = Annotated[str, typer.Option(help="Correo de quien responde por el ajuste.")]
Days = Annotated[int, typer.Option(min=1, help="Días que dura.")]
DaysOrNone = Annotated[int | None, typer.Option(min=1, help="Días que dura; sin ellos, sin fin.")]
Enforced = Annotated[
    bool, typer.Option("--enforce", help="Desde ya; sin esto solo observa y cuenta.")
]
Number = Annotated[int, typer.Argument(help="Número del ajuste, según «list».")]


@tunings.command("list")
def list_tuning(
    every: Annotated[bool, typer.Option("--all", help="También los terminados.")] = False,
) -> None:
    """Muestra los ajustes, qué ocultan y hasta cuándo."""
    with deed() as (centre, act):
        shown = tuning.active_tuning(act.session, act.now)
        if every:
            shown = list(act.session.scalars(select(RuleTuning).order_by(RuleTuning.id)))
        titles = titles_of(act.session, centre.content.rules)
        for row in shown:
            typer.echo(_line(row, titles.get(row.rule_id, row.rule_id), act.now))
        for number, reason in centre.tuning(act.session).broken:
            typer.echo(f"{number}: no se puede leer y no oculta nada: {reason}", err=True)


@tunings.command("suppress")
def suppress(
    rule: RuleName,
    key: Annotated[list[str], typer.Option(help="Campo y valor, source.ip=10.1.2.3; repetible.")],
    reason: Reason,
    days: Days,
    owner: Owner = "",
    is_enforced: Enforced = False,
) -> None:
    """Oculta las alertas de una regla para una clave, hasta una fecha."""
    if not all("=" in one for one in key):
        raise Invalid("La clave se escribe campo=valor, por ejemplo source.ip=10.1.2.3.")
    pairs = [one.split("=", 1) for one in key]
    _add(
        rule, owner,
        lambda act, rule_id: tuning.suppress(
            act, rule_id, key=pairs, reason=reason,
            until=_until(act, days), is_watching=not is_enforced,
        ),
    )  # fmt: skip


@tunings.command("exclude")
def exclude(
    rule: RuleName,
    condition: Annotated[
        str, typer.Option(help="YAML: una selección, o la detección de un filtro; «-» la lee.")
    ],
    reason: Reason,
    days: DaysOrNone = None,
    owner: Owner = "",
    is_enforced: Enforced = False,
) -> None:
    """Deja fuera los registros que una condición describe, también para las correlaciones."""
    text = typer.get_text_stream("stdin").read() if condition == "-" else condition
    known = read_placeholders(load().site)
    _add(
        rule, owner,
        lambda act, rule_id: tuning.exclude(
            act, rule_id, condition=text, reason=reason,
            until=_until(act, days), is_watching=not is_enforced, placeholders=known,
        ),
        only_single=True,
    )  # fmt: skip


@tunings.command("level")
def level(
    rule: RuleName,
    new: Annotated[str, typer.Argument(help="informational, low, medium, high o critical.")],
    reason: Reason,
    days: DaysOrNone = None,
    owner: Owner = "",
    is_enforced: Enforced = False,
) -> None:
    """Cambia el nivel de las alertas de una regla."""
    _add(
        rule, owner,
        lambda act, rule_id: tuning.override_level(
            act, rule_id, level=new, reason=reason,
            until=_until(act, days), is_watching=not is_enforced,
        ),
    )  # fmt: skip


@tunings.command("off")
def off(
    rule: RuleName,
    reason: Reason,
    days: DaysOrNone = None,
    owner: Owner = "",
    is_enforced: Enforced = False,
) -> None:
    """Apaga una regla en este centro."""
    _add(
        rule, owner,
        lambda act, rule_id: tuning.switch_off(
            act, rule_id, reason=reason, until=_until(act, days), is_watching=not is_enforced
        ),
    )  # fmt: skip


@tunings.command("enforce")
def enforce(number: Number) -> None:
    """Pone en vigor un ajuste que estaba en observación."""
    with deed() as (_, act):
        tuning.enforce(act, _row(act, number))
        typer.echo(f"El ajuste {number} está en vigor.")


@tunings.command("end")
def end(number: Number) -> None:
    """Termina un ajuste ahora."""
    with deed() as (_, act):
        tuning.end_tuning(act, _row(act, number))
        typer.echo(f"El ajuste {number} terminó.")


@tunings.command("export")
def export() -> None:
    """Escribe los ajustes vigentes como YAML, para guardarlos con el contenido del sitio."""
    with deed() as (_, act):
        typer.echo(export_tuning(act.session, act.now), nl=False)


@tunings.command("import")
def import_file(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="De «export».")],
) -> None:
    """Repone los ajustes de un archivo; los que ya están o vencieron se dejan."""
    with deed() as (_, act):
        added, left_out = import_tuning(act, file)
        for reason in left_out:
            typer.echo(reason, err=True)
        typer.echo(f"{added} ajustes agregados, {len(left_out)} dejados.")


def _add(
    name: str,
    owner: str,
    verb: Callable[[Act, str], RuleTuning],
    *,
    only_single: bool = False,
) -> None:
    with deed(owner) as (centre, act):
        rules = centre.content.rules
        rule = target_of(act.session, rules, name)
        if rule is None or (only_single and not rule.is_single):
            raise NotFound("No hay una regla «{wanted}» que se pueda ajustar así.", wanted=name)
        row = verb(act, rule.id)
        preview = would_have_hidden(
            act.session, proposal_of(row),
            events=centre.events, rules=rules, now=act.now,
            placeholders=read_placeholders(centre.settings.site),
        )  # fmt: skip
        state = "en observación" if row.is_watching else "en vigor"
        typer.echo(f"Ajuste {row.id} {state}: {rule.title}.")
        at_least = "al menos " if preview.is_partial else ""
        typer.echo(
            f"En los últimos {preview.days} días habría alcanzado {at_least}{preview.hidden} de "
            f"{preview.examined} alertas."
        )


def _until(act: Act, days: int | None) -> datetime | None:
    return None if days is None else act.now + timedelta(days=days)


def _row(act: Act, number: int) -> RuleTuning:
    row = act.session.get(RuleTuning, number, with_for_update=True)
    if row is None:
        raise NotFound("No hay un ajuste {number}.", number=number)
    return row


def _line(row: RuleTuning, title: str, now: datetime) -> str:
    what = {
        "suppress": "suprime " + ", ".join(f"{name}={value}" for name, value in row.key),
        "exclude": "excluye " + " ".join(row.condition.split()),
        "level": f"nivel {row.level}",
        "off": "apagada",
    }[row.kind]
    if row.ended_at is not None:
        state = f"terminado {row.ended_at:%Y-%m-%d}"
    elif row.until is not None and row.until <= now:
        state = f"venció {row.until:%Y-%m-%d}"
    else:
        state = "en observación" if row.is_watching else "en vigor"
        state += f", hasta {row.until.astimezone(UTC):%Y-%m-%d}" if row.until else ""
    verb = "habría ocultado" if row.is_watching else "ocultó"
    return f"{row.id:>4}  {title}: {what} — {state}; {verb} {row.hidden_count}. {row.reason}"
