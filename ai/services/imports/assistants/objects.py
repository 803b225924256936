"""Telling the objects of the Assistants API apart, however a dump has packed them.

An object may stand alone, in a list, or in a page of the API (`{"object": "list", "data": […]}`). A thread may carry its
messages, runs and files, and a run its steps; `assistants-thread-export/v1` writes `{"thread": {…}, "messages": […],
"runs": [{…, "steps": […]}], "files": {id: {…}}}` for each thread.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from ai.services.imports import fields
from ai.services.imports.drafts import Json, Refusal, Refuse, Unusable

KINDS = {
    "assistant": "assistant",
    "thread": "thread",
    "thread.message": "message",
    "thread.run": "run",
    "thread.run.step": "step",
    "file": "file",
}

#: What is under these keys, where an object does not say itself what it is.
CONTENTS = {
    "assistant": "assistant",
    "assistants": "assistant",
    "thread": "thread",
    "threads": "thread",
    "messages": "message",
    "runs": "run",
    "steps": "step",
    "run_steps": "step",
    "files": "file",
}
_PREFIXES = {"asst_": "assistant", "thread_": "thread", "msg_": "message", "run_": "run", "step_": "step"}
_INSIDE = {"thread": ("messages", "runs", "steps", "run_steps", "files"), "run": ("steps", "run_steps")}
_FLAT = frozenset({"thread_id", "message_id", "role", "text"})

MISSING_THREAD = "The export that made this dump could not read the thread"


@dataclass(frozen=True, slots=True)
class Found:
    """An object and its kind; `thread_id` and `run_id` are those of what it was inside."""

    kind: str
    value: Json
    place: str
    thread_id: Any = None
    run_id: Any = None


@dataclass(frozen=True, slots=True)
class _Around:
    """What a value stands in."""

    place: str
    kind: str = ""
    thread_id: Any = None
    run_id: Any = None


def objects(value: Any, *, place: str, refuse: Refuse) -> Iterator[Found]:
    """Every object in a JSON value; what is none is refused."""
    try:
        yield from _walk(value, _Around(place), refuse)
    except RecursionError:
        refuse(Refusal("object", place, fields.TOO_DEEP))


def _walk(value: Any, around: _Around, refuse: Refuse) -> Iterator[Found]:
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _walk(item, replace(around, place=f"{around.place} [{index}]"), refuse)
        return
    if not isinstance(value, dict):
        refuse(Refusal(around.kind or "object", around.place, "It is no JSON object."))
        return
    try:
        kind = _kind_of(value, around.kind)
    except Unusable as error:
        refuse(Refusal("object", around.place, str(error), _id(value)))
        return
    yield from _page(value, around, refuse) if kind == "list" else _object(kind, value, around, refuse)


def _kind_of(value: Json, expected: str) -> str:
    """The kind; "list" for a page, and an empty one for something that only contains objects."""
    named = value.get("object")
    if named == "list" or (named is None and isinstance(value.get("data"), list)):
        return "list"
    if isinstance(named, str) and named in KINDS:
        return KINDS[named]
    if named is not None:
        raise Unusable(f"Objects of the kind “{str(named)[:80]}” are not imported.")
    if expected == "file" and not isinstance(value.get("id"), str):
        return "files"
    return expected or _guess(value)


def _guess(value: Json) -> str:
    if value.keys() >= _FLAT:
        return "flat"
    if value.keys() & CONTENTS.keys() or "export_schema" in value:
        return ""
    for prefix, kind in _PREFIXES.items():
        if _id(value).startswith(prefix):
            return kind
    raise Unusable("It does not say what it is: it has no “object”.")


def _page(value: Json, around: _Around, refuse: Refuse) -> Iterator[Found]:
    yield from _walk(value.get("data") or [], around, refuse)


def _object(kind: str, value: Json, around: _Around, refuse: Refuse) -> Iterator[Found]:
    if kind == "flat":
        yield Found("message", _from_flat(value), around.place)
    elif kind == "files":
        yield from _walk(list(value.values()), around, refuse)
    elif kind:
        inside = {key: value[key] for key in _INSIDE.get(kind, ()) if isinstance(value.get(key), list | dict)}
        own = {key: item for key, item in value.items() if key not in inside}
        yield Found(kind, own, around.place, around.thread_id, around.run_id)
        yield from _contents(inside, _inside(kind, value, around), refuse)
    else:
        yield from _container(value, around, refuse)


def _inside(kind: str, value: Json, around: _Around) -> _Around:
    if kind == "thread":
        return replace(around, thread_id=value.get("id"))
    return replace(around, thread_id=value.get("thread_id") or around.thread_id, run_id=value.get("id"))


def _container(value: Json, around: _Around, refuse: Refuse) -> Iterator[Found]:
    thread = value.get("thread")
    named = _id(thread) if isinstance(thread, dict) else thread
    thread_id = value.get("thread_id") or named or around.thread_id
    inside = {key: value[key] for key in CONTENTS if isinstance(value.get(key), list | dict)}
    if "thread" in value and thread is None and not inside.get("messages"):
        why = "; ".join(_errors(value))
        reason = f"{MISSING_THREAD}: {why}." if why else f"{MISSING_THREAD}."
        refuse(Refusal("thread", around.place, reason, str(thread_id or "")[:255]))
        return
    yield from _contents(inside, replace(around, thread_id=thread_id), refuse)


def _contents(inside: Json, around: _Around, refuse: Refuse) -> Iterator[Found]:
    for key, item in inside.items():
        yield from _walk(item, replace(around, place=f"{around.place} {key}", kind=CONTENTS[key]), refuse)


def _errors(value: Json) -> list[str]:
    errors = value.get("errors")
    found = [error for error in errors if isinstance(error, dict)] if isinstance(errors, list) else []
    return [str(error["error"])[:200] for error in found if error.get("error")]


def _from_flat(value: Json) -> Json:
    """A message of a dump that writes `{thread_id, assistant_id, message_id, role, text, created_at}` a line."""
    taken = {key: item for key, item in value.items() if key not in {"message_id", "text"}}
    return {**taken, "id": value["message_id"], "content": value["text"]}


def _id(value: Json) -> str:
    found = value.get("id")
    return found if isinstance(found, str) else ""
