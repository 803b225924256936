"""Who else is looking: an open page says every few seconds that somebody is there, and hears of the others.

The database is the truth, since every process shares it. Reading a page writes nothing: only the page's own beat does.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.core.cache import cache

from ai import conf
from ai.exceptions import NotFound, RateLimited
from ai.models import ChatThread, Feedback, Presence, ReviewItem
from ai.models.presences import PresenceKind
from ai.services import actors, permissions

#: How often a page says that somebody is there, and how long that holds, in seconds.
EVERY, HOLDS = 20, 45

#: So many beats a person may send in a minute, whatever they have open.
MOST_A_MINUTE = 120

#: More than these nobody reads.
MOST_SHOWN = 20

_MINUTE = 60

#: What each kind is: its table, and the permission to look at it. On the page of a blind review nobody learns who reviews.
KINDS: dict[str, tuple[Any, str]] = {
    PresenceKind.THREAD: (ChatThread, "ai.view_chatthread"),
    PresenceKind.FEEDBACK: (Feedback, "ai.view_feedback"),
    PresenceKind.REVIEW: (ReviewItem, "ai.adjudicate_reviewqueue"),
}


@dataclass(frozen=True)
class There:
    """Somebody who is looking at the same thing."""

    name: str
    since: datetime


def is_on() -> bool:
    """Whether pages say who else looks at them."""
    return conf.current().presence


def beat(*, kind: str, object_id: UUID, by: Any, at: datetime) -> list[There]:
    """Say that `by` is looking, and hear who else is, whoever came first first.

    Raises:
        Forbidden: `by` may not look at it.
        NotFound: there is no such thing in scope, or presence is off.
        RateLimited: there were too many in this minute.
    """
    tenant_id = _tenant_of(kind, object_id, by)
    _take(by, at)
    person = actors.id_of(by)
    row = Presence(
        tenant_id=tenant_id,
        kind=kind,
        object_id=object_id,
        person=person,
        name=_called(by),
        since=at,
        until=at + timedelta(seconds=HOLDS),
        created=at,
        modified=at,
    )
    Presence.objects.beat(row, at=at)
    return others(kind=kind, object_id=object_id, by=by, at=at)


def leave(*, kind: str, object_id: UUID, by: Any, at: datetime) -> None:
    """Say that `by` looks no longer; saying it twice is as saying it once.

    Raises:
        Forbidden, NotFound, RateLimited.
    """
    _tenant_of(kind, object_id, by)
    _take(by, at)
    Presence.objects.leave(kind=kind, object_id=object_id, person=actors.id_of(by))


def others(*, kind: str, object_id: UUID, by: Any, at: datetime) -> list[There]:
    """Who else is looking at it: one query."""
    rows = Presence.objects.others(kind=kind, object_id=object_id, person=actors.id_of(by), at=at)
    return [There(row.name, row.since) for row in rows[:MOST_SHOWN]]


def _tenant_of(kind: str, object_id: UUID, by: Any) -> Any:
    """The tenant of what is looked at.

    Raises:
        Forbidden, NotFound.
    """
    if not is_on() or kind not in KINDS:
        raise NotFound("Nobody is told here who looks at what.")
    model, permission = KINDS[kind]
    permissions.require(by, permission)
    found = model.objects.filter(pk=object_id).values_list("tenant_id", flat=True)[:1]
    if not found:
        raise NotFound
    return found[0]


def _called(by: Any) -> str:
    full = str(by.get_full_name()).strip() if hasattr(by, "get_full_name") else ""
    return (full or actors.name_of(by))[:255]


def _take(by: Any, at: datetime) -> None:
    """Count one request of this person in the minute of the clock, in the cache that all processes share."""
    minute, second = divmod(int(at.timestamp()), _MINUTE)
    name = f"ai-presence:{actors.id_of(by)}:{minute}"
    cache.add(name, 0, timeout=2 * _MINUTE)
    try:
        used = int(cache.incr(name))
    except ValueError:  # it went out of the cache in between
        return
    if used > MOST_A_MINUTE:
        raise RateLimited(retry_after=_MINUTE - second)
