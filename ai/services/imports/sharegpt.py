"""ShareGPT's format and its relatives: `{"id"?, "conversations": [{"from": "human", "value": "…"}]}`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from ai.services.imports import fields, identities
from ai.services.imports.drafts import Draft, Json, MessageDraft, Refusal, ThreadDraft, Unusable
from ai.services.imports.identities import MessageNames
from ai.services.imports.reports import Report
from ai.services.imports.stages import Occurrences
from ai.services.imports.values import Document
from ai.stores.serialization import to_serializable

ROLES = {
    **dict.fromkeys(["human", "user"], "user"),
    **dict.fromkeys(["gpt", "assistant", "chatgpt", "bard", "bing", "model", "chatbot"], "assistant"),
    "system": "system",
    **dict.fromkeys(["function_call", "tool_call"], "call"),
    **dict.fromkeys(["tool", "function", "observation", "tool_response", "function_response"], "tool"),
}
_NAMES = ("conversations", "conversation", "items")


def recognises(value: Any) -> bool:
    """Whether it is a conversation: a list of things that are `from` somebody."""
    return isinstance(value, dict) and any(
        isinstance(value.get(name), list)
        and any(isinstance(turn, dict) and "from" in turn and "value" in turn for turn in value[name][:3])
        for name in _NAMES
    )


def read(documents: Iterable[Document], report: Report) -> Iterator[Draft]:
    """A thread for each object."""
    with Occurrences() as seen:
        for document in documents:
            report.count()
            try:
                yield _thread(document, seen, at=report.at)
            except Unusable as error:
                report.refuse(Refusal("thread", document.place, str(error), _shown_id(document.value)))


def _thread(document: Document, seen: Occurrences, *, at: datetime) -> ThreadDraft:
    if not isinstance(document.value, dict):
        raise Unusable("It is no JSON object.")
    fields.require_shallow(document.value)
    value = to_serializable(document.value)
    turns = next((value[name] for name in _NAMES if isinstance(value.get(name), list)), None)
    if turns is None:
        raise Unusable("It has no “conversations”.")
    own = identities.given(value.get("id"))
    thread_id = f"sharegpt:{own[0][:200]}" if own else _derived(turns, seen)
    system = fields.text(value, "system")
    said = [{"role": "system", "content": system}] if system else []
    said += _said(turns)
    names = MessageNames()
    return ThreadDraft(
        id=thread_id,
        place=document.place,
        at=at,
        title=fields.text(value, "title"),
        data={"metadata": fields.metadata(value)},
        external_id=own[1] if own else None,
        model=fields.text(value, "model")[:255],
        messages=[
            MessageDraft(id=f"{thread_id}/{names.of(message)}", place=document.place, at=at, message=message)
            for message in said
        ],
    )


def _derived(turns: list[Any], seen: Occurrences) -> str:
    key = identities.digest(turns)
    return f"sharegpt-{key}-{seen.next(key)}"


def _said(turns: list[Any]) -> list[Json]:
    found: list[Json] = []
    open_calls: list[str] = []
    for number, turn in enumerate(turns, start=1):
        if not isinstance(turn, dict):
            raise Unusable(f"Message {number}: It is no object.")
        role = ROLES.get(str(turn.get("from") or turn.get("role")).lower())
        if role is None:
            raise Unusable(f"Message {number}: It is from {fields.shown(turn.get('from'))}, which is unknown.")
        text = fields.text(turn, "value" if "value" in turn else "content")
        if role == "call":
            calls = _calls(text, number)
            open_calls = [call["id"] for call in calls]
            found.append({"role": "assistant", "content": None, "tool_calls": calls})
        elif role == "tool":
            call = {"tool_call_id": open_calls.pop(0)} if open_calls else {}
            found.append({"role": "tool", **call, "content": text})
        else:
            found.append({"role": role, "content": text})
    return found


def _calls(text: str, number: int) -> list[Json]:
    """The calls that are written as JSON; a text that is none is a call's only argument."""
    try:
        given = json.loads(text)
    except (ValueError, RecursionError):
        given = None
    made = [item for item in (given if isinstance(given, list) else [given]) if isinstance(item, dict)]
    if not made or not all(isinstance(item.get("name"), str) for item in made):
        made = [{"name": "function", "arguments": {"input": text}}]
    return [
        {
            "id": f"call_{number}_{place}",
            "type": "function",
            "function": {"name": item["name"], "arguments": _arguments(item.get("arguments"))},
        }
        for place, item in enumerate(made)
    ]


def _arguments(given: Any) -> str:
    return given if isinstance(given, str) else json.dumps(given or {}, ensure_ascii=False)


def _shown_id(value: Any) -> str:
    found = value.get("id") if isinstance(value, dict) else None
    return found[:255] if isinstance(found, str) else ""
