"""Sigma filters: conditions that a site lays upon rules which it doesn't want to change."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from cgii.base import ids, limits
from cgii.detect.detections import Detection, at_key, read_detection
from cgii.detect.logsources import attributes, read_logsource
from cgii.detect.modifiers import Budget
from cgii.detect.nodes import All, Node, Not, OneOf, Selection
from cgii.detect.rule_files import Document, Marked, RuleError, parse_documents
from cgii.detect.rules import Filter, SingleRule
from cgii.model.event import LogSource

APART = ("rules",)  # keys under `filter` that are no selections
BARE = "excluded"  # the name of the only selection of an exclusion that is written without one


def read_filter(document: Document, placeholders: Mapping[str, Sequence[str]]) -> Filter:
    """The filter of a document; RuleError says what is wrong and where."""
    data = document.data
    title = data.get("title")
    if not isinstance(title, str) or not title.strip():
        raise RuleError("falta el título (title)", document.line)
    body = data["filter"]
    if not isinstance(body, Marked):
        raise at_key(data, "filter", "filter tiene que ser un mapa")
    if not isinstance(data.get("logsource"), Marked):
        raise at_key(data, "logsource", "un filtro lleva logsource: el de las reglas que afecta")
    try:
        logsource = read_logsource(data["logsource"])
    except RuleError as error:
        raise at_key(data, "logsource", error.reason) from error
    shown = title.strip()[: limits.NAME_CHARS_MAX]
    try:
        found = read_detection(body, Budget(placeholders), apart=APART, prefix=f"«{shown}» ")
    except RuleError as error:
        raise RuleError(error.reason, error.line or data.lines["filter"]) from error
    return Filter(
        id=str(data.get("id") or ids.digest("filter", document.text)),
        title=shown,
        path=document.path,
        line=document.line,
        text=document.text,
        rules=_rules(body),
        logsource=logsource,
        node=found.node,
        unused=found.unused,
    )


def _rules(body: Marked) -> tuple[str, ...] | None:
    written = body.get("rules")
    if isinstance(written, str) and written.strip().lower() == "any":
        return None
    listed = written if isinstance(written, list) else [written]
    named = tuple(one.strip() for one in listed if isinstance(one, str) and one.strip())
    if not named or len(named) < len(listed):
        raise at_key(body, "rules", "rules tiene que ser «any» o una lista de ids o nombres")
    return named


def applies(one: Filter, rule: SingleRule) -> bool:
    """Whether the filter is for this rule: named, and not for another kind of log."""
    named = one.rules is None or rule.id in one.rules or (rule.name and rule.name in one.rules)
    return bool(named) and contains(one.logsource, rule.logsource)


def contains(wide: LogSource, narrow: LogSource) -> bool:
    """Whether every attribute that `wide` names is the same in `narrow`."""
    pairs = zip(attributes(wide), attributes(narrow), strict=True)
    return all(not mine or mine == other for mine, other in pairs)


def filtered(rule: SingleRule, filters: Iterable[Filter]) -> SingleRule:
    """The rule with the filters that are for it: all of them must hold beside its own condition."""
    mine = tuple(one for one in filters if applies(one, rule))
    if not mine:
        return rule
    node = All((rule.node, *(one.node for one in mine)))
    return replace(rule, node=node, filters=mine)


def negates(node: Node) -> bool:
    """Whether a `not` stands anywhere: without one a filter keeps what it should leave out."""
    if isinstance(node, Not):
        return True
    if isinstance(node, Selection):
        return False  # inside a selection only neq negates, and then nobody erred
    return isinstance(node, All | OneOf) and any(negates(part) for part in node.parts)


def astray(one: Filter, rules: Sequence[SingleRule]) -> Iterator[str]:
    """What keeps a filter from doing anything: rules that don't exist or have another logsource."""
    known = {key: rule for rule in rules for key in (rule.name, rule.id) if key}
    for name in one.rules or ():
        if name not in known:
            yield f"el filtro nombra la regla «{name}», que no existe o fue rechazada"
        elif not contains(one.logsource, known[name].logsource):
            yield f"el filtro no alcanza a «{name}»: su logsource es otro"
    if one.rules is None and not any(contains(one.logsource, r.logsource) for r in rules):
        yield "el filtro no alcanza a ninguna regla: ninguna tiene ese logsource"


def read_exclusion(text: str, placeholders: Mapping[str, Sequence[str]]) -> Detection:
    """An exclusion as it is kept: the detection of a filter in YAML. RuleError when it is none.

    A mapping without `condition` is one selection: what it describes is left out.
    """
    documents = parse_documents(text, "<exclusión>")
    if len(documents) != 1 or not isinstance(documents[0], Document):
        wrong = next((one for one in documents if not isinstance(one, Document)), None)
        raise RuleError(wrong.reason if wrong else "la exclusión tiene que ser un solo mapa")
    data = documents[0].data
    if "condition" not in data:
        bare = Marked()
        bare[BARE], bare["condition"] = data, f"not {BARE}"
        data = bare
    found = read_detection(data, Budget(placeholders), apart=APART)
    if not negates(found.node):
        raise RuleError("la condición no tiene «not»: dejaría pasar solo lo que describe")
    return found
