"""Moving threads to another remote side, or giving one to threads that have none. The old id stays in the history."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

from asgiref.sync import sync_to_async
from django.db import transaction

from ai import ids
from ai.exceptions import InvalidInput, NotFound
from ai.models import ChatThread, Job, JobItem, SyncConflict, SyncedMessage, ThreadSync
from ai.models.conflicts import Decision
from ai.models.connections import Makes
from ai.remote import kinds
from ai.remote.lines import Line
from ai.services import audit, permissions
from ai.services.selections import Selection
from ai.services.sync import requests

Clock = Callable[[], datetime]


@transaction.atomic
def request(*, selection: Selection, connection_id: UUID, makes: str, by: Any, at: datetime) -> Job:
    """Queue the move of the selection's threads: each gets a new remote side on the connection, with what is said in it.

    Args:
        makes: "conversation", "thread", or "" for what the connection makes.

    Raises:
        Forbidden.
        NotFound: none of the threads exists for `by`, or there is no such connection.
        InvalidInput: threads of another tenant than the connection's, more than `AI_SYNC_MAX_THREADS`, or an unknown kind.
    """
    permissions.require(by, "ai.sync_chatthread")
    if makes and makes not in Makes.values:
        raise InvalidInput("Say “conversation” or “thread”.")
    connection = requests.connection_named(connection_id)
    threads = requests.no_more(selection.queryset().only("pk", "name", "tenant_id", "external_id"))
    if not threads:
        raise NotFound("None of these threads exists.")
    if {thread.tenant_id for thread in threads} != {connection.tenant_id}:
        raise InvalidInput("The threads and the connection belong to different tenants.")
    title = f"Move {len(threads):,} thread{'s' * (len(threads) != 1)} to {connection.name}"
    options = {
        "direction": "push",
        "whole": False,
        "connection": str(connection.pk),
        "makes": makes or connection.makes,
    }
    job = requests.queue(threads, title=title, options=options, by=by, at=at, selection=selection.describe())
    for thread in threads[:100]:
        audit.record("thread.move_requested", target=thread, by=by, at=at, old=thread.external_id)
    return job


async def begin(job: Job, item: JobItem, line: Callable[[Any], Line], *, now: Clock) -> None:
    """Make the thread's new remote side, once; after that the thread only has to be sent.

    Raises:
        NotFound, RemoteError.
    """
    if item.data.get("moved_to"):
        return
    connection = await sync_to_async(requests.connection_named)(UUID(job.data["connection"]))
    remote = kinds.adapter(job.data["makes"], line(connection.address()))
    made = await remote.create(metadata={"thread_id": item.object_id})
    await sync_to_async(_move)(item, made, connection.pk, at=now())


@transaction.atomic
def _move(item: JobItem, external_id: str, connection_id: UUID, *, at: datetime) -> None:
    """Leave the old remote side, all at once."""
    thread = ChatThread.objects.locked(ids.parse(item.object_id))
    if thread is None:
        raise NotFound("The thread is gone.")
    known = ThreadSync.objects.of(thread.pk)
    old = {"external_id": thread.external_id, "until": at.isoformat()}
    old["connection"] = str(known.connection_id) if known and known.connection_id else None
    history = [*(known.history if known else []), *([old] if thread.external_id else [])]
    SyncedMessage.objects.forget_thread(thread.pk)
    for conflict in SyncConflict.objects.open_of(thread.pk):
        SyncConflict.objects.settle(conflict.pk, decision=Decision.LOCAL, by="", at=at)
    ThreadSync.objects.keep(
        thread, at=at, connection_id=connection_id, cursor="", is_read=False, files={}, history=history, last_error=""
    )
    if thread.external_id:
        former = [*((thread.data or {}).get("former_external_ids") or []), thread.external_id]
        ChatThread.objects.change_data(thread.pk, at=at, former_external_ids=former)
    ChatThread.objects.set_remote(thread.pk, external_id=external_id, at=at)
    item.data = {**item.data, "moved_from": thread.external_id, "moved_to": external_id}
    JobItem.objects.change(item, status=item.status, data=item.data, at=at)
