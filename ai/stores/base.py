"""The interfaces that the managers of `ai.models` implement, and that an integrator's own store can.

Each method has an `a`-prefixed async twin. The twins here run the sync method in a thread with the caller's context, so a
store need only write its own where it can do better.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any
from uuid import UUID

from asgiref.sync import sync_to_async


class BaseThreadStore(ABC):
    """Keeps threads. Returned threads have the attributes of `ai.models.ChatThread` and `to_json()`."""

    @abstractmethod
    def add_thread(self, data: Any) -> Any:
        """Add a thread from an object with `thread_id`, `tenant_id`, `user_id`, `agent_id`, `message`, all optional."""

    @abstractmethod
    def get_thread(self, thread_id: UUID | str) -> Any:
        """The thread. Raises `NotFound`."""

    @abstractmethod
    def get_or_add_thread(
        self,
        thread_id: UUID | str,
        tenant_id: UUID | str | None = None,
        tags: list[str] | None = None,
        name: str | None = None,
        user_id: str | None = None,
    ) -> Any:
        """The thread, made when there is none; parallel calls make one."""

    @abstractmethod
    def update_thread(self, data: Any, thread: Any = None) -> Any:
        """Set documents, tags and user from `data`; None when there is no such thread."""

    @abstractmethod
    def list_threads(self, user_id: str) -> Iterable[Any]:
        """The user's threads, the latest active first."""

    @abstractmethod
    def delete_thread(self, thread_id: UUID | str) -> None:
        """Delete the thread and its messages. Raises `NotFound`."""

    async def aadd_thread(self, data: Any) -> Any:
        """`add_thread`."""
        return await sync_to_async(self.add_thread)(data)

    async def aget_thread(self, thread_id: UUID | str) -> Any:
        """`get_thread`."""
        return await sync_to_async(self.get_thread)(thread_id)

    async def aget_or_add_thread(
        self,
        thread_id: UUID | str,
        tenant_id: UUID | str | None = None,
        tags: list[str] | None = None,
        name: str | None = None,
        user_id: str | None = None,
    ) -> Any:
        """`get_or_add_thread`."""
        return await sync_to_async(self.get_or_add_thread)(thread_id, tenant_id, tags, name, user_id)

    async def aupdate_thread(self, data: Any, thread: Any = None) -> Any:
        """`update_thread`."""
        return await sync_to_async(self.update_thread)(data, thread)

    async def alist_threads(self, user_id: str) -> list[Any]:
        """`list_threads`, as a list."""
        return await sync_to_async(lambda: list(self.list_threads(user_id)))()

    async def adelete_thread(self, thread_id: UUID | str) -> None:
        """`delete_thread`."""
        await sync_to_async(self.delete_thread)(thread_id)


class BaseChatStore(ABC):
    """Keeps the messages of threads, in order."""

    @abstractmethod
    def create_message(
        self, data: Any, thread_id: UUID | str, tenant_id: UUID | str | None = None, **kwargs: Any
    ) -> Any:
        """Append a message. Raises `NotFound` when the thread does not exist."""

    @abstractmethod
    def create_many(self, messages: Iterable[dict[str, Any]]) -> list[Any]:
        """Append several; each is `create_message`'s arguments as a dict. All of them, or none."""

    @abstractmethod
    def create_or_update(
        self, data: Any, thread_id: UUID | str, tenant_id: UUID | str | None = None, **kwargs: Any
    ) -> Any:
        """Append the message, or merge `data` over the one that has its `id`."""

    @abstractmethod
    def get_message(self, message_id: UUID | str) -> Any:
        """The message. Raises `NotFound`."""

    @abstractmethod
    def list_thread_messages(self, thread_id: UUID | str) -> Iterable[Any]:
        """The thread's messages in the order they were added."""

    async def acreate_message(
        self, data: Any, thread_id: UUID | str, tenant_id: UUID | str | None = None, **kwargs: Any
    ) -> Any:
        """`create_message`."""
        return await sync_to_async(self.create_message)(data, thread_id, tenant_id, **kwargs)

    async def acreate_many(self, messages: Iterable[dict[str, Any]]) -> list[Any]:
        """`create_many`."""
        return await sync_to_async(self.create_many)(messages)

    async def acreate_or_update(
        self, data: Any, thread_id: UUID | str, tenant_id: UUID | str | None = None, **kwargs: Any
    ) -> Any:
        """`create_or_update`."""
        return await sync_to_async(self.create_or_update)(data, thread_id, tenant_id, **kwargs)

    async def aget_message(self, message_id: UUID | str) -> Any:
        """`get_message`."""
        return await sync_to_async(self.get_message)(message_id)

    async def alist_thread_messages(self, thread_id: UUID | str) -> list[Any]:
        """`list_thread_messages`, as a list."""
        return await sync_to_async(lambda: list(self.list_thread_messages(thread_id)))()


class BaseFileStore(ABC):
    """Keeps files. Returned files have `file_id`, `name`, `bytes`, `sha256`, `mime_type`, `attachment_reference()`."""

    @abstractmethod
    def add_file(
        self, file: Any, name: str | None = None, purpose: str = "assistants", tenant_id: UUID | str | None = None
    ) -> Any:
        """Keep a file, read in chunks. Raises `TooLarge` over the limit. Equal files stay separate."""

    @abstractmethod
    def get_file(self, file_id: str) -> Any:
        """The file. Raises `NotFound`."""

    @abstractmethod
    def read_file(self, file_id: str) -> Iterable[bytes]:
        """The file's content in chunks. Raises `NotFound`."""

    @abstractmethod
    def list_files(self, purpose: str | None = None) -> Iterable[Any]:
        """The files, newest first."""

    @abstractmethod
    def delete_file(self, file_id: str) -> None:
        """Delete the file and its content. Raises `NotFound`."""

    async def aadd_file(
        self, file: Any, name: str | None = None, purpose: str = "assistants", tenant_id: UUID | str | None = None
    ) -> Any:
        """`add_file`."""
        return await sync_to_async(self.add_file)(file, name, purpose, tenant_id)

    async def aget_file(self, file_id: str) -> Any:
        """`get_file`."""
        return await sync_to_async(self.get_file)(file_id)

    async def aread_file(self, file_id: str) -> bytes:
        """The whole content."""
        return await sync_to_async(lambda: b"".join(self.read_file(file_id)))()

    async def alist_files(self, purpose: str | None = None) -> list[Any]:
        """`list_files`, as a list."""
        return await sync_to_async(lambda: list(self.list_files(purpose)))()

    async def adelete_file(self, file_id: str) -> None:
        """`delete_file`."""
        await sync_to_async(self.delete_file)(file_id)
