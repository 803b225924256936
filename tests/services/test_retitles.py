"""Titles for many threads: proposed in the background, applied in one go, undone as one."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from ai import ids, tenancy
from ai.exceptions import Conflict, Forbidden, InvalidInput, NotFound
from ai.models import AuditEntry, ChatThread, Job, JobItem, LanguageModel, SearchDocument, Tenant
from ai.services import actors, jobs, retitle_batches, retitles, threads
from ai.services.selections import Selection
from tests import factories
from tests.fakes.vendors import Failure, VendorServer
from tests.services.retitling import end_task

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)


def thread(owner: Tenant, asked: str = "Hi, how do tides work?", **values: Any) -> ChatThread:
    return factories.thread(owner, {"role": "user", "content": asked}, **values)


def chosen(*rows: ChatThread) -> Selection:
    return Selection.of_ids("threads", [row.pk for row in rows])


def request(*rows: ChatThread, model: str = "", **values: Any) -> Job:
    fixed: dict[str, Any] = {"selection": chosen(*rows) if rows else None, "by": actors.SYSTEM, "at": NOW}
    return retitles.request(model_alias=model, **(fixed | values))


def propose(*rows: ChatThread, model: str = "", now: Callable[[], datetime] = lambda: NOW) -> Job:
    job = request(*rows, model=model)
    retitles.carry_on(job_id=job.pk, worker="w", now=now)
    job.refresh_from_db()
    return job


def apply(job: Job, **values: Any) -> None:
    fixed: dict[str, Any] = {"by": actors.SYSTEM, "at": NOW}
    retitle_batches.apply(job_id=job.pk, **(fixed | values))


def undo(job: Job, **values: Any) -> None:
    retitle_batches.undo(job_id=job.pk, by=actors.SYSTEM, at=NOW, **values)


def states(job: Job) -> list[str]:
    return list(JobItem.objects.filter(job_id=job.pk).order_by("position").values_list("status", flat=True))


def names() -> set[str]:
    return set(ChatThread.objects.values_list("name", flat=True))


class TestPropose:
    def test_changes_no_thread(self, tenant: Tenant) -> None:
        rows = [thread(tenant, name=f"Old {number}") for number in range(3)]

        job = propose(*rows)

        assert (job.status, job.total, job.done, job.failed, job.tenant_id) == ("completed", 3, 3, 0, tenant.pk)
        assert names() == {"Old 0", "Old 1", "Old 2"}
        data = list(JobItem.objects.order_by("position").values_list("data", flat=True))
        assert {(each["old"], each["new"]) for each in data} == {(f"Old {n}", "How do tides work?") for n in range(3)}
        entry = AuditEntry.objects.get(action="thread.retitle_requested")
        assert (entry.data["threads"], entry.data["selection"]) == (3, "3 chosen threads")

    def test_takes_all_that_match_a_filter(self, tenant: Tenant) -> None:
        thread(tenant, name="Billed", tags=["billing"])
        thread(tenant, name="Other", tags=["delivery"])
        matching = Selection.of_list("threads", {"tag": "billing"}).frozen(at=NOW + timedelta(days=9999))

        job = request(selection=matching)

        assert (job.total, job.data["selection"]) == (1, "threads: tag is billing")

    def test_leaves_locked_titles_and_says_so(self, tenant: Tenant) -> None:
        free, locked = thread(tenant, name="Free"), thread(tenant, name="Mine", title_locked=True)

        job = propose(free, locked)

        assert sorted(states(job)) == ["locked", "proposed"]
        assert (job.done, job.total, job.data["locked"]) == (2, 2, 1)

    def test_leaves_a_title_that_is_locked_while_the_job_waits(self, tenant: Tenant) -> None:
        row = thread(tenant)
        job = request(row)
        ChatThread.objects.lock_title(row.pk, locked=True, at=NOW)

        retitles.carry_on(job_id=job.pk, worker="w", now=lambda: NOW)

        assert states(job) == ["locked"]

    def test_says_where_the_title_is_good_already(self, tenant: Tenant) -> None:
        assert states(propose(thread(tenant, name="How do tides work?"))) == ["same"]

    def test_goes_on_where_a_dead_worker_stopped(self, tenant: Tenant) -> None:
        job = request(*(thread(tenant) for _ in range(3)))
        taken = Job.objects.take(job.pk, worker="dead", at=NOW)
        assert taken
        first = JobItem.objects.next_of(job.pk, most=1)
        [(item, row, proposal)] = retitles._find(first, spec=None)
        retitles._settle(taken, item, row, proposal, now=lambda: NOW)

        retitles.carry_on(job_id=job.pk, worker="alive", now=lambda: NOW)
        assert Job.objects.get(pk=job.pk).done == 1
        retitles.carry_on(job_id=job.pk, worker="alive", now=lambda: NOW + timedelta(minutes=5))

        assert (Job.objects.get(pk=job.pk).done, Job.objects.get(pk=job.pk).status) == (3, "completed")

    def test_stops_when_it_is_cancelled_and_counts_what_is_gone(self, tenant: Tenant) -> None:
        gone, kept = thread(tenant), thread(tenant)
        job = request(gone, kept)
        ChatThread.objects.delete_threads([gone.pk])
        retitles.carry_on(job_id=job.pk, worker="w", now=lambda: NOW)
        ended = Job.objects.get(pk=job.pk)
        other = request(kept)
        jobs.cancel(job_id=other.pk, by=actors.SYSTEM, at=NOW)

        retitles.carry_on(job_id=other.pk, worker="w", now=lambda: NOW)

        assert (ended.done, ended.failed) == (1, 1)
        assert states(other) == ["queued"]

    def test_refuses(self, tenant: Tenant, settings: Any) -> None:
        settings.AI_AGENTS = {"clerk": "tests.marvin.agents.clerk"}
        row = thread(tenant)
        with tenancy.everything(reason="test"):
            nobody = factories.staff(tenants=(tenant,))

        with pytest.raises(Forbidden):
            request(row, by=nobody)
        with pytest.raises(NotFound):
            request(selection=Selection.of_ids("threads", [ids.new()]))
        with pytest.raises(InvalidInput, match="no language model"):
            request(row, model="no-such-model")
        with pytest.raises(InvalidInput, match="agent"):
            request(row, model="clerk")

    def test_is_of_one_tenant_unless_its_asker_sees_all(self, tenant: Tenant) -> None:
        other = factories.tenant()
        rows = [factories.thread(owner) for owner in (tenant, other)]

        with tenancy.scope(tenant.pk, other.pk), pytest.raises(InvalidInput, match="threads of one tenant"):
            request(*rows)
        with tenancy.scope(tenant.pk, other.pk):
            assert request(rows[0]).tenant_id == tenant.pk
        with tenancy.everything(reason="test"):
            assert request(*rows).total == 2
        with tenancy.scope(tenant.pk):
            assert request(*rows).total == 1


class TestCost:
    @pytest.fixture
    def priced(self, scripted: VendorServer) -> VendorServer:
        LanguageModel.objects.filter(alias="scripted").update(input_price=Decimal(2), output_price=Decimal(10))
        return scripted

    def test_is_shown_before_and_counted_after(self, tenant: Tenant, priced: VendorServer) -> None:
        priced.script(end_task("Cancelling a subscription"))
        rows = [thread(tenant, f"How do I cancel {number}?") for number in range(3)]
        expected = retitles.estimate(selection=chosen(*rows), model_alias="scripted")

        job = propose(*rows, model="scripted")

        assert expected.cost
        assert Decimal("0.001") < expected.cost < Decimal("0.01")
        assert job.data["expected_cost"] == str(expected.cost)
        assert (job.data["input_tokens"], job.data["output_tokens"]) == (33, 21)
        assert Decimal(job.data["cost"]) == Decimal(3 * (11 * 2 + 7 * 10)) / 1_000_000
        assert job.data["by_model"] == 3
        assert len(priced.requests) == 3

    def test_is_nothing_for_the_rule_and_the_embedded_model(self, tenant: Tenant) -> None:
        row = thread(tenant)

        assert retitles.estimate(selection=chosen(row), model_alias="").cost == 0
        assert retitles.estimate(selection=chosen(row), model_alias="local:smollm2").cost == 0

    def test_is_unknown_where_no_price_is(self, tenant: Tenant, scripted: VendorServer) -> None:
        scripted.script(end_task("Cancelling a subscription"))
        row = thread(tenant, "How do I cancel?")
        expected = retitles.estimate(selection=chosen(row), model_alias="scripted")

        job = propose(row, model="scripted")

        assert (expected.cost, job.data["expected_cost"], job.data["cost"]) == (None, None, None)
        assert expected.tokens > 0

    def test_is_counted_for_answers_of_no_use(self, tenant: Tenant, priced: VendorServer) -> None:
        priced.script(end_task("***"))

        job = propose(thread(tenant, "How do I cancel?"), model="scripted")

        item = JobItem.objects.get(job_id=job.pk)
        assert (item.data["new"], item.data["source"]) == ("How do I cancel?", "rule")
        assert "no usable title" in item.data["note"]
        assert Decimal(job.data["cost"]) > 0

    def test_waits_where_the_vendor_asks_for_it(self, tenant: Tenant, priced: VendorServer) -> None:
        priced.script(Failure("rate_limit", retry_after=0.1), Failure("server_error"), end_task("Lost parcel"))

        job = propose(thread(tenant), model="scripted")

        assert JobItem.objects.get(job_id=job.pk).data["source"] == "scripted"
        assert len(priced.requests) == 3

    def test_does_not_go_on_with_a_key_that_is_refused(self, tenant: Tenant, priced: VendorServer) -> None:
        priced.script(Failure("unauthorized"))

        job = propose(*(thread(tenant) for _ in range(20)), model="scripted")

        assert states(job) == ["proposed"] * 20
        assert len(priced.requests) <= 8
        assert "follow the rule" in job.data["problem"]


class TestDecide:
    def decide(self, job: Job, **choices: tuple[bool, str]) -> None:
        items = {item.data["old"]: item.pk for item in JobItem.objects.filter(job_id=job.pk)}
        wanted = {items[old]: choice for old, choice in choices.items()}
        retitle_batches.decide(job_id=job.pk, choices=wanted, by=actors.SYSTEM, at=NOW)

    def test_edits_and_unticks(self, tenant: Tenant) -> None:
        job = propose(thread(tenant, name="A"), thread(tenant, name="B"), thread(tenant, name="C"))

        self.decide(job, A=(True, "  Tides\u202e and moons "), B=(False, "How do tides work?"), C=(True, " "))
        apply(job)

        assert names() == {"Tides and moons", "B", "C"}
        assert sorted(states(job)) == ["applied", "unticked", "unticked"]

    def test_keeps_what_has_been_applied(self, tenant: Tenant) -> None:
        job = propose(thread(tenant, name="A"))
        apply(job)

        self.decide(job, A=(False, "Something else"))

        assert states(job) == ["applied"]
        assert JobItem.objects.get().data["new"] == "How do tides work?"

    def test_needs_the_permission_and_the_batch(self, tenant: Tenant) -> None:
        job = propose(thread(tenant, name="A"))
        replay = Job(kind="replay", tenant_id=tenant.pk)
        replay.save(force_insert=True)

        with pytest.raises(Forbidden):
            retitle_batches.decide(job_id=job.pk, choices={}, by=factories.staff("view_job"), at=NOW)
        with pytest.raises(NotFound):
            retitle_batches.decide(job_id=replay.pk, choices={}, by=actors.SYSTEM, at=NOW)


class TestApply:
    def test_gives_titles_and_tags(self, tenant: Tenant, settings: Any) -> None:
        settings.AI_TAGS = "tides"
        job = propose(thread(tenant, name="Old", tags=["chat"]))

        apply(job)

        row = ChatThread.objects.get()
        assert (row.name, row.tags, row.title_locked) == ("How do tides work?", ["chat", "tides"], False)
        assert [d.text for d in SearchDocument.objects.filter(message_id__isnull=True)] == ["How do tides work?"]
        assert AuditEntry.objects.get(action="thread.retitled").data["threads"] == 1

    def test_leaves_the_tags_where_they_are_not_wanted(self, tenant: Tenant, settings: Any) -> None:
        settings.AI_TAGS = "tides"
        job = propose(thread(tenant, name="Old", tags=["chat"]))

        apply(job, with_tags=False)

        assert ChatThread.objects.get().tags == ["chat"]

    def test_leaves_titles_that_changed_since(self, tenant: Tenant) -> None:
        renamed, locked, gone = (thread(tenant, name=name) for name in ("Renamed", "Locked", "Gone"))
        job = propose(renamed, locked, gone)
        threads.edit(thread_id=renamed.pk, name="By hand", tags=[], by=actors.SYSTEM, at=NOW)
        threads.lock_title(thread_id=renamed.pk, locked=False, by=actors.SYSTEM, at=NOW)
        threads.lock_title(thread_id=locked.pk, locked=True, by=actors.SYSTEM, at=NOW)
        ChatThread.objects.delete_thread(gone.pk)

        apply(job)

        assert names() == {"By hand", "Locked"}
        assert sorted(states(job)) == ["failed", "kept", "locked"]

    def test_is_refused_while_the_job_works_and_with_nothing_ticked(self, tenant: Tenant) -> None:
        with pytest.raises(Conflict, match="still being found"):
            apply(request(thread(tenant)))
        with pytest.raises(Conflict, match="Nothing is ticked"):
            apply(propose(thread(tenant, name="How do tides work?")))

    def test_twice_does_nothing_twice(self, tenant: Tenant) -> None:
        job = propose(thread(tenant, name="Old"))
        apply(job)

        with pytest.raises(Conflict):
            apply(job)

        assert AuditEntry.objects.filter(action="thread.retitled").count() == 1

    def test_applies_what_was_found_before_the_job_was_cancelled(self, tenant: Tenant) -> None:
        job = request(thread(tenant, name="A"), thread(tenant, name="B"))
        taken = Job.objects.take(job.pk, worker="w", at=NOW)
        assert taken
        [(item, row, proposal)] = retitles._find(JobItem.objects.next_of(job.pk, most=1), spec=None)
        retitles._settle(taken, item, row, proposal, now=lambda: NOW)
        jobs.cancel(job_id=job.pk, by=actors.SYSTEM, at=NOW)

        apply(job)

        assert sorted(states(job)) == ["applied", "queued"]

    def test_needs_the_permission(self, tenant: Tenant) -> None:
        job = propose(thread(tenant))

        with pytest.raises(Forbidden):
            apply(job, by=factories.staff("view_job"))
        with pytest.raises(Forbidden):
            retitle_batches.undo(job_id=job.pk, by=factories.staff("view_job"), at=NOW)


class TestUndo:
    def test_restores_titles_and_tags(self, tenant: Tenant, settings: Any) -> None:
        settings.AI_TAGS = "tides"
        named, unnamed = thread(tenant, name="Old", tags=["mine"]), thread(tenant, name=None)
        job = propose(named, unnamed)
        apply(job)

        undo(job)

        assert states(job) == ["undone", "undone"]
        assert {(row.name, tuple(row.tags or [])) for row in ChatThread.objects.all()} == {
            ("Old", ("mine",)),
            (None, ()),
        }
        assert AuditEntry.objects.get(action="thread.retitle_undone").data["threads"] == 2

    def test_keeps_a_title_that_somebody_changed_or_locked_since(self, tenant: Tenant) -> None:
        renamed, locked, other = (thread(tenant, name=name) for name in ("A", "B", "C"))
        job = propose(renamed, locked, other)
        apply(job)
        threads.edit(thread_id=renamed.pk, name="By hand", tags=[], by=actors.SYSTEM, at=NOW)
        threads.lock_title(thread_id=locked.pk, locked=True, by=actors.SYSTEM, at=NOW)

        undo(job)

        assert names() == {"By hand", "How do tides work?", "C"}
        assert sorted(states(job)) == ["kept", "kept", "undone"]

    def test_of_nothing_is_refused(self, tenant: Tenant) -> None:
        with pytest.raises(Conflict, match="nothing to undo"):
            undo(propose(thread(tenant)))


class TestLargeBatch:
    def change(self, job: Job) -> Job:
        job.refresh_from_db()
        found = retitle_batches.change_of(job)
        assert found
        return found

    def test_is_applied_and_undone_by_a_worker(self, tenant: Tenant) -> None:
        job = propose(*(thread(tenant, name=f"Old {number}") for number in range(3)))

        apply(job, at_once=2)
        assert states(job) == ["chosen"] * 3
        with pytest.raises(Conflict, match="being changed"):
            undo(job)
        jobs.carry_on(job_id=self.change(job).pk, worker="w", now=lambda: NOW)
        applied = (names(), self.change(job).status, self.change(job).done)
        undo(job, at_once=2)
        jobs.carry_on(job_id=self.change(job).pk, worker="w", now=lambda: NOW)

        assert applied == ({"How do tides work?"}, "completed", 3)
        assert names() == {"Old 0", "Old 1", "Old 2"}
        assert states(job) == ["undone"] * 3

    def test_goes_on_after_a_cancelled_change(self, tenant: Tenant) -> None:
        job = propose(*(thread(tenant, name=f"Old {number}") for number in range(3)))
        apply(job, at_once=2)
        jobs.cancel(job_id=self.change(job).pk, by=actors.SYSTEM, at=NOW)

        apply(job, at_once=2)
        jobs.carry_on(job_id=self.change(job).pk, worker="w", now=lambda: NOW)

        assert states(job) == ["applied"] * 3
