"""Lists by cursor."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ai import ids
from ai.api import pages
from ai.models import Assistant, ChatThread, DataSource, Message, Run, Tenant
from tests import factories
from tests.api.calling import Caller

pytestmark = pytest.mark.django_db

T0 = datetime(2026, 11, 26, 12, tzinfo=UTC)


def assistants(tenant: Tenant, offsets: list[int]) -> list[str]:
    """Assistants made so many seconds after each other, by id, the oldest first; those of one second by their keys."""
    rows = [Assistant(tenant_id=tenant.pk, model="m", created=T0 + timedelta(seconds=at)) for at in offsets]
    Assistant.objects.bulk_create(rows)
    return [ids.public("assistant", row.pk) for row in sorted(rows, key=lambda row: (row.created, row.pk))]


def page(**values: Any) -> dict[str, Any]:
    query = pages.PageQuery(**values)
    found = pages.read(Assistant.objects.all(), query, kind="assistant")
    return found.body(lambda rows: [{"id": ids.public("assistant", row.pk)} for row in rows])


def shown(body: dict[str, Any]) -> list[str]:
    return [row["id"] for row in body["data"]]


def walk(cursor: str, end: str, **values: Any) -> list[list[str]]:
    """Page after page, as the SDKs go: from the page's end until nothing more is said to come."""
    found = [page(**values)]
    while found[-1]["has_more"]:
        found.append(page(**values, **{cursor: found[-1][end]}))
        assert len(found) < 100, "a walk that does not end"
    return [shown(body) for body in found]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    offsets=st.lists(st.integers(0, 3), max_size=12), limit=st.integers(1, 5), order=st.sampled_from(["asc", "desc"])
)
def test_a_walk_in_either_direction_gives_every_row_once(
    tenant: Tenant, offsets: list[int], limit: int, order: str
) -> None:
    Assistant.objects.all().delete()
    oldest_first = assistants(tenant, offsets)
    expected = oldest_first if order == "asc" else oldest_first[::-1]

    forward = walk("after", "last_id", limit=limit, order=order)

    assert [each for part in forward for each in part] == expected
    if expected:
        last = expected[-1]
        backward = [page(before=last, limit=limit, order=order)]
        while backward[-1]["has_more"]:
            backward.append(page(before=backward[-1]["first_id"], limit=limit, order=order))
        assert [each for body in reversed(backward) for each in shown(body)] == expected[:-1]


class TestBefore:
    def test_is_the_page_that_ends_there(self, tenant: Tenant) -> None:
        a, b, c, d, e = assistants(tenant, [1, 2, 3, 4, 5])

        assert shown(page(before=d, limit=2, order="asc")) == [b, c]
        assert shown(page(before=b, limit=2)) == [d, c]
        assert page(before=d, limit=2, order="asc")["has_more"]
        assert not page(before=c, limit=2, order="asc")["has_more"]
        assert shown(page(after=a, before=e, order="asc")) == [b, c, d]


class TestAGoneCursor:
    def test_still_tells_its_time(self, tenant: Tenant) -> None:
        times = [T0 + timedelta(minutes=n) for n in range(4)]
        keys = [ids.new(at=time.timestamp()) for time in times]
        for time, key in zip(times, keys, strict=True):
            Assistant.objects.create(id=key, tenant_id=tenant.pk, model="m", created=time)
        Assistant.objects.filter(pk=keys[2]).delete()

        found = page(after=ids.public("assistant", keys[2]))

        assert shown(found) == [ids.public("assistant", keys[1]), ids.public("assistant", keys[0])]

    def test_whoever_deletes_what_they_list_comes_to_the_end(self, caller: Caller, tenant: Tenant) -> None:
        for _ in range(7):
            Assistant.objects.create(tenant_id=tenant.pk, model="m")
        cursor, found = "", caller.get("/assistants?limit=3").data
        while found["data"]:
            for row in found["data"]:
                caller.delete(f"/assistants/{row['id']}")
                cursor = row["id"]
            found = caller.get(f"/assistants?limit=3&after={cursor}").data

        assert not Assistant.objects.exists()

    @pytest.mark.parametrize("time", ["0" * 12, "f" * 12])
    def test_of_no_time_at_all_is_refused(self, caller: Caller, time: str) -> None:
        answers = [caller.get(f"/assistants?{name}=asst_{time}7fff{'8' * 16}") for name in ("after", "before")]

        assert {answer.status_code for answer in answers} <= {200, 400}

    def test_of_a_message_is_refused(self, caller: Caller, tenant: Tenant) -> None:
        thread = factories.thread(tenant, *factories.talk(1))

        answer = caller.get(
            f"/threads/{ids.public('thread', thread.pk)}/messages?after={ids.public('message', ids.new())}"
        )

        assert answer.status_code == 400
        assert answer.data["error"]["param"] == "after"


def test_messages_are_in_the_order_in_which_they_were_said(caller: Caller, tenant: Tenant) -> None:
    thread = factories.thread(tenant)
    said = [Message.objects.append([{"role": "user", "content": str(n)}], thread_id=thread.pk, at=T0) for n in range(9)]
    expected = [ids.public("message", rows[0].pk) for rows in said]
    path = f"/threads/{ids.public('thread', thread.pk)}/messages?limit=4&order=asc"

    first = caller.get(path).data
    second = caller.get(f"{path}&after={first['last_id']}").data
    back = caller.get(f"{path}&before={second['data'][0]['id']}").data

    assert shown(first) + shown(second) == expected[:8]
    assert shown(back) == expected[:4]


def test_a_cursor_of_another_list_is_none(caller: Caller, tenant: Tenant) -> None:
    mine, other = factories.thread(tenant, *factories.talk(1)), factories.thread(tenant, *factories.talk(1))
    foreign = Message.objects.filter(thread_id=str(other.pk)).first()
    assert foreign is not None

    answer = caller.get(f"/threads/{ids.public('thread', mine.pk)}/messages?after={ids.public('message', foreign.pk)}")

    assert answer.status_code == 400


def add_assistant(tenant: Tenant, thread: ChatThread) -> None:
    Assistant.objects.create(tenant_id=tenant.pk, model="m")


def add_message(tenant: Tenant, thread: ChatThread) -> None:
    run = Run(thread_id=str(thread.pk), tenant_id=tenant.pk, model="m", status="completed", ended_at=T0)
    Run.objects.insert([run])
    Message.objects.append([{"role": "assistant", "content": "Hi"}], thread_id=thread.pk, run_id=run.pk)


def add_thread(tenant: Tenant, thread: ChatThread) -> None:
    factories.thread(tenant, {"role": "user", "content": "needle"})


def add_file(tenant: Tenant, thread: ChatThread) -> None:
    DataSource.objects.add_file(b"x", name="x.txt")


@pytest.mark.parametrize(
    ("path", "add"),
    [
        ("/assistants", add_assistant),
        ("/threads", add_thread),
        ("/threads?q=needle", add_thread),
        ("/threads/{thread}/messages", add_message),
        ("/files", add_file),
        ("/models", lambda tenant, thread: factories.language_model()),
    ],
)
def test_a_list_costs_the_same_for_one_row_as_for_twenty(
    caller: Caller, tenant: Tenant, path: str, add: Callable[[Tenant, ChatThread], None]
) -> None:
    thread = factories.thread(tenant)
    where = path.format(thread=ids.public("thread", thread.pk))
    caller.get(where)  # the key is noted as used
    counts, rows = [], 0

    for wanted in (1, 20):
        for _ in range(wanted - rows):
            add(tenant, thread)
        rows = wanted
        with CaptureQueriesContext(connection) as queries:
            answer = caller.get(where)
        counts.append(len(queries))
        assert len(answer.data["data"]) >= wanted

    assert counts[0] == counts[1] <= 5


def test_no_list_counts_the_table(caller: Caller, tenant: Tenant) -> None:
    with CaptureQueriesContext(connection) as queries:
        caller.get("/threads")

    assert not [each for each in queries.captured_queries if "COUNT(" in each["sql"]]
