"""Titles: by rule, by a model, in the background, and as a job."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai import ids, tenancy
from ai.exceptions import Forbidden, InvalidInput, NotFound
from ai.models import AuditEntry, ChatThread, Job, JobItem, LanguageModel, SearchDocument, Tenant, ThreadTag
from ai.services import actors, titles
from ai.tasks.titles import trim_and_tag_thread_title_task
from tests import factories
from tests.fakes.vendors import Call, Recorded, Reply, VendorServer

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)


class TestByRule:
    @pytest.mark.parametrize(
        ("text", "title"),
        [
            ("Hi! Can you please explain how tides work? I am curious.", "Explain how tides work?"),
            ("Hello team,\n\nour printer is on fire", "Our printer is on fire"),
            ("**Refund** for order `4711`", "Refund for order 4711"),
            ('"Quoted question"', "Quoted question"),
            ("# Heading\n\ntext", "Heading"),
            ("```python\nprint(1)\n```\nWhy does this print 1?", "Why does this print 1?"),
            ("[the docs](https://example.com) are wrong", "The docs are wrong"),
            ("what does my_function do", "What does my_function do"),
            ("", "New Chat"),
            ("   \n\t ", "New Chat"),
            ("hi", "Hi"),
            ("¿Dónde está la estación?", "¿Dónde está la estación?"),
            ("予約を変更したいです。お願いします。", "予約を変更したいです"),
        ],
    )
    def test_takes_the_first_sentence_that_says_something(self, text: str, title: str) -> None:
        assert titles.by_rule(text) == title

    def test_cuts_long_ones_at_a_word(self) -> None:
        title = titles.by_rule("word " * 100)

        assert len(title) <= 60
        assert title.endswith("word…")

    @given(st.text(max_size=400))
    def test_is_never_empty_nor_long_nor_of_several_lines(self, text: str) -> None:
        title = titles.by_rule(text)

        assert 0 < len(title) <= 60
        assert title == " ".join(title.split())
        assert not title.startswith(('"', "“", "`", "*", "#"))


class TestByModel:
    async def test_asks_through_marvin(self) -> None:
        title = await titles.by_model("How do I cancel?", model=_model('"**Cancelling a subscription**"'))

        assert title == "Cancelling a subscription"

    async def test_is_empty_when_the_model_says_nothing_of_use(self) -> None:
        assert await titles.by_model("How do I cancel?", model=_model("***")) == ""

    def test_falls_back_to_the_rule(self, settings: Any) -> None:
        settings.AI_TITLE_MODEL = "no-such-model"

        assert titles.find("How do tides work? Tell me.") == "How do tides work?"


@pytest.mark.django_db
class TestTitleModel:
    def test_writes_the_title(self, scripted: VendorServer, tenant: Tenant, settings: Any) -> None:
        settings.AI_TITLE_MODEL = "scripted"
        scripted.script(_end_task, _end_task)
        made = [factories.thread(tenant, {"role": "user", "content": f"How do I cancel {n}?"}) for n in range(2)]

        job = titles.request(thread_ids=[thread.pk for thread in made], by=actors.SYSTEM, at=NOW)
        titles.carry_on(job_id=job.pk, worker="w", now=lambda: NOW)

        assert set(ChatThread.objects.values_list("name", flat=True)) == {"Cancelling a subscription"}
        assert len(scripted.requests) == 2

    def test_that_is_disabled_leaves_it_to_the_rule(self, scripted: VendorServer, settings: Any) -> None:
        settings.AI_TITLE_MODEL = "scripted"
        LanguageModel.objects.update(is_enabled=False)

        assert titles.find("How do I cancel?") == "How do I cancel?"
        assert not scripted.requests


def _end_task(request: Recorded) -> Reply:
    """What a model does to end Marvin's task."""
    tool = request.json["tools"][0]["function"]
    name = next(iter(tool["parameters"]["properties"]))
    return Reply(chunks=(), calls=(Call(tool["name"], json.dumps({name: "Cancelling a subscription"})),))


def _model(answer: str) -> Any:
    """A model that ends Marvin's task with `answer`."""
    from pydantic_ai.models.function import DeltaToolCall, FunctionModel

    async def respond(messages: Any, info: Any) -> Any:
        tool = info.output_tools[0]
        name = next(iter(tool.parameters_json_schema["properties"]))
        yield {0: DeltaToolCall(name=tool.name, json_args=json.dumps({name: answer}))}

    return FunctionModel(stream_function=respond)


@pytest.mark.django_db
class TestTrimAndTag:
    def test_titles_and_tags_a_new_thread_once(self, tenant: Tenant) -> None:
        thread = ChatThread.objects.get_or_add_thread(ids.new(), tenant.pk, name="Hello! Where is ```x``` my parcel?")

        for _ in range(2):
            trim_and_tag_thread_title_task(
                "Hello! Where is ```x``` my parcel?", str(thread.pk), str(tenant.pk), later="?"
            )

        thread.refresh_from_db()
        assert thread.name == "Where is my parcel?"
        assert thread.data
        assert thread.data["tagged"] is True
        assert thread.data["snippet"].startswith("Hello!")
        assert thread.tags == ["chat", "code"]
        assert set(ThreadTag._base_manager.values_list("tag", flat=True)) == {"chat", "code"}
        assert [d.text for d in SearchDocument.objects.filter(message_id__isnull=True)] == ["Where is my parcel?"]

    def test_leaves_a_title_that_somebody_gave(self, tenant: Tenant) -> None:
        thread = ChatThread.objects.get_or_add_thread(ids.new(), tenant.pk, name="Where is it?")
        ChatThread.objects.rename(thread.pk, name="Lost parcel", at=NOW)

        titles.trim_and_tag(name="Where is it?", thread_id=thread.pk, tenant_id=tenant.pk, at=NOW)

        thread.refresh_from_db()
        assert thread.data
        assert (thread.name, thread.data["tagged"]) == ("Lost parcel", True)

    def test_is_silent_about_a_thread_that_is_gone(self, tenant: Tenant) -> None:
        assert titles.trim_and_tag(name="x", thread_id=ids.new(), tenant_id=tenant.pk, at=NOW) is None


@pytest.mark.django_db
class TestJob:
    def test_keeps_old_and_new(self, tenant: Tenant) -> None:
        asked = {"role": "user", "content": "Hi, how do tides work?"}
        made = [factories.thread(tenant, asked, name=f"Old {number}") for number in range(3)]

        job = titles.request(thread_ids=[t.pk for t in made], by=actors.SYSTEM, at=NOW)
        titles.carry_on(job_id=job.pk, worker="w", now=lambda: NOW)

        job.refresh_from_db()
        assert (job.status, job.total, job.done, job.failed, job.tenant_id) == ("completed", 3, 3, 0, tenant.pk)
        data = list(JobItem.objects.order_by("position").values_list("data", flat=True))
        assert {(d["old"], d["new"]) for d in data} == {(f"Old {n}", "How do tides work?") for n in range(3)}
        assert set(ChatThread.objects.values_list("name", flat=True)) == {"How do tides work?"}
        assert AuditEntry.objects.filter(action="thread.retitle_requested").count() == 1

    def test_goes_on_where_a_dead_worker_stopped(self, tenant: Tenant) -> None:
        made = [factories.thread(tenant, name=f"Old {number}") for number in range(3)]
        job = titles.request(thread_ids=[t.pk for t in made], by=actors.SYSTEM, at=NOW)
        taken = Job.objects.take(job.pk, worker="dead", at=NOW)
        assert taken
        titles._retitle(taken, JobItem.objects.next_of(job.pk, most=1)[0], now=lambda: NOW)

        titles.carry_on(job_id=job.pk, worker="alive", now=lambda: NOW)
        assert Job.objects.get(pk=job.pk).done == 1
        titles.carry_on(job_id=job.pk, worker="alive", now=lambda: NOW + timedelta(minutes=5))

        assert (Job.objects.get(pk=job.pk).done, Job.objects.get(pk=job.pk).status) == (3, "completed")

    def test_stops_when_it_is_cancelled_and_counts_what_is_gone(self, tenant: Tenant) -> None:
        made = [factories.thread(tenant, name=f"Old {number}") for number in range(2)]
        job = titles.request(thread_ids=[t.pk for t in made], by=actors.SYSTEM, at=NOW)
        ChatThread.objects.delete_threads([made[0].pk])
        titles.carry_on(job_id=job.pk, worker="w", now=lambda: NOW)
        ended = Job.objects.get(pk=job.pk)
        other = titles.request(thread_ids=[made[1].pk], by=actors.SYSTEM, at=NOW)
        Job.objects.cancel(other.pk, at=NOW)

        titles.carry_on(job_id=other.pk, worker="w", now=lambda: NOW)

        assert (ended.done, ended.failed) == (1, 1)
        assert JobItem.objects.filter(job_id=other.pk, status="queued").count() == 1

    def test_refuses(self, tenant: Tenant) -> None:
        thread = factories.thread(tenant)
        with tenancy.everything(reason="test"):
            nobody = factories.staff(tenants=(tenant,))

        with pytest.raises(Forbidden):
            titles.request(thread_ids=[thread.pk], by=nobody, at=NOW)
        with pytest.raises(NotFound):
            titles.request(thread_ids=[ids.new()], by=actors.SYSTEM, at=NOW)
        with pytest.raises(InvalidInput):
            titles.request(thread_ids=[ids.new() for _ in range(10_001)], by=actors.SYSTEM, at=NOW)

    def test_is_of_one_tenant_unless_its_asker_sees_all(self, tenant: Tenant) -> None:
        other = factories.tenant()
        keys = [factories.thread(owner).pk for owner in (tenant, other)]

        with tenancy.scope(tenant.pk, other.pk), pytest.raises(InvalidInput, match="threads of one tenant"):
            titles.request(thread_ids=keys, by=actors.SYSTEM, at=NOW)
        with tenancy.scope(tenant.pk, other.pk):
            assert titles.request(thread_ids=keys[:1], by=actors.SYSTEM, at=NOW).tenant_id == tenant.pk
        with tenancy.everything(reason="test"):
            assert titles.request(thread_ids=keys, by=actors.SYSTEM, at=NOW).total == 2
