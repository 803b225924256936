"""The demo data."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.conf import settings
from django.utils import timezone

from ai import tenancy
from ai.exceptions import NotFound
from ai.models import (
    AuditEntry,
    ChatThread,
    Feedback,
    FeedbackEvent,
    LanguageModel,
    Message,
    ReviewQueue,
    Run,
    RunStep,
    Tenant,
)
from ai.models.feedback import TO_DO, FeedbackState, Severity
from ai.services import actors, demo
from ai.services.triage import inbox, steps

FOLDER = Path(settings.BASE_DIR, "fixtures", "demo")


@pytest.mark.django_db
class TestLoad:
    def test_tells_conversations_as_if_they_had_just_happened(self) -> None:
        at = timezone.now()

        loaded = demo.load(folder=FOLDER, by=actors.SYSTEM, at=at)

        assert loaded is not None
        with tenancy.everything(reason="test"):
            assert loaded.threads == ChatThread.objects.count() >= 40
            assert loaded.messages == Message.objects.count()
            assert loaded.tenants == Tenant.objects.count() == 2
            assert set(Feedback.objects.values_list("state", flat=True)) == set(FeedbackState.values)
            statuses = set(Run.objects.values_list("status", flat=True))
            assert statuses == {"completed", "failed", "cancelled", "incomplete", "expired"}
            assert RunStep.objects.filter(type="tool_calls").exists()
            assert all(t.message_count == t.last_sequence for t in ChatThread.objects.all())
            assert not ChatThread.objects.filter(last_activity_at__gt=at).exists()
            assert AuditEntry.objects.filter(action="demo.loaded").count() == 1
            assert ReviewQueue.objects.count() == 2
        assert LanguageModel.objects.filter(provider="local").exists()

    def test_leaves_an_inbox_in_which_there_is_work_of_every_kind(self) -> None:
        at = timezone.now()

        demo.load(folder=FOLDER, by=actors.SYSTEM, at=at)

        with tenancy.everything(reason="test"):
            first = inbox.listing(inbox.Filters(), by=actors.SYSTEM).rows
            shown = first[:15]
            assert not Feedback.objects.filter(given_at__gt=at).exists()
            assert {row.state for row in shown} == set(TO_DO)
            assert {row.severity for row in shown} >= {Severity.UNKNOWN, Severity.CRITICAL, Severity.HIGH}
            assert any(inbox.is_overdue(row, at=at) for row in shown)
            assert any(row.due_at and not inbox.is_overdue(row, at=at) for row in first)
            assert sum(bool(row.labels) for row in shown) >= 3
            assert len({row.assignee for row in first if row.assignee}) >= 3
            assert any(steps.duplicates(row) for row in shown)
            assert Feedback.objects.filter(state="dismissed", duplicate_of__isnull=False).exists()
            assert Feedback.objects.filter(state="resolved").exclude(reason="").exists()
            assert not Feedback.objects.filter(state="snoozed", snoozed_until__lte=at).exists()
            assert FeedbackEvent.objects.filter(kind="note").count() >= 3
            assert not FeedbackEvent.objects.filter(at__gt=at).exists()
            assert not AuditEntry.objects.filter(action__startswith="feedback.").exists()

    def test_a_second_load_leaves_what_somebody_triaged(self) -> None:
        at = timezone.now()
        demo.load(folder=FOLDER, by=actors.SYSTEM, at=at)
        with tenancy.everything(reason="test"):
            row = Feedback.objects.filter(state="open", user_id="user-a-3502").get()
            steps.move(feedback_ids=[row.pk], state="resolved", by=actors.SYSTEM, at=at)
            before = list(Feedback.objects.order_by("pk").values())
            events = FeedbackEvent.objects.count()

        demo.load(folder=FOLDER, by=actors.SYSTEM, at=at)

        with tenancy.everything(reason="test"):
            assert list(Feedback.objects.order_by("pk").values()) == before
            assert FeedbackEvent.objects.count() == events

    def test_a_second_load_changes_nothing(self) -> None:
        at = timezone.now()
        demo.load(folder=FOLDER, by=actors.SYSTEM, at=at)

        assert demo.load(folder=FOLDER, by=actors.SYSTEM, at=at, only_if_empty=True) is None
        again = demo.load(folder=FOLDER, by=actors.SYSTEM, at=at)

        assert again is not None
        with tenancy.everything(reason="test"):
            assert ChatThread.objects.count() == again.threads
            assert Message.objects.count() == again.messages

    def test_says_where_there_is_none(self, tmp_path: Path) -> None:
        with pytest.raises(NotFound, match=r"tenants\.json"):
            demo.load(folder=tmp_path, by=actors.SYSTEM, at=timezone.now())
