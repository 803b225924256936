"""The only sender of messages to workers. Tasks are named, never imported, and sent when the transaction commits."""

from __future__ import annotations

import logging
import time
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils.module_loading import import_string

from ai import conf

log = logging.getLogger(__name__)

#: So long an application tells of no view after its broker took one of them not.
SILENT_SECONDS = 30.0

EXECUTE_RUN = "ai.tasks.runs.execute"
DRAIN_RUNS = "ai.tasks.runs.drain"
TITLE_THREAD = "ai.tasks.titles.trim_and_tag_thread_title_task"
RUN_JOB = "ai.tasks.jobs.execute"
PUSH_THREAD = "ai.tasks.sync.push"
SCHEDULED_SYNC = "ai.tasks.sync.scheduled"
READ_FILE = "ai.tasks.vector_stores.read"
NOTE_VIEW = "ai.tasks.audit.note_view"
READ_FILES = "ai.tasks.vector_stores.read_waiting"
DELIVER = "ai.tasks.webhooks.deliver"
MAIL = "ai.tasks.notifications.mail"
SUGGEST_LABELS = "ai.tasks.feedback.suggest_labels"


def _send(name: str, kwargs: dict[str, Any]) -> None:
    transaction.on_commit(lambda: _publish(name, kwargs))


def _publish(name: str, kwargs: dict[str, Any]) -> bool:
    """Whether the broker took it."""
    try:
        app = import_string(conf.current().celery_app)  # the web process pays for Celery when it first sends
        app.send_task(name, kwargs=kwargs, retry=True, retry_policy={"max_retries": 1, "interval_start": 0.1})
    except Exception:  # the database knows the work is pending: the workers' sweep finds it
        log.warning("The broker took no message for %s; a sweep finds runs and jobs.", name, exc_info=True)
        return False
    return True


def execute_run(*, run_id: UUID) -> None:
    """Have a worker execute one run."""
    _send(EXECUTE_RUN, {"run_id": str(run_id)})


def drain_runs() -> None:
    """Have a worker execute queued runs until none is left."""
    _send(DRAIN_RUNS, {})


def title_thread(*, name: str, thread_id: UUID, tenant_id: UUID) -> None:
    """Have a worker find the thread's title; `name` is what its user first wrote."""
    _send(TITLE_THREAD, {"name": name[:4000], "thread_id": str(thread_id), "tenant_id": str(tenant_id)})


def run_job(*, job_id: UUID) -> None:
    """Have a worker carry on with a job."""
    _send(RUN_JOB, {"job_id": str(job_id)})


def push_thread(*, thread_id: UUID) -> None:
    """Have a worker send a thread's new messages to its remote side."""
    _send(PUSH_THREAD, {"thread_id": str(thread_id)})


def read_file(*, store_file_id: UUID) -> None:
    """Have a worker read one file of a vector store."""
    _send(READ_FILE, {"store_file_id": str(store_file_id)})


def read_files() -> None:
    """Have a worker read waiting files of vector stores until none is left."""
    _send(READ_FILES, {})


def deliver(*, delivery_id: UUID) -> None:
    """Have a worker deliver to a webhook."""
    _send(DELIVER, {"delivery_id": str(delivery_id)})


def mail(*, user_id: str) -> None:
    """Have a worker send somebody's notifications by e-mail."""
    _send(MAIL, {"user_id": user_id})


def suggest_labels() -> None:
    """Have a worker ask a model for labels of the feedback that waits for them."""
    _send(SUGGEST_LABELS, {})


def note_view(
    *, action: str, actor: tuple[str, str], target: tuple[str, str], tenant_id: UUID | None, at: datetime
) -> None:
    """Have a worker note in the audit log what somebody looked at."""
    tenant = str(tenant_id) if tenant_id else None
    said = {"action": action, "actor": [*actor], "target": [*target], "tenant_id": tenant, "at": at.isoformat()}
    transaction.on_commit(lambda: _views.publish(said))


class _Views:
    """Tells of views while the broker answers. Nobody waits again and again for a page because the broker is away."""

    def __init__(self) -> None:
        self._silent_until: dict[str, float] = {}

    def publish(self, said: dict[str, Any]) -> None:
        """Send it, unless the broker took none a moment ago; the log has it anyway."""
        app = conf.current().celery_app
        if time.monotonic() >= self._silent_until.get(app, 0.0) and not _publish(NOTE_VIEW, said):
            self._silent_until[app] = time.monotonic() + SILENT_SECONDS


_views = _Views()
