"""Tuning as a YAML file: to keep it with a site's content, and to bring it back after a loss."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml
from sqlalchemy.orm import Session

from cgii.base import limits
from cgii.base.errors import Conflict, Invalid
from cgii.detect import tuning
from cgii.model.detection import RuleTuning
from cgii.store.act import Act

KEYS = frozenset(
    {"rule", "kind", "key", "condition", "level", "reason", "until", "watching", "owner", "since"}
)


def export_tuning(session: Session, now: datetime) -> str:
    """Every row that holds, as YAML; owner and beginning are told but not read back."""
    rows = [_entry(row) for row in tuning.active_tuning(session, now)]
    return yaml.safe_dump({"tuning": rows}, allow_unicode=True, sort_keys=False, width=100)


def _entry(row: RuleTuning) -> dict[str, Any]:
    told: dict[str, Any] = {"rule": row.rule_id, "kind": row.kind}
    if row.kind == "suppress":
        told["key"] = [list(pair) for pair in row.key]
    elif row.kind == "exclude":
        told["condition"] = row.condition
    elif row.kind == "level":
        told["level"] = row.level
    told["reason"] = row.reason
    if row.until is not None:
        told["until"] = row.until.isoformat()
    told["watching"] = row.is_watching
    if row.owner is not None:
        told["owner"] = row.owner.email
    told["since"] = row.created_at.isoformat()
    return told


def import_tuning(act: Act, path: Path) -> tuple[int, list[str]]:
    """Set what the file says: how many rows were added, and a sentence for each left out.

    What is already set, or expired, is left out and told; a mistake stops everything (Invalid).
    """
    added = 0
    left_out: list[str] = []
    for number, entry in enumerate(_entries(path), start=1):
        try:
            _set(act, entry)
        except Conflict as error:
            left_out.append(f"{number}: {error}")
        except Invalid as error:
            if error.field == "until" and _moment(entry.get("until"), act.now) <= act.now:
                left_out.append(f"{number}: {error}")
                continue
            raise Invalid("Entrada {number}: {reason}", number=number, reason=str(error)) from error
        else:
            added += 1
    return added, left_out


def _entries(path: Path) -> list[dict[str, Any]]:
    if path.stat().st_size > limits.RULE_FILE_BYTES_MAX:
        raise Invalid("El archivo pesa más de {most} bytes.", most=limits.RULE_FILE_BYTES_MAX)
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise Invalid("El archivo no es YAML: {reason}", reason=error) from error
    rows = data.get("tuning") if isinstance(data, dict) else None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise Invalid("El archivo tiene que llevar una lista «tuning».")
    for number, row in enumerate(rows, start=1):
        if unknown := sorted(map(str, set(row) - KEYS)):
            raise Invalid(
                "Entrada {number}: no se conoce {names}.", number=number, names=", ".join(unknown)
            )
    return rows


def _set(act: Act, entry: dict[str, Any]) -> None:
    rule_id, kind = str(entry.get("rule") or ""), entry.get("kind")
    until = entry.get("until")
    common: dict[str, Any] = {
        "reason": str(entry.get("reason") or ""),
        "until": None if until is None else _moment(until, act.now),
        "is_watching": entry.get("watching") is True,
    }
    if kind == "suppress":
        key = entry.get("key")
        pairs = [pair for pair in key if isinstance(pair, list)] if isinstance(key, list) else []
        tuning.suppress(act, rule_id, key=pairs, **common)
    elif kind == "exclude":
        tuning.exclude(act, rule_id, condition=str(entry.get("condition") or ""), **common)
    elif kind == "level":
        tuning.override_level(act, rule_id, level=str(entry.get("level")), **common)
    elif kind in ("off", False):  # YAML 1.1 reads a bare `off` as false
        tuning.switch_off(act, rule_id, **common)
    else:
        raise Invalid("La clase «{kind}» no existe.", kind=kind)


def _moment(written: object, now: datetime) -> datetime:
    try:
        moment = datetime.fromisoformat(str(written))
    except ValueError as error:
        raise Invalid(
            "«{written}» no es una fecha como {example}.",
            written=written, example=now.date().isoformat(),
        ) from error  # fmt: skip
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
