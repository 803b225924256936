"""The three stores in memory: for tests and scripts that need no database. One tenant, one process."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from ai import ids
from ai.exceptions import Conflict, NotFound
from ai.stores import tags as carried
from ai.stores.base import BaseChatStore, BaseFileStore, BaseThreadStore
from ai.stores.files import Inspector, chunks_of, clean_name
from ai.stores.serialization import to_serializable, value_of


def _now() -> datetime:
    return datetime.now(UTC)  # noqa: TID251 - a store in memory is its own clock


@dataclass
class MemoryThread:
    """A thread in memory."""

    id: UUID
    name: str | None = None
    tags: list[str] = field(default_factory=list)
    tenant_id: UUID | None = None
    external_id: str | None = None
    user_id: str | None = None
    data: dict[str, Any] = field(default_factory=dict)
    created: datetime = field(default_factory=_now)
    modified: datetime = field(default_factory=_now)

    def to_json(self) -> dict[str, Any]:
        """The thread as JSON."""
        return to_serializable(self)


@dataclass
class MemoryMessage:
    """A message in memory."""

    id: UUID
    thread_id: str
    message: dict[str, Any]
    tenant_id: UUID | None = None
    run_id: str | None = None
    data: dict[str, Any] = field(default_factory=dict)
    created: datetime = field(default_factory=_now)
    modified: datetime = field(default_factory=_now)

    def to_json(self) -> dict[str, Any]:
        """The message as JSON."""
        return to_serializable(self)


@dataclass
class MemoryFile:
    """A file in memory."""

    file_id: str
    name: str
    purpose: str
    bytes: int
    sha256: str
    mime_type: str
    content: Any = field(repr=False)

    def attachment_reference(self) -> dict[str, Any]:
        """How a message refers to the file."""
        return attachment_reference(self)


def attachment_reference(file: Any) -> dict[str, Any]:
    """`{"id", "type": "file", "file_id", "metadata": {"name", "mime_type", "bytes"}}` of a stored file."""
    return {
        "id": file.file_id,
        "type": "file",
        "file_id": file.file_id,
        "metadata": {"name": file.name, "mime_type": file.mime_type, "bytes": file.bytes},
    }


class MemoryThreadStore(BaseThreadStore):
    """Threads in a dict."""

    def __init__(self, files: MemoryFileStore | None = None) -> None:
        self._threads: dict[UUID, MemoryThread] = {}
        self._files = files
        self._lock = threading.Lock()

    def add_thread(self, data: Any) -> MemoryThread:
        """Add a thread."""
        tags = ["chat", "agent"] if value_of(data, "agent_id") else ["chat"]
        thread_id = ids.parse(value_of(data, "thread_id", ids.new()))
        with self._lock:
            if thread_id in self._threads:
                raise Conflict(f"The thread {thread_id} exists already.")
            thread = MemoryThread(id=thread_id, tags=tags, user_id=value_of(data, "user_id"))
            self._threads[thread_id] = thread
        return thread

    def get_thread(self, thread_id: UUID | str) -> MemoryThread:
        """The thread."""
        try:
            return self._threads[ids.parse(thread_id)]
        except KeyError:
            raise NotFound(f"No thread found with id '{thread_id}'.") from None

    def get_or_add_thread(
        self,
        thread_id: UUID | str,
        tenant_id: UUID | str | None = None,
        tags: list[str] | None = None,
        name: str | None = None,
        user_id: str | None = None,
    ) -> MemoryThread:
        """The thread, made when there is none."""
        key = ids.parse(thread_id)
        carried.check(tags)
        with self._lock:
            if key not in self._threads:
                data = {"snippet": name, "tagged": False}
                title = (name or "New Chat")[:50]
                thread = MemoryThread(id=key, name=title, tags=tags or ["chat"], data=data, user_id=user_id)
                self._threads[key] = thread
            return self._threads[key]

    def update_thread(self, data: Any, thread: MemoryThread | None = None) -> MemoryThread | None:
        """Set documents, tags and user."""
        found = thread or self._threads.get(ids.parse(value_of(data, "thread_id", UUID(int=0))))
        if found is None:
            return None
        document_ids = value_of(data, "document_ids")
        if document_ids and self._files:
            kept = [file.attachment_reference() for file in self._files.find(document_ids)]
            found.data["document_ids"] = list(document_ids)
            found.data["document_meta"] = [{"name": d["metadata"]["name"], "type": d["type"]} for d in kept]
        tags = value_of(data, "tags", found.tags)
        carried.check(tags)
        found.tags = tags
        found.user_id = value_of(data, "user_id", found.user_id)
        return found

    def list_threads(self, user_id: str) -> list[MemoryThread]:
        """The user's threads."""
        mine = [thread for thread in self._threads.values() if thread.user_id == user_id]
        return mine[::-1]

    def delete_thread(self, thread_id: UUID | str) -> None:
        """Delete the thread."""
        self.get_thread(thread_id)
        del self._threads[ids.parse(thread_id)]


class MemoryChatStore(BaseChatStore):
    """Messages in a dict, in the order they came."""

    def __init__(self, threads: MemoryThreadStore) -> None:
        self._threads = threads
        self._messages: dict[UUID, MemoryMessage] = {}
        self._lock = threading.Lock()

    def create_message(
        self, data: Any, thread_id: UUID | str, tenant_id: UUID | str | None = None, **kwargs: Any
    ) -> MemoryMessage:
        """Append a message."""
        self._threads.get_thread(thread_id)
        message = to_serializable(data)
        key = ids.parse(message["id"]) if message.get("id") else ids.new()
        if key in self._messages:
            raise Conflict(f"The message {key} exists already.")
        run_id = kwargs.get("run_id") or message.get("run_id")
        row = MemoryMessage(id=key, thread_id=str(ids.parse(thread_id)), message=message, run_id=run_id)
        self._messages[key] = row
        return row

    def create_many(self, messages: Iterable[dict[str, Any]]) -> list[MemoryMessage]:
        """Append all of them, or none."""
        with self._lock:
            before = dict(self._messages)
            try:
                return [self.create_message(**message) for message in messages]
            except BaseException:
                self._messages = before
                raise

    def create_or_update(
        self, data: Any, thread_id: UUID | str, tenant_id: UUID | str | None = None, **kwargs: Any
    ) -> MemoryMessage:
        """Append or merge."""
        message = to_serializable(data)
        with self._lock:
            row = self._messages.get(ids.parse(message["id"])) if message.get("id") else None
            if row is None:
                return self.create_message(message, thread_id, tenant_id, **kwargs)
            if row.thread_id != str(ids.parse(thread_id)):
                raise Conflict(f"The message {row.id} belongs to another thread.")
            row.message = {**row.message, **message}
            row.modified = _now()
            return row

    def get_message(self, message_id: UUID | str) -> MemoryMessage:
        """The message."""
        try:
            return self._messages[ids.parse(message_id)]
        except KeyError:
            raise NotFound(f"No message found with id '{message_id}'.") from None

    def list_thread_messages(self, thread_id: UUID | str) -> list[MemoryMessage]:
        """The thread's messages."""
        key = str(ids.parse(thread_id))
        return [row for row in self._messages.values() if row.thread_id == key]


class MemoryFileStore(BaseFileStore):
    """Files in a dict."""

    def __init__(self) -> None:
        self._files: dict[str, MemoryFile] = {}

    def add_file(
        self, file: Any, name: str | None = None, purpose: str = "assistants", tenant_id: UUID | str | None = None
    ) -> MemoryFile:
        """Keep a file."""
        label = clean_name(name or getattr(file, "name", None))
        inspector = Inspector(label)
        content = b"".join(inspector.watch(chunks_of(file)))
        facts = inspector.facts()
        file_id = ids.public("file", ids.new())
        row = MemoryFile(file_id, label, purpose, facts.size, facts.sha256, facts.mime_type, content)
        self._files[file_id] = row
        return row

    def get_file(self, file_id: str) -> MemoryFile:
        """The file."""
        try:
            return self._files[file_id]
        except KeyError:
            raise NotFound(f"No file found with id '{file_id}'.") from None

    def find(self, file_ids: Iterable[str]) -> list[MemoryFile]:
        """Those of the files that exist."""
        return [self._files[file_id] for file_id in file_ids if file_id in self._files]

    def read_file(self, file_id: str) -> Iterator[bytes]:
        """The content."""
        return chunks_of(self.get_file(file_id).content)

    def list_files(self, purpose: str | None = None) -> list[MemoryFile]:
        """The files, newest first."""
        rows = [row for row in self._files.values() if purpose in (None, row.purpose)]
        return rows[::-1]

    def delete_file(self, file_id: str) -> None:
        """Delete the file."""
        self.get_file(file_id)
        del self._files[file_id]
