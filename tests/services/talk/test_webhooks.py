"""Webhooks: what they are told, how it is signed, and what becomes of deliveries that do not arrive."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from ai import tenancy
from ai.models import AuditEntry, ChatThread, Ending, Job, Notification, Run, Tenant, Webhook, WebhookDelivery
from ai.models.endings import RUN
from ai.models.jobs import JobStatus
from ai.services import audit, messages, threads
from ai.services.actors import SYSTEM
from ai.services.comments import writing
from ai.services.triage import steps
from ai.services.webhooks import collecting, events, hooks, sending, signing
from ai.tasks import webhooks as tasks
from tests import factories
from tests.fakes.receivers import Receiver
from tests.services.talk.conftest import NOW, Talk
from tests.services.talk.telling import DAY, HOUR, collect, deliver, hook, rate, types

pytestmark = pytest.mark.django_db


class TestTelling:
    def test_is_signed_as_the_specification_says(self, talk: Talk, receiver: Receiver) -> None:
        _, secret = hook(talk, receiver)
        rate(talk)
        collect()

        assert deliver(NOW + HOUR) == [True]

        got = receiver.got[0]
        assert got.is_signed_with(secret)
        assert not got.is_signed_with(signing.new_secret())
        assert got.headers["webhook-timestamp"] == str(int((NOW + HOUR).timestamp()))
        assert got.headers["content-type"] == "application/json"
        row = WebhookDelivery.objects.get()
        assert (row.state, row.status_code, row.answer, row.attempts) == ("delivered", 200, "thanks", 1)

    def test_says_ids_and_states_alone(self, talk: Talk, receiver: Receiver) -> None:
        hook(talk, receiver)
        row = rate(talk)
        steps.move(feedback_ids=[row.pk], state="resolved", by=SYSTEM, at=NOW + HOUR)
        collect()
        deliver()

        said = {got.said["type"]: got.said for got in receiver.got}
        created, moved = said["feedback.created"], said["feedback.state_changed"]
        assert created == {
            "type": "feedback.created",
            "timestamp": "2026-05-04T12:00:00.000Z",
            "data": {
                "tenant_id": str(talk.tenant.pk),
                "feedback_id": str(row.pk),
                "actor": "system",
                "rating": "down",
                "message_id": str(talk.answer.pk),
            },
        }
        assert moved["data"] == {
            "tenant_id": str(talk.tenant.pk),
            "feedback_id": str(row.pk),
            "actor": "system",
            "old_state": "open",
            "state": "resolved",
        }

    def test_says_words_where_they_are_wanted(self, talk: Talk, receiver: Receiver) -> None:
        hook(talk, receiver, with_text=True)
        writing.add(**talk.on, text="Look, @ben.b", quote="left Hamburg", start=12, by=talk.ana, at=NOW)
        rate(talk)
        collect()
        deliver()

        said = {got.said["type"]: got.said["data"] for got in receiver.got}
        assert said["comment.created"]["text"] == "Look, @ben.b"
        assert said["comment.created"]["quote"] == "left Hamburg"
        assert said["mention"]["people"] == ["ben.b"]
        assert said["feedback.created"]["comment"] == "A secret"

    def test_each_webhook_hears_what_it_waits_for(self, talk: Talk, receiver: Receiver) -> None:
        hook(talk, receiver, "mention")
        writing.add(**talk.on, text="Look, @ben.b", by=talk.ana, at=NOW)
        rate(talk)
        collect()

        assert types() == ["mention"]

    def test_another_tenants_webhook_hears_nothing(self, talk: Talk, receiver: Receiver) -> None:
        with tenancy.everything(reason="test"):
            other: Tenant = factories.tenant()
            row = Webhook(tenant_id=other.pk, name="Theirs", url=receiver.url, events=list(events.TYPES))
            collecting.sweep(at=NOW)
            hooks.add(row=row, by=SYSTEM, at=NOW)
        rate(talk)
        collect()

        with tenancy.everything(reason="test"):
            assert not WebhookDelivery.objects.exists()

    def test_nothing_is_told_twice_or_of_before(self, talk: Talk, receiver: Receiver) -> None:
        rate(talk)
        collect()
        hook(talk, receiver)
        collect()
        assert types() == []

        rate(talk)
        collect()
        collect(NOW + DAY)

        assert types() == ["feedback.created"]

    def test_runs_that_fail_and_jobs_that_end(self, talk: Talk, receiver: Receiver) -> None:
        hook(talk, receiver)
        waiting = Run(thread_id=str(talk.thread.pk), tenant_id=talk.tenant.pk, model="m", expires_at=NOW)
        waiting.save(force_insert=True)
        job = Job(kind="export", title="Threads", tenant_id=talk.tenant.pk, total=2, done=2)
        job.save(force_insert=True)
        with tenancy.everything(reason="as a worker does"):
            Run.objects.expire(at=NOW + HOUR)
            Job.objects.end(job.pk, status=JobStatus.COMPLETED, at=NOW + HOUR)
        collect()
        deliver(NOW + HOUR)

        said = {got.said["type"]: got.said["data"] for got in receiver.got}
        assert (said["run.failed"]["run_id"], said["run.failed"]["status"]) == (str(waiting.pk), "expired")
        assert (said["job.ended"]["job_id"], said["job.ended"]["status"]) == (str(job.pk), "completed")

    def test_a_run_that_has_not_failed_after_all_is_not_told_of(self, talk: Talk, receiver: Receiver) -> None:
        hook(talk, receiver)
        run = Run(thread_id=str(talk.thread.pk), tenant_id=talk.tenant.pk, model="m", status="completed", ended_at=NOW)
        run.save(force_insert=True)
        Ending.objects.note(RUN, [(run.pk, run.tenant_id)], at=NOW)

        collect()

        assert types() == []

    def test_asks_as_little_for_many_events_as_for_one(self, talk: Talk, receiver: Receiver) -> None:
        hook(talk, receiver, with_text=True)

        def queries(count: int) -> int:
            for number in range(count):
                writing.add(**talk.on, text=f"Look {number}, @ben.b", by=talk.ana, at=NOW)
                rate(talk)
            with tenancy.everything(reason="as a worker does"):
                audit.seal(at=NOW)
                with CaptureQueriesContext(connection) as seen:
                    collecting.sweep(at=NOW)
            return len(seen)

        few, many = queries(1), queries(12)

        assert (few, len(types())) == (many, 3 * 13)

    def test_what_a_lead_decides(self, talk: Talk, receiver: Receiver) -> None:
        hook(talk, receiver)
        audit.record("review_item.decided", target=talk.thread, by=talk.lea, at=NOW, secret="the answer")
        collect()
        deliver()

        assert receiver.got[0].said["type"] == "review_item.decided"
        assert b"the answer" not in receiver.got[0].body

    def test_is_forgotten_with_the_thread(self, talk: Talk, receiver: Receiver) -> None:
        hook(talk, receiver, with_text=True)
        rate(talk)
        collect()
        assert "A secret" in WebhookDelivery.objects.get().body

        threads.delete(thread_ids=[talk.thread.pk], by=SYSTEM, at=NOW)

        assert not WebhookDelivery.objects.exists()
        assert not ChatThread.objects.exists()

    def test_is_forgotten_with_the_message(self, talk: Talk, receiver: Receiver) -> None:
        hook(talk, receiver, with_text=True)
        rate(talk)
        writing.add(**talk.on, text="Look, @ben.b", by=talk.ana, at=NOW)
        writing.add(thread_id=talk.thread.pk, message_id=talk.question.pk, text="Stays", by=talk.ana, at=NOW)
        collect()
        assert len(types()) == 4

        messages.delete(message=talk.answer, by=SYSTEM, at=NOW)

        assert "Stays" in WebhookDelivery.objects.get().body


class TestFailing:
    def failing(self, talk: Talk, receiver: Receiver, *answers: Any) -> Webhook:
        row, _ = hook(talk, receiver, "feedback.created")
        receiver.script(*(answers or ((500, b"oops"),)))
        rate(talk)
        collect()
        return row

    def test_is_tried_again_until_it_arrives_with_the_same_id_and_body(self, talk: Talk, receiver: Receiver) -> None:
        self.failing(talk, receiver, (500, b"oops"), (503, b"busy"), (204, b""))
        at = NOW

        for expected in (False, False, True):
            assert deliver(at) == [expected]
            assert deliver(at) == [False]
            at = WebhookDelivery.objects.get().next_at or at

        assert len(receiver.got) == 3
        assert len({(got.headers["webhook-id"], got.body) for got in receiver.got}) == 1
        assert len({got.headers["webhook-signature"] for got in receiver.got}) == 3
        row = WebhookDelivery.objects.get()
        assert (row.state, row.attempts, row.status_code) == ("delivered", 3, 204)
        assert Webhook.objects.get().failures == 0

    def test_is_given_up_after_three_days(self, talk: Talk, receiver: Receiver) -> None:
        self.failing(talk, receiver)
        at, times = NOW, []

        while (row := WebhookDelivery.objects.get()).state == "pending":
            at = row.next_at or at
            times.append(at - NOW)
            deliver(at)

        assert (row.state, row.answer) == ("failed", "oops")
        assert 10 <= len(times) <= 16
        assert timedelta(days=2) < times[-1] < timedelta(days=3)

    def test_waits_grow_and_differ(self) -> None:
        waits = [sending.wait_after(attempt, spread=0.5).total_seconds() for attempt in (1, 2, 3, 4, 30)]

        assert waits == [10, 30, 90, 270, 12 * 3600]
        assert sending.wait_after(1, spread=0.0) < sending.wait_after(1, spread=1.0)
        assert sending.wait_after(1, spread=0.5, asked=120) == timedelta(minutes=2)

    def test_a_redirect_is_not_followed(self, talk: Talk, receiver: Receiver) -> None:
        self.failing(talk, receiver, (302, b"", {"Location": receiver.url}), (200, b""))

        assert deliver() == [False]

        assert (len(receiver.got), WebhookDelivery.objects.get().status_code) == (1, 302)

    def test_little_is_kept_of_a_long_answer(self, talk: Talk, receiver: Receiver) -> None:
        self.failing(talk, receiver, (500, b"\x00<script>" + b"x" * 5_000_000))

        deliver()

        answer = WebhookDelivery.objects.get().answer
        assert len(answer) == 1000
        assert answer.startswith("<script>x")

    def test_a_server_that_is_gone_is_told_nothing_more(self, talk: Talk, receiver: Receiver) -> None:
        row = self.failing(talk, receiver, (410, b""))

        deliver()

        row.refresh_from_db()
        assert (row.is_active, "410" in row.paused_because) == (False, True)

    def test_many_failures_pause_it_and_tell_the_leads(self, talk: Talk, receiver: Receiver) -> None:
        row = self.failing(talk, receiver)
        Webhook.objects.filter(pk=row.pk).update(failures=sending.MOST_FAILURES - 1)

        deliver()
        deliver(NOW + DAY)

        row.refresh_from_db()
        assert (row.is_active, row.paused_at, len(receiver.got)) == (False, NOW, 1)
        told = Notification.objects.get()
        assert (told.user_id, told.title) == (str(talk.lea.pk), "The webhook “Bridge” was paused")
        assert AuditEntry.objects.filter(action="webhook.paused").count() == 1

    def test_goes_on_when_it_is_active_again(self, talk: Talk, receiver: Receiver) -> None:
        row = self.failing(talk, receiver, (410, b""), (200, b""))
        deliver()
        row.refresh_from_db()
        row.is_active = True

        hooks.change(row=row, by=SYSTEM, at=NOW + HOUR)

        assert deliver(NOW + HOUR) == [True]
        row.refresh_from_db()
        assert (row.failures, row.paused_at) == (0, None)

    def test_nobody_listens(self, talk: Talk) -> None:
        with Receiver() as gone:
            hook(talk, gone, "feedback.created")
        rate(talk)
        collect()

        assert deliver() == [False]

        assert "cannot be reached" in WebhookDelivery.objects.get().error


class TestWorkers:
    def test_of_two_one_delivers(self, talk: Talk, receiver: Receiver) -> None:
        hook(talk, receiver, "feedback.created")
        rate(talk)
        collect()
        key = WebhookDelivery.objects.get().pk
        assert WebhookDelivery.objects.claim(key, worker="dead", at=NOW) is not None

        assert not sending.deliver(delivery_id=key, worker="w2", now=lambda: NOW)
        assert receiver.got == []
        assert sending.deliver(delivery_id=key, worker="w2", now=lambda: NOW + timedelta(minutes=2))

        assert (len(receiver.got), WebhookDelivery.objects.get().attempts) == (1, 2)

    def test_what_a_dead_worker_held_is_tried_at_once(self, talk: Talk, receiver: Receiver) -> None:
        hook(talk, receiver, "feedback.created")
        rate(talk)
        collect()
        key = WebhookDelivery.objects.get().pk
        WebhookDelivery.objects.claim(key, worker="dead", at=NOW)

        assert sending.sweep(at=NOW, dead_workers=["other"]) == 0
        assert sending.sweep(at=NOW, dead_workers=["dead"]) == 1

        assert sending.deliver(delivery_id=key, worker="w2", now=lambda: NOW)

    def test_a_worker_that_is_late_writes_nothing(self, talk: Talk, receiver: Receiver) -> None:
        hook(talk, receiver, "feedback.created")
        rate(talk)
        collect()
        key = WebhookDelivery.objects.get().pk
        late = WebhookDelivery.objects.claim(key, worker="w1", at=NOW)
        assert late is not None
        sending.deliver(delivery_id=key, worker="w2", now=lambda: NOW + HOUR)

        assert not WebhookDelivery.objects.settle(late, state="failed", at=NOW + HOUR, error="late")

        assert WebhookDelivery.objects.get().state == "delivered"

    def test_the_sweep_wakes_one_for_each_that_is_due_and_forgets_old_ones(
        self, talk: Talk, receiver: Receiver, sent_tasks: list[Any], django_capture_on_commit_callbacks: Any
    ) -> None:
        hook(talk, receiver, "feedback.created")
        rate(talk)
        collect()
        key = WebhookDelivery.objects.get().pk

        with django_capture_on_commit_callbacks(execute=True):
            counts = [sending.sweep(at=NOW), sending.sweep(at=NOW), sending.sweep(at=NOW + HOUR)]

        assert counts == [1, 0, 1]
        assert sent_tasks[0] == ("ai.tasks.webhooks.deliver", {"delivery_id": str(key)})
        tasks.deliver(delivery_id=str(key), priority="high")
        assert WebhookDelivery.objects.get().state == "delivered"
        sending.sweep(at=NOW + 31 * DAY)
        assert not WebhookDelivery.objects.exists()
