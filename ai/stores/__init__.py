"""Where conversations are kept: the interfaces, and a twin in memory for tests and scripts. No Django here."""

from ai.stores.base import BaseChatStore, BaseFileStore, BaseThreadStore
from ai.stores.memory import MemoryChatStore, MemoryFileStore, MemoryThreadStore

__all__ = [
    "BaseChatStore",
    "BaseFileStore",
    "BaseThreadStore",
    "MemoryChatStore",
    "MemoryFileStore",
    "MemoryThreadStore",
]
