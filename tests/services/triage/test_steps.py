"""The life of feedback: who does what to it, what comes back by itself, and what can be taken back."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import override_settings

from ai import tenancy
from ai.exceptions import Conflict, Forbidden, InvalidInput, NotFound
from ai.models import AuditEntry, Feedback, FeedbackEvent, Message, Tenant
from ai.models.feedback import Severity
from ai.services import threads, workers
from ai.services.actors import SYSTEM
from ai.services.triage import changes, inbox, rules, steps, undoing
from ai.services.triage.inbox import Filters
from tests import factories

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def tenant(db: None) -> Iterator[Tenant]:
    made = factories.tenant()
    with tenancy.scope(made.pk):
        yield made


def given(tenant: Tenant, comment: str = "It is wrong", *, user: str = "cora", thread: Any = None) -> Feedback:
    """Feedback on an answer, of a thread of its own unless one is named."""
    about = thread or factories.thread(tenant, *factories.talk(1))
    with tenancy.scope(tenant.pk):
        answer = Message.objects.list_thread_messages(about.pk).last()
        return Feedback.objects.give(
            message=answer, feedback={"rating": "down", "comment": comment}, user_id=user, at=NOW - HOUR
        )


def person(tenant: Tenant, *more: str) -> Any:
    return factories.staff("change_feedback", *more, tenants=(tenant,))


def now_of(row: Feedback) -> Feedback:
    found: Feedback = Feedback.objects.get(pk=row.pk)
    return found


class TestLife:
    def test_goes_from_new_to_resolved(self, tenant: Tenant) -> None:
        row, ana = given(tenant), person(tenant)
        to = {"feedback_ids": [row.pk], "by": ana}

        steps.move(state="triaged", at=NOW, **to)
        steps.assign(to=ana.username, at=NOW + HOUR, **to)
        steps.move(state="resolved", reason="Fixed the prompt", at=NOW + 2 * HOUR, **to)

        done = now_of(row)
        assert (done.state, done.assignee, done.reason, done.version) == (
            "resolved",
            ana.username,
            "Fixed the prompt",
            3,
        )
        assert [entry["state"] for entry in done.history] == ["open", "triaged", "assigned"]
        assert [event.after["state"] for event in FeedbackEvent.objects.of(row.pk)] == [
            "resolved", "assigned", "triaged",
        ]  # fmt: skip
        assert AuditEntry.objects.filter(action="feedback.moved", target_id=str(row.pk)).count() == 3

    def test_the_same_again_changes_nothing(self, tenant: Tenant) -> None:
        row, ana = given(tenant), person(tenant)

        steps.move(feedback_ids=[row.pk], state="open", by=ana, at=NOW)

        assert now_of(row).version == 0
        assert not FeedbackEvent.objects.exists()

    def test_what_nobody_has_is_assigned_to_who_says_assigned(self, tenant: Tenant) -> None:
        row, ana = given(tenant), person(tenant)

        steps.move(feedback_ids=[row.pk], state="assigned", by=ana, at=NOW)

        assert now_of(row).assignee == ana.username

    def test_is_assigned_only_to_those_who_triage_for_the_tenant(self, tenant: Tenant) -> None:
        row, ana, ben = given(tenant), person(tenant), person(tenant)
        stranger, reader = person(factories.tenant()), factories.staff("view_feedback", tenants=(tenant,))

        steps.assign(feedback_ids=[row.pk], to=ben.username, by=ana, at=NOW)

        assert now_of(row).assignee == ben.username
        for other in (stranger, reader):
            with pytest.raises(InvalidInput, match="does not work for this tenant"):
                steps.assign(feedback_ids=[row.pk], to=other.username, by=ana, at=NOW)

    def test_is_due_by_its_severity(self, tenant: Tenant) -> None:
        row, ana = given(tenant), person(tenant)

        steps.set_severity(feedback_ids=[row.pk], severity=Severity.CRITICAL, by=ana, at=NOW)

        assert now_of(row).due_at == row.given_at + timedelta(hours=4)
        assert not inbox.is_overdue(now_of(row), at=NOW)
        assert inbox.is_overdue(now_of(row), at=NOW + 4 * HOUR)

    def test_refuses_whoever_may_not(self, tenant: Tenant) -> None:
        row, reader = given(tenant), factories.staff("view_feedback", tenants=(tenant,))
        to: dict[str, Any] = {"feedback_ids": [row.pk], "by": reader, "at": NOW}

        for act in (
            lambda: steps.move(state="resolved", **to),
            lambda: steps.assign(to=reader.username, **to),
            lambda: steps.snooze(until=NOW + HOUR, **to),
            lambda: steps.set_severity(severity=1, **to),
            lambda: steps.add_labels(labels=["x"], **to),
            lambda: steps.remove_label(label="x", **to),
            lambda: steps.run_macro(name="Known fault", **to),
            lambda: steps.merge(feedback_id=row.pk, by=reader, at=NOW),
            lambda: changes.note(text="x", **to),
            lambda: undoing.undo_last(by=reader, at=NOW),
        ):
            with pytest.raises(Forbidden):
                act()
        assert now_of(row).version == 0

    def test_does_not_know_another_tenants(self, tenant: Tenant) -> None:
        other = factories.tenant()
        row = given(other)

        with pytest.raises(NotFound):
            steps.move(feedback_ids=[row.pk], state="resolved", by=person(tenant), at=NOW)

    def test_stops_where_somebody_changed_it_since_it_was_looked_at(self, tenant: Tenant) -> None:
        row, ana, ben = given(tenant), person(tenant), person(tenant)
        steps.assign(feedback_ids=[row.pk], to=ben.username, by=ben, at=NOW)

        with pytest.raises(Conflict, match=f"{ben.username} changed it at 12:00 UTC: assignee, state"):
            steps.move(feedback_ids=[row.pk], state="dismissed", by=ana, at=NOW + HOUR, seen={row.pk: 0})

        assert now_of(row).state == "assigned"

    def test_of_two_at_the_same_moment_one_wins(self, tenant: Tenant) -> None:
        first, second = now_of(row := given(tenant)), now_of(row)

        assert Feedback.objects.change(first, {"state": "resolved"}, by="ana", at=NOW)
        assert not Feedback.objects.change(second, {"state": "dismissed"}, by="ben", at=NOW)

        assert now_of(row).state == "resolved"

    def test_a_second_opinion_of_the_user_leaves_triage_alone(self, tenant: Tenant) -> None:
        row, ana = given(tenant), person(tenant)
        message = Message.objects.get_message(row.message_id)
        steps.set_severity(feedback_ids=[row.pk], severity=2, by=ana, at=NOW)

        Feedback.objects.give(message=message, feedback="up", user_id=row.user_id, at=NOW)

        assert (now_of(row).rating, now_of(row).severity) == ("up", 2)

    def test_goes_with_its_thread_and_its_message(self, tenant: Tenant) -> None:
        first, second = given(tenant), given(tenant)
        changes.note(feedback_ids=[first.pk, second.pk], text="Look here", by=person(tenant), at=NOW)

        threads.delete(thread_ids=[first.thread_id], by=SYSTEM, at=NOW)
        Message.objects.delete_message(Message.objects.get_message(second.message_id))

        assert not FeedbackEvent.objects.exists()


class TestSnooze:
    def test_comes_back_by_itself(self, tenant: Tenant) -> None:
        row, later, ana = given(tenant), given(tenant), person(tenant)
        steps.snooze(feedback_ids=[row.pk], until=NOW + HOUR, by=ana, at=NOW)
        steps.snooze(feedback_ids=[later.pk], until=NOW + 9 * HOUR, by=ana, at=NOW)
        assert now_of(row).state == "snoozed"

        with tenancy.everything(reason="a worker's sweep"):
            workers.sweep(at=NOW + 2 * HOUR)

        assert (now_of(row).state, now_of(row).snoozed_until) == ("triaged", None)
        assert now_of(later).state == "snoozed"
        assert FeedbackEvent.objects.of(row.pk)[0].by == "system"

    def test_comes_back_once_although_many_workers_look(self, tenant: Tenant) -> None:
        row, ana = given(tenant), person(tenant)
        steps.snooze(feedback_ids=[row.pk], until=NOW + HOUR, by=ana, at=NOW)

        assert [steps.wake(at=NOW + 2 * HOUR) for _ in range(3)] == [1, 0, 0]
        assert FeedbackEvent.objects.of(row.pk).filter(by="system").count() == 1

    def test_comes_back_to_whom_it_was_assigned(self, tenant: Tenant) -> None:
        row, ana = given(tenant), person(tenant)
        steps.assign(feedback_ids=[row.pk], to=ana.username, by=ana, at=NOW)
        steps.snooze(feedback_ids=[row.pk], until=NOW + HOUR, by=ana, at=NOW)

        assert steps.wake(at=NOW + 2 * HOUR) == 1

        assert (now_of(row).state, now_of(row).assignee) == ("assigned", ana.username)

    @pytest.mark.parametrize("until", [NOW, NOW - HOUR, NOW + timedelta(days=400)])
    def test_ends_some_time_from_now_on(self, tenant: Tenant, until: datetime) -> None:
        with pytest.raises(InvalidInput, match="Snooze until"):
            steps.snooze(feedback_ids=[given(tenant).pk], until=until, by=person(tenant), at=NOW)


class TestLabels:
    def test_are_suggested_by_words_and_kept_by_people(self, tenant: Tenant) -> None:
        row = given(tenant, "This is rude, and hallucinated. Not wrongly, though")
        assert rules.suggested(row) == ["made up", "tone"]

        steps.add_labels(feedback_ids=[row.pk], labels=["tone", " my  own "], by=person(tenant), at=NOW)

        assert now_of(row).labels == ["tone", "my own"]
        assert rules.suggested(now_of(row)) == ["made up"]

    def test_come_off_again(self, tenant: Tenant) -> None:
        row, ana = given(tenant), person(tenant)
        steps.add_labels(feedback_ids=[row.pk], labels=["a", "b"], by=ana, at=NOW)

        steps.remove_label(feedback_ids=[row.pk], label="a", by=ana, at=NOW)

        assert now_of(row).labels == ["b"]

    def test_may_be_the_tenants_own(self, tenant: Tenant) -> None:
        row = given(tenant, "Where is my parcel?")

        with override_settings(AI_FEEDBACK_LABELS={"late": ["late"], str(tenant.pk): {"delivery": ["parcel"]}}):
            assert rules.suggested(row) == ["delivery"]

    @pytest.mark.parametrize("label", ["", "   ", "x" * 51])
    def test_are_neither_empty_nor_long(self, tenant: Tenant, label: str) -> None:
        with pytest.raises(InvalidInput):
            steps.add_labels(feedback_ids=[given(tenant).pk], labels=[label], by=person(tenant), at=NOW)


class TestMacro:
    def test_takes_all_its_steps_as_one(self, tenant: Tenant) -> None:
        row, ana = given(tenant), person(tenant)

        steps.run_macro(feedback_ids=[row.pk], name="Known fault", by=ana, at=NOW)

        assert (now_of(row).state, now_of(row).severity, now_of(row).labels) == ("triaged", 3, ["known fault"])
        undoing.undo_last(by=ana, at=NOW)
        assert (now_of(row).state, now_of(row).severity, now_of(row).labels) == ("open", 0, [])

    def test_is_one_of_those_that_there_are(self, tenant: Tenant) -> None:
        with pytest.raises(InvalidInput, match="no such macro"):
            steps.run_macro(feedback_ids=[given(tenant).pk], name="Nonsense", by=person(tenant), at=NOW)


class TestMerge:
    def test_what_says_the_same_points_at_one(self, tenant: Tenant) -> None:
        thread = factories.thread(tenant, *factories.talk(1))
        row = given(tenant, thread=thread)
        same = given(tenant, "Another wording", user="dan", thread=thread)
        apart = given(tenant)

        steps.merge(feedback_id=row.pk, by=person(tenant), at=NOW)

        assert (now_of(same).state, now_of(same).duplicate_of) == ("dismissed", row.pk)
        assert (now_of(row).state, now_of(apart).state) == ("open", "open")

    def test_leaves_one_of_them_whoever_merges_what(self, tenant: Tenant) -> None:
        thread = factories.thread(tenant, *factories.talk(1))
        row, same = given(tenant, thread=thread), given(tenant, user="dan", thread=thread)
        steps.merge(feedback_id=row.pk, by=person(tenant), at=NOW)

        with pytest.raises(Conflict, match="a duplicate of another"):
            steps.merge(feedback_id=same.pk, by=person(tenant), at=NOW)

        assert (now_of(row).state, now_of(row).duplicate_of) == ("open", None)

    def test_needs_duplicates(self, tenant: Tenant) -> None:
        with pytest.raises(InvalidInput):
            steps.merge(feedback_id=given(tenant).pk, by=person(tenant), at=NOW)


class TestUndo:
    def test_takes_back_the_last_thing_then_the_one_before(self, tenant: Tenant) -> None:
        row, ana = given(tenant), person(tenant)
        steps.set_severity(feedback_ids=[row.pk], severity=2, by=ana, at=NOW)
        steps.snooze(feedback_ids=[row.pk], until=NOW + 5 * HOUR, by=ana, at=NOW + HOUR)

        undoing.undo_last(by=ana, at=NOW + 2 * HOUR)
        once = now_of(row)
        undoing.undo_last(by=ana, at=NOW + 2 * HOUR)

        assert (once.state, once.snoozed_until, once.severity) == ("open", None, 2)
        assert (now_of(row).severity, now_of(row).due_at) == (0, None)
        with pytest.raises(NotFound):
            undoing.undo_last(by=ana, at=NOW + 2 * HOUR)

    def test_takes_back_what_was_done_to_many_at_once(self, tenant: Tenant) -> None:
        rows, ana = [given(tenant) for _ in range(3)], person(tenant)
        steps.move(feedback_ids=[row.pk for row in rows], state="resolved", by=ana, at=NOW)

        done = undoing.undo_last(by=ana, at=NOW)

        assert len(done.rows) == 3
        assert {now_of(row).state for row in rows} == {"open"}

    def test_says_who_changed_it_since(self, tenant: Tenant) -> None:
        row, other, ana, ben = given(tenant), given(tenant), person(tenant), person(tenant)
        steps.move(feedback_ids=[row.pk, other.pk], state="resolved", by=ana, at=NOW)
        steps.set_severity(feedback_ids=[row.pk], severity=1, by=ben, at=NOW + HOUR)

        done = undoing.undo_last(by=ana, at=NOW + HOUR)

        assert [each.pk for each in done.rows] == [other.pk]
        assert done.conflicts == [f"{ben.username} changed it at 13:00 UTC: due at, severity."]
        assert now_of(row).state == "resolved"
        with pytest.raises(Conflict, match=ben.username):
            undoing.undo_last(by=ana, at=NOW + HOUR)

    def test_says_that_it_no_longer_fits_what_an_import_set(self, tenant: Tenant) -> None:
        row, ana = given(tenant), person(tenant)
        steps.assign(feedback_ids=[row.pk], to=ana.username, by=ana, at=NOW)
        steps.move(feedback_ids=[row.pk], state="resolved", by=ana, at=NOW + HOUR)
        Feedback.objects.filter(pk=row.pk).update(assignee="")

        with pytest.raises(Conflict, match="import"):
            undoing.undo_last(by=ana, at=NOW + HOUR)

        assert now_of(row).state == "resolved"

    def test_lasts_thirty_days(self, tenant: Tenant) -> None:
        row, ana = given(tenant), person(tenant)
        steps.move(feedback_ids=[row.pk], state="resolved", by=ana, at=NOW)
        event = FeedbackEvent.objects.of(row.pk)[0]

        with pytest.raises(Conflict, match="30 days"):
            undoing.undo(event_id=event.pk, by=ana, at=NOW + timedelta(days=31))
        undoing.undo(event_id=event.pk, by=person(tenant), at=NOW + timedelta(days=29))

        assert now_of(row).state == "open"

    def test_does_not_know_another_tenants(self, tenant: Tenant) -> None:
        other = factories.tenant()
        row = given(other)
        with tenancy.scope(other.pk):
            steps.move(feedback_ids=[row.pk], state="resolved", by=person(other), at=NOW)
            event = FeedbackEvent.objects.of(row.pk)[0]

        with pytest.raises(NotFound):
            undoing.undo(event_id=event.pk, by=person(tenant), at=NOW)


class TestInbox:
    def test_pages_through_everything_once(self, tenant: Tenant) -> None:
        rows, ana = [given(tenant) for _ in range(7)], person(tenant)
        seen, after = [], None

        while True:
            page = inbox.listing(Filters(), by=ana, after=after, size=3)
            seen += [row.pk for row in page.rows]
            if page.later is None:
                break
            after = page.later

        assert len(seen) == 7
        assert set(seen) == {row.pk for row in rows}

    def test_filters(self, tenant: Tenant) -> None:
        mine, solved, other, ana = given(tenant), given(tenant), given(tenant), person(tenant)
        to: dict[str, Any] = {"by": ana, "at": NOW}
        steps.assign(feedback_ids=[mine.pk], to=ana.username, **to)
        steps.add_labels(feedback_ids=[mine.pk], labels=["größe"], **to)
        steps.set_severity(feedback_ids=[mine.pk], severity=2, **to)
        steps.move(feedback_ids=[solved.pk], state="resolved", **to)

        def shown(**said: str) -> set[Any]:
            return {row.pk for row in inbox.listing(Filters.read(said), by=ana).rows}

        assert shown() == {mine.pk, other.pk}
        assert shown(state="all") == {mine.pk, solved.pk, other.pk}
        assert shown(state="resolved") == {solved.pk}
        assert shown(mine="1") == shown(label="größe") == shown(severity="2") == {mine.pk}
        assert shown(rating="up") == shown(label="größ") == shown(tenant="nonsense") == set()
        assert shown(state="nonsense", severity="x", rating="'") == shown()
        assert Filters.read({"state": "resolved", "mine": "1"}).query == "state=resolved&mine=1"
