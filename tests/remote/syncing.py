"""Syncs as a person asks for them and a worker carries them out, in one process."""

from __future__ import annotations

from typing import Any

from django.utils import timezone

from ai.models import ChatThread, Job, JobItem, Message, RemoteConnection, Tenant
from ai.services import actors, jobs
from ai.services.selections import Selection
from ai.services.sync import requests
from tests import factories
from tests.fakes.remotes.server import KEY


def connection(tenant: Tenant, url: str, **values: Any) -> RemoteConnection:
    """The tenant's default connection to a server."""
    fixed: dict[str, Any] = {"name": "Scripted", "base_url": url, "is_default": True}
    row = RemoteConnection(tenant_id=tenant.pk, **{**fixed, **values})
    row.set_api_key(KEY)
    row.save(force_insert=True)
    return row


def linked(tenant: Tenant, external_id: str, *messages: dict[str, Any], **values: Any) -> ChatThread:
    """A thread whose remote side has this id."""
    return factories.thread(tenant, *messages, external_id=external_id, **{"name": "New Chat", **values})


def sync(*threads: ChatThread, by: Any = actors.SYSTEM, **options: Any) -> Job:
    """Sync these threads, and wait for it; the job."""
    selection = Selection.of_ids("threads", [thread.pk for thread in threads])
    job = requests.request(selection=selection, by=by, at=timezone.now(), **options)
    carry_on(job)
    for thread in threads:
        thread.refresh_from_db()
    return job


def carry_on(job: Job, *, worker: str = "worker") -> None:
    """Do what a worker does with a job."""
    jobs.carry_on(job_id=job.pk, worker=worker, now=timezone.now)
    job.refresh_from_db()


def results(job: Job) -> list[str]:
    """What the job's page says of each thread."""
    rows = JobItem.objects.filter(job_id=job.pk).order_by("position")
    return [row.error or row.data.get("new", "") for row in rows]


def texts(thread: ChatThread) -> list[Any]:
    """What is said in the thread."""
    return [(row.message or {}).get("content") for row in Message.objects.list_thread_messages(thread.pk)]


def said(role: str, text: str) -> dict[str, Any]:
    """A message of ours."""
    return {"role": role, "content": text}
