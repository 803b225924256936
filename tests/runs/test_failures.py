"""What breaks under a run (its provider, its client, its process, its database) leaves the truth, and the next turn works."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.db import OperationalError, connection, connections, transaction
from django.utils import timezone

from ai import ids, tenancy
from ai.api import database
from ai.events import StreamEvent, decode
from ai.models import Assistant, ChatThread, Message, Run, RunStep, Tenant
from ai.models.runs import FINAL
from ai.services import actors, assistant_runs, runs
from tests import factories
from tests.api.calling import make_key
from tests.api.live import served
from tests.fakes.vendors import Call, Recorded, Reply, VendorServer
from tests.runner.scripted import scripted_model
from tests.runs import processes
from tests.runs.processes import until
from tests.runs.states import check_output, check_run, check_sequence, check_steps

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(120)]

SEARCH: list[dict[str, Any]] = [{"type": "file_search"}]
SLOW = Reply(chunks=("slow ",) * 12, chunk_delay=0.1)
SLOWLY = "slow " * 12
#: The same words, from a model that is not through before a busy machine gets to the next step; and at once.
SLOWER, AT_ONCE = Reply(chunks=("slow ",) * 12, chunk_delay=0.5), Reply(chunks=("slow ",) * 12)


@dataclass
class Client:
    """Talks to the API about one thread."""

    url: str
    key: str
    assistant: str
    thread: str
    told: list[StreamEvent] = field(default_factory=list)

    def post(self, path: str, body: Any = None) -> Any:
        """What the thread answers."""
        answer = httpx.post(f"{self.url}/threads/{self.thread}{path}", json=body, headers=self._headers(), timeout=20)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def say(self) -> None:
        """One more turn of the user's."""
        self.post("/messages", {"role": "user", "content": "And now?"})

    def ask(self) -> None:
        """A run to poll."""
        self.post("/runs", {"assistant_id": self.assistant})

    def stream(self, *, seconds: float = 20) -> list[str]:
        """A streamed run; the names of its events, also those before the connection broke."""
        body = {"assistant_id": self.assistant, "stream": True}
        where, headers = f"{self.url}/threads/{self.thread}/runs", self._headers()
        self.told = []
        with (
            contextlib.suppress(httpx.HTTPError),
            httpx.stream("POST", where, json=body, headers=headers, timeout=seconds) as answer,
        ):
            for event in decode(answer.iter_text()):
                self.told.append(event)
        return [event.name for event in self.told]

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key}"}


@pytest.fixture
def model(db: None, settings: Any) -> Iterator[VendorServer]:
    settings.AI_MODEL_RETRIES = 0
    with scripted_model() as (server, _):
        yield server


@pytest.fixture
def assistant(tenant: Tenant, model: VendorServer) -> Assistant:
    made: Assistant = Assistant.objects.create(tenant_id=tenant.pk, model="scripted")
    return made


@pytest.fixture
def thread(tenant: Tenant) -> ChatThread:
    return factories.thread(tenant, {"role": "user", "content": "Hi"})


@pytest.fixture
def client(tenant: Tenant, assistant: Assistant, thread: ChatThread) -> Iterator[Client]:
    """A client of a web server in this process."""
    key = make_key(tenant)[1]
    with served() as url:
        yield Client(url, key, ids.public("assistant", assistant.pk), ids.public("thread", thread.pk))
    database.close()


def work() -> None:
    """What a worker does."""
    runs.drain(worker="worker", now=timezone.now)


def work_on() -> None:
    """What a worker does that looks for more when its runs have ended, and perhaps cannot ask the database."""
    with contextlib.suppress(OperationalError):
        work()


@contextlib.contextmanager
def meanwhile(function: Any) -> Iterator[None]:
    """Do it on another thread, and wait for its end."""

    def do() -> None:
        try:
            function()
        finally:
            connections.close_all()

    thread = threading.Thread(target=do)
    thread.start()
    yield
    thread.join(30)
    assert not thread.is_alive()


def check(thread_id: Any) -> list[Run]:
    """The thread's runs; everything that is stored of them fits together."""
    messages = list(Message.objects.list_thread_messages(thread_id))
    check_sequence(ChatThread.objects.get(pk=thread_id), messages)
    found = list(Run.objects.filter(thread_id=str(thread_id)).order_by("created", "pk"))
    for run in found:
        steps = list(RunStep.objects.of_run(run.pk))
        check_run(run)
        check_steps(run, steps)
        check_output(run, steps, [row for row in messages if row.run_id == str(run.pk)])
    return found


def contents(thread: ChatThread) -> list[Any]:
    return [(row.message or {})["content"] for row in Message.objects.list_thread_messages(thread.pk)]


def all_ended(count: int = 1) -> bool:
    return bool(Run.objects.filter(status__in=FINAL).count() == count)


def begun(model: VendorServer, count: int = 1) -> bool:
    """Whether the model is in the middle of so many answers."""
    return len(model.requests) >= count and time.monotonic() > model.requests[count - 1].arrived + 0.35


class TestProvider:
    @pytest.mark.parametrize("streamed", [True, False], ids=["streamed", "polled"])
    @pytest.mark.parametrize(("after", "kept"), [(0, []), (2, ["some words"])])
    def test_that_dies_fails_the_run_and_the_next_one_works(
        self, client: Client, thread: ChatThread, model: VendorServer, streamed: bool, after: int, kept: list[str]
    ) -> None:
        broken = Reply(chunks=("some ", "words", " more"), broken="disconnect", broken_after=after)
        model.script(broken, Reply(chunks=("better",)))

        for _ in range(2):
            if streamed:
                client.stream()
            else:
                client.ask()
                work()
            client.say()

        first, second = check(thread.pk)
        assert (first.status, first.error_code, second.status) == ("failed", "server_error", "completed")
        assert "broke off" in first.error_message or "connection" in first.error_message.lower()
        assert contents(thread) == ["Hi", *kept, "And now?", "better", "And now?"]
        partial = Message.objects.filter(run_id=str(first.pk)).first()
        assert partial is None or (partial.message or {})["status"] == "incomplete"


class TestClient:
    @pytest.mark.parametrize(("setting", "becomes"), [("continue", "completed"), ("cancel", "cancelled")])
    def test_that_leaves_before_it_is_answered_has_left_like_any_other(
        self, client: Client, thread: ChatThread, settings: Any, setting: str, becomes: str
    ) -> None:
        settings.AI_STREAM_ON_DISCONNECT = setting
        client.post("")  # the key has been used lately: nothing is written before the run

        with transaction.atomic():
            ChatThread.objects.locked(thread.pk)  # whoever starts a run waits
            told = client.stream(seconds=1)

        assert told == []
        until(all_ended, seconds=15)
        (run,) = check(thread.pk)
        assert run.status == becomes
        client.say()


class TestKilled:
    def test_worker_in_the_middle_of_words_and_of_tools_ends_each_run_once(
        self, tenant: Tenant, assistant: Assistant, model: VendorServer, tmp_path: Path
    ) -> None:
        model.script(searches_if_it_can)
        threads = [factories.thread(tenant, {"role": "user", "content": "Hi"}) for _ in range(4)]
        for index, each in enumerate(threads):
            queue(each, assistant, tools=SEARCH if index % 2 else [])
        worker = processes.worker(tmp_path)
        try:
            worker.start()
            until(lambda: RunStep.objects.count() == 2 and begun(model, 6))

            worker.end(signal.SIGKILL)
            before = set(Run.objects.values_list("status", flat=True))
            worker.start()
            until(lambda: all_ended(4))
        finally:
            worker.close()

        assert before == {"in_progress"}
        for index, each in enumerate(threads):
            (run,) = check(each.pk)
            assert (run.status, run.attempt) == ("completed", 2)
            roles = [message.role for message in Message.objects.list_thread_messages(each.pk)]
            assert roles == (["user", "assistant", "tool", "assistant"] if index % 2 else ["user", "assistant"])
            assert contents(each)[-1] == SLOWLY
        searches = [request for request in model.requests if is_first(request) and request.json.get("tools")]
        assert len(searches) == 2

    def test_web_process_in_the_middle_of_a_stream_leaves_the_run_to_a_worker(
        self, tenant: Tenant, assistant: Assistant, thread: ChatThread, model: VendorServer, tmp_path: Path
    ) -> None:
        model.script(lambda request: Reply(chunks=("Hello",)) if len(request.json["messages"]) == 1 else SLOWER)
        key = make_key(tenant)[1]
        worker = processes.worker(tmp_path, AI_RUN_LEASE_SECONDS="3")
        try:
            worker.start()
            with processes.web(tmp_path, AI_RUN_LEASE_SECONDS="3") as (web, url):
                until(lambda: is_listening(url))
                client = Client(url, key, ids.public("assistant", assistant.pk), ids.public("thread", thread.pk))
                client.stream()  # the first one waits for everything to be loaded
                until(all_ended)
                client.told = []
                with meanwhile(client.stream):
                    until(lambda: any(event.name == "thread.message.delta" for event in client.told))
                    web.end(signal.SIGKILL)
                    model.script(AT_ONCE)
                told = [event.name for event in client.told]
                until(lambda: all_ended(2))
                queue(thread, assistant)
                until(lambda: all_ended(3))
        finally:
            worker.close()

        assert "thread.message.delta" in told
        assert "done" not in told
        assert [run.status for run in check(thread.pk)] == ["completed"] * 3
        assert Run.objects.filter(attempt=2).count() == 1
        assert contents(thread) == ["Hi", "Hello", SLOWLY, SLOWLY]


@pytest.mark.postgres
class TestDatabase:
    """A restart of PostgreSQL, as clients see it: every connection is cut."""

    @pytest.mark.parametrize("tools", [[], SEARCH], ids=["words", "tools"])
    def test_that_restarts_under_a_polled_run_gets_its_result(
        self, assistant: Assistant, thread: ChatThread, model: VendorServer, tools: list[Any]
    ) -> None:
        model.script(searches_if_it_can)
        queue(thread, assistant, tools=tools)

        with meanwhile(work_on):
            until(lambda: begun(model, 2 if tools else 1))
            cut_connections()
        queue(thread, assistant)
        work()

        assert [run.status for run in check(thread.pk)] == ["completed", "completed"]
        assert contents(thread)[-2:] == [SLOWLY, SLOWLY]

    def test_that_restarts_under_a_stream_gets_its_result_and_the_next_turn_works(
        self, client: Client, thread: ChatThread, model: VendorServer
    ) -> None:
        model.script(SLOW, Reply(chunks=("better",)))
        for _ in range(database.THREADS):  # each of the server's threads has a connection
            client.post("")

        with meanwhile(client.stream):
            until(lambda: begun(model))
            cut_connections()
        told = [event.name for event in client.told]
        cut_connections()
        client.say()
        client.stream()

        assert told[-2:] == ["thread.run.completed", "done"]
        assert [run.status for run in check(thread.pk)] == ["completed", "completed"]
        assert contents(thread) == ["Hi", SLOWLY, "And now?", "better"]


def is_first(request: Recorded) -> bool:
    """Whether the model is asked for the run's first answer."""
    return bool(request.json["messages"][-1]["role"] == "user")


def searches_if_it_can(request: Recorded) -> Reply:
    if is_first(request) and request.json.get("tools"):
        return Reply(chunks=(), calls=(Call("file_search", '{"queries": ["suitcases"]}'),))
    return SLOW


def queue(thread: ChatThread, assistant: Assistant, **values: Any) -> Run:
    return assistant_runs.create(
        thread_id=thread.pk, assistant_id=assistant.pk, by=actors.SYSTEM, at=timezone.now(), **values
    )


def is_listening(url: str) -> bool:
    with contextlib.suppress(httpx.HTTPError):
        return bool(httpx.get(f"{url}/models", timeout=5).status_code == 401)
    return False


def cut_connections() -> None:
    """Cut all connections of the test's database but this one."""
    with tenancy.everything(reason="no rows are read"), connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
