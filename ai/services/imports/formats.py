"""The formats that can be imported, and telling them apart by what a file holds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
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
)
from ai.services.imports.drafts import Draft
from ai.services.imports.reports import Report
from ai.services.imports.values import Document

AUTO = "auto"

#: So many objects are looked at.
LOOKED_AT = 50

Reader = Callable[[Iterable[Document], Report], Iterator[Draft]]


@dataclass(frozen=True, slots=True)
class Format:
    """A format: its name (also the source of its threads), its name for people, what recognises it, and its reader."""

    name: str
    label: str
    recognises: Callable[[Any], bool]
    read: Reader


#: The narrower before the wider: of several that recognise an object the first has it.
FORMATS: dict[str, Format] = {
    found.name: found
    for found in (
        Format("chatgpt", "ChatGPT data export", chatgpt.recognises, chatgpt.read),
        Format("openwebui", "Open WebUI export", openwebui.recognises, openwebui.read),
        Format("librechat", "LibreChat export", librechat.recognises, librechat.read),
        Format("sharegpt", "ShareGPT", sharegpt.recognises, sharegpt.read),
        Format("langsmith", "LangSmith export", langsmith.recognises, langsmith.read),
        Format("langfuse", "Langfuse export", langfuse.recognises, langfuse.read),
        Format("chat", "OpenAI chat JSONL", chats.recognises, chats.read),
        Format("assistants", "Assistants API dump", assistants.recognises, assistants.read),
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
    for number, document in enumerate(documents):
        if number >= LOOKED_AT:
            break
        known = next((each.name for each in FORMATS.values() if each.recognises(document.value)), "")
        found[known] += 1
    known_ones = [(count, name) for name, count in found.items() if name]
    if not known_ones:
        labels = ", ".join(each.label for each in FORMATS.values())
        raise InvalidInput(f"Nothing in this file has a format that is known. What can be imported: {labels}.")
    return FORMATS[max(known_ones)[1]]
