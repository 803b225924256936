"""Samples of what a list shows: a share of each group, or what people and models disagree about."""

from __future__ import annotations

from collections import Counter
from typing import Any
from uuid import UUID

import pytest

from ai.exceptions import InvalidInput
from ai.models import ChatThread, Message, ReviewItem, ReviewQueue, Run, Tenant
from ai.services import actors
from ai.services.reviews import figures, queues, sampling_rows
from ai.services.selections import Selection
from tests import factories
from tests.fakes.vendors import Reply, VendorServer
from tests.services import replaying
from tests.services.reviews.making import NO, NOW, YES, queue, review, reviewer

pytestmark = pytest.mark.django_db

FAR = NOW.replace(year=2100)
FAILED = {"status": "failed", "error_code": "server_error", "error_message": "It failed."}


def fill(made: ReviewQueue, noun: str, **values: Any) -> set[UUID]:
    """What a sample of all rows brought into the queue."""
    queues.fill(queue_id=made.pk, selection=Selection.of_list(noun, {}), by=actors.SYSTEM, at=FAR, **values)
    return set(ReviewItem.objects.filter(queue_id=made.pk).values_list("object_id", flat=True))


def run(owner: Tenant, thread: ChatThread, **values: Any) -> Run:
    made = Run(tenant_id=owner.pk, thread_id=str(thread.pk), ended_at=NOW, **{"status": "completed", **values})
    made.save(force_insert=True)
    return made


class TestGroups:
    def test_of_threads(self, tenant: Tenant) -> None:
        for number in range(40):
            tags = ["billing"] if number < 30 else ["delivery"] if number < 39 else []
            factories.thread(tenant, model="big" if number % 2 else "small", tags=tags)

        chosen = fill(queue(tenant, items=0), "threads", sample=8, how="by:tag", seed=3)

        rows = ChatThread.objects.filter(pk__in=chosen)
        assert Counter((row.tags or ["none"])[0] for row in rows) == {"billing": 5, "delivery": 2, "none": 1}
        kept = ReviewQueue.objects.get()
        assert (kept.population, kept.source["rows"], kept.source["how"], kept.source["seed"]) == (
            None,
            40,
            "by:tag",
            3,
        )
        assert not figures.is_of_all(kept)
        assert kept.source["groups"] == {"billing": 5, "delivery": 2, "no tag": 1}

    @pytest.mark.parametrize(
        ("unit", "how", "names"),
        [
            ("message", "by:role", {"user", "assistant"}),
            ("message", "by:model", {"big", "no model"}),
            ("run", "by:status", {"completed", "failed"}),
            ("run", "by:model", {"big", "small"}),
        ],
    )
    def test_of_messages_and_runs(self, tenant: Tenant, unit: str, how: str, names: set[str]) -> None:
        thread = factories.thread(tenant, *factories.talk(4))
        made = [run(tenant, thread, model="big"), run(tenant, thread, model="small", **FAILED)]
        Message.objects.filter(thread_id=str(thread.pk), role="assistant").update(run_id=str(made[0].pk))
        one = queue(tenant, items=0, unit=unit)

        fill(one, f"{unit}s", sample=2, how=how)

        one.refresh_from_db()
        assert set(one.source["groups"]) == names

    def test_are_the_same_for_the_same_seed(self, tenant: Tenant) -> None:
        for number in range(30):
            factories.thread(tenant, model=f"m{number % 3}")

        chosen = [
            fill(queue(tenant, items=0, name=str(number)), "threads", sample=9, how="by:model", seed=seed)
            for number, seed in enumerate((1, 1, 2))
        ]

        assert chosen[0] == chosen[1] != chosen[2]
        assert len(chosen[0]) == 9

    def test_need_a_size(self, tenant: Tenant) -> None:
        factories.thread(tenant)

        with pytest.raises(InvalidInput) as refused:
            fill(queue(tenant, items=0), "threads", how="by:model")

        assert refused.value.param == "sample"

    @pytest.mark.parametrize("how", ["by:colour", "only:differs", "nonsense"])
    def test_that_a_unit_does_not_have_are_refused(self, tenant: Tenant, how: str) -> None:
        factories.thread(tenant)

        with pytest.raises(InvalidInput) as refused:
            fill(queue(tenant, items=0), "threads", how=how, sample=1)

        assert refused.value.param == "how"

    def test_are_offered_for_every_unit(self) -> None:
        for unit in queues.NOUNS:
            assert {"", "only:disputed"} < set(sampling_rows.offers(unit))
            assert any(how.startswith("by:") for how in sampling_rows.offers(unit))


class TestSecondFill:
    @pytest.mark.parametrize("how", ["", "by:model"])
    def test_by_lot_is_no_sample_of_what_the_first_was_taken_from(self, tenant: Tenant, how: str) -> None:
        for _ in range(12):
            factories.thread(tenant)
        made = queue(tenant, items=0)
        fill(made, "threads", sample=4, how=how)

        fill(made, "threads", sample=8, seed=2)

        made.refresh_from_db()
        assert (made.population, made.source["sample"]) == (None, 8)
        assert figures.is_of_all(made) is not bool(how)

    def test_of_everything_makes_it_no_sample_any_more(self, tenant: Tenant) -> None:
        for _ in range(6):
            factories.thread(tenant)
        made = queue(tenant, items=0)
        fill(made, "threads", sample=4)

        fill(made, "threads")

        made.refresh_from_db()
        assert (made.population, made.source) == (None, {})

    def test_that_adds_nothing_leaves_a_sample_as_it_is(self, tenant: Tenant) -> None:
        rows = [factories.thread(tenant) for _ in range(3)]
        made = queue(tenant, items=0)
        fill(made, "threads", sample=3)

        chosen = Selection.of_ids("threads", [rows[0].pk])
        assert queues.fill(queue_id=made.pk, selection=chosen, by=actors.SYSTEM, at=FAR) == 0

        made.refresh_from_db()
        assert made.population == 3


class TestDisputed:
    def test_takes_what_reviewers_of_another_queue_disagreed_about(self, tenant: Tenant) -> None:
        first = queue(tenant, items=3, reviews_per_item=2)
        ana, ben = reviewer(tenant), reviewer(tenant)
        for hers, his in ((YES, YES), (YES, NO)):
            review(first, ana, hers)
            item = review(first, ben, his)
        second = queue(tenant, items=0, name="Again")

        assert fill(second, "threads", how="only:disputed") == {item.object_id}
        second.refresh_from_db()
        assert (second.population, second.source["how"]) == (None, "only:disputed")

    def test_finds_nothing_of_another_tenants_queues_or_of_other_units(self, tenant: Tenant) -> None:
        queue(tenant, items=1, reviews_per_item=2)

        with pytest.raises(InvalidInput, match="no such threads"):
            fill(queue(tenant, items=0, name="Again"), "threads", how="only:disputed")


class TestDiffering:
    @pytest.fixture
    def replays(self, tenant: Tenant, scripted: VendorServer) -> tuple[Run, Run]:
        """A replay that says the same in capitals, and one that says something else."""
        same, other = (factories.thread(tenant, *replaying.TALK) for _ in range(2))
        for thread in (same, other):
            replaying.original(thread)
        scripted.script(Reply(chunks=("IT  ", "rains.")), Reply(chunks=("Sun.",)))
        return replaying.replay(same), replaying.replay(other)

    def test_replays_answer_otherwise(self, tenant: Tenant, replays: tuple[Run, Run]) -> None:
        made = queue(tenant, items=0, unit="replay")

        assert fill(made, "runs", how="only:differs") == {replays[1].pk}

    @pytest.mark.parametrize("unit", ["replay", "run"])
    def test_differ_from_nothing_where_the_original_was_deleted(
        self, tenant: Tenant, replays: tuple[Run, Run], unit: str
    ) -> None:
        Message.objects.filter(thread_id=str(replays[0].replay_of_thread)).delete()
        made = queue(tenant, items=0, unit=unit)

        assert fill(made, "runs", how="only:differs") == {replays[1].pk if unit == "replay" else replays[1].replay_of}

    def test_runs_are_answered_otherwise_by_a_replay(self, tenant: Tenant, replays: tuple[Run, Run]) -> None:
        made = queue(tenant, items=0, unit="run")

        assert fill(made, "runs", how="only:differs") == {replays[1].replay_of}
