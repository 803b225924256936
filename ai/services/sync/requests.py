"""Asking for a sync: of threads that are here, or of conversations that are still elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction

from ai import conf, dispatch, tenancy
from ai.exceptions import InvalidInput, NotFound
from ai.models import ChatThread, Job, JobItem, RemoteConnection, ThreadSync
from ai.models.remotes import is_remote, kind_of
from ai.models.threads import NEW_NAME
from ai.remote.plan import DIRECTIONS
from ai.services import actors, audit, permissions
from ai.services.selections import Selection

KIND = "sync"
#: Where threads come from that began elsewhere.
SOURCE = "remote"
MOST_IDS = 1000

WORDS = {"pull": "Fetch", "push": "Send", "both": "Sync"}


class NothingLinked(InvalidInput):
    """None of the threads has a remote side."""


@transaction.atomic
def request(
    *,
    selection: Selection,
    by: Any,
    at: datetime,
    direction: str = "both",
    connection_id: UUID | None = None,
    since: datetime | None = None,
    whole: bool = False,
    key: str | None = None,
) -> Job:
    """Queue a sync of the selection's threads that have a remote side; the job's page tells what each of them did.

    Args:
        direction: "pull", "push" or "both".
        connection_id: only threads of this connection, and of none, which get it.
        since: only threads that were active since then.
        whole: read every thread to its beginning, instead of back to where nothing changed.
        key: the same key again makes no second job.

    Raises:
        Forbidden.
        NotFound: there is no such connection.
        InvalidInput: none of the threads exists for `by` and has a remote side, there are more than `AI_SYNC_MAX_THREADS`,
            or they are of several tenants and `by` does not see all tenants.
    """
    permissions.require(by, "ai.sync_chatthread")
    if direction not in DIRECTIONS:
        raise InvalidInput("Say “pull”, “push” or “both”.")
    rows = _wanted(selection, connection_id=connection_id, since=since)
    threads = no_more(rows.only("pk", "name", "tenant_id", "external_id", "source"))
    linked = [thread for thread in threads if kind_of(thread.external_id, thread.source)]
    if not linked:
        raise NothingLinked("None of these threads has a remote side. Move one to a connection to give it one.")
    options = {"direction": direction, "whole": whole, "connection": str(connection_id) if connection_id else ""}
    title = f"{WORDS[direction]} {_counted(len(linked))}"
    return queue(linked, title=title, options=options, by=by, at=at, key=key, selection=selection.describe())


def _wanted(selection: Selection, *, connection_id: UUID | None, since: datetime | None) -> Any:
    rows = selection.queryset().filter(is_remote())
    if since is not None:
        rows = rows.filter(last_activity_at__gte=since)
    if connection_id is not None:
        connection = connection_named(connection_id)
        others = ThreadSync.objects.exclude(connection_id=connection_id).filter(connection_id__isnull=False)
        rows = rows.filter(tenant_id=connection.tenant_id).exclude(pk__in=others.values("thread_id"))
    return rows


def no_more(rows: Any) -> list[ChatThread]:
    """The threads, the latest first.

    Raises:
        InvalidInput: there are more than may be synced at a time.
    """
    most = conf.current().sync_max_threads
    threads = list(rows.latest_first()[: most + 1])
    if len(threads) > most:
        raise InvalidInput(f"Choose at most {most:,} threads at a time.")
    return threads


def _counted(count: int) -> str:
    return f"{count:,} thread{'s' * (count != 1)}"


def connection_named(connection_id: UUID) -> RemoteConnection:
    """The connection.

    Raises:
        NotFound: there is none, or it is switched off.
    """
    found: RemoteConnection | None = RemoteConnection.objects.filter(pk=connection_id, is_enabled=True).first()
    if found is None:
        raise NotFound("There is no such connection, or it is switched off.")
    return found


def queue(
    threads: list[ChatThread],
    *,
    title: str,
    options: dict[str, Any],
    by: Any,
    at: datetime,
    key: str | None = None,
    **told: Any,
) -> Job:
    """Write the job with an item for each thread, note it, and have a worker carry on with it.

    Raises:
        InvalidInput: the threads are of several tenants and not all tenants are in scope.
    """
    tenants = {thread.tenant_id for thread in threads}
    if len(tenants) > 1 and tenancy.current().tenants is not None:
        raise InvalidInput("Choose threads of one tenant.")
    job = Job(
        kind=KIND,
        title=title,
        total=len(threads),
        requested_by=actors.name_of(by),
        tenant_id=tenants.pop() if len(tenants) == 1 else None,
        data=options,
        key=key,
    )
    job, is_new = Job.objects.open_once(job)
    if not is_new:
        return job
    JobItem.objects.add(_items(job, threads))
    audit.record("thread.sync_requested", target=job, by=by, at=at, threads=len(threads), **options, **told)
    dispatch.run_job(job_id=job.pk)
    return job


def _items(job: Job, threads: Iterable[ChatThread]) -> Iterator[JobItem]:
    for number, thread in enumerate(threads):
        name = thread.external_id if thread.name == NEW_NAME else thread.name
        data = {"old": name or thread.external_id, "external_id": thread.external_id}
        yield JobItem(job_id=job.pk, tenant_id=thread.tenant_id, position=number, object_id=str(thread.pk), data=data)


@transaction.atomic
def bring_in(*, external_ids: Iterable[str], connection_id: UUID, by: Any, at: datetime) -> Job:
    """Make threads here for conversations that are elsewhere, and queue their first sync. Known ones are synced again.

    Raises:
        Forbidden, NotFound.
        InvalidInput: an id is none of a remote conversation, or there are more than 1,000.
    """
    permissions.require(by, "ai.sync_chatthread")
    permissions.require(by, "ai.add_chatthread")
    connection = connection_named(connection_id)
    RemoteConnection.objects.select_for_update().get(pk=connection.pk)  # two at once would make each thread twice
    wanted = list(dict.fromkeys(text.strip()[:255] for text in external_ids if text.strip()))
    if not 0 < len(wanted) <= MOST_IDS:
        raise InvalidInput(f"Give between one and {MOST_IDS:,} IDs of remote conversations.")
    if strange := next((text for text in wanted if not kind_of(text)), None):
        raise InvalidInput(f"“{strange[:80]}” is no remote ID: they begin with thread_, conv_, resp_ or chatcmpl-.")
    threads = _threads(wanted, connection, at=at)
    options = {"direction": "pull", "whole": False, "connection": str(connection.pk)}
    title = f"Bring in {_counted(len(threads))} from {connection.name}"
    return queue(threads, title=title, options=options, by=by, at=at)


def _threads(wanted: list[str], connection: RemoteConnection, *, at: datetime) -> list[ChatThread]:
    rows = ChatThread.objects.filter(tenant_id=connection.tenant_id, external_id__in=wanted)
    known = {thread.external_id: thread for thread in rows.order_by("-created", "-pk")}
    new = [
        ChatThread(
            tenant_id=connection.tenant_id,
            external_id=text,
            source=SOURCE,
            name=NEW_NAME,
            tags=["chat"],
            last_activity_at=at,
        )
        for text in wanted
        if text not in known
    ]
    try:
        ChatThread.objects.insert(*new)
    except IntegrityError as error:
        raise InvalidInput("Somebody else brings in the same conversations.") from error
    for thread in new:
        ThreadSync.objects.keep(thread, at=at, connection_id=connection.pk)
    return [known[text] for text in wanted if text in known] + new
