"""Transcripts in Markdown: a conversation as people read it."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable
from typing import IO, Any

from ai.models import ChatThread
from ai.services.exports import conversations
from ai.services.exports.conversations import Said
from ai.services.exports.rows import Written
from ai.services.tables import dumps
from ai.stores.content import text_of, tool_calls_of
from ai.stores.serialization import clean_text

ROLES = {"user": "User", "assistant": "Assistant", "tool": "Result", "system": "System", "developer": "Developer"}
NAME_CHARACTERS = 60
_FENCES = re.compile(r"^\s*(`{3,})", re.MULTILINE)
_UNFIT = re.compile(r"[^\w-]+")


def write(noun: str, querysets: Iterable[Any], out: IO[bytes], *, is_first: bool = True) -> Written:
    """Write each thread's transcript as a JSON line `[name of the file, text]`, from which an archive is made."""
    written = Written()
    for thread, said in conversations.of(querysets):
        out.write(dumps([f"{_file_name(thread)}.md", text(thread, said)]).encode() + b"\n")
        written.add(Written(1, 1))
    return written


def write_text(noun: str, querysets: Iterable[Any], out: IO[bytes], *, is_first: bool = True) -> Written:
    """Write the transcripts one below the other."""
    written = Written()
    for thread, said in conversations.of(querysets):
        out.write(b"\n---\n\n" if written.rows or not is_first else b"")
        out.write(text(thread, said).encode())
        written.add(Written(1, 1))
    return written


def text(thread: ChatThread, said: Iterable[Said]) -> str:
    """The conversation: its title and what is known of it, then each message under who said it and when."""
    facts = [f"Thread `{thread.pk}`", f"last activity {thread.last_activity_at:%Y-%m-%d %H:%M} UTC"]
    facts += [f"user {_line(thread.user_id)}"] if thread.user_id else []
    facts += [f"tags {', '.join(_line(str(tag)) for tag in thread.tags)}"] if thread.tags else []
    turns = [f"# {_line(thread.name or 'Untitled')}", " · ".join(facts)]
    turns += [_turn(each) for each in said]
    return clean_text("\n\n".join(turns) + "\n")


def _turn(said: Said) -> str:
    message = said.message or {}
    role = str(message.get("role") or "user")
    name = f" {_line(str(message['name']))}" if message.get("name") else ""
    pieces = [f"## {ROLES.get(role, role.capitalize())}{name} · {said.created:%Y-%m-%d %H:%M:%S}"]
    words = text_of(message)
    if words:
        pieces.append(_fenced(_pretty(words)) if role == "tool" else words)
    for call in tool_calls_of(message):
        pieces += [f"Calls `{_line(call['name'])}`", _fenced(_pretty(call["arguments"]))]
    attached = message.get("attachments")
    for each in attached if isinstance(attached, list) else []:
        named = each.get("name") or each.get("file_id") or each.get("id") if isinstance(each, dict) else None
        pieces += [f"Attached: {_line(str(named))}"] if named else []
    return "\n\n".join(pieces)


def _line(words: str) -> str:
    return " ".join(words.split())


def _pretty(words: str) -> str:
    """JSON with a line for each value; other texts as they are."""
    try:
        found = json.loads(words)
    except (ValueError, RecursionError):
        return words
    return json.dumps(found, ensure_ascii=False, indent=2) if isinstance(found, dict | list) else words


def _fenced(words: str) -> str:
    """The words as code; the fence is longer than any within."""
    longest = max((len(found) for found in _FENCES.findall(words)), default=2)
    fence = "`" * (longest + 1)
    return f"{fence}\n{words}\n{fence}"


def _file_name(thread: ChatThread) -> str:
    """A name that is unlike every other thread's, on any system."""
    words = unicodedata.normalize("NFC", thread.name or "thread")
    title = _UNFIT.sub("-", words)[:NAME_CHARACTERS].strip("-_") or "thread"
    return f"{title}-{thread.pk.hex[:8]}{thread.pk.hex[-8:]}"
