"""Sixteen people in four processes at the same cards: of two who take one, one has it, and nobody's change is lost."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path

import pytest

from ai.models import AuditEntry, Feedback, FeedbackEvent, Message, Tenant
from ai.models.feedback_events import EventKind
from tests import factories
from tests.runs.processes import crowd, said

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(240)]

CARDS = 20
PROCESSES, PEOPLE_EACH = 4, 4
PEOPLE = [f"person-{place:02}" for place in range(PROCESSES * PEOPLE_EACH)]


def answer_of(tenant: Tenant) -> Message:
    thread = factories.thread(tenant, *factories.talk(1))
    found: Message | None = Message.objects.list_thread_messages(thread.pk).last()
    assert found is not None
    return found


def everybody(tenant: Tenant, folder: Path) -> dict[str, list[str]]:
    """Let all of them go at once; who took which cards."""
    module, arguments = "tests.services.triage.crowd", (str(folder), str(tenant.pk))
    with crowd(folder, module, *arguments, processes=PROCESSES, people_each=PEOPLE_EACH) as running:
        until = time.monotonic() + 120
        while len(list(folder.glob("ready-*"))) < PROCESSES and time.monotonic() < until:
            time.sleep(0.05)
        (folder / "go").touch()
        return said(running)


class TestCrowd:
    def test_takes_each_card_once_loses_no_change_and_leaves_one_of_many_duplicates(
        self, tenant: Tenant, tmp_path: Path
    ) -> None:
        for _ in range(CARDS):
            answer_of(tenant).add_feedback("down", "card")
        same = answer_of(tenant)
        for person in PEOPLE:
            same.add_feedback("down", f"same-{person}")

        taken = everybody(tenant, tmp_path)

        owners = {key: name for name, keys in taken.items() for key in keys}
        assert Counter(len(keys) for keys in taken.values()).total() == len(PEOPLE)
        assert sum(map(len, taken.values())) == len(owners) == CARDS
        cards = list(Feedback.objects.filter(user_id="card"))
        assert {str(row.pk): row.assignee for row in cards} == owners
        labels = {f"seen by {name}" for name in PEOPLE}
        assert [set(row.labels) for row in cards] == [labels] * CARDS
        for row in cards:
            self._tells_all(row, owners[str(row.pk)])
        self._leaves_one(list(Feedback.objects.filter(user_id__startswith="same-")))

    def _tells_all(self, row: Feedback, owner: str) -> None:
        """The history goes from the beginning to what is there now, without a gap, and the audit log knows as much."""
        events = list(FeedbackEvent.objects.filter(feedback_id=row.pk, kind=EventKind.CHANGE).order_by("version"))
        assert [event.version for event in events] == list(range(1, len(PEOPLE) + 2))
        assert row.version == len(events)
        assert [event.by for event in events if "assignee" in event.after] == [owner]
        labels: list[str] = []
        for event in events:
            if "labels" in event.after:
                assert event.before["labels"] == labels
                labels = event.after["labels"]
        assert labels == row.labels
        assert AuditEntry.objects.filter(target_id=str(row.pk), action="feedback.moved").count() == 1

    def _leaves_one(self, rows: list[Feedback]) -> None:
        """All of them lead, at once or by others, to the one that is left."""
        of = {row.pk: row.duplicate_of for row in rows}
        left = [row for row in rows if row.state != "dismissed"]
        assert len(left) == 1
        for key in of:
            here, passed = key, 0
            while (further := of[here]) is not None:
                here, passed = further, passed + 1
                assert passed < len(of), "they lead to each other"
            assert here == left[0].pk
