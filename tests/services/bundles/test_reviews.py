"""What a bundle holds of reviews: nothing that its maker could not see here."""

from __future__ import annotations

import io
from typing import Any
from zipfile import ZipFile

import pytest
from django.utils import timezone

from ai import tenancy
from ai.models import ReviewItem, ReviewJudgement, ReviewPass, ReviewQueue, ReviewSlot, Tenant
from ai.services import actors
from ai.services import jobs as every_job
from ai.services.bundles import jobs
from ai.services.exports import jobs as exports
from ai.services.reviews import assigning, reviewing
from tests.services.bundles import consoles
from tests.services.reviews import making

pytestmark = pytest.mark.django_db


@pytest.fixture
def answered(db: None) -> Tenant:
    """A tenant with an item that needs two reviews and has one, one that has what it needs, and a draft."""
    made = Tenant.objects.create(name="Reviewed")
    with tenancy.scope(made.pk):
        waiting = making.queue(made, items=1, reviews_per_item=2)
        making.review(waiting, making.reviewer(made), {**making.YES, "why": "unmistakable"})
        over = making.queue(made, items=1, name="Over")
        making.review(over, making.reviewer(made), {**making.YES, "why": "settled"})
        drafted = making.queue(made, items=1, name="Drafted")
        by = making.reviewer(made)
        task = reviewing.next_task(queue_id=drafted.pk, by=by, at=making.NOW)
        assert task is not None
        ReviewSlot.objects.filter(pk=task.slot.pk).update(draft={"why": "half a thought"})
    return made


def slots(tenant: Tenant, *, scope: Any) -> bytes:
    return written(tenant, "reviewslot.jsonl", scope=scope)


def written(tenant: Tenant, name: str, *, scope: Any) -> bytes:
    out = io.BytesIO()
    with scope:
        jobs.write(tenant_id=tenant.pk, out=out, by=actors.SYSTEM, at=timezone.now())
    with ZipFile(out) as archive:
        return archive.read(name)


class TestReviews:
    def test_that_go_on_are_not_in_the_bundle_of_somebody_who_may_review_too(self, answered: Tenant) -> None:
        found = slots(answered, scope=tenancy.scope(answered.pk))

        assert b"unmistakable" not in found
        assert b"settled" in found

    def test_that_go_on_are_in_the_bundle_of_those_who_see_all(self, answered: Tenant) -> None:
        found = slots(answered, scope=tenancy.everything(reason="a test"))

        assert b"unmistakable" in found
        assert b"half a thought" not in found

    def test_are_as_blind_when_a_worker_writes_them(self, answered: Tenant) -> None:
        with tenancy.scope(answered.pk):
            job = jobs.request_export(tenant_id=answered.pk, by=actors.SYSTEM, at=timezone.now())
        with tenancy.everything(reason="a test"):
            every_job.carry_on(job_id=job.pk, worker="w", now=timezone.now)
            _, file = exports.open_file(job_id=job.pk, by=actors.SYSTEM, at=timezone.now())

        with file, ZipFile(file) as archive:
            assert b"unmistakable" not in archive.read("reviewslot.jsonl")

    def test_that_were_left_out_are_still_to_be_given(self, answered: Tenant) -> None:
        out = io.BytesIO()
        with tenancy.scope(answered.pk):
            jobs.write(tenant_id=answered.pk, out=out, by=actors.SYSTEM, at=timezone.now())
        consoles.empty()

        with tenancy.everything(reason="a test"):
            jobs.read(file=out, by=actors.SYSTEM, at=timezone.now())

        with tenancy.scope(answered.pk):
            queue = ReviewQueue.objects.get(name="Helpful?")
            for _ in range(2):
                item = making.review(queue, making.reviewer(answered), making.YES)
            assert item.state == "agreed"

    @pytest.mark.parametrize("sees_all", [True, False])
    def test_about_which_people_differ_are_told_only_to_those_who_see_all(
        self, answered: Tenant, sees_all: bool
    ) -> None:
        with tenancy.scope(answered.pk):
            queue = ReviewQueue.objects.get(name="Helpful?")
            item = making.review(queue, making.reviewer(answered), {**making.NO, "why": "otherwise"})
            assert item.state == "disputed"

        def scope() -> Any:
            return tenancy.everything(reason="a test") if sees_all else tenancy.scope(answered.pk)

        told, items = slots(answered, scope=scope()), written(answered, "reviewitem.jsonl", scope=scope())

        assert (b"unmistakable" in told, b"otherwise" in told) == (sees_all, sees_all)
        assert (b"disputed" in items) is sees_all

    def test_are_of_nobody_who_has_the_same_number_in_the_console_that_reads_them(self, answered: Tenant) -> None:
        out = io.BytesIO()
        with tenancy.scope(answered.pk):
            boss, ana = making.lead(answered), making.reviewer(answered)
            queue = making.queue(answered, items=2, name="Kept")
            assigning.assign_next(queue_id=queue.pk, to=ana, count=1, by=boss, at=making.NOW)
            task = reviewing.next_task(queue_id=queue.pk, by=boss, at=making.NOW)
            assert task is not None
            reviewing.pass_over(slot_id=task.slot.pk, by=boss, at=making.NOW)
            jobs.write(tenant_id=answered.pk, out=out, by=actors.SYSTEM, at=timezone.now())
        consoles.empty()

        with tenancy.everything(reason="a test"):
            jobs.read(file=out, by=actors.SYSTEM, at=timezone.now())

            given = ReviewSlot.objects.filter(reviewer__isnull=False).values_list("reviewer", flat=True)
            passed = ReviewPass.objects.values_list("reviewer", flat=True)
            assert not ReviewSlot.objects.filter(assigned_to__isnull=False).exists()
        assert given
        assert all("of another console" in name for name in (*given, *passed))

    @pytest.mark.parametrize("sees_all", [True, False])
    def test_tell_what_a_judge_said_of_open_items_only_to_those_who_see_all(
        self, answered: Tenant, sees_all: bool
    ) -> None:
        with tenancy.scope(answered.pk):
            item = ReviewItem.objects.get(queue_id=ReviewQueue.objects.get(name="Helpful?").pk)
            said = {"queue_id": item.queue_id, "item_id": item.pk, "judge_version": 1, "rubric_version": 1}
            row = ReviewJudgement(tenant_id=answered.pk, **said, answers=making.YES, reason="unmistakable judge")
            ReviewJudgement.objects.keep(row, at=making.NOW)
        scope = tenancy.everything(reason="a test") if sees_all else tenancy.scope(answered.pk)

        found = written(answered, "reviewjudgement.jsonl", scope=scope)

        assert (b"unmistakable judge" in found) is sees_all
