"""What of a conversation is read to find its title: the first turns, shortened, and the tools that were called."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ai.models import ChatThread, Message
from ai.services.titling import calls, languages, phrases
from ai.services.titling.text import plain
from ai.stores.content import role_of, text_of, tool_calls_of
from ai.stores.serialization import quoted

MOST_MESSAGES = 40
TURN_CHARACTERS = 2000
QUOTED_TURNS = 8
QUOTED_CHARACTERS = 3000
SPEAKERS = ("user", "assistant")


@dataclass(frozen=True)
class Conversation:
    """The beginning of a conversation: `turns` of (speaker, text), and tool calls as `tool_calls_of` gives them."""

    turns: tuple[tuple[str, str], ...] = ()
    calls: tuple[dict[str, Any], ...] = ()

    @classmethod
    def of_text(cls, text: str) -> Conversation:
        """A conversation of which only what the user first wrote is known."""
        return cls(turns=(("user", (text or "")[:TURN_CHARACTERS]),))

    @classmethod
    def of_messages(cls, messages: Iterable[Mapping[str, Any] | None]) -> Conversation:
        """A conversation of messages in OpenAI's chat format."""
        turns: list[tuple[str, str]] = []
        called: list[dict[str, Any]] = []
        for message in messages:
            said = dict(message or {})
            role, text = role_of(said), text_of(said)[:TURN_CHARACTERS]
            if role in SPEAKERS and text.strip():
                turns.append((role, text))
            called += tool_calls_of(said)
        return cls(tuple(turns), tuple(called))

    @property
    def asked(self) -> list[str]:
        """What the user wrote, turn by turn."""
        return [text for role, text in self.turns if role == "user"]

    @property
    def said(self) -> str:
        """What everybody wrote."""
        return "\n".join(text for _, text in self.turns)

    def by_rule(self) -> str:
        """The title without any model; empty where nobody wrote a word."""
        asked = "\n".join(self.asked)
        words, telling = phrases.best(self.asked)
        if self.calls and languages.guess(asked).code in {"en", ""}:
            done, is_much = calls.title(self.calls, said=self.said, asked=asked)
            if done and (is_much or telling < phrases.ENOUGH):
                return done
        return words or phrases.best([text for _, text in self.turns])[0]

    def quoted(self) -> str:
        """The first turns as JSON for a model: data, in which nothing can end the quotation."""
        left, told = QUOTED_CHARACTERS, []
        for role, text in self.turns[:QUOTED_TURNS]:
            piece = " ".join(plain(text[:left]).split())
            if piece:
                told.append({"speaker": role, "text": piece})
                left -= len(piece)
            if left <= 0:
                break
        return quoted(told)


def of_thread(thread: ChatThread) -> Conversation:
    """The beginning of a thread; what its metadata remembers where it has no messages."""
    messages: Any = Message.objects.list_thread_messages(thread.pk)
    found = Conversation.of_messages(messages.values_list("message", flat=True)[:MOST_MESSAGES])
    return found if found.turns else Conversation.of_text(str((thread.data or {}).get("snippet") or ""))
