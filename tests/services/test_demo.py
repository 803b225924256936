"""The demo data."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.conf import settings
from django.utils import timezone

from ai import tenancy
from ai.exceptions import NotFound
from ai.models import AuditEntry, ChatThread, Feedback, LanguageModel, Message, ReviewQueue, Run, RunStep, Tenant
from ai.services import actors, demo

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
            assert set(Feedback.objects.values_list("state", flat=True)) == {"open", "triaged", "resolved", "dismissed"}
            statuses = set(Run.objects.values_list("status", flat=True))
            assert statuses == {"completed", "failed", "cancelled", "incomplete", "expired"}
            assert RunStep.objects.filter(type="tool_calls").exists()
            assert all(t.message_count == t.last_sequence for t in ChatThread.objects.all())
            assert not ChatThread.objects.filter(last_activity_at__gt=at).exists()
            assert AuditEntry.objects.filter(action="demo.loaded").count() == 1
            assert ReviewQueue.objects.count() == 2
        assert LanguageModel.objects.filter(provider="local").exists()

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
