"""A person's own notifications: how many are unread, the list, and marking them as read."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from ai.exceptions import NotFound
from ai.models import Notification
from ai.services import actors

PAGE_SIZE, MOST_PAGES = 50, 200
#: More are not counted: the bell says “99+”.
MOST_COUNTED = 100


@dataclass(frozen=True)
class Listing:
    """One page of the list."""

    rows: list[Notification]
    number: int
    has_next: bool


def is_reader(user: Any) -> bool:
    """Whether somebody may have notifications: staff who may do anything at all here."""
    return bool(user.is_active and user.is_staff and user.has_module_perms("ai"))


def unread(user: Any) -> int:
    """How many of the person's are unread, up to 100: one query. What another tenant's are is not counted."""
    return Notification.objects.unread(actors.id_of(user), most=MOST_COUNTED)


def listing(user: Any, *, number: int = 1) -> Listing:
    """A page of the person's notifications, the unread first: one query."""
    page = min(max(number, 1), MOST_PAGES)
    start = (page - 1) * PAGE_SIZE
    rows = list(Notification.objects.of(actors.id_of(user))[start : start + PAGE_SIZE + 1])
    return Listing(rows[:PAGE_SIZE], page, len(rows) > PAGE_SIZE and page < MOST_PAGES)


def one(key: UUID, *, user: Any) -> Notification:
    """The person's own notification.

    Raises:
        NotFound: there is none, or it is somebody else's.
    """
    row: Notification | None = Notification.objects.of(actors.id_of(user)).filter(pk=key).first()
    if row is None:
        raise NotFound
    return row


def mark_read(keys: Iterable[UUID] | None, *, by: Any, at: datetime) -> int:
    """Mark some of the person's own as read, or all of them with None; how many were unread."""
    return Notification.objects.read(actors.id_of(by), keys, at=at)
