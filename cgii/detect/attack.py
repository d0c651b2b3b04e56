"""What rules' tags say in the words of ATT&CK: tactics, techniques, and how often each was met."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from cgii.base.labels import label, labels, load_table


@dataclass(frozen=True, slots=True)
class Met:
    """One tactic or technique: its code, its name, and two figures."""

    code: str
    name: str
    rules: int
    alerts: int


@dataclass(frozen=True)
class Attack:
    """What was met; tactics in the order of an attack, techniques by how often."""

    tactics: tuple[Met, ...]
    techniques: tuple[Met, ...]
    untagged: int  # rules that name neither


def tactics_in(tags: Iterable[str]) -> tuple[str, ...]:
    """Codes of tactics, in the order of an attack: "credential-access"."""
    told = {tag.removeprefix("attack.").replace("_", "-") for tag in tags}
    return tuple(code for code in labels("detection.tactics") if code in told)


def techniques_in(tags: Iterable[str]) -> tuple[str, ...]:
    """Codes of techniques: "T1110.001"."""
    told = (tag[7:].upper() for tag in tags if tag[:8].lower() == "attack.t")
    return tuple(dict.fromkeys(code for code in told if code[1:2].isdigit()))


def summary(tags_of: Mapping[str, Sequence[str]], alerts_of: Mapping[str, int]) -> Attack:
    """What rules met, given their tags and the number of alerts, both by rule id."""
    rules: tuple[Counter[str], Counter[str]] = (Counter(), Counter())
    alerts: tuple[Counter[str], Counter[str]] = (Counter(), Counter())
    untagged = 0
    for rule_id, tags in tags_of.items():
        found = (tactics_in(tags), techniques_in(tags))
        untagged += not any(found)
        for place, codes in enumerate(found):
            for code in codes:
                rules[place][code] += 1
                alerts[place][code] += alerts_of.get(rule_id, 0)
    names: Mapping[str, str] = load_table("attack")["techniques"]
    ordered = [code for code in labels("detection.tactics") if code in rules[0]]
    most = sorted(rules[1], key=lambda code: (-alerts[1][code], -rules[1][code], code))
    return Attack(
        tuple(
            Met(code, label("detection.tactics", code), rules[0][code], alerts[0][code])
            for code in ordered
        ),
        tuple(Met(code, names.get(code, ""), rules[1][code], alerts[1][code]) for code in most),
        untagged,
    )
