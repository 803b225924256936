"""CSV: threads, messages and feedback, as this console exports them (`ai.services.tables`) or with the columns that matter.

Which of the three a file holds is told by its columns. Files of one folder or zip belong together, in any order; messages
whose threads are in none of them go to threads that are here, or make new ones.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

from ai.exceptions import InvalidInput
from ai.services import tables
from ai.services.imports import chats, fields, identities
from ai.services.imports.cells import Row
from ai.services.imports.drafts import Draft, Json, MessageDraft, Refusal, ThreadDraft, Unusable
from ai.services.imports.identities import MessageNames
from ai.services.imports.opinions import opinion
from ai.services.imports.reports import Report
from ai.services.imports.stages import Stage, Staged
from ai.services.imports.values import Document
from ai.stores.content import ROLES

_TIMES = ("created", "created_at", "timestamp", "time")
#: Seconds or milliseconds since September 2001; 202501011200 is neither.
_SECONDS = re.compile(r"(\d{10}|\d{13})(\.\d+)?")
_TITLES = ("title", "name")
_SAID = ("message", "content", "text")

#: What others call those who speak; upper and lower case are the same.
_ROLES = {
    **dict.fromkeys(("human", "customer", "client", "visitor", "end user", "end-user", "me", "question"), "user"),
    **dict.fromkeys(("ai", "bot", "agent", "gpt", "model", "chatbot", "chatgpt", "answer", "support"), "assistant"),
}

#: Columns of threads that stay as they are in rows that keep their keys.
_KEPT = (
    *("source", "sync_state", "title_locked", "forked_from", "model", "last_activity_at", "modified", "data", "tags"),
    *("name", "external_id", "user_id"),
)


@lru_cache(8)
def kind_of(*columns: str) -> str:
    """What a file with these columns holds: “feedback”, “message”, “thread”, or nothing that is known."""
    names = set(columns)
    if names & {"rating", "score"} and names & {"message_id", "message_index"}:
        return "feedback"
    if "thread_id" in names and names & set(_SAID):
        return "message"
    return "thread" if "id" in names and names & set(_TITLES) else ""


def recognises(value: Any) -> bool:
    """Whether it is a row of one of the three."""
    return isinstance(value, Row) and kind_of(*value) != ""


def read(documents: Iterable[Document], report: Report) -> Iterator[Draft]:
    """The threads with their messages, then the feedback."""
    with Stage() as stage:
        for number, document in enumerate(documents):
            report.count()
            kind = kind_of(*document.value) if isinstance(document.value, Row) else ""
            try:
                _put(stage, kind, document, number)
            except Unusable as error:
                report.refuse(Refusal(kind or "object", document.place, str(error), _id(document.value)))
        for thread_id, staged in stage.threads():
            if draft := _thread(thread_id, staged, report):
                yield draft
        for each in stage.of_kind("feedback"):
            try:
                yield opinion(each.value, each.place, each.id, at=report.at)
            except (Unusable, InvalidInput) as error:
                report.refuse(Refusal("feedback", each.place, str(error), each.id))


def _put(stage: Stage, kind: str, document: Document, number: int) -> None:
    if not kind:
        raise Unusable("Its columns are not those of threads, messages or feedback.")
    value = dict(document.value)
    named = identities.name_of(value.get("feedback_id") or value.get("id") or value.get("message_id"))
    if kind == "feedback":
        named = identities.name_of(value.get("feedback_id") or value.get("id"))
        # Columns that are left out, or called otherwise, make no other feedback of it.
        whole = document.value.given or value
        stage.put(Staged(kind, named or f"row-{identities.digest(whole)}", document.place, value))
    else:
        thread_id = named if kind == "thread" else identities.name_of(value["thread_id"])
        if not thread_id:
            raise Unusable("It has no “thread_id”." if kind == "message" else "It has no “id”.")
        key = thread_id if kind == "thread" else f"{thread_id}/{named or number}"
        stage.put(Staged(kind, key, document.place, value), thread=thread_id)


def _id(value: Any) -> str:
    return str(value.get("id") or "")[:255] if isinstance(value, dict) else ""


# -- Threads and messages


def _thread(thread_id: str, staged: Sequence[Staged], report: Report) -> ThreadDraft | None:
    """The thread of a row with those of its messages that can be used; None where it has no row and none of these."""
    own = next((each for each in staged if each.kind == "thread"), None)
    place = (own or staged[0]).place
    try:
        known = _known(own.value) if own else {}
    except (Unusable, InvalidInput) as error:
        report.refuse(Refusal("thread", place, str(error), thread_id))
        return None
    messages = _messages(thread_id, [each for each in staged if each.kind == "message"], report, known.get("created"))
    if own is None and not messages:
        return None
    at = known.get("created") or (messages[0].at if messages else report.at)
    return ThreadDraft(
        id=thread_id,
        key=_key(thread_id),
        place=place,
        at=at,
        title=str(known.get("name") or ""),
        data=known.get("data") or {},
        is_implied=own is None,
        external_id=known.get("external_id", None if own and _key(thread_id) else _called(staged[0])),
        user_id=known.get("user_id"),
        tags=known.get("tags"),
        model=str(known.get("model") or ""),
        last_at=known.get("last_activity_at"),
        messages=messages,
        values={name: known[name] for name in _KEPT if name in known} if _key(thread_id) else {},
    )


def _known(row: Json) -> Json:
    """The values that a row of threads gives."""
    cells = {**row}
    if "title" not in cells and "name" in cells:
        cells["title"] = cells.pop("name")
    cells |= {"created": found} if (found := _when(row)) else {}
    known = set(tables.THREADS.header) - {"id", "tenant_id"}
    given = {name: cell for name, cell in cells.items() if name in known and (cell or name in _NULLABLE)}
    return tables.THREADS.values(given)


_NULLABLE = frozenset(column.name for column in tables.THREADS.columns if column.is_null)


def _messages(thread_id: str, staged: Sequence[Staged], report: Report, at: datetime | None) -> list[MessageDraft]:
    names, found = MessageNames(), []
    when = at or report.at
    for each in _in_order(staged):
        try:
            made = _message(thread_id, each, names, at=when)
        except (Unusable, InvalidInput) as error:
            report.refuse(Refusal("message", each.place, str(error), each.id))
            continue
        when = made.at
        found.append(made)
    return found


def _in_order(staged: Sequence[Staged]) -> list[Staged]:
    """By the number that each row has, and as they are in the file where they have none."""
    numbers = [str(each.value.get("sequence") or "") for each in staged]
    if not all(number.isdecimal() for number in numbers):
        return list(staged)
    return [each for _, each in sorted(zip(map(int, numbers), staged, strict=True), key=lambda pair: pair[0])]


def _message(thread_id: str, staged: Staged, names: MessageNames, *, at: datetime) -> MessageDraft:
    row = staged.value
    given = {name: row[name] for name in _OF_MESSAGES if name in row and (row[name] or name in _NULL_OF_MESSAGES)}
    given |= {"created": cell} if (cell := _when(row)) else {}
    known = tables.MESSAGES.values(given)
    message = chats.normal(known["message"] if known.get("message") is not None else _said(row))
    if _may_be_deep(str(row.get("message"))):
        fields.require_shallow(message)
    named = row.get("id") or row.get("message_id")
    key = _key(named) if named else None
    name = identities.name_of(named) if named else names.of(message)
    exact = {attribute: known[attribute] for attribute in ("run_id", "modified") if known.get(attribute) is not None}
    return MessageDraft(
        id=name if key else f"{thread_id}/{name}",
        key=key,
        place=staged.place,
        at=known.get("created") or at,
        message=message,
        external_id=known.get("external_id", None if key or not named else str(named)[:255]),
        data=known.get("data"),
        sequence=known.get("sequence") if key else None,
        values=exact if key else {},
    )


def _may_be_deep(text: str) -> bool:
    """Whether JSON may be deeper than it may: it has a bracket for each level."""
    return text.count("[") + text.count("{") > fields.MOST_LEVELS


_OF_MESSAGES = ("sequence", "message", "metadata", "run_id", "external_id", "created", "modified")
_NULL_OF_MESSAGES = frozenset(column.name for column in tables.MESSAGES.columns if column.is_null)


def _called(staged: Staged) -> str:
    """What the file calls the thread of a row."""
    return str(staged.value["id" if staged.kind == "thread" else "thread_id"])[:255]


def _said(row: Json) -> Json:
    """The message of a row that has its words in a cell of their own."""
    if not row.get("role"):
        raise Unusable("It has no “role”.")
    role = tables.unguard(row["role"]).strip()
    plain = role.lower()
    said: Json = {
        "role": _ROLES.get(plain, plain if plain in ROLES else role),
        "content": tables.unguard(_cell(row, ("content", "text"))),
    }
    return said | {name: tables.unguard(row[name]) for name in ("tool_call_id", "name") if row.get(name)}


def _cell(row: Json, names: Iterable[str]) -> str:
    return next((str(row[name]) for name in names if row.get(name)), "")


def _when(row: Json) -> str:
    """The cell with the time; seconds or milliseconds as the text that they stand for."""
    cell = _cell(row, _TIMES)
    if not _SECONDS.fullmatch(cell):
        return cell
    at = fields.time({"created": float(cell)}, "created")
    return at.isoformat() if at else cell


def _key(text: str) -> UUID | None:
    """The key of a row that such a console as this one wrote; None for what others call things."""
    try:
        found = UUID(text)
    except ValueError:
        return None
    return found if str(found) == text else None
