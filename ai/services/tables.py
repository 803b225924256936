"""CSV files of threads, messages, runs, files, feedback, assistants and the audit log: which columns they have, and how a value becomes text and back.

The way there and back is exact: times keep their microseconds, JSON its types, and an absent value differs from an empty
text. A cell that a spreadsheet would take for a formula begins with an apostrophe, which an import takes off again.
Files are UTF-8 as RFC 4180 describes them, with CRLF and a header.
"""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from functools import cached_property
from typing import Any
from uuid import UUID

from ai.exceptions import InvalidInput
from ai.stores.serialization import clean_text, to_serializable

#: What a spreadsheet takes for the beginning of a formula, and the guard itself.
GUARDED = frozenset("=+-@\t\r'")
GUARD = "'"


def guard(text: str) -> str:
    """The text so that no spreadsheet computes it."""
    return GUARD + text if text and text[0] in GUARDED else text


def unguard(cell: str) -> str:
    """The text that `guard` was given. A cell that somebody else wrote stays as it is, unless it looks guarded."""
    if cell[:1] == GUARD and (len(cell) == 1 or cell[1] in GUARDED):
        return cell[1:]
    return cell


def dumps(value: Any) -> str:
    """JSON with letters as they are; a lone surrogate, which no file can hold, stays escaped."""
    text = json.dumps(value, ensure_ascii=False)
    return text if text == clean_text(text) else json.dumps(value)


def _json(text: str) -> Any:
    """JSON as every database can keep it."""
    return to_serializable({"value": json.loads(text)})["value"]


def _time(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _boolean(text: str) -> bool:
    known = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
    if text.lower() not in known:
        raise ValueError(text)
    return known[text.lower()]


@dataclass(frozen=True)
class Kind:
    """How the values of a column are written and read."""

    name: str
    write: Callable[[Any], str]
    read: Callable[[str], Any]


TEXT = Kind("text", str, clean_text)
JSON = Kind("JSON", dumps, _json)
TIME = Kind("time", lambda at: at.astimezone(UTC).isoformat(timespec="microseconds")[:-6] + "Z", _time)
KEY = Kind("id", str, UUID)
INTEGER = Kind("whole number", str, int)
NUMBER = Kind("number", repr, float)
MONEY = Kind("amount", str, Decimal)
NAME = Kind("name", str, lambda text: " ".join(clean_text(text).split()))
BOOLEAN = Kind("true or false", lambda value: "true" if value else "false", _boolean)


@dataclass(frozen=True)
class Column:
    """A column of a CSV file and the field it comes from.

    An `is_derived` column follows from others: it is there to be read, and an import passes over it.
    """

    name: str
    kind: Kind = TEXT
    field: str = ""
    is_null: bool = False
    is_derived: bool = False

    @property
    def attribute(self) -> str:
        """The field's name."""
        return self.field or self.name

    def cell(self, value: Any) -> str:
        """The value as a cell. Where values can be absent, an empty text is a lone apostrophe."""
        if value is None:
            return ""
        text = self.kind.write(value)
        return guard(text) if text else GUARD if self.is_null else ""

    def value(self, cell: str) -> Any:
        """The value in a cell.

        Raises:
            InvalidInput: it is of another kind.
        """
        if cell == "" and (self.is_null or self.kind is not TEXT):
            if self.is_null:
                return None
            raise InvalidInput(f"“{self.name}” is empty.", param=self.name)
        try:
            return self.kind.read(unguard(cell))
        except (ValueError, InvalidOperation, RecursionError):
            raise InvalidInput(f"“{cell[:80]}” in “{self.name}” is no {self.kind.name}.", param=self.name) from None


def _null(name: str, kind: Kind = TEXT, field: str = "") -> Column:
    return Column(name, kind, field, is_null=True)


def _derived(name: str, kind: Kind = TEXT, *, is_null: bool = False) -> Column:
    return Column(name, kind, is_null=is_null, is_derived=True)


_TENANT = _null("tenant_id", KEY)
_TIMES = (Column("created", TIME), Column("modified", TIME))


@dataclass(frozen=True)
class Table:
    """The columns of one kind of rows, in the order of the file."""

    noun: str
    columns: tuple[Column, ...]

    @cached_property
    def header(self) -> list[str]:
        """The names of the columns."""
        return [column.name for column in self.columns]

    @cached_property
    def by_name(self) -> dict[str, Column]:
        """The columns by name."""
        return {column.name: column for column in self.columns}

    def cells(self, row: Any) -> list[str]:
        """A row of the database as a row of the file."""
        return [column.cell(getattr(row, column.attribute)) for column in self.columns]

    def values(self, cells: Mapping[str, str]) -> dict[str, Any]:
        """The fields that a row of a file gives; what it lacks, and what follows from others, is left out.

        Raises:
            InvalidInput: a cell holds something of another kind.
        """
        given = ((self.by_name[name], cell) for name, cell in cells.items() if name in self.by_name)
        return {column.attribute: column.value(cell) for column, cell in given if not column.is_derived}


THREADS = Table(
    "threads",
    (
        Column("id", KEY),
        Column("source"),
        _null("external_id"),
        _null("title", field="name"),
        _null("tags", JSON),
        _null("user_id"),
        Column("model"),
        _derived("feedback"),
        _derived("has_files", BOOLEAN),
        _derived("message_count", INTEGER),
        Column("sync_state"),
        Column("title_locked", BOOLEAN),
        _null("forked_from", KEY),
        _TENANT,
        *_TIMES,
        Column("last_activity_at", TIME),
        _null("metadata", JSON, "data"),
    ),
)
MESSAGES = Table(
    "messages",
    (
        Column("id", KEY),
        _null("thread_id"),
        Column("sequence", INTEGER),
        _derived("role"),
        _derived("content", is_null=True),
        _null("message", JSON),
        _null("metadata", JSON, "data"),
        _null("run_id"),
        _null("external_id"),
        _TENANT,
        *_TIMES,
    ),
)
RUNS = Table(
    "runs",
    (
        Column("id", KEY),
        _null("thread_id"),
        Column("model"),
        Column("response_model"),
        Column("status"),
        Column("error_code"),
        Column("error_message"),
        Column("incomplete_reason"),
        Column("instructions"),
        *(Column(name, JSON) for name in ("tools", "settings", "metadata", "output")),
        _null("required_action", JSON),
        _null("assistant_id", KEY),
        _null("external_id"),
        Column("requested_by"),
        _null("history_until", INTEGER),
        _null("replay_of", KEY),
        _null("replay_of_thread", KEY),
        _null("replay_from", INTEGER),
        _null("replay_to", INTEGER),
        _null("promoted_to", KEY),
        *(Column(f"{name}_tokens", INTEGER) for name in ("prompt", "completion", "cached", "total")),
        _null("cost", MONEY),
        _null("first_token_ms", INTEGER),
        _null("duration_ms", INTEGER),
        Column("attempt", INTEGER),
        _TENANT,
        *_TIMES,
        *(_null(name, TIME) for name in ("started_at", "ended_at", "expires_at")),
    ),
)
FILES = Table(
    "files",
    (
        Column("id", KEY),
        Column("file_id"),
        Column("name"),
        Column("mime_type"),
        Column("bytes", INTEGER),
        Column("sha256"),
        Column("purpose"),
        _null("external_id"),
        _TENANT,
        *_TIMES,
        _null("expires_at", TIME),
    ),
)
FEEDBACK = Table(
    "feedback",
    (
        Column("id", KEY),
        Column("thread_id", KEY),
        Column("message_id", KEY),
        Column("user_id"),
        Column("rating"),
        _null("score", NUMBER),
        Column("label"),
        Column("comment"),
        Column("state"),
        Column("severity", INTEGER),
        Column("reason"),
        Column("labels", JSON),
        Column("assignee"),
        _null("due_at", TIME),
        _null("snoozed_until", TIME),
        _null("duplicate_of", KEY),
        _null("fixed_by", KEY),
        Column("history", JSON),
        Column("given_at", TIME),
        _TENANT,
        *_TIMES,
    ),
)
ASSISTANTS = Table(
    "assistants",
    (
        Column("id", KEY),
        _null("name"),
        _null("description"),
        Column("model"),
        Column("instructions"),
        *(Column(name, JSON) for name in ("tools", "tool_resources", "settings", "metadata")),
        _null("external_id"),
        _TENANT,
        *_TIMES,
    ),
)
#: The seal of an entry of the audit log: its number in the chain, the digest that the chain had before, and the one it has
#: with the entry. Whoever has the file can follow the chain by them (`manage.py verify_audit --file`).
SEAL = (
    _derived("seal", INTEGER, is_null=True),
    _derived("digest_before", is_null=True),
    _derived("digest", is_null=True),
)
AUDIT_ENTRIES = Table(
    "audit-entries",
    (
        Column("id", KEY),
        Column("at", TIME),
        _TENANT,
        Column("action"),
        Column("actor_id"),
        Column("actor_name"),
        Column("target_type"),
        Column("target_id"),
        Column("data", JSON),
        *SEAL,
    ),
)
TABLES = {table.noun: table for table in (THREADS, MESSAGES, RUNS, FILES, FEEDBACK, ASSISTANTS, AUDIT_ENTRIES)}


def reader(lines: Iterable[str]) -> Iterator[dict[str, str]]:
    """The rows of a CSV file, opened with `newline=""`, by the names in its header; cells may be of any length."""
    csv.field_size_limit(sys.maxsize)
    yield from csv.DictReader(lines, restval="")
