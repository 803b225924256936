"""The API as an ASGI server calls it: many requests at once, bodies that come in pieces, answers that go out in pieces."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, MutableMapping
from contextlib import closing
from threading import get_ident
from typing import Any

import httpx2
import pytest
from asgiref.sync import ThreadSensitiveContext, sync_to_async
from django.db import connection
from django.test import override_settings

from ai import ids, tenancy
from ai.api import database
from ai.exceptions import OutsideTenant
from ai.models import ChatThread, DataSource, Message, Run, Tenant
from console.asgi import application
from tests import factories
from tests.api.calling import make_key

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
async def http(tenant: Tenant) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of the application itself, with a key of the tenant."""
    _, key = await sync_to_async(make_key)(tenant)
    async with httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app=application, raise_app_exceptions=False),
        base_url="http://localhost/v1/",
        headers={"authorization": f"Bearer {key}"},
    ) as client:
        yield client


@pytest.fixture
def thread(tenant: Tenant) -> ChatThread:
    return factories.thread(tenant)


class TestAtTheSameTime:
    async def test_metadata_and_messages_lose_nothing(self, http: httpx2.AsyncClient, thread: ChatThread) -> None:
        path = f"threads/{ids.public('thread', thread.pk)}"
        file = await sync_to_async(DataSource.objects.add_file)(b"a", name="a.txt")
        said = {"role": "user", "content": "x", "attachments": [{"file_id": file.file_id, "tools": []}]}

        answers = await asyncio.gather(
            *(http.post(path, json={"metadata": {"n": str(n)}}) for n in range(4)),
            *(http.post(f"{path}/messages", json=said) for _ in range(4)),
        )

        assert {answer.status_code for answer in answers} == {200}
        await thread.arefresh_from_db()
        assert thread.data is not None
        assert thread.data["metadata"]["n"] in {"0", "1", "2", "3"}
        assert thread.data["document_ids"] == [file.file_id]
        assert thread.message_count == 4
        sequences = [m.sequence async for m in Message.objects.list_thread_messages(thread.pk)]
        assert sequences == [1, 2, 3, 4]

    async def test_a_run_misses_no_message(self, http: httpx2.AsyncClient, tenant: Tenant) -> None:
        await sync_to_async(factories.language_model)(alias="fast")
        assistant = (await http.post("assistants", json={"model": "fast"})).json()
        said = {"role": "user", "content": "x"}

        for _ in range(6):
            path = f"threads/{(await http.post('threads')).json()['id']}"
            answers = await asyncio.gather(
                http.post(f"{path}/messages", json=said),
                http.post(f"{path}/runs", json={"assistant_id": assistant["id"]}),
                http.post(f"{path}/messages", json=said),
                http.post(f"{path}/runs", json={"assistant_id": assistant["id"]}),
            )

            codes = [answer.status_code for answer in answers]
            heard = await Run.objects.aget(thread_id=str(ids.parse(path.removeprefix("threads/"))))
            assert sorted(codes[1::2]) == [200, 400]
            assert set(codes[::2]) <= {200, 400}
            assert heard.history_until == codes[::2].count(200)

    async def test_tenants_stay_apart(self, http: httpx2.AsyncClient, thread: ChatThread) -> None:
        _, other = await sync_to_async(make_key)(await sync_to_async(factories.tenant)())
        path = f"threads/{ids.public('thread', thread.pk)}"

        answers = await asyncio.gather(
            *(http.get(path, headers={"authorization": f"Bearer {other}"} if n % 2 else {}) for n in range(20))
        )

        assert [answer.status_code for answer in answers] == [200, 404] * 10

    async def test_no_scope_is_left_behind(self, http: httpx2.AsyncClient) -> None:
        with tenancy.scope():
            await http.get("threads")

            assert tenancy.current().tenants == frozenset()


class TestBodies:
    @override_settings(AI_API_MAX_BODY_BYTES=1000)
    async def test_what_comes_in_pieces_is_bounded_too(self, http: httpx2.AsyncClient) -> None:
        async def pieces() -> AsyncIterator[bytes]:
            for _ in range(100):
                yield b" " * 100

        answer = await http.post("threads", content=pieces())

        assert answer.status_code == 413
        assert answer.json()["error"]["type"] == "invalid_request_error"

    @override_settings(AI_MAX_FILE_BYTES=10)
    async def test_so_are_uploads(self, http: httpx2.AsyncClient) -> None:
        answer = await http.post("files", files={"file": b"x" * 1_100_000}, data={"purpose": "assistants"})

        assert answer.status_code == 413
        assert not await DataSource.objects.aexists()

    @pytest.mark.parametrize("query", [b"limit=\xff", b"q=\xff\xfe"])
    async def test_a_query_that_is_no_text_is_answered_in_json(self, tenant: Tenant, query: bytes) -> None:
        sent: list[MutableMapping[str, Any]] = []
        scope: dict[str, Any] = {
            "type": "http",
            "http_version": "1.1",
            "method": "GET",
            "path": "/v1/threads",
            "raw_path": b"/v1/threads",
            "query_string": query,
            "headers": [(b"host", b"localhost")],
        }
        incoming: list[dict[str, Any]] = [{"type": "http.request", "body": b"", "more_body": False}]

        async def receive() -> MutableMapping[str, Any]:
            if incoming:
                return incoming.pop()
            await asyncio.Event().wait()
            raise AssertionError

        async def send(message: MutableMapping[str, Any]) -> None:
            sent.append(message)

        await application(scope, receive, send)

        assert sent[0]["status"] == 401
        assert (b"Content-Type", b"application/json") in sent[0]["headers"]


async def test_large_files_come_back_in_pieces(http: httpx2.AsyncClient) -> None:
    content = bytes(range(256)) * 8192
    made = (await http.post("files", files={"file": ("a.bin", content)}, data={"purpose": "user_data"})).json()

    async with http.stream("GET", f"files/{made['id']}/content") as answer:
        found = b"".join([piece async for piece in answer.aiter_bytes()])

    assert found == content
    assert answer.headers["content-length"] == str(len(content))


class TestDatabase:
    async def test_a_few_threads_serve_everybody_and_keep_their_connections(self, tenant: Tenant) -> None:
        def work() -> tuple[int, int]:
            ChatThread.objects.count()
            return get_ident(), id(connection.connection)

        async with ThreadSensitiveContext():
            used = await asyncio.gather(*(database.run(work) for _ in range(100)))

        assert len({thread for thread, _ in used}) <= database.THREADS
        assert len(set(used)) == len({thread for thread, _ in used})

    @pytest.mark.postgres
    async def test_survives_a_restart_of_the_database(self, tenant: Tenant) -> None:
        def ask(question: str, *values: Any) -> Any:
            with connection.cursor() as cursor:
                cursor.execute(question, values)
                return cursor.fetchone()[0]

        def hang_up(backends: set[int]) -> None:
            with closing(connection):
                ask("SELECT count(pg_terminate_backend(pid)) FROM unnest(%s) AS pid", list(backends))

        async with ThreadSensitiveContext():
            used = await asyncio.gather(*(database.run(ask, "SELECT pg_backend_pid()") for _ in range(20)))
            await asyncio.to_thread(hang_up, set(used))
            await asyncio.sleep(database.IDLE_SECONDS + 0.1)
            found = await asyncio.gather(*(database.run(ChatThread.objects.count) for _ in range(20)))

        assert found == [0] * 20

    async def test_what_is_called_sees_the_callers_scope_and_no_other(self, tenant: Tenant) -> None:
        async with ThreadSensitiveContext():
            await database.run(ChatThread.objects.count)
            with tenancy.scope(tenant.pk):
                await database.run(ChatThread.objects.count)
            with pytest.raises(OutsideTenant):
                await asyncio.create_task(_outside())

    async def test_closes_when_told_and_opens_again(self, tenant: Tenant) -> None:
        async with ThreadSensitiveContext():
            await database.run(ChatThread.objects.count)

            await asyncio.to_thread(database.close)

            assert await database.run(ChatThread.objects.count) == 0


async def _outside() -> int:
    tenancy._scope.set(None)
    count: int = await database.run(ChatThread.objects.count)
    return count
