"""Sync with a conflict: bring a conversation in, let both sides change a message, decide, and see the sides in step."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.fakes.remotes import RemoteServer
from tests.fakes.remotes.server import KEY
from tests.journeys.conftest import Watched
from tests.journeys.running import Console

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

END_SECONDS = 40
OURS, THEIRS = "It is with you by Friday.", "It is with you by Sunday."

#: What a person does who edits a message from Python.
EDIT = """
from django.utils import timezone
from ai import tenancy
from ai.models import Message
with tenancy.everything(reason="journey"):
    row = Message.objects.get(thread_id="{thread}", role="assistant")
    Message.objects.replace(row.pk, {{**row.message, "content": "{text}"}}, at=timezone.now())
"""


@pytest.fixture
def server() -> Iterator[RemoteServer]:
    with RemoteServer() as running:
        yield running


class TestSync:
    def test_a_conflict_is_decided_by_a_person(
        self, page: Page, running: Console, server: RemoteServer, watched: Watched
    ) -> None:
        key = server.state.thread("Where is my parcel?", "It left Hamburg on Monday.")
        self._connect(page, running, server)
        thread = self._bring_in(page, running, key)

        server.state.edit(key, 1, THEIRS)
        running.manage("shell", "-c", EDIT.format(thread=thread, text=OURS))
        self._sync(page, running, thread)

        page.goto(f"{running.url}/admin/ai/chatthread/{thread}/change/")
        expect(page.get_by_text(OURS)).to_be_visible()
        page.get_by_role("link", name="Decide conflicts").click()
        expect(page.get_by_role("region", name="Here")).to_contain_text("Friday")
        expect(page.get_by_role("region", name="On the remote")).to_contain_text("Sunday")
        page.get_by_role("link", name="Take theirs").click()
        page.get_by_role("button", name="Take theirs").click()
        expect(page.get_by_text("Decided.")).to_be_visible()

        self._sync(page, running, thread)
        expect(page.get_by_text("In step")).to_be_visible()
        page.goto(f"{running.url}/admin/ai/chatthread/{thread}/change/")
        expect(page.get_by_text(THEIRS)).to_be_visible()
        expect(page.get_by_role("link", name="Decide conflicts")).to_have_count(0)
        watched.assert_clean()

    def _connect(self, page: Page, running: Console, server: RemoteServer) -> None:
        page.goto(f"{running.url}/admin/ai/remoteconnection/add/")
        page.get_by_label("Tenant").first.select_option(index=1)
        page.get_by_label("Name").fill("Old server")
        page.get_by_label("Base URL").fill(server.url)
        page.get_by_label("API key").fill(KEY)
        page.get_by_role("button", name="Save", exact=True).click()
        page.get_by_role("link", name="Old server").first.click()
        page.get_by_role("link", name="Test connection").click()
        page.get_by_role("button", name="Test connection").click()
        expect(page.get_by_text("It serves Assistants-style threads and Conversations.")).to_be_visible()

    def _bring_in(self, page: Page, running: Console, key: str) -> str:
        page.goto(f"{running.url}/admin/ai/chatthread/")
        page.get_by_role("link", name="Bring in").click()
        page.get_by_label("Their IDs").fill(key)
        page.get_by_role("button", name="Bring in").click()
        expect(page.get_by_text("2 came")).to_be_visible(timeout=END_SECONDS * 1000)
        page.get_by_role("row").filter(has_text="2 came").get_by_role("link").first.click()
        expect(page.get_by_text("It left Hamburg on Monday.")).to_be_visible()
        found = re.search(r"chatthread/([0-9a-f-]{36})/", page.url)
        assert found
        return found[1]

    def _sync(self, page: Page, running: Console, thread: str) -> None:
        page.goto(f"{running.url}/admin/ai/chatthread/{thread}/change/")
        page.get_by_role("link", name="Sync now").click()
        page.get_by_role("button", name="Sync now").click()
        expect(page.get_by_text("Completed", exact=True)).to_be_visible(timeout=END_SECONDS * 1000)
