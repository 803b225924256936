"""Ten cards of the feedback inbox without a mouse, and what axe-core says of the page."""

from __future__ import annotations

import re
import time

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.journeys.conftest import Watched
from tests.journeys.running import Console

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

CARDS = 12
TENANT = "Inbox"
FILL = f"""
from ai import tenancy
from ai.models import Message, Tenant
tenant = Tenant.objects.get(name="{TENANT}")
with tenancy.scope(tenant.pk):
    answers = [row for row in Message.objects.all() if row.role == "assistant"][:{CARDS}]
    for number, row in enumerate(answers):
        row.add_feedback({{"rating": "down", "comment": f"Case {{number}} is wrong"}}, f"reader {{number}}")
print(tenant.pk)
"""
#: What axe-core calls serious enough to mend.
BAD = {"serious", "critical"}


@pytest.fixture(scope="module")
def inbox(running: Console) -> str:
    """The address of an inbox with a dozen cards of their own."""
    running.manage("generate_load", "--threads", "20", "--messages", "200", "--seed", "5", "--tenant", TENANT)
    tenant = running.manage("shell", "-v", "0", "-c", FILL).splitlines()[-1]
    return f"{running.url}/admin/ai/feedback/inbox/?tenant={tenant}&rating=down"


def opened(page: Page) -> str:
    """The key of the open card."""
    return page.locator("#i-page").get_attribute("data-item") or ""


def goes_on(page: Page, before: str) -> None:
    """Wait for another card."""
    page.wait_for_function("was => document.getElementById('i-page').dataset.item !== was", arg=before, polling=10)


class TestKeyboard:
    def test_ten_cards_without_a_mouse(self, page: Page, watched: Watched, inbox: str) -> None:
        cards = page.get_by_role("navigation", name="Feedback").get_by_role("listitem")
        before_that = {}
        for state in ("resolved", "dismissed"):
            page.goto(f"{inbox}&state={state}")
            before_that[state] = cards.count()
        page.goto(inbox)
        page.evaluate("window.stayed = true")
        there, done, taken = cards.count(), set(), []
        assert there >= 10

        for number in range(10):
            before = opened(page)
            done.add(before)
            page.keyboard.press(str(number % 4 + 1))
            page.keyboard.press("a")
            begun = time.perf_counter()
            page.keyboard.press("e" if number % 2 else "w")
            goes_on(page, before)
            taken.append((time.perf_counter() - begun) * 1000)

        assert len(done) == 10
        assert sorted(taken)[5] < 1000, taken
        expect(page.get_by_role("status").filter(has_text=re.compile("Resolved"))).to_be_visible()
        assert page.evaluate("window.stayed") is True
        for state, count in before_that.items():
            page.goto(f"{inbox}&state={state}")
            expect(cards).to_have_count(count + 5)
        watched.assert_clean()

    def test_moves_notes_chooses_and_takes_back(self, page: Page, watched: Watched, inbox: str) -> None:
        page.goto(f"{inbox}&state=all")
        first = opened(page)
        page.keyboard.press("j")
        goes_on(page, first)
        second = opened(page)
        page.keyboard.press("k")
        goes_on(page, second)
        assert opened(page) == first

        page.keyboard.press("n")
        page.keyboard.type("j is a letter here")
        page.keyboard.press("Control+Enter")
        expect(page.get_by_text("The note is kept.")).to_be_visible()
        expect(page.locator("blockquote", has_text="j is a letter here")).to_be_visible()

        page.keyboard.press("x")
        page.keyboard.press("j")
        page.keyboard.press("x")
        expect(page.get_by_text("2 chosen.")).to_be_visible()
        page.keyboard.press("s")
        expect(page.get_by_text("2 feedback: snoozed until")).to_be_visible()
        page.keyboard.press("z")
        expect(page.get_by_text("2 feedback: taken back.")).to_be_visible()

        page.keyboard.press("?")
        expect(page.get_by_role("heading", name="Keys")).to_be_visible()
        watched.assert_clean()

    def test_filters_stay_in_the_address(self, page: Page, inbox: str) -> None:
        page.goto(inbox)

        page.get_by_label("State").first.select_option("all")

        page.wait_for_url(re.compile(r"state=all"))
        page.get_by_label("Severity", exact=True).select_option("1")
        page.wait_for_url(re.compile(r"severity=1"))


class TestWithoutItsScript:
    def test_the_buttons_work(self, page: Page, inbox: str) -> None:
        page.route("**/inbox*.js", lambda route: route.abort())
        page.goto(f"{inbox}&state=all")

        page.get_by_role("button", name=re.compile("^Triaged")).click()

        expect(page.get_by_role("status").filter(has_text="Triaged.")).to_be_visible()


class TestAccessibility:
    @pytest.mark.parametrize("scheme", ["light", "dark"])
    def test_axe_finds_nothing_serious(self, page: Page, inbox: str, scheme: str) -> None:
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        page.goto(f"{inbox}&state=all")
        page.keyboard.press("1")
        expect(page.get_by_role("status").filter(has_text="Severity: critical")).to_be_visible()

        found = Axe().run(page).response["violations"]

        said = [
            (each["id"], node["target"], node["html"], each["help"])
            for each in found
            if each["impact"] in BAD
            for node in each["nodes"]
        ]
        assert said == []

    def test_list_and_pane_are_one_under_the_other_on_a_phone(self, page: Page, inbox: str) -> None:
        page.set_viewport_size({"width": 390, "height": 844})
        page.goto(f"{inbox}&state=all")

        cards, pane = page.locator("#i-list").bounding_box(), page.locator("#i-pane").bounding_box()

        assert cards is not None
        assert pane is not None
        assert pane["y"] >= cards["y"] + cards["height"]
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
