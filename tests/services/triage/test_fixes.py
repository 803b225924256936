"""Which replay fixed which feedback: linked, taken off, taken back, and never one of another answer."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from ai import ids, tenancy
from ai.exceptions import Conflict, Forbidden, InvalidInput, NotFound
from ai.models import AuditEntry, Feedback, FeedbackEvent, Message, Run, Tenant
from ai.services.triage import fixes, revising, steps, undoing
from tests import factories
from tests.admin.conversations import ask_and_replay

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)


@pytest.fixture
def tenant(db: None) -> Iterator[Tenant]:
    made = factories.tenant()
    with tenancy.scope(made.pk):
        yield made


@pytest.fixture
def ana(tenant: Tenant) -> Any:
    return factories.staff("change_feedback", tenants=(tenant,))


def replayed(tenant: Tenant, *, user: str = "cora", rating: str = "down") -> tuple[Feedback, Run]:
    """Feedback on an answer, and a replay of it."""
    thread, _, replays = ask_and_replay(tenant, "It is in Paris.")
    return given(tenant, thread.pk, user=user, rating=rating), replays[0]


def given(tenant: Tenant, thread_id: UUID, *, user: str, rating: str = "down") -> Feedback:
    with tenancy.scope(tenant.pk):
        answer = Message.objects.list_thread_messages(thread_id).last()
        opinion = {"rating": rating, "comment": "It is wrong"}
        return Feedback.objects.give(message=answer, feedback=opinion, user_id=user, at=NOW)


def now_of(row: Feedback) -> Feedback:
    found: Feedback = Feedback.objects.get(pk=row.pk)
    return found


class TestLink:
    def test_names_the_replay_and_notes_who_did(self, tenant: Tenant, ana: Any) -> None:
        row, replay = replayed(tenant)

        fixes.link(feedback_ids=[row.pk], run_id=replay.pk, by=ana, at=NOW)

        linked = now_of(row)
        assert (linked.fixed_by, linked.state, linked.version) == (replay.pk, "open", 1)
        assert FeedbackEvent.objects.of(row.pk).get().after == {"fixed_by": str(replay.pk)}
        assert AuditEntry.objects.get(action="feedback.changed").data == {"fixed_by": str(replay.pk)}

    def test_is_taken_off(self, tenant: Tenant, ana: Any) -> None:
        row, replay = replayed(tenant)
        fixes.link(feedback_ids=[row.pk], run_id=replay.pk, by=ana, at=NOW)

        fixes.unlink(feedback_ids=[row.pk], by=ana, at=NOW)

        assert now_of(row).fixed_by is None

    def test_is_taken_back_and_so_is_taking_it_off(self, tenant: Tenant, ana: Any) -> None:
        row, replay = replayed(tenant)
        fixes.link(feedback_ids=[row.pk], run_id=replay.pk, by=ana, at=NOW)
        fixes.unlink(feedback_ids=[row.pk], by=ana, at=NOW)

        undoing.undo_last(by=ana, at=NOW)
        after_one = now_of(row).fixed_by
        undoing.undo_last(by=ana, at=NOW)

        assert (after_one, now_of(row).fixed_by) == (replay.pk, None)

    def test_what_is_reopened_is_not_fixed(self, tenant: Tenant, ana: Any) -> None:
        row, replay = replayed(tenant)
        fixes.resolve(run_id=replay.pk, by=ana, at=NOW)

        steps.move(feedback_ids=[row.pk], state="open", by=ana, at=NOW)

        assert now_of(row).fixed_by is None

    def test_is_no_replay_of_another_answer(self, tenant: Tenant, ana: Any) -> None:
        row, _ = replayed(tenant)
        _, other = replayed(tenant)

        with pytest.raises(InvalidInput, match="no replay of the answer"):
            fixes.link(feedback_ids=[row.pk], run_id=other.pk, by=ana, at=NOW)

        assert now_of(row).version == 0

    def test_is_no_replay_of_another_answer_in_the_thread(self, tenant: Tenant, ana: Any) -> None:
        row, replay = replayed(tenant)
        Run.objects.filter(pk=replay.pk).update(replay_from=4, replay_to=4)

        with pytest.raises(InvalidInput, match="no replay of the answer"):
            fixes.link(feedback_ids=[row.pk], run_id=replay.pk, by=ana, at=NOW)

    def test_is_no_original_and_nothing_that_is_not_there(self, tenant: Tenant, ana: Any) -> None:
        row, replay = replayed(tenant)

        for key in (UUID(str(replay.replay_of)), ids.new()):
            with pytest.raises(InvalidInput, match="no replay of the answer"):
                fixes.link(feedback_ids=[row.pk], run_id=key, by=ana, at=NOW)

    def test_has_answered(self, tenant: Tenant, ana: Any) -> None:
        row, replay = replayed(tenant)
        Run.objects.filter(pk=replay.pk).update(status="queued", ended_at=None)

        with pytest.raises(InvalidInput, match="has no answer"):
            fixes.link(feedback_ids=[row.pk], run_id=replay.pk, by=ana, at=NOW)

    def test_is_of_the_same_tenant_even_for_those_who_see_all(self, tenant: Tenant) -> None:
        row, replay = replayed(tenant)
        Run.objects.filter(pk=replay.pk).update(tenant_id=factories.tenant("Elsewhere").pk)

        with tenancy.everything(reason="test"), pytest.raises(InvalidInput, match="no replay of the answer"):
            fixes.link(feedback_ids=[row.pk], run_id=replay.pk, by=factories.user(is_superuser=True), at=NOW)

    def test_needs_the_permission(self, tenant: Tenant) -> None:
        row, replay = replayed(tenant)
        reader = factories.staff("view_feedback", "view_run", tenants=(tenant,))

        with pytest.raises(Forbidden):
            fixes.link(feedback_ids=[row.pk], run_id=replay.pk, by=reader, at=NOW)
        with pytest.raises(Forbidden):
            fixes.unlink(feedback_ids=[row.pk], by=reader, at=NOW)
        with pytest.raises(Forbidden):
            fixes.resolve(run_id=replay.pk, by=reader, at=NOW)

    def test_stops_where_somebody_was_quicker(self, tenant: Tenant, ana: Any) -> None:
        row, replay = replayed(tenant)
        steps.move(feedback_ids=[row.pk], state="triaged", by=ana, at=NOW)

        with pytest.raises(Conflict, match="Look at it again"):
            fixes.link(feedback_ids=[row.pk], run_id=replay.pk, by=ana, at=NOW, seen={row.pk: 0})


class TestResolve:
    def test_resolves_all_complaints_as_one_change(self, tenant: Tenant, ana: Any) -> None:
        row, replay = replayed(tenant)
        second = given(tenant, row.thread_id, user="dan")
        praise = given(tenant, row.thread_id, user="eve", rating="up")

        done = fixes.resolve(run_id=replay.pk, by=ana, at=NOW)

        assert {each.pk for each in done} == {row.pk, second.pk}
        assert {(now_of(each).state, now_of(each).fixed_by) for each in (row, second)} == {("resolved", replay.pk)}
        assert (now_of(praise).state, now_of(praise).fixed_by) == ("open", None)

    def test_is_taken_back_in_one_step(self, tenant: Tenant, ana: Any) -> None:
        row, replay = replayed(tenant)
        second = given(tenant, row.thread_id, user="dan")
        fixes.resolve(run_id=replay.pk, by=ana, at=NOW)

        undoing.undo_last(by=ana, at=NOW)

        assert {(now_of(each).state, now_of(each).fixed_by) for each in (row, second)} == {("open", None)}

    def test_says_when_nothing_is_open(self, tenant: Tenant, ana: Any) -> None:
        _, replay = replayed(tenant)
        fixes.resolve(run_id=replay.pk, by=ana, at=NOW)

        with pytest.raises(InvalidInput, match="still open"):
            fixes.resolve(run_id=replay.pk, by=ana, at=NOW)

    def test_knows_no_replay_of_another_tenant(self, tenant: Tenant, ana: Any) -> None:
        theirs, replay = replayed(factories.tenant("Elsewhere"))

        with pytest.raises(NotFound):
            fixes.resolve(run_id=replay.pk, by=ana, at=NOW)

        with tenancy.everything(reason="test"):
            assert now_of(theirs).state == "open"


class TestFixOf:
    def test_survives_the_replay(self, tenant: Tenant, ana: Any) -> None:
        row, replay = replayed(tenant)
        fixes.link(feedback_ids=[row.pk], run_id=replay.pk, by=ana, at=NOW)
        Run.objects.filter(pk=replay.pk).delete()

        assert fixes.fix_of(now_of(row)) == fixes.Fix(replay.pk, None)

    def test_does_not_stand_in_the_way_of_anything_else(self, tenant: Tenant, ana: Any) -> None:
        row, replay = replayed(tenant)
        fixes.link(feedback_ids=[row.pk], run_id=replay.pk, by=ana, at=NOW)
        Run.objects.filter(pk=replay.pk).delete()

        steps.move(feedback_ids=[row.pk], state="resolved", by=ana, at=NOW)
        fixes.unlink(feedback_ids=[row.pk], by=ana, at=NOW)

        assert (now_of(row).state, now_of(row).fixed_by) == ("resolved", None)


class TestRevise:
    def test_sets_it_with_the_rest_and_takes_it_off(self, tenant: Tenant, ana: Any) -> None:
        row, replay = replayed(tenant)

        first = revising.revise(feedback_id=row.pk, by=ana, at=NOW, state="resolved", fixed_by=replay.pk)
        second = revising.revise(feedback_id=row.pk, by=ana, at=NOW, fixed_by="")

        assert (first.state, first.fixed_by) == ("resolved", replay.pk)
        assert (second.state, second.fixed_by, second.version) == ("resolved", None, 2)
