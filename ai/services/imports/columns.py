"""What the columns of a CSV file are: as they are called, as is guessed from what others call them, or as somebody says.

`Columns` are the names in a file's header with the field that each is read as; an empty field leaves the column out. Names
that are not in it are read as they are called.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice

from ai.exceptions import InvalidInput
from ai.services import tables
from ai.services.imports import sheets
from ai.services.imports.cells import Row, heading
from ai.services.imports.values import Document

Columns = Mapping[str, str]

#: So many rows are looked at. So many columns can be chosen, and names of so many characters: the choice is an address.
LOOKED_AT, MOST_SHOWN, MOST_NAME = 200, 60, 100
EXCERPT = 80

#: The fields that matter, with what they are, in the order in which they are offered.
MAIN = {
    "thread_id": "Thread",
    "role": "Who speaks",
    "content": "What is said",
    "created": "Time",
    "id": "ID of the row",
    "title": "Title of the thread",
    "user_id": "User",
    "tags": "Tags, as a JSON list",
    "model": "Model",
    "sequence": "Number in the thread",
    "name": "Name of who speaks",
    "tool_call_id": "Call that a result answers",
    "message": "Message, as JSON",
    "message_id": "Message that feedback is about",
    "message_index": "Its number in the thread, from 0",
    "rating": "Rating: up or down",
    "score": "Score",
    "label": "Label",
    "comment": "Comment",
}
_OTHERS = ("text", "created_at", "timestamp", "time", "feedback_id", "user")
_TABLES = (tables.THREADS, tables.MESSAGES, tables.FEEDBACK)
FIELDS = (*MAIN, *sorted({*_OTHERS, *(name for table in _TABLES for name in table.header)} - MAIN.keys()))

#: What others call them.
_CALLED = {
    "thread_id": "thread, conversation_id, conversation, chat_id, chat, session_id, session, ticket_id, ticket, dialog_id, dialogue_id",
    "role": "speaker, sender, author, from, who, sender_type, author_role, message_role, participant",
    "content": "text, body, utterance, message_text, message_content, said, msg, message_body",
    "created": "created_at, timestamp, time, date, datetime, sent_at, sent, created_on, message_time",
    "title": "subject, thread_title, conversation_title",
    "user_id": "user, customer_id, customer, username",
    "model": "model_name",
    "message_id": "msg_id",
    "rating": "feedback, vote, thumb",
    "comment": "remark, note",
}
#: What is in a table of messages; what somebody thought of them there is not taken for a table of feedback.
_SAID = {"content", "text", "message"}
_MEANT = {name: field for field, names in _CALLED.items() for name in names.split(", ")}


@dataclass(frozen=True, slots=True)
class Found:
    """A column of a file: its name, the beginning of the first cell that is not empty, and the field that it is read as."""

    name: str
    example: str
    field: str


def checked(columns: Columns) -> dict[str, str]:
    """The columns, by their names as a header has them, each read as a field that there is.

    Raises:
        InvalidInput.
    """
    for name, field in columns.items():
        if field and field not in FIELDS:
            raise InvalidInput(
                f"“{name}” cannot be read as “{field}”: choose one of {', '.join(FIELDS)}.", param="columns"
            )
    return {heading(name): field for name, field in columns.items()}


def looked(documents: Iterable[Document], given: Columns) -> list[Found]:
    """The columns of the tables among the first documents, read as somebody has said, or as is guessed; none where there are none."""
    examples: dict[str, str] = {}
    headers: dict[tuple[str, ...], None] = {}
    for document in islice(documents, LOOKED_AT):
        if isinstance(document.value, Row):
            headers[tuple(document.value)] = None
            for name, cell in document.value.items():
                examples[name] = examples.get(name) or cell.strip()[:EXCERPT]
    read_as: dict[str, str] = {}
    for header in headers:
        read_as = {**guess(header, examples), **read_as}
    read_as |= {name: field for name, field in given.items() if name in examples}
    shown = [name for name in examples if 0 < len(name) <= MOST_NAME]
    return [Found(name, examples[name], read_as[name]) for name in shown[:MOST_SHOWN]]


def lacking(found: Iterable[Found]) -> str:
    """What a table of messages still needs, in words."""
    read_as = {each.field for each in found}
    needed = {
        "the thread": {"thread_id"},
        "who speaks": {"role", "message"},
        "what is said": _SAID,
    }
    return ", ".join(words for words, fields in needed.items() if not fields & read_as)


def guess(header: Iterable[str], examples: Mapping[str, str]) -> dict[str, str]:
    """What the columns of one table may be. The fields of a known table are what they are called."""
    names = [name for name in header if name]
    found = {name: name if name in FIELDS else "" for name in names}
    if "message" in found and "content" not in found:
        found["message"] = _meant("message", examples)
    kind = sheets.kind_of(*found.values())
    # Ratings last: whether they are feedback depends on what else there is.
    for name in sorted(names, key=lambda name: _meant(name, examples) == "rating"):
        meant = "" if kind and found[name] else _meant(name, examples)
        if meant and meant not in found.values() and not (meant == "rating" and _SAID & set(found.values())):
            found[name] = meant
    return found


def _meant(name: str, examples: Mapping[str, str]) -> str:
    """The field that a column is by its name, and for JSON also by what is in it; empty where no field is meant."""
    plain, example = _plain(name), examples.get(name, "")
    if plain == "message" and not example.startswith(("{", "[")):
        return "content"
    if plain == "tags" and not example.startswith("["):
        return ""
    return plain if plain in MAIN else _MEANT.get(plain, "")


def _plain(name: str) -> str:
    """A name without what people write differently: “Conversation ID” and “conversationId” are “conversation_id”."""
    apart = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name)
    return re.sub(r"\W+", "_", apart).strip("_").lower()


def renamed(documents: Iterable[Document], columns: Columns) -> Iterator[Document]:
    """The documents, with the cells of tables under the names of their fields.

    Raises:
        InvalidInput: two columns of one table are read as the same field, or after all that tables have none of such a name.
    """
    return _all_renamed(documents, columns) if columns else iter(documents)


def _all_renamed(documents: Iterable[Document], columns: Columns) -> Iterator[Document]:
    plans: dict[tuple[str, ...], list[tuple[str, str]]] = {}
    for document in documents:
        yield _renamed(columns, plans, document)
    met = {name for header in plans for name in header}
    if met and (unmet := [name for name in columns if name not in met]):
        raise InvalidInput(f"No column is called “{unmet[0]}”: write it as the file does.", param="columns")


def _renamed(columns: Columns, plans: dict[tuple[str, ...], list[tuple[str, str]]], document: Document) -> Document:
    if not isinstance(document.value, Row):
        return document
    header = tuple(document.value)
    plan = plans.get(header)
    if plan is None:
        plan = plans[header] = _plan(header, columns)
    row = Row((field, document.value[name]) for name, field in plan)
    row.given = document.value
    return replace(document, value=row)


def _plan(header: tuple[str, ...], columns: Columns) -> list[tuple[str, str]]:
    taken: dict[str, str] = {}
    for name in header:
        field = columns.get(name, name)
        if not field:
            continue
        if field in taken:
            raise InvalidInput(
                f"“{taken[field]}” and “{name}” are both read as “{field}”: leave one of them out.", param="columns"
            )
        taken[field] = name
    return [(name, field) for field, name in taken.items()]
