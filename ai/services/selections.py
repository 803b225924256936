"""Selections: the rows that somebody ticked, or all that a list page showed, kept until the work on them is done.

    selection = Selection.of_list("threads", {"tag": "billing", "q": "parcel"}).frozen(at=at)
    job.data["selection"] = selection.to_json()
    ...
    for threads in Selection.from_json(job.data["selection"]).chunks(): ...

A frozen selection has an upper bound: rows that are added later are not in it, apart from those that an import dates back.
What a search by words found is kept by id, since the next search may find something else.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.db.models import Model
from django.utils.dateparse import parse_datetime

from ai import ids, tenancy
from ai.exceptions import InvalidInput, NotFound
from ai.models import Assistant, AuditEntry, ChatThread, DataSource, Feedback, Message, Run, Tenant
from ai.services import filters, search

NOUNS: Mapping[str, Any] = {
    "threads": ChatThread,
    "messages": Message,
    "runs": Run,
    "files": DataSource,
    "feedback": Feedback,
    "assistants": Assistant,
    "audit-entries": AuditEntry,
}

#: The column that says since when a row is there, where it is another than `created`.
ADDED: Mapping[Any, str] = {AuditEntry: "at"}

#: So many rows can be chosen by id.
MOST_IDS = 10_000

#: Parameters of a list's address that say how it is shown, not what.
APPEARANCE = frozenset({"p", "o", "e", "all", "q", "_facets", "_changelist_filters", "view", "columns", "order"})


@dataclass(frozen=True)
class Selection:
    """Rows of one kind: those with these ids, or those that all the filters and the words find."""

    noun: str
    ids: tuple[UUID, ...] | None = None
    filters: Mapping[str, str] = field(default_factory=dict)
    words: str = ""
    until: datetime | None = None
    found: tuple[UUID, ...] | None = None
    is_cut: bool = False

    @classmethod
    def of_ids(cls, noun: str, keys: Iterable[UUID | str]) -> Selection:
        """The rows with these ids, whichever of them are there.

        Raises:
            InvalidInput: there is none, there are more than 10,000, or one is no id.
        """
        try:
            chosen = tuple(dict.fromkeys(ids.parse(key) for key in keys))
        except NotFound as error:
            raise InvalidInput(error.message, param="ids") from None
        if not 0 < len(chosen) <= MOST_IDS:
            raise InvalidInput(f"Choose between one and {MOST_IDS:,} {noun}.", param="ids")
        return cls(_known(noun), ids=chosen)

    @classmethod
    def of_list(cls, noun: str, parameters: Mapping[str, Any]) -> Selection:
        """The rows that the list page shows for the parameters of its address, on all of its pages.

        `parameters` is a mapping of texts or a `QueryDict`; `q` are the words of the search.

        Raises:
            InvalidInput: the list has no such parameter, or a value cannot be read.
        """
        given = {name: _one(parameters, name) for name in parameters}
        wanted = {name: value.strip() for name, value in given.items() if name not in APPEARANCE and value.strip()}
        words = given.get("q", "").replace("\x00", "").strip()
        made = cls(_known(noun), filters=wanted, words=words)
        for name, value in wanted.items():
            filters.narrow(NOUNS[noun].objects.none(), name, value)
        return made

    @property
    def model(self) -> type[Model]:
        """The model of the rows."""
        found: type[Model] = NOUNS[self.noun]
        return found

    def frozen(self, *, at: datetime, most: int = MOST_IDS) -> Selection:
        """The same rows, without those that are added after `at`; of what a search by words found, the first `most`."""
        if self.ids is not None or self.until is not None:
            return self
        if not self.words or search.is_by_id(self.model, self.words):
            return replace(self, until=at)
        rows = search.rows(NOUNS[self.noun].objects.all(), self.words)
        found = tuple(rows.values_list("pk", flat=True)[: most + 1])
        return replace(self, until=at, found=found[:most], is_cut=len(found) > most)

    def queryset(self) -> Any:
        """The rows in the current scope."""
        rows = NOUNS[self.noun].objects.all()
        if self.ids is not None:
            return rows.filter(pk__in=self.ids)
        for name, value in self.filters.items():
            rows = filters.narrow(rows, name, value)
        if self.until is not None:
            rows = rows.filter(**{f"{ADDED.get(self.model, 'created')}__lte": self.until})
        if self.found is not None:
            return rows.filter(pk__in=self.found)
        return search.rows(rows, self.words)

    def chunks(self, *, size: int = 500, after: UUID | None = None, queryset: Any = None) -> Iterator[list[Any]]:
        """The rows in the order of their keys, at most `size` at a time; only those after the key `after`.

        `queryset` is `queryset()` with more to it, such as `only(…)`. Rows that change meanwhile may leave the selection.
        """
        rows = (self.queryset() if queryset is None else queryset).order_by("pk")
        while True:
            chunk = list((rows.filter(pk__gt=after) if after else rows)[:size])
            if chunk:
                yield chunk
            if len(chunk) < size:
                return
            after = chunk[-1].pk

    def count(self, *, most: int | None = None) -> int:
        """How many rows there are; at most `most`, so that a big table is not counted."""
        rows = self.queryset().order_by()
        return int(rows.values("pk")[:most].count() if most else rows.count())

    def describe(self) -> str:
        """The selection in words: “threads: tag is billing, with the words “parcel””."""
        if self.ids is not None:
            return f"{len(self.ids):,} chosen {self.noun}"
        said = [filters.sentence(name, self._shown(name, value)) for name, value in sorted(self.filters.items())]
        said += [f"with the words “{self.words}”"] if self.words else []
        said += [f"only the first {len(self.found or ()):,} that were found"] if self.is_cut else []
        return f"{self.noun}: {', '.join(said)}" if said else f"all {self.noun}"

    def _shown(self, name: str, value: str) -> str:
        if name != "tenant" or not tenancy.current().allows(key := ids.parse(value)):
            return value
        return str(Tenant.objects.filter(pk=key).values_list("name", flat=True).first() or value)

    def query(self) -> str:
        """The filter as the query of the list's address; empty for chosen rows."""
        return urlencode({**self.filters, **({"q": self.words} if self.words else {})})

    def to_json(self) -> dict[str, Any]:
        """The selection for `Job.data` and a manifest."""
        return {
            "noun": self.noun,
            "ids": None if self.ids is None else [key.hex for key in self.ids],
            "filters": dict(self.filters),
            "words": self.words,
            "until": self.until.isoformat() if self.until else None,
            "found": None if self.found is None else [key.hex for key in self.found],
            "is_cut": self.is_cut,
        }

    @classmethod
    def from_json(cls, data: Any) -> Selection:
        """The selection that `to_json` wrote.

        Raises:
            InvalidInput: it is none.
        """
        try:
            return cls._read(data)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise InvalidInput("This is no stored selection.") from error

    @classmethod
    def _read(cls, data: Any) -> Selection:
        if data["ids"] is not None:
            return cls.of_ids(data["noun"], data["ids"])
        made = cls.of_list(data["noun"], {**data["filters"], "q": data["words"]})
        until = parse_datetime(data["until"]) if data["until"] else None
        if data["until"] and until is None:
            raise ValueError(data["until"])
        found = None if data["found"] is None else tuple(UUID(key) for key in data["found"])
        return replace(made, until=until, found=found, is_cut=bool(data.get("is_cut")))


def _known(noun: str) -> str:
    if noun not in NOUNS:
        raise InvalidInput(f"“{str(noun)[:50]}” is none of: {', '.join(NOUNS)}.")
    return noun


def _one(parameters: Mapping[str, Any], name: str) -> str:
    """The parameter's one value; of a `QueryDict` all of them are looked at."""
    every = parameters.getlist(name) if hasattr(parameters, "getlist") else [parameters[name]]
    if len(every) != 1 or not isinstance(every[0], str):
        raise InvalidInput(f"Give “{name[:100]}” once, as text.", param=name[:100])
    return every[0]
