"""Made-up conversations: the same every time, and as the managers would have written them."""

from __future__ import annotations

import io
from collections import Counter
from datetime import UTC, datetime, timedelta
from statistics import mean
from typing import Any

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.models import Count

from ai import tenancy
from ai.exceptions import Conflict, Forbidden, InvalidInput
from ai.models import ChatThread, Feedback, Message, Run, RunStep, SearchDocument, Tenant, ThreadTag
from ai.services import actors
from ai.services.load import generating, producing
from ai.services.load.generating import Loaded

UNTIL = datetime(2026, 11, 20, 12, tzinfo=UTC)

pytestmark = pytest.mark.django_db


def generate(**changes: Any) -> Loaded:
    """A small load."""
    given: dict[str, Any] = {"threads": 120, "messages": 1300, "seed": 7, "until": UNTIL, "by": actors.SYSTEM} | changes
    return generating.generate(**given)


@pytest.fixture
def loaded(db: None) -> Any:
    """A small load, with every tenant in scope."""
    done = generate()
    with tenancy.everything(reason="test"):
        yield done


class TestGenerate:
    def test_writes_as_much_as_was_asked_for(self, loaded: Loaded) -> None:
        assert (loaded.threads, loaded.messages) == (120, 1300)
        assert (ChatThread.objects.count(), Message.objects.count()) == (120, 1300)
        assert Run.objects.count() == loaded.runs > 20
        assert Feedback.objects.count() == loaded.feedback > 0

    def test_writes_messages_as_the_manager_would(self, loaded: Loaded) -> None:
        threads = ChatThread.objects.in_bulk()
        for message in Message.objects.all():
            thread = next(thread for thread in threads.values() if str(thread.pk) == message.thread_id)
            built = Message.objects.build(
                message.message, thread=thread, sequence=message.sequence, at=message.created, run_id=message.run_id
            )

            names = (
                "thread_id",
                "tenant_id",
                "message",
                "run_id",
                "external_id",
                "sequence",
                "role",
                "preview",
                "created",
            )
            assert {name: getattr(message, name) for name in names} == {name: getattr(built, name) for name in names}

    def test_keeps_the_counters_of_threads(self, loaded: Loaded) -> None:
        for thread in ChatThread.objects.all():
            messages = list(Message.objects.list_thread_messages(thread.pk))

            assert [message.sequence for message in messages] == list(range(1, len(messages) + 1))
            assert thread.message_count == thread.last_sequence == len(messages)
            assert thread.created <= messages[0].created <= messages[-1].created == thread.last_activity_at <= UNTIL
            assert thread.created >= UNTIL - timedelta(days=91)

    def test_keeps_tags_and_feedback_of_threads(self, loaded: Loaded) -> None:
        for thread in ChatThread.objects.all():
            tags = ThreadTag.objects.filter(thread_id=thread.pk)
            before = thread.feedback
            Feedback.objects.recount(thread.pk)
            thread.refresh_from_db()

            assert sorted(tags.values_list("tag", flat=True)) == sorted(thread.tags)
            assert thread.feedback == before

    def test_indexes_every_title_and_text(self, loaded: Loaded) -> None:
        wanted = {(d.message_id, d.text) for d in map(Message.document, Message.objects.all()) if d.text}
        wanted |= {(None, thread.name) for thread in ChatThread.objects.all()}

        assert set(SearchDocument.objects.values_list("message_id", "text")) == wanted
        for document in SearchDocument.objects.all()[:200:7]:
            assert document.grams == document.prepared().grams
            assert document.pk in {match.pk for match in SearchDocument.objects.matching(document.text, most=2000)}

    @pytest.mark.sqlite
    def test_leaves_the_index_sound_and_its_trigger_in_place(self, loaded: Loaded) -> None:
        Message.objects.create_message({"role": "user", "content": "unmistakable"}, ChatThread.objects.first().pk)

        with connection.cursor() as cursor:
            cursor.execute("INSERT INTO ai_search_fts(ai_search_fts, rank) VALUES ('integrity-check', 1)")
        assert len(SearchDocument.objects.matching("unmistakable", most=5)) == 1

    def test_refers_only_to_what_exists(self, loaded: Loaded) -> None:
        threads = {str(key) for key in ChatThread.objects.values_list("pk", flat=True)}
        messages = set(Message.objects.values_list("pk", flat=True))
        runs = {str(key) for key in Run.objects.values_list("pk", flat=True)}
        tenants = set(Tenant.objects.values_list("pk", flat=True))

        assert set(Run.objects.values_list("thread_id", flat=True)) <= threads
        assert set(Message.objects.exclude(run_id=None).values_list("run_id", flat=True)) <= runs
        assert {str(key) for key in RunStep.objects.values_list("run_id", flat=True)} <= runs
        assert set(Feedback.objects.values_list("message_id", flat=True)) <= messages
        for model in (ChatThread, Message, Run, RunStep, Feedback):
            assert set(model.objects.values_list("tenant_id", flat=True)) <= tenants

    def test_ends_every_run(self, loaded: Loaded) -> None:
        statuses = Counter(Run.objects.values_list("status", flat=True))

        assert set(statuses) == {"completed", "failed"}
        for run in Run.objects.all():
            steps = list(RunStep.objects.of_run(run.pk))
            assert [step.index for step in steps] == list(range(len(steps)))
            assert bool(steps) == (run.status == "completed")

    def test_holds_every_constraint(self, loaded: Loaded) -> None:
        for model in apps.get_app_config("ai").get_models():
            for row in model._base_manager.all()[:50]:
                row.validate_constraints()

    def test_puts_feedback_into_the_messages_data(self, loaded: Loaded) -> None:
        for feedback in Feedback.objects.all():
            message = Message.objects.get(pk=feedback.message_id)
            kept = message.data["feedback"]

            assert (message.role, kept["user_id"]) == ("assistant", feedback.user_id)
            assert feedback.rating in str(kept["feedback"])

    def test_resembles_real_conversations(self, loaded: Loaded) -> None:
        roles = dict(Message.objects.values_list("role").annotate(Count("pk")))
        texts = [len(text) for text in SearchDocument.objects.exclude(message_id=None).values_list("text", flat=True)]
        scripts = [text.isascii() for text in SearchDocument.objects.values_list("text", flat=True)]

        assert roles["assistant"] > roles["user"] > roles["tool"] > roles["system"] > 0
        assert 80 < mean(texts) < 1000
        assert 0.01 < 1 - mean(scripts) < 0.25
        assert len({thread.model for thread in ChatThread.objects.all()}) > 1
        assert SearchDocument.objects.filter(text__contains="\n```python\n").exists()

    def test_makes_the_same_rows_again(self, loaded: Loaded) -> None:
        def everything() -> list[Any]:
            models = (ChatThread, ThreadTag, Message, Run, RunStep, Feedback, SearchDocument)
            rows = (model._base_manager.order_by("pk").values() for model in models)
            return [
                [{**row, "id": None if isinstance(row["id"], int) else row["id"]} for row in found] for found in rows
            ]

        before = everything()
        ChatThread.objects.delete_threads(list(ChatThread.objects.values_list("pk", flat=True)))
        assert not Message.objects.exists()

        generate()

        assert everything() == before

    def test_gives_everything_to_one_tenant(self, db: None) -> None:
        generate(threads=5, messages=50, tenant="Northwind")

        with tenancy.scope(Tenant.objects.get(name="Northwind").pk):
            assert ChatThread.objects.count() == 5
        assert Tenant.objects.count() == 1

    def test_refuses_to_do_it_twice(self, loaded: Loaded) -> None:
        with pytest.raises(Conflict, match="another --seed"):
            generate()

        assert ChatThread.objects.count() == 120

    def test_adds_another_seeds(self, loaded: Loaded) -> None:
        generate(seed=8)

        assert ChatThread.objects.count() == 240

    @pytest.mark.parametrize(("threads", "messages"), [(0, 10), (10, 9), (-1, 5)])
    def test_refuses_threads_without_messages(self, db: None, threads: int, messages: int) -> None:
        with pytest.raises(InvalidInput):
            generate(threads=threads, messages=messages)

    def test_refuses_who_may_not_import(self, django_user_model: Any) -> None:
        with pytest.raises(Forbidden):
            generate(by=django_user_model.objects.create_user("reader"))

    def test_leaves_whole_threads_when_interrupted(self, db: None) -> None:
        def interrupt(loaded: Loaded) -> None:
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            generate(threads=3000, messages=30_000, progress=interrupt)

        with tenancy.everything(reason="test"):
            assert producing.BATCH_MESSAGES <= Message.objects.count() < 30_000
            assert Message.objects.count() == sum(ChatThread.objects.values_list("message_count", flat=True))


class TestProducer:
    def test_makes_the_same_rows_in_another_process(self, tenant: Tenant) -> None:
        order = producing.Order(300, producing.PARALLEL_MESSAGES, 1, UNTIL, ((tenant.pk, 1.0),), "sqlite")

        with producing.producer(order) as produced:
            assert next(produced) == next(producing.batches(order))


class TestCommand:
    def test_says_how_much_and_how_fast(self, db: None) -> None:
        out = io.StringIO()

        call_command("generate_load", threads=5, messages=40, seed=2, stdout=out)

        assert "5 threads, 40 messages" in out.getvalue()
        assert "messages/s" in out.getvalue()

    def test_explains_a_refusal(self, db: None) -> None:
        with pytest.raises(CommandError, match="at least one"):
            call_command("generate_load", threads=5, messages=4)
