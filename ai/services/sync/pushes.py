"""Sending what was just said: a worker does it, so that a remote that is down holds nobody up."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime
from uuid import UUID

from asgiref.sync import async_to_sync

from ai import dispatch, tenancy
from ai.exceptions import AIError, Conflict, RemoteError
from ai.models import ThreadSync
from ai.remote import push as sending
from ai.remote import threads
from ai.remote.plan import DIRECTIONS
from ai.remote.results import Result
from ai.remote.threads import Order
from ai.services.sync.carrying import Lines

log = logging.getLogger(__name__)

Clock = Callable[[], datetime]


def push(*, thread_id: UUID, worker: str, now: Clock) -> None:
    """Send a thread's new messages, if anybody still wants that; what fails is tried again later."""
    with tenancy.everything(reason="sending to a remote thread"):
        row = ThreadSync.objects.of(thread_id)
        if row is None or row.push_wanted_at is None:
            return
        try:
            result = async_to_sync(_send)(thread_id, holder=f"push:{worker}:{thread_id}", now=now)
        except (RemoteError, Conflict) as error:
            ThreadSync.objects.put_off(row, at=now(), error=error.message)
        except AIError as error:  # trying again helps only when somebody has changed something
            ThreadSync.objects.note_error(thread_id, error=error.message, at=now())
            ThreadSync.objects.pushed(thread_id, wanted_at=row.push_wanted_at)
        else:
            _end(row, result, at=now())


def _end(row: ThreadSync, result: Result, *, at: datetime) -> None:
    if sending.BUSY in result.notes:
        ThreadSync.objects.put_off(row, at=at, error="")
    else:
        ThreadSync.objects.pushed(row.thread_id, wanted_at=row.push_wanted_at)


async def _send(thread_id: UUID, *, holder: str, now: Clock) -> Result:
    lines = Lines()
    try:
        return await threads.sync(thread_id, Order(DIRECTIONS["push"], now, lines.of, holder))
    finally:
        await lines.aclose()


def sweep(*, at: datetime) -> int:
    """Wake workers for threads whose sending is due; how many. Its caller sees every tenant."""
    rows = ThreadSync.objects.wanting(at=at)
    for row in rows:
        ThreadSync.objects.woken(row, at=at)
        dispatch.push_thread(thread_id=row.thread_id)
    return len(rows)
