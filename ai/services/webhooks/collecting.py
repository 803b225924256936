"""Which webhooks are to be told of what: deliveries are made of the audit log, in the order of its seals."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from ai import ids
from ai.exceptions import NotFound
from ai.models import AuditEntry, AuditSeal, Job, Run, Webhook, WebhookDelivery, WebhookPlace
from ai.models.run_states import FAILURES
from ai.services.webhooks import events

Json = dict[str, Any]

MOST_AT_ONCE = 1_000


def sweep(*, at: datetime) -> int:
    """Make deliveries of what was audited since; how many entries were read. Its caller sees every tenant.

    The first time there is nothing to tell: webhooks hear of what happens from then on.
    """
    place = WebhookPlace.objects.number()
    if place is None:
        last = AuditSeal.objects.last()
        WebhookPlace.objects.begin(last.number if last else 0)
        return 0
    seals = dict(
        AuditSeal.objects.filter(number__gt=place).order_by("number").values_list("number", "entry_id")[:MOST_AT_ONCE]
    )
    if not seals:
        return 0
    entries = AuditEntry.objects.filter(pk__in=list(seals.values()), action__in=list(events.ACTIONS))
    # Made before the transaction, which holds up whoever writes to SQLite.
    new = _new(list(entries.order_by("at", "pk")), at=at)
    with transaction.atomic():
        if not WebhookPlace.objects.advance(before=place, to=max(seals)):
            return 0
        WebhookDelivery.objects.add(new)
    return len(seals)


def _new(entries: list[AuditEntry], *, at: datetime) -> list[WebhookDelivery]:
    """The deliveries of these entries, with as many queries however many there are."""
    hooks = Webhook.objects.active(entry.tenant_id for entry in entries if entry.tenant_id) if entries else {}
    heard = [(entry, hooks[entry.tenant_id]) for entry in entries if entry.tenant_id and entry.tenant_id in hooks]
    about = events.subjects(entry for entry, _ in heard)
    return [row for entry, listeners in heard for row in _of(entry, listeners, about, at=at)]


def _of(
    entry: AuditEntry, hooks: Iterable[Webhook], about: events.Subjects, *, at: datetime
) -> Iterable[WebhookDelivery]:
    kind, (thread_id, message_id) = events.ACTIONS[entry.action].type, events.place_of(entry, about)
    for hook in hooks:
        if kind in hook.events:
            yield delivery(
                hook, kind, key=f"audit:{entry.pk}", happened=entry.at, at=at, thread_id=thread_id, message_id=message_id,
                data=events.said_of(entry, about, with_text=hook.with_text),
            )  # fmt: skip


def add_endings(*, jobs: Iterable[Job], runs: Iterable[Run], at: datetime) -> None:
    """Make deliveries of jobs that ended and runs that failed."""
    found: list[tuple[str, Any, Json, UUID | None]] = [
        ("job.ended", job, {"job_id": str(job.pk), "kind": job.kind, **_counts(job)}, None) for job in jobs
    ]
    # One that was noted and has not failed after all is nothing to tell of.
    for run in (each for each in runs if each.status in FAILURES):
        said = {"run_id": str(run.pk), "thread_id": run.thread_id, "model": run.model, "error_code": run.error_code}
        found.append(("run.failed", run, {**said, "status": run.status}, _thread(run)))
    hooks = Webhook.objects.active(row.tenant_id for _, row, _, _ in found if row.tenant_id)
    new = [
        delivery(hook, kind, key=f"{kind}:{row.pk}", happened=row.ended_at or at, at=at, data=said, thread_id=thread)
        for kind, row, said, thread in found
        for hook in hooks.get(row.tenant_id, [])
        if kind in hook.events
    ]
    WebhookDelivery.objects.add(new)


def _thread(run: Run) -> UUID | None:
    try:
        return ids.parse(run.thread_id) if run.thread_id else None
    except NotFound:
        return None


def _counts(job: Job) -> Json:
    return {"status": job.status, "total": job.total, "done": job.done, "failed": job.failed}


def delivery(
    hook: Webhook,
    event: str,
    *,
    key: str,
    data: Json,
    happened: datetime,
    at: datetime,
    thread_id: UUID | None = None,
    message_id: UUID | None = None,
) -> WebhookDelivery:
    """A delivery that is due at once. Its body is made here, once: every attempt sends the same bytes."""
    when = happened.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    body = {"type": event, "timestamp": when, "data": {"tenant_id": str(hook.tenant_id), **data}}
    return WebhookDelivery(
        tenant_id=hook.tenant_id, webhook_id=hook.pk, event=event, key=key, thread_id=thread_id, message_id=message_id,
        first_at=at, next_at=at, created=at, body=json.dumps(body, ensure_ascii=False, separators=(",", ":")),
    )  # fmt: skip
