"""Celery's entry points: registered under the names that are sent, and patient with newer callers."""

from __future__ import annotations

from typing import Any

import pytest
from django.utils import timezone

from ai import dispatch
from ai.models import Job, Run, Tenant
from ai.services import actors, replays, retitles
from ai.services.selections import Selection
from ai.tasks import jobs as job_tasks
from ai.tasks import runs as run_tasks
from console.celery import app
from tests import factories
from tests.runner.scripted import scripted_model

pytestmark = pytest.mark.django_db


def test_every_task_that_is_sent_is_registered() -> None:
    app.autodiscover_tasks(force=True)
    sent = {dispatch.EXECUTE_RUN, dispatch.DRAIN_RUNS, dispatch.TITLE_THREAD, dispatch.RUN_JOB}
    sent |= {dispatch.READ_FILE, dispatch.READ_FILES, dispatch.DELIVER, dispatch.MAIL, dispatch.SUGGEST_LABELS}

    assert sent <= set(app.tasks)


class TestRuns:
    def ask(self, tenant: Tenant, count: int) -> None:
        targets = [replays.Target(factories.thread(tenant, *factories.talk(1)).pk) for _ in range(count)]
        replays.request(targets=targets, model_aliases=["scripted"], by=actors.SYSTEM, at=timezone.now())

    def test_execute_takes_the_arguments_of_a_newer_caller(self, tenant: Tenant) -> None:
        with scripted_model():
            self.ask(tenant, 1)
            run_tasks.execute(run_id=str(Run.objects.get().pk), priority="high")

        assert Run.objects.get().status == "completed"

    def test_drain_executes_everything(self, tenant: Tenant) -> None:
        with scripted_model():
            self.ask(tenant, 3)
            run_tasks.drain(since="today")

        assert set(Run.objects.values_list("status", flat=True)) == {"completed"}

    def test_a_message_that_comes_twice_does_nothing_twice(self, tenant: Tenant) -> None:
        with scripted_model() as (server, _):
            self.ask(tenant, 1)
            for _ in range(2):
                run_tasks.execute(run_id=str(Run.objects.get().pk))

            assert len(server.requests) == 1


def test_a_job_is_carried_on_with(tenant: Tenant, sent_tasks: list[Any]) -> None:
    thread = factories.thread(tenant, *factories.talk(1))
    chosen = Selection.of_ids("threads", [thread.pk])
    job = retitles.request(selection=chosen, by=actors.SYSTEM, at=timezone.now())

    job_tasks.execute(job_id=str(job.pk), later=True)

    assert Job.objects.get().status == "completed"
