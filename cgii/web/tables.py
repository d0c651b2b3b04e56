"""Lists: columns, sorting, filters, paging and export, all kept in the URL.

A page says what it has, `show` does the rest (see pages/entities.py):

    LIST = Listing(
        columns=(Column("name", "Nombre", sort=Entity.name), …),
        filters=(choice("kind", "Tipo", Entity.kind, "entities.kinds"), …),
        default_sort="name",
        search=lambda words: contains(Entity.name, words),
    )
    rows = show(session, LIST, visible(user, Entity), request)
    return render(request, "entities/list.html", list=rows)
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Generic, TypeVar
from urllib.parse import urlencode

from sqlalchemy import ColumnElement, Select, func, true
from sqlalchemy.orm import InstrumentedAttribute, Session
from starlette.requests import Request

from cgii.base import limits
from cgii.base.clock import LA_PAZ
from cgii.base.labels import labels
from cgii.web.language import gettext

Row = TypeVar("Row")
Sortable = ColumnElement[Any] | InstrumentedAttribute[Any]
Params = tuple[tuple[str, str], ...]
OWN_PARAMS = ("q", "orden", "pagina", "cols", "formato", "panel")


@dataclass(frozen=True)
class Column:
    """One column. `sort` orders by it; `is_extra` hides it until chosen; `value` is for exports.

    Of rows that are in memory already `order` takes the place of `sort`: a row → what to compare.
    """

    key: str
    label: str
    sort: Sortable | None = None
    is_number: bool = False
    is_extra: bool = False
    value: Callable[[Any], Any] | None = None
    order: Callable[[Any], Any] | None = None

    @property
    def can_sort(self) -> bool:
        """Whether a list may be ordered by it."""
        return self.sort is not None or self.order is not None


@dataclass(frozen=True)
class Filter:
    """One filter: its name in the URL, its options, and what it does with the chosen ones.

    Of rows that are in memory already `keep` takes the place of `narrow`: a row and the chosen
    codes → whether it stays. `counts` are shown beside the options.
    """

    key: str
    label: str
    options: Callable[[], Mapping[str, str]]
    narrow: Callable[[list[str]], ColumnElement[bool]] = lambda _chosen: true()
    keep: Callable[[Any, list[str]], bool] = lambda _row, _chosen: True
    counts: Mapping[str, int] = field(default_factory=dict)


def choice(key: str, label: str, column: Any, table: str) -> Filter:  # a column of text
    """A filter on a column of codes with labels from a reference table."""
    return Filter(key, label, lambda: labels(table), column.in_)


def flag(key: str, label: str, condition: Any, *, words: tuple[str, str]) -> Filter:  # of SQL
    """A filter between a condition and its opposite; `words` name them."""

    def narrow(chosen: list[str]) -> ColumnElement[bool]:
        yes: ColumnElement[bool] = condition
        return yes if "si" in chosen else ~yes

    return Filter(key, label, lambda: {"si": words[0], "no": words[1]}, narrow)


@dataclass(frozen=True)
class Span:
    """A filter from one day to another, both included, in La Paz: two names in the URL."""

    key: str
    label: str
    column: Any  # a column of moments

    @property
    def keys(self) -> tuple[str, str]:
        """Its names in the URL."""
        return f"{self.key}_desde", f"{self.key}_hasta"

    def narrow(self, first: str, last: str) -> Iterator[ColumnElement[bool]]:
        """Its conditions; a text that is no day narrows nothing."""
        if day := _day(first):
            yield self.column >= datetime.combine(day, time(), LA_PAZ).astimezone(UTC)
        if day := _day(last):
            end = datetime.combine(day, time(), LA_PAZ) + timedelta(days=1)
            yield self.column < end.astimezone(UTC)


@dataclass(frozen=True)
class Listing:
    """What a list has. `default_sort` is a column's key, with "-" in front for descending.

    Of rows that are in memory already `text` takes the place of `search`: a row → the text, in
    lower case, in which words are sought.
    """

    columns: tuple[Column, ...]
    filters: tuple[Filter, ...] = ()
    default_sort: str = ""
    search: Callable[[str], ColumnElement[bool]] | None = None
    search_label: str = "Buscar en la lista"
    page_rows: int = limits.PAGE_ROWS
    spans: tuple[Span, ...] = ()
    text: Callable[[Any], str] | None = None

    @property
    def can_search(self) -> bool:
        """Whether words may be sought in it."""
        return self.search is not None or self.text is not None


@dataclass(frozen=True)
class Chip:
    """A filter in force, and the address without it."""

    label: str
    value: str
    url: str


@dataclass(frozen=True)
class Shown(Generic[Row]):
    """One page of a list, with everything that its template needs."""

    listing: Listing
    rows: Sequence[Row]
    total: int  # that the filters let through
    total_unfiltered: int
    page: int
    sort: str
    path: str
    params: Params

    @property
    def pages(self) -> int:
        """How many pages there are; at least one."""
        return max(1, -(-self.total // self.listing.page_rows))

    @property
    def first(self) -> int:
        """Number of the first row shown, from 1; 0 when there is none."""
        return (self.page - 1) * self.listing.page_rows + 1 if self.rows else 0

    @property
    def last(self) -> int:
        """Number of the last row shown."""
        return (self.page - 1) * self.listing.page_rows + len(self.rows)

    @property
    def hidden(self) -> int:
        """How many rows the filters hide."""
        return self.total_unfiltered - self.total

    @property
    def columns(self) -> list[Column]:
        """The columns to show: as chosen in the URL, else all but the extra ones."""
        chosen = self.values("cols")
        if chosen:
            return [column for column in self.listing.columns if column.key in chosen]
        return [column for column in self.listing.columns if not column.is_extra]

    @property
    def chips(self) -> list[Chip]:
        """The filters in force, in words."""
        found = []
        for narrowing in self.listing.filters:
            options = narrowing.options()
            for value in self.values(narrowing.key):
                if value in options:
                    url = self.url_without(narrowing.key, value)
                    label, text = gettext(narrowing.label), gettext(options[value])
                    found.append(Chip(label, text, url))
        for span in self.listing.spans:
            for key, when in zip(span.keys, ("desde el", "hasta el"), strict=True):
                if _day(value := self.value(key)):
                    label = f"{gettext(span.label)} {gettext(when)}"
                    found.append(Chip(label, value, self.url_without(key, value)))
        if words := self.value("q"):
            found.append(Chip(gettext("Texto"), words, self.url_without("q", words)))
        return found

    def values(self, key: str) -> list[str]:
        """All values of a name in the URL."""
        return [value for name, value in self.params if name == key]

    def value(self, key: str) -> str:
        """The last value of a name in the URL, "" when absent."""
        return next(iter(reversed(self.values(key))), "")

    def url(self, **changes: object) -> str:
        """The address of this list with some names changed; "" or None takes a name out."""
        kept = [(name, value) for name, value in self.params if name not in changes]
        added = [(name, str(value)) for name, value in changes.items() if value not in ("", None)]
        return self._address([*kept, *added])

    def url_without(self, key: str, value: str) -> str:
        """The address without one value of a name, on the first page."""
        kept = [pair for pair in self.params if pair != (key, value) and pair[0] != "pagina"]
        return self._address(kept)

    def url_export(self, kind: str) -> str:
        """The address of this list, filtered and sorted as it is, as a file: "csv" or "xlsx"."""
        address = self.url(pagina="", cols="")
        return f"{address}{'&' if '?' in address else '?'}formato={kind}"

    def url_sorted(self, column: Column) -> str:
        """The address sorted by this column, or the other way round if it is already."""
        turned = f"-{column.key}" if self.sort == column.key else column.key
        return self.url(orden=turned, pagina="")

    def order_of(self, column: Column) -> str:
        """For screen readers: "ascending", "descending", or "" when not sorted by it."""
        return {column.key: "ascending", f"-{column.key}": "descending"}.get(self.sort, "")

    @property
    def kept_params(self) -> list[tuple[str, str]]:
        """What the filter form must carry along as hidden fields."""
        keys = {narrowing.key for narrowing in self.listing.filters} | {"q", "pagina"}
        keys.update(key for span in self.listing.spans for key in span.keys)
        return [pair for pair in self.params if pair[0] not in keys]

    def _address(self, params: Iterable[tuple[str, str]]) -> str:
        query = urlencode([pair for pair in params if pair[0] not in ("panel", "formato")])
        return f"{self.path}?{query}" if query else self.path


def show(
    session: Session,
    listing: Listing,
    query: Select[Row],
    request: Request,
    *,
    rows_max: int | None = None,
) -> Shown[Row]:
    """Run the list as its URL says. What the URL asks and the list does not have is ignored.

    With `rows_max` all rows up to that many come on one page: for exports.
    """
    params = _params(listing, request)
    narrowed = _narrowed(listing, query, params)
    total = _count(session, narrowed)
    unfiltered = total if narrowed is query else _count(session, query)
    page_rows = rows_max or listing.page_rows
    page = 1 if rows_max else min(_page(params), max(1, -(-total // page_rows)))
    sort = _sort(listing, params)
    rows = session.scalars(
        _sorted(listing, narrowed, sort).limit(page_rows).offset((page - 1) * page_rows)
    ).all()
    return Shown(listing, rows, total, unfiltered, page, sort, request.url.path, params)


def show_rows(
    listing: Listing, rows: Sequence[Row], request: Request, *, rows_max: int | None = None
) -> Shown[Row]:
    """The same of rows that are in memory; those that compare equal keep the order they came in."""
    params = _params(listing, request)
    kept = list(rows)
    for narrowing in listing.filters:
        options = narrowing.options()
        chosen = [value for name, value in params if name == narrowing.key and value in options]
        if chosen:
            kept = [row for row in kept if narrowing.keep(row, chosen)]
    words = next((value for name, value in params if name == "q"), "").casefold().split()
    if words and listing.text is not None:
        texts = ((row, listing.text(row)) for row in kept)
        kept = [row for row, text in texts if all(word in text for word in words)]
    sort = _sort(listing, params)
    for column in listing.columns:
        if column.key == sort.removeprefix("-") and column.order is not None:
            kept.sort(key=column.order, reverse=sort.startswith("-"))
    page_rows = rows_max or listing.page_rows
    page = 1 if rows_max else min(_page(params), max(1, -(-len(kept) // page_rows)))
    shown = kept[(page - 1) * page_rows : page * page_rows]
    return Shown(listing, shown, len(kept), len(rows), page, sort, request.url.path, params)


def count_shown(session: Session, listing: Listing, query: Select[Any], request: Request) -> int:
    """How many rows of the query pass the filters of the URL."""
    return _count(session, _narrowed(listing, query, _params(listing, request)))


def cells(shown: Shown[Any]) -> tuple[list[str], list[list[Any]]]:
    """Heads and rows of a list for an export: every column that has a `value`."""
    columns = [column for column in shown.listing.columns if column.value is not None]
    heads = [gettext(column.label) for column in columns]
    rows = [[column.value(row) for column in columns if column.value] for row in shown.rows]
    return heads, rows


def _params(listing: Listing, request: Request) -> Params:
    known = {narrowing.key for narrowing in listing.filters} | set(OWN_PARAMS)
    known.update(key for span in listing.spans for key in span.keys)
    pairs = request.query_params.multi_items()
    return tuple(
        (name, value[: limits.NAME_CHARS_MAX].replace("\0", ""))
        for name, value in pairs[: limits.PAGE_ROWS_MAX]
        if name in known and value
    )


def _narrowed(listing: Listing, query: Select[Row], params: Params) -> Select[Row]:
    for narrowing in listing.filters:
        options = narrowing.options()
        chosen = [value for name, value in params if name == narrowing.key and value in options]
        if chosen:
            query = query.where(narrowing.narrow(chosen))
    given = dict(params)
    for span in listing.spans:
        first, last = span.keys
        query = query.where(*span.narrow(given.get(first, ""), given.get(last, "")))
    words = next((value.strip() for name, value in params if name == "q"), "")
    if words and listing.search is not None:
        query = query.where(listing.search(words))
    return query


def _sort(listing: Listing, params: Params) -> str:
    wanted = next((value for name, value in params if name == "orden"), "")
    known = {column.key for column in listing.columns if column.can_sort}
    return wanted if wanted.removeprefix("-") in known else listing.default_sort


def _sorted(listing: Listing, query: Select[Row], sort: str) -> Select[Row]:
    entity = query.column_descriptions[0]["entity"]
    last_resort = entity.__mapper__.primary_key  # equal values keep their place between pages
    for column in listing.columns:
        if column.key == sort.removeprefix("-") and column.sort is not None:
            order = column.sort.desc() if sort.startswith("-") else column.sort.asc()
            return query.order_by(order, *last_resort)
    return query.order_by(*last_resort)


def _day(text: str) -> date | None:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return day if 1970 <= day.year < 2200 else None


def _page(params: Params) -> int:
    text = next((value for name, value in params if name == "pagina"), "1")
    return max(1, int(text)) if text.isdecimal() and len(text) < 8 else 1


def _count(session: Session, query: Select[Any]) -> int:
    counted = query.order_by(None).with_only_columns(func.count(), maintain_column_froms=True)
    return session.scalar(counted) or 0
