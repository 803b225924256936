"""A journey: tick threads, have titles proposed, edit and untick, apply, and undo."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.fakes.vendors import Recorded, Reply, VendorServer
from tests.journeys.conftest import Watched
from tests.journeys.running import Console
from tests.services.retitling import end_task

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

#: More than a worker asks a model about at the same time.
MANY = 10
PRICES = ("--input-price", "1", "--output-price", "2")


def _slowly(request: Recorded) -> Reply:
    asked = request.json["tools"][0]["function"]["parameters"]["properties"]["result"]
    answer = [] if asked["type"] == "array" else "Found by a model"
    return Reply(chunks=(), calls=end_task(answer)(request).calls, first_byte_delay=1.0)


@pytest.fixture
def slow(running: Console) -> Iterator[str]:
    """The alias of a model that takes a second for an answer."""
    with VendorServer() as server:
        server.script(_slowly)
        place = ("--provider", "openai-compatible", "--base-url", server.url("openai-compatible"))
        running.manage("add_model", "slow-model", *place, "--model", "slow", *PRICES)
        yield "slow-model"


class TestRetitle:
    def test_preview_apply_and_undo(self, page: Page, running: Console, watched: Watched) -> None:
        page.goto(f"{running.url}/admin/ai/chatthread/")
        links = page.locator("#result_list .field-title a")
        old = [links.nth(index).inner_text() for index in range(3)]
        for index in range(3):
            page.locator("#result_list .action-checkbox input").nth(index).check()
        page.locator("select[name=action]").select_option("retitle")
        page.get_by_role("button", name=re.compile("Run|Go")).first.click()

        page.get_by_role("radio", name=re.compile("By rule")).check()
        page.get_by_role("button", name="Propose titles").click()
        expect(page.get_by_text("3 proposed")).to_be_visible()

        titles = page.get_by_role("textbox", name=re.compile("New title of"))
        titles.first.fill("Edited by a person")
        titles.first.press("Enter")
        expect(titles.nth(1)).to_be_focused()
        page.get_by_role("checkbox", name=re.compile("Apply “")).nth(2).uncheck()
        expect(page.get_by_role("button", name=re.compile("Apply 2"))).to_be_visible()
        page.keyboard.press("Control+Enter")

        expect(page.get_by_text("2 applied")).to_be_visible()
        page.goto(f"{running.url}/admin/ai/chatthread/")
        expect(page.get_by_role("link", name="Edited by a person")).to_be_visible()
        page.go_back()
        page.get_by_role("button", name=re.compile("Undo 2")).click()

        expect(page.get_by_text("2 undone")).to_be_visible()
        page.goto(f"{running.url}/admin/ai/chatthread/")
        assert [links.nth(index).inner_text() for index in range(3)] == old
        watched.assert_clean()

    def test_the_page_follows_the_job_and_leaves_what_somebody_edits(
        self, page: Page, running: Console, watched: Watched, slow: str
    ) -> None:
        page.goto(f"{running.url}/admin/ai/chatthread/")
        for index in range(MANY):
            page.locator("#result_list .action-checkbox input").nth(index).check()
        page.locator("select[name=action]").select_option("retitle")
        page.get_by_role("button", name=re.compile("Run|Go")).first.click()
        page.get_by_role("radio", name=re.compile(slow)).check()
        page.get_by_role("button", name="Propose titles").click()

        expect(page.get_by_text("Titles are being found")).to_be_visible()
        titles = page.get_by_role("textbox", name=re.compile("New title of"))
        expect(titles.first).to_be_visible(timeout=60_000)
        expect(page.get_by_role("button", name=re.compile("Apply"))).to_be_disabled()
        titles.first.fill("Edited meanwhile")
        expect(page.get_by_text(f"{MANY} proposed")).to_be_visible(timeout=60_000)

        expect(titles.first).to_have_value("Edited meanwhile")
        expect(titles).to_have_count(MANY)
        expect(page.get_by_text("Titles are being found")).to_have_count(0)
        page.get_by_role("button", name=re.compile(f"Apply {MANY}")).click()
        expect(page.get_by_text(f"{MANY} applied")).to_be_visible()
        expect(page.get_by_text("cost $")).to_be_visible()
        page.get_by_role("button", name=re.compile(f"Undo {MANY}")).click()
        expect(page.get_by_text(f"{MANY} undone")).to_be_visible()
        watched.assert_clean()

    def test_a_title_that_a_person_gave_is_locked(self, page: Page, running: Console, watched: Watched) -> None:
        page.goto(f"{running.url}/admin/ai/chatthread/")
        page.locator("#result_list .field-title a").first.click()
        page.get_by_role("button", name="Edit").first.click()
        page.get_by_label("Title", exact=True).fill("My own title")
        page.get_by_role("button", name="Save").click()

        expect(page.get_by_text("Title locked")).to_be_visible()
        page.get_by_role("link", name=re.compile("Retitle")).first.click()
        expect(page.get_by_text("1 of these threads has a locked title")).to_be_visible()
        page.go_back()
        page.get_by_role("button", name="Unlock").click()

        expect(page.get_by_role("button", name="Lock title")).to_be_visible()
        watched.assert_clean()
