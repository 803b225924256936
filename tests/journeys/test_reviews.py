"""Reviewing a hundred conversations without a mouse, and what axe-core says of the pages that staff sit in front of all day."""

from __future__ import annotations

import re
import time

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.journeys.conftest import Watched
from tests.journeys.running import Console

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

ITEMS = 100
TENANT = "Reviewed"

FILL = f"""
from django.utils import timezone
from ai import tenancy
from ai.models import Tenant
from ai.services import actors
from ai.services.reviews import queues
from ai.services.selections import Selection

tenant = Tenant.objects.get(name="{TENANT}")
questions = [
    {{"id": "helpful", "type": "yes_no", "text": "Was it helpful?"}},
    {{"id": "tone", "type": "choice", "text": "How was the tone?", "options": ["kind", "neutral", "cold"]}},
]
with tenancy.scope(tenant.pk):
    made = queues.make(
        name="A hundred", unit="thread", questions=questions, tenant_id=tenant.pk, by=actors.SYSTEM, at=timezone.now()
    )
    queues.fill(
        queue_id=made.pk, selection=Selection.of_list("threads", {{}}), sample={ITEMS}, by=actors.SYSTEM, at=timezone.now()
    )
print(made.pk)
"""

#: What axe-core calls serious enough to mend.
BAD = {"serious", "critical"}


@pytest.fixture(scope="module")
def queue(running: Console) -> str:
    """The key of a queue with a hundred conversations."""
    running.manage("generate_load", "--threads", "120", "--messages", "1200", "--seed", "3", "--tenant", TENANT)
    return running.manage("shell", "-v", "0", "-c", FILL).splitlines()[-1]


class TestReviewing:
    def test_a_hundred_items_without_a_mouse(self, page: Page, running: Console, watched: Watched, queue: str) -> None:
        page.goto(f"{running.url}/admin/ai/reviewqueue/{queue}/change/")
        page.get_by_role("button", name="Start reviewing").focus()
        page.keyboard.press("Enter")
        seen, taken = set(), []

        for number in range(ITEMS):
            review = page.locator("#r-page")
            expect(page.get_by_role("group", name="Was it helpful?")).to_be_visible()
            slot = review.get_attribute("data-slot")
            seen.add(slot)
            page.keyboard.press("1" if number % 3 else "2")
            page.keyboard.press("3")
            begun = time.perf_counter()
            page.keyboard.press("Control+Enter")
            page.wait_for_function(
                "slot => document.getElementById('r-page')?.dataset.slot !== slot", arg=slot, polling=10
            )
            taken.append((time.perf_counter() - begun) * 1000)

        assert len(seen) == ITEMS
        expect(page.get_by_text("Nothing is left for you in this queue")).to_be_visible()
        expect(page.get_by_text(f"of {ITEMS}, 100 %")).to_be_visible()
        # How often each was said: a third said no.
        said = page.get_by_role("rowgroup").filter(has_text="Was it helpful?")
        expect(said.get_by_role("row", name=re.compile("no.*34 %")).first).to_be_visible()
        watched.assert_clean()

    def test_takes_an_answer_back(self, page: Page, running: Console, watched: Watched) -> None:
        page.goto(f"{running.url}/admin/ai/reviewqueue/")
        page.get_by_role("link", name="Were customers helped?").click()
        page.get_by_role("button", name="Start reviewing").click()
        expect(page.get_by_role("group", name="Was the customer helped?")).to_be_visible()
        title = page.locator("main").get_by_role("heading", level=1).inner_text()
        page.keyboard.press("2")
        page.keyboard.press("1")
        page.keyboard.press("Control+Enter")
        expect(page.locator("main").get_by_role("heading", level=1)).not_to_have_text(title)

        page.keyboard.press("u")

        expect(page.locator("main").get_by_role("heading", level=1)).to_have_text(title)
        expect(page.get_by_role("radio", name="No", exact=False).first).to_be_checked()
        watched.assert_clean()

    def test_shows_its_keys(self, page: Page, running: Console) -> None:
        page.goto(f"{running.url}/admin/ai/reviewqueue/")
        page.get_by_role("link", name="Bookings, checked twice").click()
        page.get_by_role("button", name="Start reviewing").click()
        expect(page.get_by_role("group", name=re.compile("A mark"))).to_be_visible()

        page.keyboard.press("?")

        expect(page.get_by_role("heading", name="Keys")).to_be_visible()


LONG = f"""
from django.utils import timezone
from ai import tenancy
from ai.models import ReviewItem, Tenant
from ai.services import actors
from ai.services.reviews import queues
from ai.services.selections import Selection

tenant = Tenant.objects.get(name="{TENANT}")
questions = [{{"id": f"q{{n}}", "type": "text", "text": f"What of part {{n}}?"}} for n in range(8)]
with tenancy.scope(tenant.pk):
    made = queues.make(
        name="Long", unit="thread", questions=questions, instructions="Read all of it.", tenant_id=tenant.pk,
        by=actors.SYSTEM, at=timezone.now(),
    )
    queues.fill(
        queue_id=made.pk, selection=Selection.of_list("threads", {{}}), sample=5, by=actors.SYSTEM, at=timezone.now()
    )
print(made.pk)
"""


@pytest.fixture(scope="module")
def long(running: Console, queue: str) -> str:
    """The key of a queue that asks more than fits a screen."""
    return running.manage("shell", "-v", "0", "-c", LONG).splitlines()[-1]


class TestLayout:
    def test_instructions_are_there_however_much_is_asked(self, page: Page, running: Console, long: str) -> None:
        page.set_viewport_size({"width": 1400, "height": 700})
        page.goto(f"{running.url}/admin/ai/reviewqueue/{long}/change/")
        page.get_by_role("button", name="Start reviewing").click()
        instructions = page.locator("#r-page summary").filter(has_text="Instructions")

        instructions.click()

        expect(page.get_by_text("Read all of it.")).to_be_visible()
        box = instructions.bounding_box()
        assert box is not None
        assert box["height"] >= 24

    def test_items_fit_a_telephone(self, page: Page, running: Console, long: str) -> None:
        page.set_viewport_size({"width": 390, "height": 844})
        page.goto(f"{running.url}/admin/ai/reviewqueue/{long}/items/")

        row = page.get_by_role("row").filter(has=page.get_by_role("checkbox", name="Item 1", exact=True))
        expect(row.get_by_text("Reviews are missing").locator("visible=true")).to_have_count(1)
        expect(row.get_by_text("0 of 1").locator("visible=true")).to_have_count(1)
        inside = page.locator("table").evaluate("each => [each.scrollWidth, each.parentElement.clientWidth]")
        assert inside[0] <= inside[1]
        title = row.get_by_role("link").bounding_box()
        assert title is not None
        assert title["height"] < 60
        assert page.evaluate("document.documentElement.scrollWidth") <= 390


class TestAccessibility:
    @pytest.mark.parametrize(
        "path",
        [
            "",
            "chatthread/",
            "feedback/",
            "reviewqueue/",
            "reviewqueue/add/",
            "run/",
            "message/",
            "transcript",
            "review",
            "queue",
        ],
    )
    def test_axe_finds_nothing_serious(self, page: Page, running: Console, path: str) -> None:
        page.goto(f"{running.url}/admin/ai/{path}" if path.endswith("/") else f"{running.url}/admin/")
        if path == "transcript":
            page.get_by_role("link", name="Threads").first.click()
            page.get_by_role("link", name="Lisbon weekend for two").click()
            page.wait_for_load_state()
        elif path in ("review", "queue"):
            page.get_by_role("link", name="Reviews").first.click()
            page.get_by_role("link", name="A hundred" if path == "queue" else "Bookings, checked twice").click()
            page.wait_for_load_state()
        if path == "review":
            page.get_by_role("button", name="Start reviewing").click()
            expect(page.get_by_role("group", name=re.compile("A mark"))).to_be_visible()

        assert serious(page) == []
        page.emulate_media(color_scheme="dark")
        page.reload()
        assert serious(page) == []


def serious(page: Page) -> list[tuple[str, list[str], str]]:
    """What axe-core objects to: the rule, where, and why."""
    found = Axe().run(page).response["violations"]
    return [
        (each["id"], node["target"], each["help"]) for each in found if each["impact"] in BAD for node in each["nodes"]
    ]
