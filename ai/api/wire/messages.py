"""Messages on the wire."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, Tag, WithJsonSchema

from ai.api.pages import PageQuery
from ai.api.wire.base import AS_IT_CAME, BY_TYPE, Metadata, Request, seconds
from ai.api.wire.names import PublicIds
from ai.events import snapshots
from ai.models import Message, Run

Detail = Literal["auto", "low", "high"]


class TextPart(BaseModel):
    """Words."""

    type: Literal["text"]
    # A client that sends back what it read has an object with a `value` here.
    text: Annotated[Any, WithJsonSchema({"type": "string"})]


class ImageFile(BaseModel):
    """A picture that was uploaded."""

    file_id: str
    detail: Detail | None = None


class ImageFilePart(BaseModel):
    """A picture that was uploaded."""

    type: Literal["image_file"]
    image_file: ImageFile


class ImageUrl(BaseModel):
    """A picture somewhere else."""

    url: str
    detail: Detail | None = None


class ImageUrlPart(BaseModel):
    """A picture somewhere else."""

    type: Literal["image_url"]
    image_url: ImageUrl


Part = Annotated[
    Annotated[TextPart, Tag("#text")]
    | Annotated[ImageFilePart, Tag("#image_file")]
    | Annotated[ImageUrlPart, Tag("#image_url")],
    BY_TYPE,
]
Content = Annotated[
    Annotated[
        Annotated[str, Field(min_length=1), Tag("#string")] | Annotated[list[Part], Field(min_length=1), Tag("#array")],
        BY_TYPE,
    ],
    AS_IT_CAME,
]


class AttachmentTool(BaseModel):
    """What a file is attached for."""

    type: Literal["code_interpreter", "file_search"]


class Attachment(BaseModel):
    """A file that goes with a message."""

    file_id: str
    tools: list[AttachmentTool] | None = None


class CreateMessage(Request):
    """A new message."""

    role: Literal["user", "assistant"]
    content: Content
    attachments: Annotated[list[Attachment], AS_IT_CAME] | None = None
    metadata: Metadata | None = None


class ModifyMessage(Request):
    """Other metadata."""

    metadata: Metadata | None = None


class MessageQuery(PageQuery):
    """What clients say about the page they want."""

    run_id: str | None = None


class IncompleteDetails(BaseModel):
    """Why a message is not whole."""

    reason: str


class MessageAnswer(BaseModel):
    """A message."""

    model_config = ConfigDict(title="MessageAnswer")

    id: str
    object: Literal["thread.message"]
    created_at: int
    thread_id: str
    status: Literal["in_progress", "incomplete", "completed"]
    incomplete_details: IncompleteDetails | None
    completed_at: int | None
    incomplete_at: int | None
    role: Literal["user", "assistant"]
    content: list[dict[str, Any]]
    assistant_id: str | None
    run_id: str | None
    attachments: list[dict[str, Any]]
    metadata: dict[str, Any]


def messages(rows: Sequence[Message]) -> list[dict[str, Any]]:
    """The messages as JSON: two queries at most, whatever their number."""
    runs = {row.pk: _uuid(row.run_id) for row in rows}
    wanted = {key for key in runs.values() if key}
    assistants = dict(Run.objects.filter(pk__in=wanted).values_list("pk", "assistant_id")) if wanted else {}
    ids = PublicIds(*runs, *wanted, *assistants.values(), *(row.thread_id for row in rows))
    return [_message(row, ids, runs[row.pk], assistants) for row in rows]


def message(row: Message) -> dict[str, Any]:
    """One of them."""
    return messages([row])[0]


def _message(row: Message, ids: PublicIds, run: UUID | None, assistants: Mapping[UUID, UUID | None]) -> dict[str, Any]:
    said: dict[str, Any] = row.message or {}
    whole = said.get("status") != "incomplete"
    ended = said.get("completed_at") or seconds(row.created)
    return {
        "id": ids.of("message", row.pk),
        "object": "thread.message",
        "created_at": seconds(row.created),
        "thread_id": ids.of("thread", str(row.thread_id)),
        "status": "completed" if whole else "incomplete",
        "incomplete_details": None if whole else said.get("incomplete_details") or {"reason": "run_failed"},
        "completed_at": ended if whole and row.role == "assistant" else None,
        "incomplete_at": None if whole else ended,
        "role": "assistant" if row.role == "assistant" else "user",
        "content": _content(said),
        "assistant_id": ids.maybe("assistant", assistants.get(run) if run else None) or _own_assistant(said),
        "run_id": ids.maybe("run", run),
        "attachments": [_attachment(item) for item in said.get("attachments") or [] if isinstance(item, dict)],
        "metadata": said.get("metadata") or {},
    }


def _own_assistant(said: Mapping[str, Any]) -> str | None:
    """The assistant that an imported message names itself, for one whose run is not here."""
    found = said.get("assistant_id")
    return found if isinstance(found, str) else None


def _uuid(text: str | None) -> UUID | None:
    try:
        return UUID(text) if text else None
    except ValueError:  # a store of somebody's own may write what it likes
        return None


def _content(said: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Parts as clients expect them, whoever wrote the message."""
    content, annotations = said.get("content"), said.get("annotations") or ()
    if isinstance(content, str):
        return [snapshots.text_part(content, annotations)] if content else []
    parts = [_part(part) for part in content if isinstance(part, dict)] if isinstance(content, list) else []
    found = [part for part in parts if part is not None]
    first = next((part for part in found if part["type"] == "text"), None)
    if first is not None and annotations and not first["text"]["annotations"]:
        first["text"]["annotations"] = list(annotations)
    return found


def _part(part: dict[str, Any]) -> dict[str, Any] | None:
    """One part in the API's form; None for what it has no form for."""
    kind, text = part.get("type"), part.get("text")
    if isinstance(text, dict):
        return snapshots.text_part(str(text.get("value") or ""), text.get("annotations") or ())
    if isinstance(text, str):
        return snapshots.text_part(text)
    if kind in {"image_file", "image_url"} and isinstance(part.get(kind), dict):
        return {"type": kind, kind: {"detail": "auto", **part[kind]}}
    if kind == "refusal":
        return {"type": kind, "refusal": str(part.get("refusal") or "")}
    return None


def _attachment(item: Mapping[str, Any]) -> dict[str, Any]:
    return {"file_id": item.get("file_id") or item.get("id"), "tools": item.get("tools") or []}
