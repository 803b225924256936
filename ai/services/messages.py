"""What a person can do with messages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from ai import ids
from ai.exceptions import InvalidInput, NotFound, ThreadBusy
from ai.models import ChatThread, DataSource, ForeignId, Message, Run
from ai.models.threads import NEW_NAME
from ai.services import audit, permissions, tool_resources
from ai.stores.content import text_of

ROLES = ("user", "assistant")
PARTS = ("text", "image_file", "image_url")


@transaction.atomic
def create(*, thread_id: UUID, by: Any, at: datetime, **message: Any) -> Message:
    """Append a message to a thread.

    Args:
        message: `role`, `content` (a text, or the Assistants API's parts), and perhaps `attachments` and `metadata`.

    Raises:
        Forbidden, InvalidInput.
        NotFound: there is no such thread, or a file that is named does not exist.
        ThreadBusy: the thread has an active run, which would not see the message.
    """
    permissions.require(by, "ai.add_message")
    # Whoever starts a run locks the thread too: it is either here before the message, or sees it.
    thread = ChatThread.objects.locked(thread_id)
    if thread is None:
        raise NotFound(f"No thread found with id '{ids.public('thread', thread_id)}'.")
    if busy := Run.objects.active_on(thread.pk, at=at):
        shown = ForeignId.objects.shown("thread", thread.pk), ForeignId.objects.shown("run", busy.pk)
        raise ThreadBusy("Can't add messages to {} while a run {} is active.".format(*shown))
    return write(thread=thread, messages=[message], by=by, at=at)[0]


@transaction.atomic
def write(*, thread: ChatThread, messages: Sequence[Mapping[str, Any]], by: Any, at: datetime) -> list[Message]:
    """Append messages to a thread that is new or locked. Arguments and errors are those of `create`."""
    permissions.require(by, "ai.add_message")
    said = [_said(message) for message in messages]
    _require_files(said)
    rows = Message.objects.append(said, thread_id=thread.pk, at=at)
    if any(message.get("attachments") for message in said):
        tool_resources.add_attachments(thread_id=thread.pk, messages=said, by=by, at=at)
    _name(thread, first_words(said), at=at)
    for row in rows:
        audit.record("message.added", target=row, by=by, at=at, thread=str(thread.pk), role=row.role)
    return rows


def _said(message: Mapping[str, Any]) -> dict[str, Any]:
    """The message as it is kept: what the client said, without what means nothing."""
    role, content = message.get("role"), message.get("content")
    if role not in ROLES:
        raise InvalidInput(f"Invalid 'role': expected one of {', '.join(ROLES)}.", param="role", code="invalid_value")
    if not content:
        raise InvalidInput("Message content must be non-empty.", param="content", code="invalid_value")
    parts = content if isinstance(content, str) else [_part(part) for part in content]
    more = {name: message[name] for name in ("attachments", "metadata") if message.get(name)}
    return {"role": role, "content": parts, **more}


def _part(part: Any) -> dict[str, Any]:
    kind = part.get("type") if isinstance(part, Mapping) else None
    if kind not in PARTS or part.get(kind) is None:
        raise InvalidInput(f"Invalid 'content': parts are {', '.join(PARTS)}.", param="content", code="invalid_value")
    value = part[kind]
    if kind == "text":
        # A client that sends back what it read has an object here.
        value = value.get("value", "") if isinstance(value, Mapping) else str(value)
    return {"type": kind, kind: value}


def _require_files(said: Sequence[Mapping[str, Any]]) -> None:
    parts = [part for message in said if isinstance(message["content"], list) for part in message["content"]]
    wanted = [("content", part["image_file"]["file_id"]) for part in parts if part["type"] == "image_file"]
    wanted += [("attachments", item["file_id"]) for message in said for item in message.get("attachments") or ()]
    found = DataSource.objects.existing(file_id for _, file_id in wanted)
    for param, file_id in wanted:
        if file_id not in found:
            raise NotFound(f"No file found with id '{file_id[:100]}'.", param=param)


def first_words(messages: Sequence[Mapping[str, Any]]) -> str:
    """What the user says first, which a thread is named after; empty when that is nothing."""
    first = next((message for message in messages if message.get("role") == "user"), None)
    return text_of(dict(first)).strip() if first else ""


def _name(thread: ChatThread, text: str, *, at: datetime) -> None:
    if thread.name not in {NEW_NAME, "", None} or not text or thread.tenant_id is None:
        return
    from ai.services import titles  # noqa: PLC0415 - many patterns, compiled when something is first named

    name, for_good = titles.for_now(text, thread_id=thread.pk, tenant_id=thread.tenant_id)
    if for_good:
        ChatThread.objects.retitle(thread.pk, name=name, tags=titles.tags_for(text, thread.tags), at=at)
    else:
        ChatThread.objects.rename(thread.pk, name=name, at=at)


@transaction.atomic
def modify(*, message: Message, metadata: Mapping[str, str], by: Any, at: datetime) -> Message:
    """Replace a message's metadata.

    Raises:
        Forbidden, NotFound.
    """
    permissions.require(by, "ai.change_message")
    row = Message.objects.set_metadata(message.pk, metadata=dict(metadata), at=at)
    if row is None:
        raise NotFound(f"No message found with id '{ids.public('message', message.pk)}'.")
    audit.record("message.changed", target=row, by=by, at=at)
    return row


@transaction.atomic
def delete(*, message: Message, by: Any, at: datetime) -> None:
    """Delete a message with the feedback on it.

    Raises:
        Forbidden.
    """
    permissions.require(by, "ai.delete_message")
    audit.record("message.deleted", target=message, by=by, at=at, thread=str(message.thread_id), role=message.role)
    Message.objects.delete_message(message)
