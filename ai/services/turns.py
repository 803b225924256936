"""Messages as turns: what was said, the tools that were called with their results, the files, whatever shape came in.

Messages are imported from many places and written by models, so nothing about their shape is taken for granted.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from ai.models import DataSource, Feedback, Message, Run
from ai.stores.content import text_of, tool_calls_of

#: More tool calls, files or images than this in one message are left out of a page.
MOST_PARTS = 50
MOST_CITATIONS = 200
WORDS = {"file_search": "file search", "code_interpreter": "code interpreter"}


@dataclass
class ToolCall:
    """A tool call; `output` is None while there is no result on the same page."""

    id: str
    name: str
    arguments: str
    output: str | None = None
    output_id: UUID | None = None
    output_at: datetime | None = None


@dataclass
class Attachment:
    """A file of a message; `row` is None when it is not in storage."""

    file_id: str
    name: str
    mime_type: str = ""
    bytes: int | None = None
    row: DataSource | None = None
    tools: list[str] = field(default_factory=list)

    def found(self, row: DataSource) -> None:
        """Take the facts from storage."""
        self.row, self.name, self.mime_type, self.bytes = row, row.name, row.mime_type, row.bytes

    @property
    def is_image(self) -> bool:
        """Whether a browser can show it as a picture without running anything."""
        return self.row is not None and self.mime_type in {"image/png", "image/jpeg", "image/gif", "image/webp"}


@dataclass
class Citation:
    """A file that an answer refers to, as a footnote: `number` stands in the text where the marker stood."""

    number: int
    file_id: str
    name: str = ""
    row: DataSource | None = None

    def found(self, row: DataSource) -> None:
        """Take the name from storage."""
        self.row, self.name = row, row.name


@dataclass
class Turn:
    """One message as people read it."""

    id: UUID
    sequence: int
    role: str
    at: datetime
    text: str
    name: str = ""
    model: str = ""
    reasoning: str = ""
    call_id: str = ""
    external_id: str = ""
    run_id: str = ""
    calls: list[ToolCall] = field(default_factory=list)
    attachments: list[Attachment] = field(default_factory=list)
    media: list[str] = field(default_factory=list)
    citations: list[Citation] = field(default_factory=list)
    metadata: dict[str, Any] = field(default_factory=dict)
    incomplete: str = ""
    feedback: list[Feedback] = field(default_factory=list)
    run: Run | None = None
    replays: list[Run] = field(default_factory=list)
    unanswered: list[Run] = field(default_factory=list)

    @property
    def size(self) -> int:
        """How many characters the text has."""
        return len(self.text)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to show but the fact that a message came."""
        return not (self.text.strip() or self.calls or self.attachments or self.media or self.reasoning)


def of(messages: Iterable[Message]) -> list[Turn]:
    """The turns; a tool's result is folded into its call when both are there."""
    out: list[Turn] = []
    waiting: dict[str, ToolCall] = {}
    for row in messages:
        turn = _turn(row)
        call = waiting.pop(turn.call_id, None) if turn.role == "tool" else None
        if call and not turn.attachments:
            call.output, call.output_id, call.output_at = turn.text, turn.id, turn.at
            continue
        waiting.update({made.id: made for made in turn.calls if made.id})
        out.append(turn)
    return out


def _turn(row: Message) -> Turn:
    message = row.message if isinstance(row.message, dict) else {}
    info = row.data if isinstance(row.data, dict) else {}
    text = text_of(message) if isinstance(row.message, dict) else str(row.message or "")
    text, citations = _cited(text, message)
    return Turn(
        id=row.pk,
        sequence=row.sequence,
        role=row.role,
        at=row.created,
        text=text,
        name=_word(message.get("name")),
        model=_word(message.get("model") or info.get("model")),
        reasoning=_reasoning(message),
        call_id=_word(message.get("tool_call_id")),
        external_id=row.external_id or "",
        run_id=row.run_id or "",
        calls=[ToolCall(c["id"], c["name"], c["arguments"]) for c in tool_calls_of(message)[:MOST_PARTS]],
        attachments=_attachments(message)[:MOST_PARTS],
        media=[label for part in _parts(message) if (label := _medium(part))][:MOST_PARTS],
        citations=citations,
        metadata=message["metadata"] if isinstance(message.get("metadata"), dict) else {},
        incomplete=_incomplete(message),
    )


def _incomplete(message: dict[str, Any]) -> str:
    """Why the message is not whole; empty when it is."""
    if message.get("status") != "incomplete":
        return ""
    details = message.get("incomplete_details")
    return (_word(details.get("reason")) if isinstance(details, dict) else "") or "unknown"


def _cited(text: str, message: dict[str, Any]) -> tuple[str, list[Citation]]:
    """The text with the number of a footnote for each marker, and the footnotes: one for each file."""
    notes: dict[str, Citation] = {}
    numbers: dict[str, int] = {}
    for annotation in _annotations(message)[:MOST_CITATIONS]:
        inner = annotation.get(str(annotation.get("type")))
        file_id = _word(inner.get("file_id")) if isinstance(inner, dict) else ""
        if not file_id:
            continue
        note = notes.setdefault(file_id, Citation(len(notes) + 1, file_id, name=_marked_name(annotation)))
        marker = _word(annotation.get("text"))
        if annotation.get("type") == "file_citation" and marker:
            numbers.setdefault(marker, note.number)
    if numbers:  # in one pass: what is put in is not looked at again
        markers = "|".join(re.escape(marker) for marker in sorted(numbers, key=len, reverse=True))
        text = re.sub(markers, lambda found: f"[{numbers[found[0]]}]", text)
    return text, list(notes.values())


def _annotations(message: dict[str, Any]) -> list[dict[str, Any]]:
    """What the text refers to: kept beside the text, or inside its parts."""
    given = message.get("annotations")
    found = list(given) if isinstance(given, list) else []
    for part in _parts(message):
        inner = part.get("text")
        if isinstance(inner, dict) and isinstance(inner.get("annotations"), list):
            found += inner["annotations"]
    return [each for each in found if isinstance(each, dict)]


def _marked_name(annotation: dict[str, Any]) -> str:
    """The file's name as a marker such as 【0:1†report.pdf】 has it."""
    return _word(annotation.get("text")).partition("†")[2].rstrip("】")


def _word(value: Any) -> str:
    return value[:255] if isinstance(value, str) else ""


def _reasoning(message: dict[str, Any]) -> str:
    """What the model says it thought, under the names that vendors give it."""
    for name in ("reasoning_content", "reasoning", "thinking"):
        if isinstance(message.get(name), str):
            return str(message[name])
    return ""


def _parts(message: dict[str, Any]) -> list[dict[str, Any]]:
    content = message.get("content")
    return [part for part in content if isinstance(part, dict)] if isinstance(content, list) else []


def _medium(part: dict[str, Any]) -> str:
    """A part that is no text, in words: it is never loaded."""
    kind = str(part.get("type") or "")
    if kind in {"image_url", "input_image"}:
        given = part.get("image_url")
        address = given.get("url") if isinstance(given, dict) else given
        address = str(address or "")
        return "an image inside the message" if address.startswith("data:") else address[:500] or "an image"
    return {"input_audio": "audio inside the message", "audio": "audio inside the message"}.get(kind, "")


def _attachments(message: dict[str, Any]) -> list[Attachment]:
    given = message.get("attachments")
    found = [_attachment(item) for item in given if isinstance(item, dict)] if isinstance(given, list) else []
    for part in _parts(message):
        inner = part.get(str(part.get("type")))
        if part.get("type") in {"file", "image_file"} and isinstance(inner, dict):
            found.append(_attachment({**part, **inner, "name": inner.get("filename") or part.get("name")}))
    return list({item.file_id: item for item in found if item.file_id}.values())


def _attachment(item: dict[str, Any]) -> Attachment:
    facts = item.get("metadata") if isinstance(item.get("metadata"), dict) else {}
    facts = {**item, **(facts or {})}
    size = facts.get("bytes")
    return Attachment(
        file_id=_word(item.get("file_id")) or _word(item.get("id")),
        name=_word(facts.get("name")) or "File",
        mime_type=_word(facts.get("mime_type")),
        bytes=size if isinstance(size, int) else None,
        tools=_tools(item.get("tools")),
    )


def _tools(given: Any) -> list[str]:
    """The tools that a file was attached for."""
    kinds = [tool.get("type") for tool in given if isinstance(tool, dict)] if isinstance(given, list) else []
    return [WORDS.get(kind, kind)[:50] for kind in kinds if isinstance(kind, str)][:5]
