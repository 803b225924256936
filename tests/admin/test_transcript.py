"""The thread's page."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from ai import tenancy
from ai.models import ChatThread, DataSource, Message, Run, Tenant
from tests.admin.conversations import (
    EVERYTHING,
    HOSTILE,
    NOW,
    answered,
    ask_and_replay,
    operator,
    signed_in,
    somebody,
)
from tests.admin.test_rendering import ACTIVE, Seen
from tests.factories import talk, thread

pytestmark = pytest.mark.django_db

CALL = {"id": "c1", "type": "function", "function": {"name": "find_parcel", "arguments": '{"number": 7}'}}


def url_of(row: ChatThread, door: str = "change") -> str:
    """A page of the thread."""
    return f"/admin/ai/chatthread/{row.pk}/{door}/"


def page_of(client: Client, row: ChatThread, query: str = "") -> str:
    """The transcript's HTML."""
    response = client.get(f"{url_of(row)}?{query}")
    assert response.status_code == 200
    return response.content.decode()


def numbers(html: str) -> list[int]:
    """The sequence numbers on the page."""
    return [int(number) for number in re.findall(r'title="Link to this message">#(\d+)<', html)]


def last_message(row: ChatThread) -> Message:
    """The thread's last message."""
    with tenancy.everything(reason="test"):
        found: Message = Message.objects.list_thread_messages(row.pk).order_by("-sequence")[:1].get()
    return found


class TestTurns:
    def test_show_who_said_what(self, tenant: Tenant) -> None:
        html = page_of(operator(tenant, "view_chatthread"), answered(tenant))

        assert "Where is my parcel?" in html
        assert "<p>It is in Lyon.</p>" in html
        assert "<strong>Assistant</strong>" in html

    def test_fold_a_tools_result_into_its_call(self, tenant: Tenant) -> None:
        made = thread(
            tenant,
            {"role": "assistant", "content": None, "tool_calls": [CALL]},
            {"role": "tool", "tool_call_id": "c1", "content": '{"city": "Lyon"}'},
        )

        html = page_of(operator(tenant, "view_chatthread"), made)

        assert html.count("find_parcel") == 1
        assert "Lyon" in html
        assert "Tool result" not in html
        assert f'id="m-{last_message(made).pk}"' in html

    def test_show_a_result_whose_call_is_not_there(self, tenant: Tenant) -> None:
        made = thread(tenant, {"role": "tool", "tool_call_id": "gone", "content": "Lyon"})

        assert "Tool result" in page_of(operator(tenant, "view_chatthread"), made)

    def test_show_files_with_previews_of_pictures(self, tenant: Tenant) -> None:
        picture = DataSource.objects.add_file(b"\x89PNG\r\n\x1a\n" + b"0" * 40, name="label.png")
        paper = DataSource.objects.add_file(b"a,b\n1,2\n", name="orders.csv")
        references = [picture.attachment_reference(), paper.attachment_reference()]
        made = thread(tenant, {"role": "user", "content": "See these", "attachments": references})

        html = page_of(operator(tenant, *EVERYTHING), made)

        assert html.count("/content/") == 1
        assert f"/admin/ai/datasource/{picture.pk}/content/" in html
        assert f"/admin/ai/datasource/{paper.pk}/change/" in html
        assert "orders.csv" in html

    def test_show_the_run_at_its_answer(self, tenant: Tenant) -> None:
        made = answered(tenant)
        facts = {"prompt_tokens": 1240, "completion_tokens": 213, "total_tokens": 1453, "cost": "0.00031"}
        values = {"thread_id": str(made.pk), "tenant_id": tenant.pk, "model": "fast", "status": "completed", **facts}
        run = Run.objects.queue(Run(**values, ended_at=NOW, duration_ms=2310, first_token_ms=412))
        Message.objects.filter(pk=last_message(made).pk).update(run_id=str(run.pk))

        html = page_of(operator(tenant, *EVERYTHING), made)

        for shown in (
            "fast",
            "1,240 → 213",
            "$0.00031",
            "2.3 s",
            "412 ms to first token",
            f"/admin/ai/run/{run.pk}/change/",
        ):
            assert shown in html

    def test_show_a_run_that_gave_no_answer(self, tenant: Tenant) -> None:
        made = answered(tenant)
        Run.objects.queue(
            Run(
                thread_id=str(made.pk),
                tenant_id=tenant.pk,
                model="fast",
                status="failed",
                error_code="timeout",
                error_message="The model said nothing for 120 s.",
                ended_at=NOW,
            )
        )

        html = page_of(operator(tenant, *EVERYTHING), made)

        assert "No answer" in html
        assert "The model said nothing for 120 s." in html

    def test_lead_from_an_answer_to_its_replays(self, tenant: Tenant) -> None:
        made, _, replays = ask_and_replay(tenant, "In Lyon.", "Lyon, I think.")

        html = page_of(operator(tenant, *EVERYTHING), made)

        assert "2 replays → compare" in html
        assert f"/admin/ai/run/{replays[-1].pk}/compare/" in html

    @pytest.mark.parametrize(
        "message",
        [
            {},
            {"role": None, "content": None},
            {"role": "alien", "content": 7},
            {
                "role": "assistant",
                "content": [None, 3, {"type": "text"}, {"type": "image_url", "image_url": "http://e.example/x"}],
            },
            {
                "role": "assistant",
                "tool_calls": [None, {"function": None}, {"function": {"name": None, "arguments": {"a": 1}}}],
            },
            {"role": "tool", "tool_call_id": ["x"], "content": {"text": {"value": "v"}}},
            {"role": "user", "content": "x", "name": {"a": 1}, "model": ["m"], "reasoning": 3},
        ],
    )
    def test_take_any_shape(self, tenant: Tenant, message: dict[str, Any]) -> None:
        made = thread(tenant, message)

        assert numbers(page_of(operator(tenant, *EVERYTHING), made)) == [1]

    def test_cut_a_megabyte_and_show_all_of_it_when_asked(self, tenant: Tenant) -> None:
        made = thread(tenant, {"role": "user", "content": "word " * 200_000 + "the-end"})
        client = operator(tenant, "view_chatthread")

        cut = page_of(client, made)
        key = last_message(made).pk
        whole = page_of(client, made, f"message={key}&full={key}")

        assert len(cut) < 150_000
        assert "Show all" in cut
        assert "the-end" in whole

    @pytest.mark.parametrize("text", HOSTILE)
    def test_show_hostile_content_inert_wherever_it_stands(self, tenant: Tenant, text: str) -> None:
        call = {"id": "c", "function": {"name": text, "arguments": text}}
        made = thread(
            tenant,
            {"role": "system", "content": text},
            {"role": "user", "content": text, "name": text, "attachments": []},
            {"role": "assistant", "content": text, "reasoning": text, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "c", "content": text},
            {"role": "tool", "content": text},
            {"role": "assistant", "content": [{"type": "image_url", "image_url": {"url": text}}]},
            name=text,
            tags=[text],
            user_id=text,
            model=text,
            external_id=text,
            data={text: text},
        )
        last_message(made).add_feedback({"rating": "down", "comment": text, "label": text}, text)
        client = operator(tenant, "view_chatthread")

        for html in (page_of(client, made), client.get(url_of(made, "raw")).content.decode()):
            body = html[html.index('id="content"') : html.index('id="modal-overlay"')]
            seen = Seen(body)
            assert not (ACTIVE - {"button"}) & set(seen.tags)
            assert not [name for _, name, _ in seen.attributes if name.startswith("on")]
            links = [value for _, name, value in seen.attributes if name in {"href", "src", "action"}]
            assert all(link.startswith(("/admin/", "https://", "http://", "mailto:", "#")) for link in links), links
            assert "\u202e" not in body


class TestPaging:
    def test_a_long_thread_opens_with_fifty_messages(self, tenant: Tenant) -> None:
        made = thread(tenant, *talk(1000))

        html = page_of(operator(tenant, "view_chatthread"), made)

        assert numbers(html) == list(range(1, 51))
        assert "?after=50" in html
        assert "of 2000" in html
        assert len(html) < 400_000

    @pytest.mark.parametrize(
        ("query", "first", "last"),
        [
            ("after=50", 51, 100),
            ("before=51", 1, 50),
            ("before=50", 1, 49),
            ("before=121", 71, 120),
            ("after=90", 91, 120),
            ("after=x", 1, 50),
            ("after=-1", 1, 50),
        ],
    )
    def test_goes_on_from_a_number(self, tenant: Tenant, query: str, first: int, last: int) -> None:
        made = thread(tenant, *talk(60))

        assert numbers(page_of(operator(tenant, "view_chatthread"), made, query)) == list(range(first, last + 1))

    @pytest.mark.parametrize("sequence", [1, 2, 26, 60, 100, 120])
    def test_opens_around_a_message(self, tenant: Tenant, sequence: int) -> None:
        made = thread(tenant, *talk(60))
        message = Message.objects.get(thread_id=str(made.pk), sequence=sequence)

        html = page_of(operator(tenant, "view_chatthread"), made, f"message={message.pk}")

        shown = numbers(html)
        assert sequence in shown
        assert len(shown) == 50
        assert html.count("c-focus") == 1

    @pytest.mark.parametrize("message", ["0190aaaa-0000-7000-8000-000000000000", "nonsense"])
    def test_does_not_know_messages_of_other_threads(self, tenant: Tenant, message: str) -> None:
        assert (
            operator(tenant, "view_chatthread").get(f"{url_of(answered(tenant))}?message={message}").status_code == 404
        )

    def test_leads_to_the_older_and_the_newer_thread(self, tenant: Tenant) -> None:
        rows = [thread(tenant, name=f"T{day}", last_activity_at=NOW.replace(day=day)) for day in (1, 2, 3)]

        html = page_of(operator(tenant, "view_chatthread"), rows[1])

        assert re.search(rf'data-key="newer"[^>]*{rows[2].pk}', html)
        assert re.search(rf'data-key="older"[^>]*{rows[0].pk}', html)


class TestCost:
    @pytest.mark.parametrize("kind", ["member", "superuser"])
    def test_is_the_same_for_one_message_and_two_hundred(self, tenant: Tenant, kind: str) -> None:
        client = signed_in(somebody(kind, tenant))
        small, _, _ = ask_and_replay(tenant, "a")
        large, _, _ = ask_and_replay(tenant, *(f"text {number}" for number in range(30)))
        file = DataSource.objects.add_file(b"text", name="a.txt").attachment_reference()
        for row, count in ((small, 1), (large, 200)):
            with tenancy.scope(tenant.pk):
                said = [{"role": "assistant", "content": "x", "attachments": [file]} for _ in range(count)]
                for message in Message.objects.append(said, thread_id=row.pk):
                    message.add_feedback("up", "somebody")
        costs = []
        for row in (small, large):
            message = last_message(row).pk
            client.get(url_of(row))
            with CaptureQueriesContext(connection) as queries:
                page_of(client, row, f"message={message}")
            costs.append(len(queries))

        assert costs[0] == costs[1] <= 12, costs
