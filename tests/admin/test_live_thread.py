"""A thread that is being answered: its page follows the run, and nothing else asks the server."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from ai import ids, tenancy
from ai.models import ChatThread, DataSource, Message, Run, RunStep, Tenant
from ai.runner import live
from tests import factories
from tests.admin.conversations import EVERYTHING, operator, same_rows
from tests.admin.test_transcript import page_of, url_of

pytestmark = pytest.mark.django_db

CALL = {"id": "call_1", "type": "function", "function": {"name": "find_order", "arguments": '{"number": "A-7"}'}}


def asked(tenant: Tenant, status: str = "in_progress", **values: Any) -> tuple[ChatThread, Run]:
    """A thread with a question, and the run that answers it."""
    thread = factories.thread(tenant, {"role": "user", "content": "Where is A-7?"})
    now = timezone.now()
    given = {"status": status, "created": now, "history_until": 1, "model": "fast", "started_at": now, **values}
    with tenancy.scope(tenant.pk):
        run = Run.objects.queue(Run(thread_id=str(thread.pk), tenant_id=tenant.pk, **given))
    return thread, run


def said(run: Run, *messages: dict[str, Any]) -> None:
    live.show([(run.pk, list(messages))])


def answer(thread: ChatThread, run: Run, *messages: dict[str, Any]) -> None:
    Message.objects.append(list(messages), thread_id=thread.pk, run_id=run.pk)


def end(run: Run, status: str = "completed", **values: Any) -> None:
    Run.objects.filter(pk=run.pk).update(status=status, ended_at=timezone.now(), **values)


def followed(client: Client, html: str) -> str:
    """What the page gets when it looks again."""
    address = re.findall(r'data-live="([^"]+)"', html)[0].replace("&amp;", "&")
    response = client.get(address)
    assert response.status_code == 200
    return response.content.decode()


class TestPage:
    def test_asks_for_nothing_where_nothing_goes_on(self, tenant: Tenant) -> None:
        thread, run = asked(tenant)
        end(run)

        html = page_of(operator(tenant, *EVERYTHING), thread)

        assert "data-live=" not in html
        assert "live.js" not in html

    def test_shows_what_is_being_written_and_where_to_look_for_more(self, tenant: Tenant) -> None:
        thread, run = asked(tenant)
        said(run, {"role": "assistant", "content": "It is **on its"})

        html = page_of(operator(tenant, *EVERYTHING), thread)

        assert "It is **on its" in html
        assert 'data-wait="400"' in html
        assert html.count("Answering") == 1
        assert "Cancel…" in html

    def test_of_the_middle_of_a_long_thread_follows_nothing(self, tenant: Tenant) -> None:
        thread = factories.thread(tenant, *factories.talk(60))
        Run.objects.queue(Run(thread_id=str(thread.pk), tenant_id=tenant.pk, model="fast", history_until=120))

        assert "data-live=" not in page_of(operator(tenant, *EVERYTHING), thread)

    def test_holds_the_runs_own_messages_in_the_part_that_changes(self, tenant: Tenant) -> None:
        action = {"type": "submit_tool_outputs", "submit_tool_outputs": {"tool_calls": [CALL]}}
        thread, run = asked(tenant, "requires_action", required_action=action)
        answer(thread, run, {"role": "assistant", "content": "Let me look.", "tool_calls": [CALL]})
        client = operator(tenant, *EVERYTHING)
        html = page_of(client, thread)

        answer(thread, run, {"role": "tool", "tool_call_id": "call_1", "content": "In Lyon"})
        later = followed(client, html)

        assert "The run goes on when its client has answered" in html
        assert "no result here" in html
        assert "In Lyon" in later
        assert "Tool result" not in later
        assert later.count("Let me look.") == 1


class TestFollowing:
    def test_brings_text_as_it_grows_and_changes_nothing(self, tenant: Tenant) -> None:
        thread, run = asked(tenant)
        client = operator(tenant, *EVERYTHING)
        html = page_of(client, thread)

        with same_rows(tenant):
            first = followed(client, html)
            said(run, {"role": "assistant", "content": "It is in"})
            second = followed(client, html)

        assert "Waiting for the first word" in first
        assert "It is in" in second
        assert "<html" not in second

    def test_shows_what_is_stored_already_once(self, tenant: Tenant) -> None:
        thread, run = asked(tenant)
        client = operator(tenant, *EVERYTHING)
        html = page_of(client, thread)
        key = ids.new()
        stored: dict[str, Any] = {"id": ids.public("message", key), "role": "assistant", "content": "Let me look."}
        tools: list[dict[str, Any]] = [
            {"role": "assistant", "tool_calls": [CALL]},
            {"role": "tool", "tool_call_id": "call_1", "content": "Lyon"},
        ]
        answer(thread, run, stored, *tools)
        said(run, stored, *tools, {"role": "assistant", "content": "It is in Ly"})

        later = followed(client, html)

        assert later.count("Let me look.") == 1
        assert later.count('class="c-name"') == 1
        assert "It is in Ly" in later

    def test_ends_with_the_answer(self, tenant: Tenant) -> None:
        thread, run = asked(tenant)
        client = operator(tenant, *EVERYTHING)
        html = page_of(client, thread)
        answer(thread, run, {"role": "assistant", "content": "It is in **Lyon**."})
        end(run, duration_ms=1200)

        later = followed(client, html)

        assert "<strong>Lyon</strong>" in later
        assert "Answering" not in later
        assert "1.2 s" in later
        assert "2 messages" in later
        assert "data-wait" not in later

    @pytest.mark.parametrize("status", ["failed", "cancelled", "expired"])
    def test_ends_with_the_reason_where_there_is_no_answer(self, tenant: Tenant, status: str) -> None:
        thread, run = asked(tenant)
        client = operator(tenant, *EVERYTHING)
        html = page_of(client, thread)
        end(run, status, error_code="server_error", error_message="The provider is down.")

        later = followed(client, html)

        assert "No answer" in later
        assert "The provider is down." in later
        assert "data-wait" not in later

    def test_goes_on_with_the_next_run(self, tenant: Tenant) -> None:
        thread, run = asked(tenant)
        client = operator(tenant, *EVERYTHING)
        html = page_of(client, thread)
        end(run)
        Run.objects.queue(Run(thread_id=str(thread.pk), tenant_id=tenant.pk, model="second", history_until=1))

        later = followed(client, html)

        assert "second" in later
        assert "data-wait" in later

    def test_survives_nonsense(self, tenant: Tenant) -> None:
        thread, _ = asked(tenant)

        response = operator(tenant, *EVERYTHING).get(url_of(thread, "live"), {"after": "-1", "run": "\x00"})

        assert response.status_code == 200


class TestPermissions:
    def test_the_door_is_the_pages_own(self, tenant: Tenant) -> None:
        thread, run = asked(tenant)
        other, _ = asked(factories.tenant("Kestrel"))
        said(run, {"role": "assistant", "content": "It is in Lyon"})

        reader = operator(tenant, "view_chatthread").get(url_of(thread, "live")).content.decode()

        assert "It is in Lyon" in reader
        assert str(run.pk) not in reader
        assert operator(tenant).get(url_of(thread, "live")).status_code == 403
        assert operator(tenant, *EVERYTHING).get(url_of(other, "live")).status_code == 404


class TestRunPage:
    def url(self, run: Run) -> str:
        return f"/admin/ai/run/{run.pk}/change/"

    def test_follows_a_run_and_stops_with_it(self, tenant: Tenant) -> None:
        thread, run = asked(tenant)
        said(run, {"role": "assistant", "content": "It is in"})
        client = operator(tenant, *EVERYTHING)

        html = client.get(self.url(run)).content.decode()
        part = followed(client, html)
        end(run)
        ended = followed(client, html)

        assert "It is in" in html
        assert "data-wait" in part
        assert "<html" not in part
        assert "data-wait" not in ended
        assert "Cancel…" not in ended
        assert str(thread.pk) in html

    def test_says_which_calls_wait_for_outputs(self, tenant: Tenant) -> None:
        action = {"type": "submit_tool_outputs", "submit_tool_outputs": {"tool_calls": [CALL]}}
        later = timezone.now() + timedelta(minutes=10)
        _, run = asked(tenant, "requires_action", required_action=action, expires_at=later)

        html = operator(tenant, *EVERYTHING).get(self.url(run)).content.decode()

        assert "Waits for its client" in html
        assert "find_order" in html
        assert "call_1" in html

    def test_shows_searches_and_code_in_words(self, tenant: Tenant) -> None:
        _, run = asked(tenant)
        file = DataSource.objects.add_file(b"Refunds take 5 days", "returns.txt", tenant_id=tenant.pk)
        found = [
            {
                "file_id": file.file_id,
                "file_name": "x",
                "score": 0.914,
                "content": [{"type": "text", "text": "5 days"}],
            },
            {"file_id": "file-gone", "file_name": "old.txt", "score": 0.1},
        ]
        code = {"input": "print(6 * 7)", "outputs": [{"type": "logs", "logs": "forty-two"}]}
        calls = [
            {"id": "1", "type": "file_search", "file_search": {"ranking_options": None, "results": found}},
            {"id": "2", "type": "code_interpreter", "code_interpreter": code},
            {"id": "3", "type": "function", "function": {"name": "odd", "arguments": None, "output": None}},
            {"id": "4", "type": "file_search", "file_search": "nonsense"},
        ]
        step = RunStep(run_id=run.pk, tenant_id=tenant.pk, type="tool_calls", status="completed")
        step.details = {"type": "tool_calls", "tool_calls": calls}
        RunStep.objects.write([step])
        end(run)

        html = operator(tenant, *EVERYTHING).get(self.url(run)).content.decode()

        assert f"/admin/ai/datasource/{file.pk}/change/" in html
        assert "returns.txt" in html
        assert "0.91" in html
        assert "5 days" in html
        assert "old.txt" in html
        assert "not here any more" in html
        assert "forty-two" in html
        assert "ranking_options" not in html
        assert "Nothing was found." in html
