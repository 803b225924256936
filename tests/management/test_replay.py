"""`manage.py replay`."""

from __future__ import annotations

import json
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from ai import ids, tenancy
from ai.models import ChatThread, Job, Run, Tenant
from tests import factories
from tests.fakes.vendors import Failure
from tests.runner.scripted import scripted_model

pytestmark = pytest.mark.django_db


@pytest.fixture
def thread(tenant: Tenant) -> ChatThread:
    return factories.thread(tenant, *factories.talk(2))


def replay(*arguments: str) -> str:
    out = StringIO()
    call_command("replay", *arguments, stdout=out)
    return out.getvalue()


class TestReplay:
    def test_queues_and_says_so(self, thread: ChatThread) -> None:
        factories.language_model(alias="scripted")

        said = replay(str(thread.pk), "--model", "scripted")

        assert "queued" in said
        assert "0 answered, 0 failed, of 1." in said

    def test_waits_and_executes_where_no_worker_is(self, thread: ChatThread) -> None:
        with scripted_model():
            said = replay(ids.public("thread", thread.pk), "--model", "scripted", "--wait")

        assert "completed" in said
        assert "Completed: 1 answered, 0 failed, of 1." in said

    def test_prints_json(self, thread: ChatThread) -> None:
        with scripted_model():
            factories.language_model(alias="broken", base_url="http://127.0.0.1:9/v1")
            told = json.loads(replay(str(thread.pk), "--model", "scripted", "--wait", "--json"))

        assert told["status"] == "completed"
        assert [(run["model"], run["answer"]) for run in told["runs"]] == [("scripted", "Hello there.")]
        assert told["runs"][0]["usage"]["total_tokens"] == 18

    def test_shows_why_a_replay_failed(self, thread: ChatThread) -> None:
        with scripted_model() as (server, _):
            server.script(Failure("unauthorized"))
            said = replay(str(thread.pk), "--model", "scripted", "--wait")

        assert "refused the API key" in said
        assert "0 answered, 1 failed" in said

    def test_takes_a_run(self, thread: ChatThread) -> None:
        with scripted_model():
            replay(str(thread.pk), "--model", "scripted", "--wait")
            first = Run.objects.get()
            replay(ids.public("run", first.pk), "--model", "scripted", "--temperature", "0.5", "--wait")

        assert Run.objects.count() == 2
        assert Run.objects.exclude(pk=first.pk).get().settings == {"temperature": 0.5}

    def test_the_same_key_makes_one_replay(self, thread: ChatThread) -> None:
        factories.language_model(alias="scripted")

        for _ in range(2):
            replay(str(thread.pk), "--model", "scripted", "--key", "nightly")

        assert Job.objects.count() == 1

    @pytest.mark.timeout(60)
    def test_waits_for_replays_of_several_tenants(self, thread: ChatThread) -> None:
        other = factories.thread(factories.tenant(), *factories.talk(1))

        with scripted_model():
            said = replay(str(thread.pk), str(other.pk), "--model", "scripted", "--wait")

        assert "Completed: 2 answered, 0 failed, of 2." in said

    @pytest.mark.timeout(60)
    def test_does_not_wait_for_a_thread_that_is_deleted(self, thread: ChatThread, tenant: Tenant) -> None:
        gone = factories.thread(tenant, *factories.talk(1))

        with scripted_model():
            replay(str(thread.pk), str(gone.pk), "--model", "scripted", "--key", "nightly")
            ChatThread.objects.delete_thread(gone.pk)
            Job.objects.update(status="running")
            said = replay(str(thread.pk), "--model", "scripted", "--key", "nightly", "--wait")

        assert "Completed: 1 answered, 1 failed, of 2." in said

    @pytest.mark.parametrize("given", ["thread_" + "0" * 32, "nonsense"])
    def test_says_what_it_cannot_find(self, tenant: Tenant, given: str) -> None:
        factories.language_model(alias="scripted")

        with pytest.raises(CommandError, match=given):
            replay(given, "--model", "scripted")

    def test_keeps_to_a_tenant(self, thread: ChatThread, tenant: Tenant) -> None:
        factories.language_model(alias="scripted")
        other = factories.tenant("Other")

        with pytest.raises(CommandError, match="no thread and no run"):
            replay(str(thread.pk), "--model", "scripted", "--tenant", "Other")
        replay(str(thread.pk), "--model", "scripted", "--tenant", str(tenant.pk))

        with tenancy.scope(other.pk):
            assert not Run.objects.exists()

    @pytest.mark.parametrize("name", ["Nobody", "0" * 32])
    def test_says_that_there_is_no_such_tenant(self, thread: ChatThread, name: Any) -> None:
        with pytest.raises(CommandError, match="no tenant"):
            replay(str(thread.pk), "--model", "scripted", "--tenant", name)
