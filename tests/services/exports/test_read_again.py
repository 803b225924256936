"""What is exported as JSONL is read again by the import: here nothing changes, and elsewhere it is the same."""

from __future__ import annotations

import gzip
import io
import json
import os
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from ai import ids
from ai.models import ChatThread, Message, Tenant
from ai.services import actors
from ai.services.exports import writing
from ai.services.exports.formats import FORMATS
from ai.services.imports import loading
from ai.services.imports.reports import Report
from ai.services.selections import Selection
from tests import factories
from tests.services.exports.conversations import HOSTILE, with_a_call

pytestmark = pytest.mark.django_db

DATA = Path(os.environ.get("CONSOLE_DATA", "."))


def exported(folder: Path, name: str = "export.jsonl.gz") -> Path:
    out = io.BytesIO()
    writing.write(Selection.of_list("threads", {}), FORMATS["jsonl.gz"], out)
    path = folder / name
    path.write_bytes(out.getvalue())
    return path


def imported(path: Path, tenant: Tenant) -> Report:
    report: Report = loading.load(path=path, tenant_id=tenant.pk, by=actors.SYSTEM, at=timezone.now(), report=Report())
    assert report.refused.total() == 0
    return report


def snapshot() -> dict[str, Any]:
    """What people see of every thread, by what it is called elsewhere or here."""
    threads = {}
    for thread in ChatThread.objects.order_by("pk"):
        messages = Message.objects.list_thread_messages(thread.pk)
        threads[thread.external_id or str(thread.pk)] = {
            "title": thread.name,
            "tags": thread.tags,
            "user": thread.user_id,
            "metadata": (thread.data or {}).get("metadata") or {},
            "created": thread.created,
            "last_activity_at": thread.last_activity_at,
            "messages": [
                {k: v for k, v in (m.message or {}).items() if k not in {"id", "created_at"}} | {"at": m.created}
                for m in messages
            ],
        }
    return threads


def forget_everything() -> None:
    ChatThread.objects.delete_threads(list(ChatThread.objects.values_list("pk", flat=True)))


class TestOfThreadsMadeHere:
    @pytest.fixture
    def path(self, tenant: Tenant, tmp_path: Path) -> Path:
        with_a_call(tenant, data={"metadata": {"topic": "weather"}})
        for number, text in enumerate(HOSTILE):
            said = [{"role": "user", "content": text}, {"role": "assistant", "content": f"{number}"}]
            factories.thread(tenant, *said, name=f"Thread {number}", tags=["x"], user_id=f"u{number}")
        return exported(tmp_path)

    def test_changes_nothing_here(self, tenant: Tenant, path: Path) -> None:
        before, count = snapshot(), Message.objects.count()

        report = imported(path, tenant)

        assert report.new.total() == 0
        assert Message.objects.count() == count
        assert snapshot() == before

    def test_is_the_same_elsewhere(self, tenant: Tenant, path: Path, tmp_path: Path) -> None:
        before = snapshot()
        forget_everything()

        imported(path, tenant)

        assert snapshot() == before
        assert all(ids.may_be_adopted(key) for key in ChatThread.objects.values_list("pk", flat=True))
        again = exported(tmp_path, "again.jsonl.gz")
        assert lines(again) == lines(path)


@pytest.mark.data
class TestOfRealConversations:
    @pytest.mark.timeout(600)
    @pytest.mark.parametrize(
        ("name", "threads", "messages"),
        [
            ("multilingual_threads.jsonl.gz", 517, 1346),
            ("oasst_threads.jsonl.gz", 42, 147),
            ("feedback_threads.jsonl.gz", 970, 1940),
            ("sgd_threads.jsonl.gz", 2000, 47666),
        ],
    )
    def test_nothing_is_lost_or_added(
        self, tenant: Tenant, tmp_path: Path, name: str, threads: int, messages: int
    ) -> None:
        imported(DATA / name, tenant)
        before, path = snapshot(), exported(tmp_path)

        again = imported(path, tenant)
        forget_everything()
        imported(path, tenant)

        assert again.new.total() == 0
        assert len(before) == threads
        assert sum(len(thread["messages"]) for thread in before.values()) == messages
        assert snapshot() == before


def lines(path: Path) -> dict[str, Any]:
    found = map(json.loads, gzip.decompress(path.read_bytes()).splitlines())
    return {line["id"]: line for line in found}
