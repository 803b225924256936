"""The formats that can be imported, and telling them apart by what a file holds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from ai.exceptions import InvalidInput
from ai.services.imports import (
    assistants,
    chatgpt,
    chats,
    langfuse,
    langsmith,
    librechat,
    openwebui,
    sharegpt,
    sheets,
)
from ai.services.imports.cells import Row
from ai.services.imports.drafts import Draft
from ai.services.imports.reports import Report
from ai.services.imports.values import Document

AUTO = "auto"

#: So many objects whose format is known are enough, and so many are looked at to find them.
ENOUGH, LOOKED_AT = 50, 5000

#: So many columns are named where none is known.
MOST_NAMED = 12

Mapping = tuple[tuple[str, str], ...]
Reader = Callable[[Iterable[Document], Report], Iterator[Draft]]


@dataclass(frozen=True, slots=True)
class Format:
    """A format: its name (also the source of its threads), its name for people, what recognises it, and its reader.

    `text` says more of it, `mapping` what becomes of its parts.
    """

    name: str
    label: str
    text: str
    recognises: Callable[[Any], bool]
    read: Reader
    mapping: Mapping = ()


_TREE: Mapping = (
    ("the messages that are shown", "the thread"),
    ("every other branch", "a fork of the thread"),
    ("ratings", "feedback"),
)
_TRACES: Mapping = (
    ("input and output", "messages; what a trace repeats of the ones before is said once"),
    ("model, tokens, cost, times, errors", "a run"),
)

#: The narrower before the wider: of several that recognise an object the first has it.
FORMATS: dict[str, Format] = {
    found.name: found
    for found in (
        Format(
            "csv",
            "CSV",
            "Threads, messages or feedback, as this console exports them, or with the columns that matter.",
            sheets.recognises,
            sheets.read,
            (
                ("id, title, tags, user_id, model, created", "threads: the same"),
                ("thread_id, role, content or message, created", "messages: the same"),
                ("thread_id, message_id or message_index, rating, score, label, comment", "feedback: the same"),
                ("other columns", "left out"),
            ),
        ),
        Format(
            "chatgpt",
            "ChatGPT data export",
            "The zip, conversations.json or a part of it, or message_feedback.json.",
            chatgpt.recognises,
            chatgpt.read,
            (
                *_TREE,
                ("code and its output", "calls of tools and their results"),
                ("thoughts", "the reasoning of the answer that follows"),
                ("hidden and system messages, custom instructions", "left out"),
                ("images and attachments", "names and sizes, without their contents"),
            ),
        ),
        Format(
            "openwebui",
            "Open WebUI export",
            "Chats, or the feedback of evaluations.",
            openwebui.recognises,
            openwebui.read,
            (*_TREE, ("tags", "tags"), ("user_id", "user"), ("output items", "calls of tools, results and reasoning")),
        ),
        Format(
            "librechat",
            "LibreChat export",
            "A conversation as JSON, with or without branches.",
            librechat.recognises,
            librechat.read,
            (*_TREE, ("tool calls and thoughts", "calls of tools, results and reasoning"), ("user", "user")),
        ),
        Format(
            "sharegpt",
            "ShareGPT",
            "Lists of who said what, as data sets have them.",
            sharegpt.recognises,
            sharegpt.read,
            (
                ("human, gpt, system", "user, assistant, system"),
                ("function_call, observation", "a call and its result"),
            ),
        ),
        Format(
            "langsmith",
            "LangSmith export",
            "Runs, or examples of a data set.",
            langsmith.recognises,
            langsmith.read,
            (("session_id, thread_id or conversation_id in the metadata, else the trace", "the thread"), *_TRACES),
        ),
        Format(
            "langfuse",
            "Langfuse export",
            "Traces, sessions, observations and scores.",
            langfuse.recognises,
            langfuse.read,
            (
                ("the session, else the trace", "the thread"),
                *_TRACES,
                ("scores", "feedback"),
                ("userId, tags", "user, tags"),
            ),
        ),
        Format(
            "chat",
            "OpenAI chat JSONL",
            "One thread a line with its messages, as for fine-tuning, and as this console exports it.",
            chats.recognises,
            chats.read,
            (
                ("id", "the thread's external ID; without one, the content makes it"),
                ("title, metadata, tags, user_id, created_at", "the same"),
                ("messages", "messages, as they are"),
            ),
        ),
        Format(
            "assistants",
            "Assistants API dump",
            "Assistants, threads, messages, runs and steps, as JSON in any order.",
            assistants.recognises,
            assistants.read,
            (
                ("threads, messages, runs, steps, assistants", "the same, under their own ids"),
                ("calls of functions in steps", "messages with calls, and their results"),
                ("files", "names and sizes, without their contents"),
            ),
        ),
    )
}


def named(name: str) -> Format:
    """The format with this name.

    Raises:
        InvalidInput: there is none.
    """
    if name not in FORMATS:
        raise InvalidInput(f"The format “{name}” is unknown: choose one of {', '.join([AUTO, *FORMATS])}.")
    return FORMATS[name]


def detect(documents: Iterable[Document]) -> Format:
    """The format that most of the first objects have.

    Raises:
        InvalidInput: none of them has a known one.
    """
    found: Counter[str] = Counter()
    header: list[str] = []
    for document in islice(documents, LOOKED_AT):
        if isinstance(document.value, Row):
            header = header or list(document.value)
        found.update(islice((each.name for each in FORMATS.values() if each.recognises(document.value)), 1))
        if found.total() >= ENOUGH:
            break
    if header and not found:
        names = ", ".join(f"“{name[:80]}”" for name in header[:MOST_NAMED])
        raise InvalidInput(
            f"It is not known what the columns {names} are: say which one is the thread, who speaks, and what is said."
        )
    if not found:
        labels = ", ".join(each.label for each in FORMATS.values())
        raise InvalidInput(f"Nothing in this file has a format that is known. What can be imported: {labels}.")
    return FORMATS[found.most_common(1)[0][0]]
