"""Which adapter speaks for a thread: told by its id, and by where the thread came from."""

from __future__ import annotations

from ai.exceptions import InvalidInput, RemoteMissing
from ai.models.remotes import ASSISTANTS_SOURCES, PREFIXES, kind_of
from ai.remote.assistants import AssistantsThreads
from ai.remote.conversations import Conversations
from ai.remote.lines import Line
from ai.remote.port import RemoteConversations
from ai.remote.stored import StoredCompletions, StoredResponses

ADAPTERS: dict[str, type[RemoteConversations]] = {
    each.kind: each for each in (AssistantsThreads, Conversations, StoredResponses, StoredCompletions)
}

__all__ = ["ADAPTERS", "ASSISTANTS_SOURCES", "PREFIXES", "adapter", "kind_of"]


def is_never_served(remote: RemoteConversations, error: RemoteMissing) -> bool:
    """Whether the server has not got the address, rather than the conversation.

    Of Assistants-style threads that is how it ends: OpenAI answers so since it switched them off.
    """
    return "invalid url" in error.message.lower() and remote.kind != AssistantsThreads.kind


def adapter(kind: str, line: Line) -> RemoteConversations:
    """The adapter of a kind.

    Raises:
        InvalidInput: there is none of this kind.
    """
    if kind not in ADAPTERS:
        raise InvalidInput("The thread's external ID is not one of a remote conversation, so it has no remote side.")
    return ADAPTERS[kind](line)
