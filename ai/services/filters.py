"""What the parameters of a list page mean. The admin's filters and stored selections both ask here, so that a list shows
exactly the rows that an action or an export on its filter takes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import Model
from django.utils import timezone
from django.utils.dateparse import parse_date

from ai import ids
from ai.exceptions import InvalidInput, NotFound
from ai.models import Assistant, AuditEntry, ChatThread, DataSource, Feedback, Message, Run
from ai.models.feedback import FeedbackState, Rating
from ai.models.runs import RunStatus
from ai.models.sync_states import SyncState

#: The rows of a queryset that a value asks for.
#: Raises InvalidInput where the value cannot be read.
Meaning = Callable[[Any, str], Any]

FEEDBACK = (("up", "Thumbs up"), ("down", "Thumbs down"), ("mixed", "Mixed"))
FILES = (("yes", "With files"), ("no", "Without files"))
KINDS = (("original", "Originals"), ("replay", "Replays"))


def equals(column: str) -> Meaning:
    """Exactly this value, whatever it is."""
    return lambda queryset, value: queryset.filter(**{column: value})


def one_of(column: str, known: Iterable[str]) -> Meaning:
    """One of the known values."""
    values = frozenset(map(str, known))

    def narrow(queryset: Any, value: str) -> Any:
        if value not in values:
            raise InvalidInput(f"“{value[:100]}” is none of: {', '.join(sorted(values))}.")
        return queryset.filter(**{column: value})

    return narrow


def key(column: str) -> Meaning:
    """The id of something, in any of its forms."""

    def narrow(queryset: Any, value: str) -> Any:
        field = queryset.model._meta.get_field(column)
        return queryset.filter(**{column: field.to_python(str(_uuid(value)))})

    return narrow


def from_day(column: str) -> Meaning:
    """From the beginning of the day on, in the reader's zone."""
    return lambda queryset, value: queryset.filter(**{f"{column}__gte": _midnight(value)})


def to_day(column: str) -> Meaning:
    """To the end of the day, in the reader's zone."""
    return lambda queryset, value: queryset.filter(**{f"{column}__lt": _midnight(value, days=1)})


def tenant(queryset: Any, value: str) -> Any:
    """The tenant's rows; a scope that does not hold the tenant still shows none of it."""
    return queryset.filter(tenant_id=_uuid(value))


def tag(queryset: Any, value: str) -> Any:
    """Threads that carry the tag."""
    return queryset.tagged(value)


def files(queryset: Any, value: str) -> Any:
    """Threads with files, or without."""
    if value not in dict(FILES):
        raise InvalidInput("Say “yes” or “no” for files.")
    return queryset.filter(has_files=value == "yes")


def kind(queryset: Any, value: str) -> Any:
    """Original runs, or replays."""
    if value not in dict(KINDS):
        raise InvalidInput("Say “original” or “replay” for the kind of a run.")
    return queryset.replays() if value == "replay" else queryset.originals()


def _days(column: str) -> dict[str, Meaning]:
    return {f"{column}_from": from_day(column), f"{column}_to": to_day(column)}


#: What each parameter of the list of a model means.
MEANINGS: Mapping[type[Model], Mapping[str, Meaning]] = {
    ChatThread: {
        "tag": tag,
        "tenant": tenant,
        "user": equals("user_id"),
        "model": equals("model"),
        "feedback": one_of("feedback", dict(FEEDBACK)),
        "files": files,
        "sync": one_of("sync_state", SyncState.values),
        **_days("last_activity_at"),
    },
    Message: {
        "role": equals("role"),
        "tenant": tenant,
        "thread_id": key("thread_id"),
        "run_id": key("run_id"),
        **_days("created"),
    },
    Run: {
        "status": one_of("status", RunStatus.values),
        "model": equals("model"),
        "kind": kind,
        "assistant": key("assistant_id"),
        "tenant": tenant,
        "thread_id": key("thread_id"),
        "replay_of_thread": key("replay_of_thread"),
        "job_id": key("job_id"),
        **_days("created"),
    },
    DataSource: {
        "mime_type": equals("mime_type"),
        "purpose": equals("purpose"),
        "tenant": tenant,
        **_days("created"),
    },
    Assistant: {"model": equals("model"), "tenant": tenant, **_days("created")},
    Feedback: {
        "state": one_of("state", FeedbackState.values),
        "rating": one_of("rating", Rating.values),
        "tenant": tenant,
        "thread_id": key("thread_id"),
        "message_id": key("message_id"),
        **_days("given_at"),
    },
    AuditEntry: {
        "action": equals("action"),
        "actor_name": equals("actor_name"),
        "tenant": tenant,
        **_days("at"),
    },
}

#: How a parameter is called in a sentence, where its own name will not do.
WORDS = {
    "mime_type": "type",
    "actor_name": "person",
    "at": "noted",
    "sync": "remote side",
    "thread_id": "thread",
    "run_id": "run",
    "job_id": "job",
    "message_id": "message",
    "replay_of_thread": "replays of thread",
}


def narrow(queryset: Any, parameter: str, value: str) -> Any:
    """The rows of the queryset that the parameter of its model's list asks for.

    Raises:
        InvalidInput: the list has no such parameter, or the value cannot be read.
    """
    known = MEANINGS.get(queryset.model, {})
    name = parameter.removesuffix("__exact")
    if name not in known:
        plural = str(queryset.model._meta.verbose_name_plural).lower()
        raise InvalidInput(f"The list of {plural} has no filter “{parameter[:100]}”.", param=parameter[:100])
    return known[name](queryset, value)


def sentence(parameter: str, value: str) -> str:
    """The filter in words: “tag is billing”, “created from 2026-05-04”."""
    name = parameter.removesuffix("__exact")
    for end, word in (("_from", "from"), ("_to", "to")):
        if name.endswith(end):
            bare = name.removesuffix(end).removesuffix("_at")
            return f"{WORDS.get(bare, bare.replace('_', ' '))} {word} {value}"
    return f"{WORDS.get(name, name.replace('_', ' '))} is {value}"


def _uuid(value: str) -> UUID:
    try:
        return ids.parse(value)
    except NotFound:
        raise InvalidInput(f"“{value[:100]}” is no id.") from None


def _midnight(value: str, *, days: int = 0) -> datetime:
    try:
        day = parse_date(value)
        if day is not None:
            midnight = datetime(day.year, day.month, day.day)  # noqa: DTZ001 - made aware on the next line
            return timezone.make_aware(midnight) + timedelta(days=days)
    except (ValueError, OverflowError):
        pass
    raise InvalidInput(f"“{value[:100]}” is no day; write it as 2026-05-04.")
